//! Whole seconds since 1970 UTC, as X.509 counts validity, printed the way an operator reads them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 00:00:00 UTC; negative before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcSeconds(pub i64);

impl UtcSeconds {
    /// Rounds down, so that a moment within the last valid second still counts as valid.
    pub fn from_system(time: SystemTime) -> UtcSeconds {
        let seconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            Err(before) => {
                let gap = before.duration();
                let whole = i64::try_from(gap.as_secs()).unwrap_or(i64::MAX);
                let rest = i64::from(gap.subsec_nanos() > 0);
                whole.saturating_neg().saturating_sub(rest)
            }
        };
        UtcSeconds(seconds)
    }

    /// This long earlier; at the far past, as early as can be told.
    pub fn before(self, gap: Duration) -> UtcSeconds {
        let gap = i64::try_from(gap.as_secs()).unwrap_or(i64::MAX);
        UtcSeconds(self.0.saturating_sub(gap))
    }

    /// How long until `later`; zero when `later` is not later.
    pub fn until(self, later: UtcSeconds) -> Duration {
        let gap = later.0.saturating_sub(self.0);
        Duration::from_secs(u64::try_from(gap).unwrap_or(0))
    }
}

impl fmt::Display for UtcSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match time::OffsetDateTime::from_unix_timestamp(self.0) {
            Ok(t) => write!(
                f,
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second()
            ),
            Err(_) => write!(f, "{} seconds since 1970 UTC", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_converts() {
        assert_eq!(UtcSeconds(0).to_string(), "1970-01-01 00:00:00 UTC");
        assert_eq!(
            UtcSeconds(1_795_177_500).to_string(),
            "2026-11-20 12:25:00 UTC"
        );
        assert!(UtcSeconds(i64::MAX).to_string().contains("since 1970"));
        let half_before = UNIX_EPOCH - Duration::from_millis(500);
        assert_eq!(UtcSeconds::from_system(half_before), UtcSeconds(-1));
        let half_after = UNIX_EPOCH + Duration::from_millis(1500);
        assert_eq!(UtcSeconds::from_system(half_after), UtcSeconds(1));
        assert_eq!(UtcSeconds(5).until(UtcSeconds(3)), Duration::ZERO);
        assert_eq!(UtcSeconds(3).until(UtcSeconds(5)), Duration::from_secs(2));
    }
}
