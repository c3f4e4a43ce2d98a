//! The worker: the one owner of the ledger, doing one order after the other.
//!
//! Owns the work. A caller who goes away takes nothing with it; a restarted agent goes on with what is open; the same
//! attempt is attached to or answered with its receipt; older controllers and older attempts are refused. Does not know
//! what operations do ([`crate::operations`]) or how orders arrive ([`crate::service`]).
//!
//! ```text
//! submit(order) ──> task ── judge ──> refusal
//!                    │        ├─────> known: attach, or its receipt
//!                    │        └─────> accept (fsync) ──> queue ──> run ──> close (fsync) ──> receipt
//!                    └── at start: every open attempt, oldest first
//! ```

mod bench;
mod clock;
mod judge;
mod task;
#[cfg(test)]
mod tests;

pub use bench::{Bench, Occupied};
pub use clock::{Clock, SystemClock};
pub use judge::Refusal;

use crate::host::Host;
use crate::lease::Lease;
use crate::ledger::{Disk, Entry, Ledger, LedgerError, Memory};
use crate::operations::{ErrorLog, OpContext};
use crate::progress::Phase;
use refit_shared::ids::{ClusterName, Epoch, MemberName};
use refit_shared::observation::Seconds;
use refit_shared::operation::{OperationKind, Order};
use refit_shared::receipt::{Progress, Receipt};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Callers that may wait for the worker's attention; each is answered within a few disk writes.
const COMMANDS: usize = 32;
/// Orders that may wait behind the one in hand: the undo of it, and little else, makes sense.
const QUEUE: usize = 8;

/// What the worker works with.
#[derive(Debug, Clone)]
pub struct Workplace {
    pub cluster: ClusterName,
    pub member: MemberName,
    pub host: Host,
    pub log: Arc<dyn ErrorLog>,
    pub state_dir: PathBuf,
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub lease: Lease,
    /// Lent to surveys while no order is in hand.
    pub bench: Bench,
}

impl Workplace {
    /// What an operation is given, for so much time from now.
    pub fn context(&self, order: Order, left: Duration, phase: Phase) -> OpContext {
        let memory = Memory::of(&self.state_dir, &order.id.rollout, self.disk.clone());
        OpContext {
            deadline: Instant::now() + left,
            order,
            phase,
            log: self.log.clone(),
            memory,
            lease: self.lease.clone(),
        }
    }
}

/// What everybody may know of the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub highest_epoch: Epoch,
    /// For people.
    pub working_on: Option<String>,
    pub measured_s: BTreeMap<OperationKind, Seconds>,
    /// Why no order is accepted.
    pub broken: Option<String>,
    /// Attempts that have ended since the agent started: what was cached before one may no longer be so.
    pub ended: u64,
}

/// An accepted order: its progress, and its receipt when there is one.
#[derive(Debug)]
pub struct Attached {
    pub progress: watch::Receiver<Progress>,
    receipt: watch::Receiver<Option<Receipt>>,
}

/// The worker has ended; nothing follows about the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent is shutting down")]
pub struct WorkerGone;

impl Attached {
    /// Waits for the end of the work. Dropping the future stops the waiting only.
    pub async fn receipt(&mut self) -> Result<Receipt, WorkerGone> {
        let found = self.receipt.wait_for(Option::is_some).await;
        match found.as_deref() {
            Ok(Some(receipt)) => Ok(receipt.clone()),
            Ok(None) | Err(_) => Err(WorkerGone),
        }
    }
}

enum Command {
    Submit(Box<Order>, oneshot::Sender<Result<Attached, Refusal>>),
    Judge(Box<Order>, oneshot::Sender<Result<(), Refusal>>),
    Entries(oneshot::Sender<Result<Vec<Entry>, String>>),
}

/// A handle to the worker. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Worker {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<View>,
}

/// The worker's task. Dropping it kills the work in hand, as kill -9 does.
#[derive(Debug)]
pub struct WorkerTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    lease: JoinHandle<()>,
}

impl Drop for WorkerTask {
    fn drop(&mut self) {
        self.task.abort();
        self.lease.abort();
    }
}

impl WorkerTask {
    /// Begins nothing more and lets the order in hand end, for so long. `true`: nothing was left in hand; otherwise the
    /// attempt stays open in the ledger and is gone on with at the next start.
    pub async fn stop(mut self, within: Duration) -> bool {
        if self.task.is_finished() {
            return true;
        }
        self.stop.send_replace(true);
        tokio::time::timeout(within, &mut self.task).await.is_ok()
    }

    /// Ends when the worker does: it must not, unless it is stopped.
    pub async fn ended(&mut self) {
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the worker failed");
        }
    }
}

impl Worker {
    /// Starts with what the ledger says is open. A ledger that can't be read makes a worker that refuses everything and says
    /// why.
    pub fn start(place: Workplace, ledger: Result<Ledger, LedgerError>) -> (Self, WorkerTask) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (stop, stopping) = watch::channel(false);
        let lease = tokio::spawn(place.lease.clone().keep(place.host.clone()));
        let (task, view) = task::Task::new(place, ledger, receiver, stopping);
        let task = tokio::spawn(task.run());
        (Self { commands, view }, WorkerTask { stop, task, lease })
    }

    /// Accepts an order, or attaches to it. Once this has returned `Ok` the order is carried out whatever the caller does.
    pub async fn submit(&self, order: Order) -> Result<Result<Attached, Refusal>, WorkerGone> {
        self.ask(|reply| Command::Submit(Box::new(order), reply))
            .await
    }

    /// Whether an order would be obeyed, changing nothing.
    pub async fn judge(&self, order: Order) -> Result<Result<(), Refusal>, WorkerGone> {
        self.ask(|reply| Command::Judge(Box::new(order), reply))
            .await
    }

    /// The whole ledger, oldest first; `Err` says why it can't be read.
    pub async fn entries(&self) -> Result<Result<Vec<Entry>, String>, WorkerGone> {
        self.ask(Command::Entries).await
    }

    pub fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, WorkerGone> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| WorkerGone)?;
        answer.await.map_err(|_| WorkerGone)
    }
}
