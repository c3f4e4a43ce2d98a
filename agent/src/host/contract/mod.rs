//! What every implementation of a host's ports must do, in words of the world. The same promises are kept by the simulated hosts,
//! by these with faults at their points, by the real files in a directory, and on a real host by `refit-contract` (in `integration/`).
//!
//! ```text
//! promises ──ports──> Host            what is asked for and told
//!          ──hand───> the same host   what somebody else does there, and what there is to see past all ports
//!          ──there──> another server  what is committed there: its source, or its group's primary
//! ```
//!
//! Each leaves the host as it began: with a server that runs, is not in maintenance, and
//!
//! - takes writes;
//! - `files`: is down;
//! - `group`: is configured for a group and in none, as nobody is, and is read-only;
//! - `membership`: is the secondary of a group of two;
//! - `replication`: replicates from another one, and is read-only.

mod beside;
mod disk;
mod errorlog;
mod files;
mod group;
mod hand;
pub mod insistent;
mod machine;
mod membership;
mod mysql;
mod packages;
mod rehearsals;
mod replication;
mod service;
mod there;

pub use disk::{DiskScene, promises as of_a_disk};
pub use files::{FilesScene, promises as of_files};
pub use group::promises as of_a_group_of_one;
pub use hand::{Hand, HostHand};
pub use membership::promises as of_a_second_member;
pub use replication::promises as of_a_replica;
pub use there::There;

use super::{Host, HostResult};
use crate::operations::ErrorLog;
use anyhow::{Context, bail, ensure};
use futures::future::BoxFuture;
use refit_shared::observation::{PackagePin, ServiceState};
use refit_shared::table::TableName;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Kept, or what was seen instead.
pub type Kept = anyhow::Result<()>;

/// One thing that holds on every host.
pub struct Promise<S> {
    pub port: &'static str,
    /// The promise itself, in a few words.
    pub words: &'static str,
    pub keep: for<'s> fn(&'s S) -> BoxFuture<'s, Kept>,
}

impl<S> std::fmt::Debug for Promise<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl<S> std::fmt::Display for Promise<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.port, self.words.replace('_', " "))
    }
}

/// The promises of one port: each is an asynchronous function whose name says it.
macro_rules! promises {
    ($port:literal, $scene:ty: $($promise:ident),* $(,)?) => {
        pub fn promises() -> Vec<$crate::host::contract::Promise<$scene>> {
            vec![$($crate::host::contract::Promise {
                port: $port,
                words: stringify!($promise),
                keep: |scene| Box::pin($promise(scene)),
            }),*]
        }
    };
}
pub(crate) use promises;

/// One host.
#[derive(Debug, Clone)]
pub struct Scene {
    pub host: Host,
    pub log: Arc<dyn ErrorLog>,
    pub hand: Arc<dyn Hand>,
    /// The packages that are installed.
    pub present: Vec<PackagePin>,
    /// The same of another version, which is offered and has never been fetched.
    pub other: Vec<PackagePin>,
    /// An InnoDB table.
    pub table: TableName,
    /// Longer than a start or a stop takes.
    pub patience: Duration,
}

/// One host, and another server that its own belongs with.
#[derive(Debug, Clone)]
pub struct PairScene {
    pub here: Scene,
    pub there: Arc<dyn There>,
}

/// All that is promised of a host whose server runs and stands alone.
pub fn of_a_host() -> Vec<Promise<Scene>> {
    let ports = [
        service::promises(),
        mysql::promises(),
        errorlog::promises(),
        machine::promises(),
        packages::promises(),
        beside::promises(),
        files::promises_with_a_server(),
        rehearsals::promises(),
    ];
    ports.into_iter().flatten().collect()
}

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// What has not happened after this does not happen.
const NEVER: Duration = Duration::from_secs(3);

/// A wait that comes to an end.
struct Patience(Instant);

impl Patience {
    /// Waits a moment; what was seen last is told at the end.
    async fn more<T: std::fmt::Debug>(&self, wanted: &str, seen: &T) -> Kept {
        ensure!(
            Instant::now() < self.0,
            "waited in vain: {wanted}; seen: {seen:?}"
        );
        sleep(LOOK).await;
        Ok(())
    }
}

impl Scene {
    fn patience(&self) -> Patience {
        Patience(Instant::now() + self.patience)
    }

    async fn wait_for_state(&self, wanted: &[ServiceState]) -> Kept {
        let deadline = Instant::now() + self.patience;
        loop {
            let state = self.host.service.state().await?;
            if wanted.contains(&state) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the unit is {state:?} and should be {wanted:?}"
            );
            sleep(LOOK).await;
        }
    }

    /// Down, without a process.
    pub async fn stop(&self) -> Kept {
        self.host.service.begin_stop().await?;
        self.wait_for_state(&[ServiceState::Inactive]).await?;
        let pid = self.host.service.main_pid().await?;
        ensure!(pid.is_none(), "it is inactive and has process {pid:?}");
        Ok(())
    }

    /// Up, and it answers.
    pub async fn start(&self) -> Kept {
        self.host.service.begin_start().await?;
        let deadline = Instant::now() + self.patience;
        while let Err(error) = self.host.mysql.uuid().await {
            ensure!(
                Instant::now() < deadline,
                "the server does not come up: {error}"
            );
            sleep(LOOK).await;
        }
        self.wait_for_state(&[ServiceState::Active]).await
    }

    async fn restart(&self) -> Kept {
        self.stop().await?;
        self.start().await
    }

    async fn enter_maintenance(&self) -> Kept {
        self.host.files.write_maintenance().await?;
        Ok(self.host.service.reload_units().await?)
    }

    async fn leave_maintenance(&self) -> Kept {
        self.host.files.remove_maintenance().await?;
        Ok(self.host.service.reload_units().await?)
    }

    /// The server has these option files no more than before: its variable is as it is told.
    async fn variable(&self, name: &str) -> anyhow::Result<String> {
        let facts = self.host.mysql.facts().await?;
        let value = facts.variables.get(name).cloned();
        value.with_context(|| format!("the server does not tell its {name}"))
    }
}

/// What must be refused was.
fn refused<T: std::fmt::Debug>(answer: HostResult<T>, what: &str) -> Kept {
    match answer {
        Err(_) => Ok(()),
        Ok(answer) => bail!("{what} should be an error and is {answer:?}"),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T, what: &str) -> Kept {
    ensure!(
        found == wanted,
        "{what}: it is {found:?} and should be {wanted:?}"
    );
    Ok(())
}
