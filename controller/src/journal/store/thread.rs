//! The one thread that writes: as many requests as wait become one batch, one flush and one fdatasync.

use super::mark::MarkFile;
use super::open::Opened;
use super::verify::Contents;
use super::{Poison, keys, plans};
use crate::journal::memory::continues;
use crate::ports::JournalError;
use keys::Tail;
use refit_proto::journal_codec;
use refit_shared::ids::{Digest, Epoch, RolloutId, Seq};
use refit_shared::plan::Plan;
use refit_shared::saga::Entry;
use std::collections::BTreeMap;
use std::fs::File;
use tokio::sync::{mpsc, oneshot};

#[derive(Debug)]
pub(super) enum Write {
    Entries(Vec<Entry>),
    Plan(Box<Plan>),
    /// The next one; with a number that it must be higher than.
    Epoch {
        above: Epoch,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Durable,
    Epoch(Epoch),
}

pub(super) type Reply = oneshot::Sender<Result<Written, JournalError>>;

#[derive(Debug)]
pub(super) struct Request {
    pub write: Write,
    pub reply: Reply,
}

#[derive(Debug)]
pub(super) struct Writer {
    db: sled::Db,
    file: File,
    mark: MarkFile,
    contents: Contents,
    poison: Poison,
    /// Dropped last.
    _lock: File,
}

/// What one request puts on disk, and what it changes in memory once that is durable.
#[derive(Debug, Default)]
struct Staged {
    values: Vec<plans::Pair>,
    tails: BTreeMap<RolloutId, Tail>,
    epoch: Option<Epoch>,
    entries: u64,
}

impl Writer {
    pub(super) fn new(opened: Opened, poison: Poison) -> Self {
        Self {
            db: opened.db,
            file: opened.file,
            mark: opened.mark,
            contents: opened.contents,
            poison,
            _lock: opened.lock,
        }
    }

    /// Until every sender is gone.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut waiting = vec![first];
            while let Ok(next) = requests.try_recv() {
                waiting.push(next);
            }
            self.serve(waiting);
        }
    }

    fn serve(&mut self, requests: Vec<Request>) {
        if let Some(why) = self.poison.get() {
            for request in requests {
                drop(request.reply.send(Err(JournalError::Poisoned(why.clone()))));
            }
            return;
        }
        let mut batch = sled::Batch::default();
        let mut pending: Vec<(Reply, Written)> = Vec::new();
        let mut entries = 0;
        let mut last = None;
        // What is staged counts at once for the requests behind it; all become durable together, or the journal is poisoned.
        for Request { write, reply } in requests {
            match self.stage(write) {
                Ok(staged) => {
                    for (key, value) in &staged.values {
                        batch.insert(key.as_slice(), value.as_slice());
                    }
                    let written = staged.epoch.map_or(Written::Durable, Written::Epoch);
                    entries += staged.entries;
                    last = staged.last().or(last);
                    self.contents.take(staged);
                    pending.push((reply, written));
                }
                // It is refused before anything of it was staged.
                Err(error) => drop(reply.send(Err(error))),
            }
        }
        if pending.is_empty() {
            return;
        }
        match self.commit(batch, entries, last) {
            Ok(()) => {
                for (reply, written) in pending {
                    drop(reply.send(Ok(written)));
                }
            }
            Err(error) => {
                // What is in memory is no longer believed by anybody.
                let _ = self.poison.set(error.to_string());
                for (reply, _) in pending {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
    }

    /// Durable when it returns `Ok`.
    fn commit(
        &mut self,
        batch: sled::Batch,
        entries: u64,
        last: Option<(RolloutId, Seq, Digest)>,
    ) -> Result<(), JournalError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            JournalError::Write(format!("{what} failed: {error}"))
        };
        let injected = |injected: refit_faults::Injected| failed("a write", &injected);
        if refit_faults::hit!("journal.append/before").map_err(injected)? == refit_faults::Go::Drop
        {
            return Ok(());
        }
        self.db
            .apply_batch(batch)
            .map_err(|error| failed("a write to the store", &error))?;
        refit_faults::hit!("journal.append/applied").map_err(injected)?;
        self.db
            .flush()
            .map_err(|error| failed("a flush of the store", &error))?;
        self.file
            .sync_data()
            .map_err(|error| failed("fdatasync", &error))?;
        refit_faults::hit!("journal.append/flushed").map_err(injected)?;
        self.mark
            .advance(self.contents.epoch, entries, last)
            .map_err(|error| failed("a write of the mark", &error))?;
        refit_faults::hit!("journal.append/after").map_err(injected)?;
        Ok(())
    }

    fn stage(&self, write: Write) -> Result<Staged, JournalError> {
        match write {
            Write::Entries(entries) => self.stage_entries(&entries),
            Write::Plan(plan) => Ok(Staged {
                values: plans::pieces(&plan)?,
                ..Staged::default()
            }),
            Write::Epoch { above } => {
                let epoch = self.contents.epoch.max(above).next();
                Ok(Staged {
                    values: vec![(
                        keys::EPOCH.to_vec(),
                        keys::seal_number(keys::EPOCH, epoch.0),
                    )],
                    epoch: Some(epoch),
                    ..Staged::default()
                })
            }
        }
    }

    fn stage_entries(&self, entries: &[Entry]) -> Result<Staged, JournalError> {
        let tail = |rollout: &RolloutId| self.contents.tails.get(rollout).copied();
        continues(entries, |rollout| tail(rollout).unwrap_or(Tail::EMPTY).next)?;
        let mut staged = Staged {
            entries: entries.len() as u64,
            ..Staged::default()
        };
        for entry in entries {
            let end = staged
                .tails
                .entry(entry.rollout.clone())
                .or_insert_with(|| tail(&entry.rollout).unwrap_or(Tail::EMPTY));
            let value = journal_codec::encode(entry, &end.last);
            if value.len() > keys::LARGEST_VALUE {
                return Err(JournalError::Write(format!(
                    "entry {} of rollout {} has {} bytes, more than {}",
                    entry.seq,
                    entry.rollout,
                    value.len(),
                    keys::LARGEST_VALUE
                )));
            }
            *end = Tail {
                next: end.next + 1,
                last: journal_codec::entry_digest(&value),
            };
            staged
                .values
                .push((keys::entry(&entry.rollout, entry.seq), value));
        }
        for (rollout, end) in &staged.tails {
            let key = keys::tail(rollout);
            let value = end.seal(&key);
            staged.values.push((key, value));
        }
        Ok(staged)
    }
}

impl Staged {
    fn last(&self) -> Option<(RolloutId, Seq, Digest)> {
        let (rollout, tail) = self.tails.iter().next_back()?;
        Some((rollout.clone(), Seq(tail.next.checked_sub(1)?), tail.last))
    }
}

impl Contents {
    fn take(&mut self, staged: Staged) {
        self.tails.extend(staged.tails);
        if let Some(epoch) = staged.epoch {
            self.epoch = epoch;
        }
    }
}
