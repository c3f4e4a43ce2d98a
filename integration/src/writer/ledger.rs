//! The ledger file: every outcome, in a form that survives the writer's own death.
//!
//! Text, one record a line, fields separated by tabs:
//!
//! ```text
//! refit-ledger  1  <run>
//! a  <writer>  <seq>  <time_us>  <took_us>      acked      f failed, u unknown
//! end
//! ```
//!
//! Times come from a monotonic clock that was set to the wall clock once, at the start: they never jump. A last line
//! that was cut short is left out when reading, and a missing `end` only means that the writer was killed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::outcome::{Outcome, RowKey};

const MAGIC: &str = "refit-ledger\t1\t";

/// One line of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Which row.
    pub key: RowKey,
    /// What became of it.
    pub outcome: Outcome,
    /// When that was known, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// How long the insert took, in microseconds.
    pub took_us: u64,
}

/// Why a ledger could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The operating system said no.
    #[error("{operation} ledger {path}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is not a ledger, or it is damaged in the middle.
    #[error("ledger {path}, line {line}: {reason}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// The writing end.
#[derive(Debug)]
pub struct LedgerWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl LedgerWriter {
    /// Starts a new ledger.
    ///
    /// # Errors
    /// When the file exists already: a ledger is evidence and is never written over.
    pub fn create(path: &Path, run: u64) -> Result<Self, LedgerError> {
        let file = File::create_new(path).map_err(|source| LedgerError::Io {
            operation: "create",
            path: path.into(),
            source,
        })?;
        let mut ledger = Self {
            path: path.into(),
            file: BufWriter::new(file),
        };
        ledger.line(&format!("{MAGIC}{run}\n"))?;
        ledger.flush()?;
        Ok(ledger)
    }

    /// Adds a record. It survives the death of this process after the next [`Self::flush`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, record: &Record) -> Result<(), LedgerError> {
        let kind = match record.outcome {
            Outcome::Acked => 'a',
            Outcome::Failed => 'f',
            Outcome::Unknown => 'u',
        };
        let RowKey { writer, seq } = record.key;
        let Record { at_us, took_us, .. } = record;
        self.line(&format!("{kind}\t{writer}\t{seq}\t{at_us}\t{took_us}\n"))
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<(), LedgerError> {
        self.file.flush().map_err(|e| self.failed("write", e))
    }

    /// Says that nothing was cut off, and waits until all is on disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), LedgerError> {
        self.line("end\n")?;
        self.flush()?;
        let synced = self.file.get_ref().sync_all();
        synced.map_err(|e| self.failed("sync", e))
    }

    fn line(&mut self, line: &str) -> Result<(), LedgerError> {
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|e| self.failed("write", e))
    }

    fn failed(&self, operation: &'static str, source: std::io::Error) -> LedgerError {
        LedgerError::Io {
            operation,
            path: self.path.clone(),
            source,
        }
    }
}

/// A ledger that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Which run of the writing client it belongs to; the rows carry it too.
    pub run: u64,
    /// Every record, in the order in which they were written.
    pub records: Vec<Record>,
    /// Whether the writer ended in order.
    pub ended: bool,
}

impl Ledger {
    /// Reads a ledger, also one that is still being written.
    ///
    /// # Errors
    /// When it cannot be read, or a line other than a last one cut short makes no sense.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        let io = |operation| {
            move |source| LedgerError::Io {
                operation,
                path: path.into(),
                source,
            }
        };
        let mut reader = BufReader::new(File::open(path).map_err(io("open"))?);
        let mut ledger = Self {
            run: 0,
            records: Vec::new(),
            ended: false,
        };
        let mut line = String::new();
        for number in 1.. {
            line.clear();
            reader.read_line(&mut line).map_err(io("read"))?;
            let Some(content) = line.strip_suffix('\n') else {
                break; // the end, or a line cut short
            };
            let malformed = |reason| LedgerError::Malformed {
                path: path.into(),
                line: number,
                reason,
            };
            if number == 1 {
                let run = content.strip_prefix(MAGIC).and_then(|run| run.parse().ok());
                ledger.run = run.ok_or_else(|| malformed("not a ledger of this format"))?;
            } else if ledger.ended {
                return Err(malformed("a line after the end"));
            } else if content == "end" {
                ledger.ended = true;
            } else {
                ledger
                    .records
                    .push(parse(content).ok_or_else(|| malformed("not a record"))?);
            }
        }
        Ok(ledger)
    }

    /// The outcome of every row.
    #[must_use]
    pub fn outcomes(&self) -> HashMap<RowKey, Outcome> {
        self.records.iter().map(|r| (r.key, r.outcome)).collect()
    }

    /// When commits were acknowledged.
    #[must_use]
    pub fn commits_us(&self) -> Vec<u64> {
        let acked = self.records.iter().filter(|r| r.outcome == Outcome::Acked);
        acked.map(|r| r.at_us).collect()
    }

    /// How many rows ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.records.iter().filter(|r| r.outcome == outcome).count()
    }
}

fn parse(line: &str) -> Option<Record> {
    let mut fields = line.split('\t');
    let outcome = match fields.next()? {
        "a" => Outcome::Acked,
        "f" => Outcome::Failed,
        "u" => Outcome::Unknown,
        _ => return None,
    };
    let record = Record {
        outcome,
        key: RowKey {
            writer: fields.next()?.parse().ok()?,
            seq: fields.next()?.parse().ok()?,
        },
        at_us: fields.next()?.parse().ok()?,
        took_us: fields.next()?.parse().ok()?,
    };
    fields.next().is_none().then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, outcome: Outcome) -> Record {
        Record {
            key: RowKey { writer: 3, seq },
            outcome,
            at_us: 1_000 + seq,
            took_us: 7,
        }
    }

    #[test]
    fn reads_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let records = [
            record(1, Outcome::Acked),
            record(2, Outcome::Failed),
            record(3, Outcome::Unknown),
        ];
        let mut writer = LedgerWriter::create(&path, 42).unwrap();
        for r in &records {
            writer.append(r).unwrap();
        }
        writer.flush().unwrap();
        let still_open = Ledger::read(&path).unwrap();
        assert_eq!((still_open.run, still_open.ended), (42, false));
        assert_eq!(still_open.records, records);
        writer.finish().unwrap();
        assert!(Ledger::read(&path).unwrap().ended);
        assert!(
            LedgerWriter::create(&path, 43).is_err(),
            "never written over"
        );
    }

    #[test]
    fn a_last_line_cut_short_is_left_out_and_any_other_damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        std::fs::write(&path, "refit-ledger\t1\t9\na\t0\t1\t5\t5\na\t0\t2\t").unwrap();
        assert_eq!(Ledger::read(&path).unwrap().records.len(), 1);
        for damaged in [
            "refit-ledger\t2\t9\n",
            "",
            "refit-ledger\t1\t9\nx\t0\t1\t5\t5\n",
            "refit-ledger\t1\t9\na\t0\t1\t5\n",
            "refit-ledger\t1\t9\nend\na\t0\t1\t5\t5\n",
        ] {
            std::fs::write(&path, damaged).unwrap();
            let read = Ledger::read(&path);
            if damaged.is_empty() {
                assert_eq!(
                    read.unwrap().records.len(),
                    0,
                    "killed before its first line"
                );
            } else {
                assert!(
                    matches!(read, Err(LedgerError::Malformed { .. })),
                    "{damaged:?}"
                );
            }
        }
    }
}
