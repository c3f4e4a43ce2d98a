//! A journal that misbehaves on command: it fails, it lies, or it stops the controller before or after an append is durable.
//!
//! "Stops" means that the append never returns: whoever waits for it is dropped by the test or simulation, as a crash would.

use crate::ports::{Journal, JournalError};
use async_trait::async_trait;
use refit_shared::ids::{Digest, Epoch, RolloutId};
use refit_shared::plan::Plan;
use refit_shared::saga::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::watch;

/// What goes wrong, and at which append (counted from 0 over the life of the wrapper).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The append, and everything after it, is refused; nothing of it is kept.
    FailAt(u64),
    /// The append, and every later one, is acknowledged and dropped.
    LieFrom(u64),
    /// The controller dies before the append is durable.
    CrashBefore(u64),
    /// The controller dies when the append is durable and before it learns so.
    CrashAfter(u64),
}

/// Wraps another journal.
#[derive(Debug)]
pub struct FaultyJournal<J> {
    inner: J,
    fault: Fault,
    appends: AtomicU64,
    failed: AtomicBool,
    crashed: Arc<watch::Sender<bool>>,
}

impl<J: Journal> FaultyJournal<J> {
    pub fn new(inner: J, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            appends: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            crashed: Arc::new(watch::Sender::new(false)),
        }
    }

    /// How many appends were asked for so far.
    pub fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    /// Turns true when the controller is to be dropped.
    pub fn crash(&self) -> watch::Receiver<bool> {
        self.crashed.subscribe()
    }

    async fn die(&self) -> ! {
        self.crashed.send_replace(true);
        std::future::pending().await
    }

    fn works(&self) -> Result<(), JournalError> {
        if self.failed.load(Ordering::SeqCst) {
            Err(JournalError::Poisoned("an injected fault".to_owned()))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl<J: Journal> Journal for FaultyJournal<J> {
    async fn append(&self, entries: Vec<Entry>) -> Result<(), JournalError> {
        self.works()?;
        let number = self.appends.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::FailAt(at) if number >= at => {
                self.failed.store(true, Ordering::SeqCst);
                Err(JournalError::Write("an injected fault".to_owned()))
            }
            Fault::LieFrom(from) if number >= from => Ok(()),
            Fault::CrashBefore(at) if number >= at => self.die().await,
            Fault::CrashAfter(at) if number >= at => {
                if number == at {
                    self.inner.append(entries).await?;
                }
                self.die().await
            }
            Fault::None
            | Fault::FailAt(_)
            | Fault::LieFrom(_)
            | Fault::CrashBefore(_)
            | Fault::CrashAfter(_) => self.inner.append(entries).await,
        }
    }

    async fn read(&self, rollout: &RolloutId) -> Result<Vec<Entry>, JournalError> {
        self.works()?;
        self.inner.read(rollout).await
    }

    async fn rollouts(&self) -> Result<Vec<RolloutId>, JournalError> {
        self.works()?;
        self.inner.rollouts().await
    }

    async fn keep_plan(&self, plan: &Plan) -> Result<(), JournalError> {
        self.works()?;
        self.inner.keep_plan(plan).await
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<Plan>, JournalError> {
        self.works()?;
        self.inner.plan(digest).await
    }

    async fn next_epoch(&self) -> Result<Epoch, JournalError> {
        self.works()?;
        self.inner.next_epoch().await
    }

    async fn pass_epoch(&self, epoch: Epoch) -> Result<(), JournalError> {
        self.works()?;
        self.inner.pass_epoch(epoch).await
    }
}
