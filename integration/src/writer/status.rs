//! The status file: what a person who watches an upgrade wants to know about the application right now.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::gaps::Gap;
use super::outcome::Outcome;

/// The content of the status file, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// False in the last one that is written.
    pub running: bool,
    /// Which run of the writing client.
    pub run: u64,
    /// When this was written, in microseconds since the Unix epoch. An old one means that the writer is gone.
    pub updated_us: u64,
    /// Where it writes; none before the first primary was found.
    pub primary: Option<String>,
    /// Acknowledged commits.
    pub acked: u64,
    /// Inserts that certainly were not committed.
    pub failed: u64,
    /// Inserts of which nobody can tell.
    pub unknown: u64,
    /// Acknowledged commits a second, over the last second.
    pub rate: f64,
    /// Time since the last commit; none before the first one.
    pub current_gap_ms: Option<f64>,
    /// The longest gap so far that is over.
    pub max_gap_ms: f64,
    /// When that one began, in microseconds since the Unix epoch.
    pub max_gap_start_us: Option<u64>,
}

/// Why the status file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{operation} status file {path}")]
pub struct StatusError {
    operation: &'static str,
    path: PathBuf,
    source: std::io::Error,
}

impl Status {
    /// Replaces the file; a reader sees the old one or the new one, never a part.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), StatusError> {
        let json = serde_json::to_vec(self).expect("a struct of numbers and strings is JSON");
        let new = path.with_extension("new");
        std::fs::write(&new, json)
            .and_then(|()| std::fs::rename(&new, path))
            .map_err(|source| StatusError {
                operation: "write",
                path: path.into(),
                source,
            })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is not there, or not a status file.
    pub fn read(path: &Path) -> Result<Self, StatusError> {
        std::fs::read(path)
            .and_then(|json| Ok(serde_json::from_slice(&json)?))
            .map_err(|source| StatusError {
                operation: "read",
                path: path.into(),
                source,
            })
    }
}

/// Counts outcomes as they come.
#[derive(Debug)]
pub struct Tally {
    run: u64,
    threshold_us: u64,
    /// Acknowledged, failed, unknown.
    counts: [u64; 3],
    last_commit_us: Option<u64>,
    longest: Option<Gap>,
    /// Gaps over the threshold.
    gaps: Vec<Gap>,
    /// Acknowledged commits at moments of the last second.
    recent: VecDeque<(u64, u64)>,
}

impl Tally {
    /// Nothing counted yet. Gaps longer than `threshold_us` are kept one by one.
    #[must_use]
    pub fn new(run: u64, threshold_us: u64) -> Self {
        Self {
            run,
            threshold_us,
            counts: [0; 3],
            last_commit_us: None,
            longest: None,
            gaps: Vec::new(),
            recent: VecDeque::new(),
        }
    }

    /// Counts one outcome. Two writers' commits may arrive in the wrong order by a little.
    pub fn count(&mut self, outcome: Outcome, at_us: u64) {
        match outcome {
            Outcome::Acked => {
                self.counts[0] += 1;
                self.commit(at_us);
            }
            Outcome::Failed => self.counts[1] += 1,
            Outcome::Unknown => self.counts[2] += 1,
        }
    }

    fn commit(&mut self, at_us: u64) {
        if let Some(start_us) = self.last_commit_us {
            let gap = Gap {
                start_us,
                length_us: at_us.saturating_sub(start_us),
            };
            if self
                .longest
                .is_none_or(|longest| gap.length_us > longest.length_us)
            {
                self.longest = Some(gap);
            }
            if gap.length_us > self.threshold_us {
                self.gaps.push(gap);
            }
        }
        self.last_commit_us = self.last_commit_us.max(Some(at_us));
    }

    /// Gaps over the threshold so far.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The picture at this moment.
    pub fn status(&mut self, now_us: u64, primary: Option<String>, running: bool) -> Status {
        const SECOND: u64 = 1_000_000;
        let [acked, failed, unknown] = self.counts;
        self.recent.push_back((now_us, acked));
        while self.recent.len() > 2 && self.recent[1].0 + SECOND <= now_us {
            self.recent.pop_front();
        }
        let (then_us, then_acked) = self.recent[0];
        let seconds = now_us.saturating_sub(then_us) as f64 / 1e6;
        Status {
            running,
            run: self.run,
            updated_us: now_us,
            primary,
            acked,
            failed,
            unknown,
            rate: if seconds > 0.0 {
                (acked - then_acked) as f64 / seconds
            } else {
                0.0
            },
            current_gap_ms: self
                .last_commit_us
                .map(|last| ms(now_us.saturating_sub(last))),
            max_gap_ms: self.longest.map_or(0.0, |gap| ms(gap.length_us)),
            max_gap_start_us: self.longest.map(|gap| gap.start_us),
        }
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_current_and_the_longest_gap() {
        let mut tally = Tally::new(1, 100_000);
        assert_eq!(tally.status(0, None, true).current_gap_ms, None);
        for at in [10_000, 12_000, 11_000, 262_000, 270_000] {
            tally.count(Outcome::Acked, at);
        }
        tally.count(Outcome::Failed, 300_000);
        tally.count(Outcome::Unknown, 310_000);
        let status = tally.status(500_000, Some("db1".into()), true);
        assert_eq!((status.acked, status.failed, status.unknown), (5, 1, 1));
        assert_eq!(status.current_gap_ms, Some(230.0));
        assert_eq!(
            (status.max_gap_ms, status.max_gap_start_us),
            (250.0, Some(12_000))
        );
        assert_eq!(tally.gaps().len(), 1);
        assert!(
            (status.rate - 10.0).abs() < 1e-9,
            "5 commits in half a second"
        );
        // a second later nothing was added
        tally.status(1_000_000, None, true);
        assert!(tally.status(2_000_000, None, true).rate.abs() < 1e-9);
    }

    #[test]
    fn the_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.json");
        let mut tally = Tally::new(7, 0);
        let status = tally.status(5, None, false);
        status.write(&path).unwrap();
        status.write(&path).unwrap();
        assert_eq!(Status::read(&path).unwrap(), status);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
