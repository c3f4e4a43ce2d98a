//! A lower bound of what is durable, kept outside the store.
//!
//! sled takes damage in the middle of its log for the torn end of an interrupted write: it opens without a word and without
//! everything behind the damage. Digests among the values can't show that, since they are gone too. So after every commit a
//! few bytes beside the store say how far it had come; at open, a journal that is behind them is corrupt.
//!
//! The mark is written after the commit and not synced each time: after a power cut it may be older, never newer, than the
//! store. It so never accuses a journal that is whole.

use super::keys;
use super::verify::Contents;
use crate::ports::JournalError;
use refit_proto::journal_codec;
use refit_shared::ids::{Digest, Epoch, RolloutId, Seq};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Within the journal's directory, where sled leaves it alone.
const NAME: &str = "refit-mark";
/// Names are at most 63 bytes long, so every mark fits.
const PAYLOAD: usize = 500;

/// How far the journal had come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    epoch: Epoch,
    /// Of all rollouts together.
    entries: u64,
    last: Option<Last>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    rollout: RolloutId,
    seq: Seq,
    /// Of its stored value.
    digest: Digest,
}

/// The mark and where it is kept.
#[derive(Debug)]
pub(super) struct MarkFile {
    file: File,
    now: Mark,
}

impl MarkFile {
    /// Reads the mark and holds the journal against it.
    pub(super) fn open(dir: &Path, db: &sled::Db, found: &Contents) -> Result<Self, JournalError> {
        let path = dir.join(NAME);
        let failed = |error: io::Error| JournalError::Read(format!("{}: {error}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        match parse(&bytes) {
            Ok(mark) => mark.holds(db, found)?,
            // A mark that was never written, or is torn, accuses nobody.
            Err(why) if bytes.is_empty() => tracing::debug!(why, "the journal has no mark yet"),
            Err(why) => tracing::warn!(why, "the journal's mark can't be read; it is made anew"),
        }
        let now = Mark {
            epoch: found.epoch,
            entries: found.entries(),
            last: found.last().map(|(rollout, seq, digest)| Last {
                rollout,
                seq,
                digest,
            }),
        };
        let mut mark = Self { file, now };
        mark.write()
            .and_then(|()| mark.file.sync_all())
            .map_err(failed)?;
        Ok(mark)
    }

    /// Notes what has just become durable.
    pub(super) fn advance(
        &mut self,
        epoch: Epoch,
        entries: u64,
        last: Option<(RolloutId, Seq, Digest)>,
    ) -> io::Result<()> {
        self.now.epoch = epoch;
        self.now.entries += entries;
        if let Some((rollout, seq, digest)) = last {
            self.now.last = Some(Last {
                rollout,
                seq,
                digest,
            });
        }
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let mut json = serde_json::to_vec(&self.now).map_err(io::Error::other)?;
        // Always as long, and within one sector: a shorter mark leaves nothing of a longer one.
        json.resize(PAYLOAD, b' ');
        self.file
            .write_all_at(&keys::seal(NAME.as_bytes(), &json), 0)
    }
}

impl Mark {
    /// Whether the journal has come at least as far.
    fn holds(&self, db: &sled::Db, found: &Contents) -> Result<(), JournalError> {
        let lost = |what: String| {
            Err(JournalError::Corrupt(format!(
                "{what}: the store has lost what was durable"
            )))
        };
        if let Some(last) = &self.last {
            let value = db
                .get(keys::entry(&last.rollout, last.seq))
                .map_err(super::verify::unreadable)?;
            match value.map(|value| journal_codec::entry_digest(&value)) {
                Some(digest) if digest == last.digest => {}
                Some(_) => {
                    return lost(format!(
                        "rollout {}, entry {}: not the one that was written",
                        last.rollout, last.seq
                    ));
                }
                None => {
                    return lost(format!(
                        "rollout {}, entry {}: missing",
                        last.rollout, last.seq
                    ));
                }
            }
        }
        if found.entries() < self.entries {
            return lost(format!(
                "it has {} entries, {} were written",
                found.entries(),
                self.entries
            ));
        }
        if found.epoch < self.epoch {
            return lost(format!(
                "its epoch is {}, it was {}",
                found.epoch, self.epoch
            ));
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Result<Mark, String> {
    let payload = keys::unseal(NAME.as_bytes(), bytes)?;
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}
