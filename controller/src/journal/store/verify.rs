//! Whether everything in the journal is what was written: each value's checksum, dense numbers, the chain of digests, each
//! rollout's end, each plan. Nothing acts on a journal that does not pass.

use super::{keys, plans};
use crate::ports::JournalError;
use keys::Tail;
use refit_proto::journal_codec;
use refit_shared::ids::{Digest, Epoch, RolloutId, Seq};
use refit_shared::saga::{Entry, Event};
use std::collections::{BTreeMap, BTreeSet};

/// What a journal that passed holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub epoch: Epoch,
    /// Every rollout with the number of its entries, oldest first.
    pub rollouts: Vec<(RolloutId, u64)>,
    pub plans: usize,
}

/// What [`all`] found, in the form in which the writer goes on from it.
#[derive(Debug)]
pub(super) struct Contents {
    pub epoch: Epoch,
    pub tails: BTreeMap<RolloutId, Tail>,
    plans: usize,
}

impl Contents {
    pub(super) fn summary(&self) -> Verified {
        let rollouts = self.tails.iter().map(|(id, tail)| (id.clone(), tail.next));
        Verified {
            epoch: self.epoch,
            rollouts: rollouts.collect(),
            plans: self.plans,
        }
    }

    /// How many entries all rollouts have together.
    pub(super) fn entries(&self) -> u64 {
        self.tails.values().map(|tail| tail.next).sum()
    }

    /// The end of the latest rollout that has entries: its id, the last number, the last value's digest.
    pub(super) fn last(&self) -> Option<(RolloutId, Seq, Digest)> {
        let (rollout, tail) = self.tails.iter().next_back()?;
        Some((rollout.clone(), Seq(tail.next.checked_sub(1)?), tail.last))
    }
}

pub(super) fn unreadable(error: sled::Error) -> JournalError {
    match error {
        sled::Error::Corruption { .. } => JournalError::Corrupt(error.to_string()),
        error => JournalError::Read(error.to_string()),
    }
}

fn corrupt(what: impl std::fmt::Display) -> JournalError {
    JournalError::Corrupt(what.to_string())
}

/// Verifies every key and value.
pub(super) fn all(db: &sled::Db) -> Result<Contents, JournalError> {
    let mut ends: BTreeMap<RolloutId, Tail> = BTreeMap::new();
    let mut tails: BTreeMap<RolloutId, Tail> = BTreeMap::new();
    let mut digests = BTreeSet::new();
    let mut needed: BTreeMap<Digest, RolloutId> = BTreeMap::new();
    let mut epoch = None;
    let mut format = None;
    for item in db.iter() {
        let (key, value) = item.map_err(unreadable)?;
        let unknown = || corrupt(format!("there is an unknown key {:02x?}", &key[..]));
        match key.first() {
            Some(&keys::ENTRY) => {
                let (rollout, seq) = keys::parse_entry(&key).ok_or_else(unknown)?;
                let end = ends.entry(rollout.clone()).or_insert(Tail::EMPTY);
                let entry = link(&rollout, seq, &value, end)?;
                if let Event::RolloutCreated { plan, .. } = entry.event {
                    needed.insert(plan, rollout);
                }
            }
            Some(&keys::TAIL) => {
                let rollout = keys::parse_tail(&key).ok_or_else(unknown)?;
                let tail = Tail::read(&key, &value)
                    .map_err(|why| corrupt(format!("the end of rollout {rollout}: {why}")))?;
                tails.insert(rollout, tail);
            }
            Some(&keys::PLAN) => {
                digests.insert(keys::parse_piece(&key).ok_or_else(unknown)?.0);
            }
            Some(&keys::META) => {
                let number = keys::read_number(&key, &value);
                let number = number.map_err(|why| {
                    corrupt(format!("{}: {why}", String::from_utf8_lossy(&key[1..])))
                })?;
                match &key[..] {
                    keys::EPOCH => epoch = Some(Epoch(number)),
                    keys::FORMAT => format = Some(number),
                    _ => return Err(unknown()),
                }
            }
            Some(_) | None => return Err(unknown()),
        }
    }
    match format {
        Some(keys::JOURNAL_FORMAT) => {}
        Some(other) => {
            return Err(JournalError::Read(format!(
                "it has format {other}; this version of Refit reads format {}",
                keys::JOURNAL_FORMAT
            )));
        }
        None => return Err(corrupt("its format is missing")),
    }
    let epoch = epoch.ok_or_else(|| corrupt("the epoch is missing"))?;
    ends_agree(&ends, &tails)?;
    for digest in &digests {
        plans::read(db, digest)?;
    }
    match needed.iter().find(|(digest, _)| !digests.contains(*digest)) {
        Some((digest, rollout)) => Err(corrupt(format!(
            "the plan {} of rollout {rollout} is missing",
            digest.short()
        ))),
        None => Ok(Contents {
            epoch,
            tails,
            plans: digests.len(),
        }),
    }
}

/// Every rollout must end where its tail says.
fn ends_agree(
    ends: &BTreeMap<RolloutId, Tail>,
    tails: &BTreeMap<RolloutId, Tail>,
) -> Result<(), JournalError> {
    for (rollout, tail) in tails {
        let end = ends.get(rollout).unwrap_or(&Tail::EMPTY);
        if end.next != tail.next {
            return Err(corrupt(format!(
                "rollout {rollout} has {} entries where {} were written: entry {} is missing",
                end.next, tail.next, end.next
            )));
        }
        if end.last != tail.last {
            return Err(corrupt(format!(
                "rollout {rollout}, entry {}: not the one that was written last",
                tail.next.saturating_sub(1)
            )));
        }
    }
    match ends.keys().find(|rollout| !tails.contains_key(*rollout)) {
        Some(rollout) => Err(corrupt(format!("the end of rollout {rollout} is missing"))),
        None => Ok(()),
    }
}

/// The next value of a rollout's chain.
fn link(
    rollout: &RolloutId,
    seq: Seq,
    value: &[u8],
    end: &mut Tail,
) -> Result<Entry, JournalError> {
    let at =
        |why: &dyn std::fmt::Display| corrupt(format!("rollout {rollout}, entry {seq}: {why}"));
    if seq.0 != end.next {
        return Err(corrupt(format!(
            "rollout {rollout}, entry {}: missing; entry {seq} comes next",
            end.next
        )));
    }
    let (entry, previous) =
        journal_codec::decode(value, rollout, seq).map_err(|error| at(&error))?;
    if previous != end.last {
        return Err(at(
            &"it does not follow the entry before it (digest differs)",
        ));
    }
    *end = Tail {
        next: end.next + 1,
        last: journal_codec::entry_digest(value),
    };
    Ok(entry)
}

/// One rollout's entries, verified again.
pub(super) fn rollout(db: &sled::Db, rollout: &RolloutId) -> Result<Vec<Entry>, JournalError> {
    let mut end = Tail::EMPTY;
    let mut entries = Vec::new();
    for item in db.scan_prefix(keys::entries_of(rollout)) {
        let (key, value) = item.map_err(unreadable)?;
        let (_, seq) = keys::parse_entry(&key)
            .ok_or_else(|| corrupt(format!("rollout {rollout} has a malformed key")))?;
        entries.push(link(rollout, seq, &value, &mut end)?);
    }
    Ok(entries)
}

/// Every rollout, oldest first: ids sort by time.
pub(super) fn rollouts(db: &sled::Db) -> Result<Vec<RolloutId>, JournalError> {
    let read = |item: sled::Result<(sled::IVec, sled::IVec)>| {
        let (key, _) = item.map_err(unreadable)?;
        keys::parse_tail(&key).ok_or_else(|| corrupt("a rollout's end has a malformed key"))
    };
    db.scan_prefix([keys::TAIL]).map(read).collect()
}

/// The digest of every plan.
pub(super) fn plans(db: &sled::Db) -> Result<BTreeSet<Digest>, JournalError> {
    let read = |item: sled::Result<(sled::IVec, sled::IVec)>| {
        let (key, _) = item.map_err(unreadable)?;
        let piece = keys::parse_piece(&key);
        piece
            .map(|(digest, _)| digest)
            .ok_or_else(|| corrupt("a plan has a malformed key"))
    };
    db.scan_prefix([keys::PLAN]).map(read).collect()
}
