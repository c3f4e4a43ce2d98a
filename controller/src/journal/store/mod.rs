//! The production journal: sled, made durable by our own fdatasync, trusted only after everything in it has been verified.
//!
//! ```text
//!  append ──(bounded)──> journal thread: drain the queue ─> one batch ─> apply ─> flush ─> fdatasync ─> acknowledge all
//!  read ────────────────> sled, on a blocking thread
//! ```
//!
//! One thread writes. After any error of the store it is poisoned: what is on disk is then known only by opening it again.
//! How the directory is made, opened and verified is in [`open`] and [`verify`]; keys and values in [`keys`] and [`plans`].

mod keys;
mod mark;
mod open;
mod place;
mod plans;
mod thread;
mod verify;

#[cfg(test)]
mod tests;

pub use place::Place;
pub use verify::Verified;

use crate::ports::{Journal, JournalError};
use async_trait::async_trait;
use open::Opened;
use refit_shared::ids::{Digest, Epoch, RolloutId};
use refit_shared::plan::Plan;
use refit_shared::saga::Entry;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use thread::{Request, Write, Written};
use tokio::sync::{mpsc, oneshot};

/// Appends that may wait for the disk: one a rollout, since its owner waits for each.
const QUEUE: usize = 1024;

/// Why the journal can't be used any more, once it can't.
type Poison = Arc<OnceLock<String>>;

/// See the module. The directory stays locked until this is dropped.
#[derive(Debug)]
pub struct SledJournal {
    db: sled::Db,
    poison: Poison,
    /// Dropped first, which ends the thread.
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl SledJournal {
    /// Opens or makes the journal and verifies everything in it. Blocks: call it on a blocking thread.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] names what is wrong; [`JournalError::Read`] also when another process has it open.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let opened = open::open(dir)?;
        Ok(Self::start(opened))
    }

    fn start(opened: Opened) -> Self {
        let db = opened.db.clone();
        let poison = Poison::default();
        let (requests, inbox) = mpsc::channel(QUEUE);
        let writer = thread::Writer::new(opened, Arc::clone(&poison));
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(inbox))
            .expect("the operating system can start a thread at the start of the program");
        Self {
            db,
            poison,
            requests: Some(requests),
            thread: Some(thread),
        }
    }

    fn works(&self) -> Result<(), JournalError> {
        match self.poison.get() {
            Some(why) => Err(JournalError::Poisoned(why.clone())),
            None => Ok(()),
        }
    }

    async fn write(&self, write: Write) -> Result<Written, JournalError> {
        self.works()?;
        let gone = || {
            let why = self
                .poison
                .get()
                .map_or("its thread has ended", String::as_str);
            JournalError::Poisoned(why.to_owned())
        };
        let (reply, answer) = oneshot::channel();
        let requests = self
            .requests
            .as_ref()
            .expect("it is taken only when this is dropped");
        let sent = requests.send(Request { write, reply }).await;
        sent.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Reads on a blocking thread; an error poisons the journal.
    async fn look<T: Send + 'static>(
        &self,
        read: impl FnOnce(&sled::Db) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.works()?;
        let db = self.db.clone();
        let read = tokio::task::spawn_blocking(move || read(&db)).await;
        let read = read
            .unwrap_or_else(|error| Err(JournalError::Read(format!("reading it failed: {error}"))));
        if let Err(error) = &read {
            // The first reason stays.
            let _ = self.poison.set(error.to_string());
        }
        read
    }
}

impl Drop for SledJournal {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // No longer than the write under way. A panic of the thread has been told by then.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Journal for SledJournal {
    async fn append(&self, entries: Vec<Entry>) -> Result<(), JournalError> {
        self.write(Write::Entries(entries)).await.map(drop)
    }

    async fn read(&self, rollout: &RolloutId) -> Result<Vec<Entry>, JournalError> {
        let rollout = rollout.clone();
        self.look(move |db| verify::rollout(db, &rollout)).await
    }

    async fn rollouts(&self) -> Result<Vec<RolloutId>, JournalError> {
        self.look(verify::rollouts).await
    }

    async fn keep_plan(&self, plan: &Plan) -> Result<(), JournalError> {
        self.write(Write::Plan(Box::new(plan.clone())))
            .await
            .map(drop)
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<Plan>, JournalError> {
        let digest = *digest;
        self.look(move |db| plans::read(db, &digest)).await
    }

    async fn next_epoch(&self) -> Result<Epoch, JournalError> {
        match self.write(Write::Epoch { above: Epoch(0) }).await? {
            Written::Epoch(epoch) => Ok(epoch),
            Written::Durable => unreachable!("the thread answers a request for an epoch with one"),
        }
    }

    async fn pass_epoch(&self, epoch: Epoch) -> Result<(), JournalError> {
        self.write(Write::Epoch { above: epoch }).await.map(drop)
    }
}

/// Opens a journal that no controller has open, verifies it and says what is in it. Blocks.
pub fn verify(dir: &Path) -> Result<Verified, JournalError> {
    let verified = open::existing(dir)?.verified;
    place::give_to_owner(dir)?;
    Ok(verified)
}

/// Everything in a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    pub epoch: Epoch,
    pub plans: Vec<Plan>,
    /// Each rollout's entries from its first; oldest rollout first.
    pub rollouts: Vec<Vec<Entry>>,
}

/// Opens a journal that no controller has open, verifies it and gives all of it. Blocks.
pub fn export(dir: &Path) -> Result<Exported, JournalError> {
    let opened = open::existing(dir)?;
    let rollouts = verify::rollouts(&opened.db)?;
    let rollouts = rollouts
        .iter()
        .map(|id| verify::rollout(&opened.db, id))
        .collect::<Result<_, _>>()?;
    let plans = verify::plans(&opened.db)?
        .iter()
        .map(|digest| {
            plans::read(&opened.db, digest)?
                .ok_or_else(|| JournalError::Corrupt(format!("plan {} is missing", digest.short())))
        })
        .collect::<Result<_, _>>()?;
    let epoch = opened.verified.epoch;
    drop(opened);
    place::give_to_owner(dir)?;
    Ok(Exported {
        epoch,
        plans,
        rollouts,
    })
}
