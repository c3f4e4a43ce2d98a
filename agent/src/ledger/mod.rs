//! The agent's durable record of the orders it was given: what it has begun, and how it ended.
//!
//! ```text
//! <state>/ledger/epoch                      the highest controller epoch that was obeyed
//! <state>/ledger/forgotten                  up to which rollout everything has been forgotten
//! <state>/ledger/<rollout>.s05.a1.entry     one attempt: the order, and its receipt once there is one
//! <state>/memory/<rollout>/<key>            what that rollout has to remember on this host
//! ```
//!
//! An entry without a receipt is open: something of it may have happened. A damaged file is never skipped: an agent that
//! can't read what it has done must not act. One owner, the worker, writes it.
//!
//! The latest [`KEPT`] rollouts are kept, which is more than a lost journal is ever rebuilt from. Of those before nothing but
//! the name of the last one is kept: whatever still arrives for them is refused.

pub mod disk;
mod memory;

pub use disk::{Disk, FileDisk};
pub use memory::Memory;

use refit_shared::ids::{Attempt, Digest, Epoch, RolloutId, StepId};
use refit_shared::observation::Seconds;
use refit_shared::operation::{AttemptId, Direction, OperationKind, Order};
use refit_shared::receipt::{Outcome, Receipt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many of the latest durations of an operation a median is taken from.
const MEASURED: usize = 9;
/// How many rollouts are remembered.
pub const KEPT: usize = 16;
const FORGOTTEN: &str = "forgotten";

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The order in which attempts were accepted on this host.
    pub serial: u64,
    pub order: Order,
    /// [`Order::content_digest`] when it was accepted.
    pub content: Digest,
    pub accepted_unix_ms: i64,
    /// When the work began; `None` while it waits for other work.
    pub began_unix_ms: Option<i64>,
    /// `None`: the attempt is open.
    pub receipt: Option<Receipt>,
}

/// Why the ledger can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// Every file that can't be trusted, with what is wrong with it.
    #[error("the ledger is damaged: {}", .0.join("; "))]
    Damaged(Vec<String>),
}

/// The ledger of one agent.
#[derive(Debug)]
pub struct Ledger {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    epoch: Epoch,
    /// The last of the rollouts that are no longer remembered; names sort by time.
    forgotten: Option<RolloutId>,
    entries: BTreeMap<AttemptId, Entry>,
}

impl Ledger {
    /// Reads all of it. Files that an interrupted write left unfinished never counted and are removed.
    pub fn open(state_dir: &Path, disk: Arc<dyn Disk>) -> Result<Self, LedgerError> {
        let directory = state_dir.join("ledger");
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| LedgerError::Io {
                action,
                path,
                source,
            }
        };
        disk::create_directory(&directory, true).map_err(io("creating", &directory))?;
        let mut ledger = Self {
            directory: directory.clone(),
            disk,
            epoch: Epoch(0),
            forgotten: None,
            entries: BTreeMap::new(),
        };
        let mut damaged = Vec::new();
        for file in std::fs::read_dir(&directory).map_err(io("listing", &directory))? {
            let path = file.map_err(io("listing", &directory))?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            if name.ends_with(disk::UNFINISHED) {
                std::fs::remove_file(&path).map_err(io("removing", &path))?;
                continue;
            }
            let bytes = std::fs::read(&path).map_err(io("reading", &path))?;
            if let Err(why) = ledger.take_in(&name, &bytes) {
                damaged.push(format!("{}: {why}", path.display()));
            }
        }
        if damaged.is_empty() {
            Ok(ledger)
        } else {
            damaged.sort();
            Err(LedgerError::Damaged(damaged))
        }
    }

    fn take_in(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        if name == "epoch" {
            self.epoch = disk::decode(bytes)?;
            return Ok(());
        }
        if name == FORGOTTEN {
            self.forgotten = Some(disk::decode(bytes)?);
            return Ok(());
        }
        let entry: Entry = disk::decode(bytes)?;
        if file_name(&entry.order.id) != name {
            return Err(format!("it holds attempt {}", entry.order.id));
        }
        if entry.order.content_digest() != entry.content {
            return Err("its order is not the one that was accepted".to_owned());
        }
        self.entries.insert(entry.order.id.clone(), entry);
        Ok(())
    }

    pub fn highest_epoch(&self) -> Epoch {
        let of_orders = self.entries.values().map(|entry| entry.order.epoch).max();
        self.epoch.max(of_orders.unwrap_or_default())
    }

    /// From now on older controllers are refused.
    pub async fn obey(&mut self, epoch: Epoch) -> Result<(), LedgerError> {
        if epoch > self.epoch {
            self.write("epoch", disk::encode(&epoch)).await?;
            self.epoch = epoch;
        }
        Ok(())
    }

    /// Whether this rollout belongs to those of which nothing is kept any more: what arrives for it is late.
    pub fn has_forgotten(&self, rollout: &RolloutId) -> bool {
        let known = self.entries.keys().any(|id| id.rollout == *rollout);
        !known && self.forgotten.as_ref().is_some_and(|last| rollout <= last)
    }

    /// Makes room for one more rollout: forgets the oldest ones, never one with an open attempt. Returns whom it forgot.
    pub async fn make_room(&mut self, for_one: &RolloutId) -> Result<Vec<RolloutId>, LedgerError> {
        let mut rollouts: BTreeMap<RolloutId, bool> = BTreeMap::new();
        if for_one.is_rehearsal() {
            return self.forget_rehearsals().await;
        }
        for entry in self.entries.values() {
            if entry.order.id.rollout.is_rehearsal() {
                continue;
            }
            let open = rollouts.entry(entry.order.id.rollout.clone()).or_default();
            *open |= entry.receipt.is_none();
        }
        if rollouts.contains_key(for_one) {
            return Ok(Vec::new());
        }
        let surplus = (rollouts.len() + 1).saturating_sub(KEPT);
        let leave: Vec<RolloutId> = rollouts
            .into_iter()
            .filter(|(rollout, open)| !open && rollout < for_one)
            .take(surplus)
            .map(|(rollout, _)| rollout)
            .collect();
        let Some(last) = leave.last().cloned() else {
            return Ok(leave);
        };
        // First that they are forgotten, then their files: an entry that is still there is known all the same.
        if self.forgotten.as_ref().is_none_or(|before| *before < last) {
            self.write(FORGOTTEN, disk::encode(&last)).await?;
            self.forgotten = Some(last);
        }
        let gone: Vec<AttemptId> = self
            .entries
            .keys()
            .filter(|id| leave.contains(&id.rollout))
            .cloned()
            .collect();
        self.remove(gone).await?;
        Ok(leave)
    }

    /// A rehearsal owes nothing once it has ended: only the latest is kept, and none takes a rollout's place.
    async fn forget_rehearsals(&mut self) -> Result<Vec<RolloutId>, LedgerError> {
        let ended = self
            .entries
            .iter()
            .filter(|(id, entry)| id.rollout.is_rehearsal() && entry.receipt.is_some());
        let gone: Vec<AttemptId> = ended.map(|(id, _)| id.clone()).collect();
        let rollouts = gone.iter().map(|id| id.rollout.clone()).collect();
        self.remove(gone).await?;
        Ok(rollouts)
    }

    async fn remove(&mut self, gone: Vec<AttemptId>) -> Result<(), LedgerError> {
        for id in gone {
            let path = self.directory.join(file_name(&id));
            let removed = self.disk.remove(&path).await;
            removed.map_err(|source| LedgerError::Io {
                action: "removing",
                path,
                source,
            })?;
            self.entries.remove(&id);
        }
        Ok(())
    }

    /// Records the intent. Once this has returned, undo is owed.
    pub async fn accept(&mut self, order: Order, now_unix_ms: i64) -> Result<(), LedgerError> {
        let last = self.entries.values().map(|entry| entry.serial).max();
        let entry = Entry {
            serial: last.map_or(1, |last| last + 1),
            content: order.content_digest(),
            order,
            accepted_unix_ms: now_unix_ms,
            began_unix_ms: None,
            receipt: None,
        };
        self.put(entry).await
    }

    /// The work begins, or, after a restart, goes on: the first time counts.
    pub async fn begin(&mut self, id: &AttemptId, now_unix_ms: i64) -> Result<i64, LedgerError> {
        let mut entry = self.known(id).clone();
        if let Some(began) = entry.began_unix_ms {
            return Ok(began);
        }
        entry.began_unix_ms = Some(now_unix_ms);
        self.put(entry).await?;
        Ok(now_unix_ms)
    }

    /// Records how an attempt ended.
    pub async fn close(
        &mut self,
        id: &AttemptId,
        outcome: Outcome,
        now_unix_ms: i64,
    ) -> Result<Receipt, LedgerError> {
        let mut entry = self.known(id).clone();
        let receipt = Receipt {
            id: id.clone(),
            content: entry.content,
            began_unix_ms: entry.began_unix_ms.unwrap_or(now_unix_ms),
            ended_unix_ms: now_unix_ms,
            outcome,
        };
        entry.receipt = Some(receipt.clone());
        self.put(entry).await?;
        Ok(receipt)
    }

    fn known(&self, id: &AttemptId) -> &Entry {
        self.entries
            .get(id)
            .expect("only accepted attempts are begun and closed")
    }

    pub fn find(&self, id: &AttemptId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// The latest attempt at a step that was ever accepted here.
    pub fn latest_attempt(&self, rollout: &RolloutId, step: StepId) -> Option<Attempt> {
        self.entries
            .keys()
            .filter(|id| id.rollout == *rollout && id.step == step)
            .map(|id| id.attempt)
            .max()
    }

    /// As they were accepted, oldest first.
    pub fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_by_key(|entry| entry.serial);
        entries
    }

    /// Attempts without a receipt, oldest first.
    pub fn open_attempts(&self) -> Vec<AttemptId> {
        self.entries()
            .into_iter()
            .filter(|entry| entry.receipt.is_none())
            .map(|entry| entry.order.id.clone())
            .collect()
    }

    /// The median time of the latest tries forward that really did something, by kind of operation.
    pub fn measured(&self) -> BTreeMap<OperationKind, Seconds> {
        let mut times: BTreeMap<OperationKind, Vec<u64>> = BTreeMap::new();
        for entry in self.entries().into_iter().rev() {
            let Some(ms) = duration_ms(entry) else {
                continue;
            };
            let of_kind = times.entry(entry.order.operation.kind()).or_default();
            if of_kind.len() < MEASURED {
                of_kind.push(ms);
            }
        }
        times
            .into_iter()
            .map(|(kind, mut times)| {
                times.sort_unstable();
                (kind, Seconds::from_millis(times[times.len() / 2]))
            })
            .collect()
    }

    async fn put(&mut self, entry: Entry) -> Result<(), LedgerError> {
        let name = file_name(&entry.order.id);
        self.write(&name, disk::encode(&entry)).await?;
        self.entries.insert(entry.order.id.clone(), entry);
        Ok(())
    }

    async fn write(&self, name: &str, content: Vec<u8>) -> Result<(), LedgerError> {
        let path = self.directory.join(name);
        let written = self.disk.write(&path, content).await;
        written.map_err(|source| LedgerError::Io {
            action: "writing",
            path,
            source,
        })
    }
}

fn file_name(id: &AttemptId) -> String {
    format!("{}.{}.a{}.entry", id.rollout, id.step, id.attempt)
}

/// `None` where the time says nothing about the next one: not done, undone, or found done.
fn duration_ms(entry: &Entry) -> Option<u64> {
    let receipt = entry.receipt.as_ref()?;
    match &receipt.outcome {
        Outcome::Done { notes } => {
            let worked = !notes.iter().any(|note| note == crate::operations::ALREADY);
            let forward = entry.order.direction == Direction::Perform;
            let ms = receipt.ended_unix_ms.checked_sub(receipt.began_unix_ms)?;
            u64::try_from(ms).ok().filter(|_| worked && forward)
        }
        Outcome::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests;
