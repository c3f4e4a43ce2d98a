//! Write gaps: how long nobody could commit.

use serde::Serialize;

/// A time between two successive commits, over all writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The last commit before it, in microseconds since the Unix epoch.
    pub start_us: u64,
    /// How long it lasted, in microseconds.
    pub length_us: u64,
}

impl Gap {
    fn overlaps(&self, from: u64, to: u64) -> bool {
        self.start_us < to && self.start_us + self.length_us > from
    }
}

/// The gaps longer than `threshold_us` between `commits_us` that overlap the window, in order of time. The times may
/// come in any order.
#[must_use]
pub fn gaps(mut commits_us: Vec<u64>, threshold_us: u64, from_us: u64, to_us: u64) -> Vec<Gap> {
    commits_us.sort_unstable();
    commits_us
        .windows(2)
        .map(|pair| Gap {
            start_us: pair[0],
            length_us: pair[1] - pair[0],
        })
        .filter(|gap| gap.length_us > threshold_us && gap.overlaps(from_us, to_us))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_gaps_over_all_writers() {
        let commits = vec![5_000, 1_000, 900_000, 2_000, 300_000];
        assert_eq!(
            gaps(commits.clone(), 100_000, 0, u64::MAX),
            [
                Gap {
                    start_us: 5_000,
                    length_us: 295_000
                },
                Gap {
                    start_us: 300_000,
                    length_us: 600_000
                }
            ]
        );
        assert_eq!(gaps(commits.clone(), 400_000, 0, u64::MAX).len(), 1);
        // a gap counts when a part of it lies in the window
        assert_eq!(gaps(commits.clone(), 1, 500_000, 600_000).len(), 1);
        assert_eq!(gaps(commits, 1, 900_000, u64::MAX).len(), 0);
    }

    #[test]
    fn no_gap_without_two_commits() {
        assert!(gaps(vec![], 0, 0, u64::MAX).is_empty());
        assert!(gaps(vec![7], 0, 0, u64::MAX).is_empty());
    }
}
