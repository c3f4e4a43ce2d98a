//! Group Replication's version rules.
//!
//! Source: server source `plugin/group_replication/src/compatibility_module.cc` and `member_info.cc`, and joins tried between
//! real servers of 8.0, 8.4 and 9.7.

use crate::version::{MysqlVersion, Series};
use std::fmt;

/// What a group says to a joiner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Join {
    Compatible,
    /// It joins, but stays read-only while a lower version is in the group.
    ReadOnly,
    /// Error 3092, MY-011521; the refused server is left OFFLINE and writable.
    Refused(String),
}

/// Judges a joiner against the versions of the members that are in the group (the joiner itself not among them).
///
/// Only the lowest member is compared, except that within one long-term series every patch may join every other: 8.0 from 35 on,
/// 8.4 and 9.7. Earlier servers than 8.0.17 follow older rules and are refused here.
pub fn join(joiner: MysqlVersion, members: &[MysqlVersion]) -> Join {
    let Some(lowest) = members.iter().min().copied() else {
        return Join::Compatible;
    };
    if joiner < MysqlVersion::new(8, 0, 17) || lowest < MysqlVersion::new(8, 0, 17) {
        return Join::Refused(format!(
            "versions before 8.0.17 follow other rules ({joiner} and {lowest})"
        ));
    }
    if joiner == lowest
        || members
            .iter()
            .chain([&joiner])
            .all(|v| same_long_term_series(*v, joiner))
    {
        Join::Compatible
    } else if joiner > lowest {
        Join::ReadOnly
    } else {
        Join::Refused(format!(
            "{joiner} is lower than the group's lowest member {lowest} and not of its long-term series"
        ))
    }
}

fn same_long_term_series(a: MysqlVersion, b: MysqlVersion) -> bool {
    let relaxed = match a.series() {
        Series { major: 8, minor: 0 } => a.patch >= 35 && b.patch >= 35,
        Series { major: 8, minor: 4 } | Series { major: 9, minor: 7 } => true,
        _ => false,
    };
    relaxed && a.series() == b.series()
}

/// Whether `group_replication_set_as_primary` is accepted for a member: only for the lowest version, exactly, patch included
/// (error 3910 otherwise; no relaxation for long-term series).
pub fn may_be_appointed(
    candidate: MysqlVersion,
    members: &[MysqlVersion],
) -> Result<(), NotLowest> {
    match members.iter().min() {
        Some(lowest) if *lowest < candidate => Err(NotLowest {
            candidate,
            lowest: *lowest,
        }),
        _ => Ok(()),
    }
}

/// The appointed primary member is not the lowest version in the group (error 3910).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotLowest {
    pub candidate: MysqlVersion,
    pub lowest: MysqlVersion,
}

impl fmt::Display for NotLowest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a member of {} can't be appointed while one of {} is in the group (error 3910)",
            self.candidate, self.lowest
        )
    }
}

/// A group of `size` members can lose `(size - 1) / 2` and keep its majority.
pub fn tolerated_losses(size: usize) -> usize {
    size.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> MysqlVersion {
        text.parse().unwrap()
    }

    #[test]
    fn joins_are_judged_as_real_servers_judged_them() {
        // Each row was seen with real servers (or, for declared versions, with 9.7.4 declaring another version).
        for (joiner, members, expected) in [
            ("9.7.4", &["9.7.3", "9.7.3"][..], "compatible"),
            ("9.7.3", &["9.7.4", "9.7.4"], "compatible"),
            ("9.7.2", &["9.7.4"], "compatible"),
            ("9.7.4", &["8.4.6", "8.4.6"], "read-only"),
            ("9.7.4", &["8.4.6", "9.7.4"], "read-only"),
            ("8.4.6", &["8.4.6", "9.7.4"], "compatible"),
            ("8.4.6", &["9.7.4", "9.7.4"], "refused"),
            ("8.4.10", &["9.7.4"], "refused"),
            ("8.4.4", &["8.4.6", "8.4.10"], "compatible"),
            ("8.0.36", &["8.0.46"], "compatible"),
            ("8.0.28", &["8.0.46"], "refused"),
            ("8.4.10", &["8.0.46"], "read-only"),
            ("8.0.46", &["8.4.10"], "refused"),
            ("5.7.44", &["8.0.46"], "refused"),
            ("9.7.4", &[], "compatible"),
        ] {
            let members: Vec<_> = members.iter().map(|m| v(m)).collect();
            let found = match join(v(joiner), &members) {
                Join::Compatible => "compatible",
                Join::ReadOnly => "read-only",
                Join::Refused(_) => "refused",
            };
            assert_eq!(found, expected, "{joiner} -> {members:?}");
        }
    }

    #[test]
    fn only_the_lowest_version_may_be_appointed() {
        // Error 3910 applies to patch differences too.
        assert!(may_be_appointed(v("9.7.4"), &[v("9.7.3"), v("9.7.4")]).is_err());
        assert!(may_be_appointed(v("9.7.3"), &[v("9.7.3"), v("9.7.4")]).is_ok());
        assert!(may_be_appointed(v("9.7.4"), &[v("9.7.4"), v("9.7.4")]).is_ok());
    }

    #[test]
    fn losses_a_group_survives() {
        assert_eq!(
            [1, 2, 3, 4, 5, 7, 9].map(tolerated_losses),
            [0, 0, 1, 1, 2, 3, 4]
        );
    }
}
