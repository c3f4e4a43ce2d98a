//! A journal that forgets with the process: for tests and simulations. Clones share the memory, so a simulated controller can
//! crash and a new one open what the old one has written.

use crate::ports::{Journal, JournalError};
use async_trait::async_trait;
use refit_shared::ids::{Digest, Epoch, RolloutId, Seq};
use refit_shared::plan::Plan;
use refit_shared::saga::Entry;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Memory {
    epoch: Epoch,
    rollouts: BTreeMap<RolloutId, Vec<Entry>>,
    plans: BTreeMap<Digest, Plan>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal(Arc<Mutex<Memory>>);

impl MemoryJournal {
    /// The lock is held for a few instructions, never across an await.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries must continue their rollouts without a gap; `known` tells how many entries a rollout has.
pub(super) fn continues(
    entries: &[Entry],
    known: impl Fn(&RolloutId) -> u64,
) -> Result<(), JournalError> {
    let mut next: BTreeMap<&RolloutId, u64> = BTreeMap::new();
    for entry in entries {
        let expected = next
            .entry(&entry.rollout)
            .or_insert_with(|| known(&entry.rollout));
        if entry.seq != Seq(*expected) {
            return Err(JournalError::Write(format!(
                "entry {} of rollout {} where {expected} is due",
                entry.seq, entry.rollout
            )));
        }
        *expected += 1;
    }
    Ok(())
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, entries: Vec<Entry>) -> Result<(), JournalError> {
        let mut memory = self.memory();
        continues(&entries, |rollout| {
            memory
                .rollouts
                .get(rollout)
                .map_or(0, |all| all.len() as u64)
        })?;
        for entry in entries {
            memory
                .rollouts
                .entry(entry.rollout.clone())
                .or_default()
                .push(entry);
        }
        Ok(())
    }

    async fn read(&self, rollout: &RolloutId) -> Result<Vec<Entry>, JournalError> {
        Ok(self
            .memory()
            .rollouts
            .get(rollout)
            .cloned()
            .unwrap_or_default())
    }

    async fn rollouts(&self) -> Result<Vec<RolloutId>, JournalError> {
        Ok(self.memory().rollouts.keys().cloned().collect())
    }

    async fn keep_plan(&self, plan: &Plan) -> Result<(), JournalError> {
        self.memory().plans.insert(plan.digest(), plan.clone());
        Ok(())
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<Plan>, JournalError> {
        Ok(self.memory().plans.get(digest).cloned())
    }

    async fn next_epoch(&self) -> Result<Epoch, JournalError> {
        let mut memory = self.memory();
        memory.epoch = memory.epoch.next();
        Ok(memory.epoch)
    }

    async fn pass_epoch(&self, epoch: Epoch) -> Result<(), JournalError> {
        let mut memory = self.memory();
        memory.epoch = memory.epoch.max(epoch);
        Ok(())
    }
}
