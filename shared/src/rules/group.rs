//! Group Replication's version rules.
//!
//! Source: server source `plugin/group_replication/src/compatibility_module.cc`, `primary_election_invocation_handler.cc` and
//! `member_info.cc`; MySQL manual 8.0, 20.8.1 "Combining Different Member Versions in a Group", for what came before 8.0.17; joins
//! and elections tried between real servers of 8.0, 8.4 and 9.7.

use crate::version::{MysqlVersion, Series};
use std::cmp::Ordering;
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

/// From here on a server compares whole versions, patch included; earlier ones compare major versions.
const WHOLE_VERSION_SINCE: MysqlVersion = MysqlVersion::new(8, 0, 17);
/// Before this, weights were not known: the lowest uuid was elected.
const WEIGHTS_SINCE: MysqlVersion = MysqlVersion::new(5, 7, 20);

/// Judges a joiner against the versions of the members that are in the group (the joiner itself not among them).
///
/// The joiner judges, by its own rules. Only the lowest member is compared, except that within one long-term series every patch
/// may join every other: 8.0 from 35 on, 8.4 and 9.7. A joiner before 8.0.17 compares major versions only.
///
/// There is no upper limit: 9.7 may join a group of 8.0. What may be upgraded to what is in [`super::upgrade_path`].
pub fn join(joiner: MysqlVersion, members: &[MysqlVersion]) -> Join {
    let Some(lowest) = members.iter().min().copied() else {
        return Join::Compatible;
    };
    if joiner < WHOLE_VERSION_SINCE {
        return match joiner.major.cmp(&lowest.major) {
            Ordering::Equal => Join::Compatible,
            Ordering::Greater => Join::ReadOnly,
            Ordering::Less => Join::Refused(format!(
                "{joiner} is of a lower major version than the group's lowest member {lowest}"
            )),
        };
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

/// Whether two versions are the same when a primary is elected or write permission is given: no relaxation for long-term series.
fn is_lowest(version: MysqlVersion, lowest: MysqlVersion) -> bool {
    if lowest < WHOLE_VERSION_SINCE {
        version.major == lowest.major
    } else {
        version == lowest
    }
}

/// Whether a member of a multi-primary group is given write permission when it comes ONLINE or the view changes: only the lowest
/// version of the ONLINE and RECOVERING members is, exactly. A member that could write already keeps it when a lower one joins.
/// Before 8.0.17 nothing happens by itself: `super_read_only` is cleared by hand.
pub fn may_write_in_multi_primary(own: MysqlVersion, members: &[MysqlVersion]) -> bool {
    members
        .iter()
        .min()
        .is_none_or(|lowest| is_lowest(own, *lowest))
}

/// A member as an election sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Electable<'a> {
    pub version: MysqlVersion,
    /// `group_replication_member_weight`, 0 to 100.
    pub weight: u8,
    /// Compared as text.
    pub uuid: &'a str,
}

/// Which of the ONLINE members a single-primary group elects: the lowest version, then the highest weight, then the lowest uuid.
///
/// Does not know the component `group_replication_elect_prefers_most_updated` (9.7), with which the one that has applied most is
/// preferred after a primary died.
pub fn elected<'a>(online: &[Electable<'a>]) -> Option<Electable<'a>> {
    let lowest = online.iter().map(|member| member.version).min()?;
    let weight = |member: &Electable<'_>| {
        if lowest < WEIGHTS_SINCE {
            0
        } else {
            member.weight
        }
    };
    online
        .iter()
        .filter(|member| is_lowest(member.version, lowest))
        .min_by_key(|member| (std::cmp::Reverse(weight(member)), member.uuid))
        .copied()
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
            // Manual 8.0, 20.8.1: majors only before 8.0.17; a later joiner compares whole versions.
            ("5.7.44", &["5.7.42", "5.7.44"], "compatible"),
            ("8.0.16", &["8.0.11"], "compatible"),
            ("8.0.16", &["5.7.44", "8.0.16"], "read-only"),
            ("8.0.16", &["8.0.46"], "compatible"),
            ("8.0.46", &["5.7.44"], "read-only"),
            ("8.0.17", &["8.0.16"], "read-only"),
            ("8.0.34", &["8.0.35"], "refused"),
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
    fn elections_end_as_the_source_says() {
        // primary_election_invocation_handler.cc; the first three were tried.
        for (members, expected) in [
            (&[("9.7.4", 90, "a"), ("9.7.3", 10, "b")][..], "b"),
            (
                &[("9.7.4", 50, "b"), ("9.7.4", 60, "c"), ("9.7.4", 50, "a")],
                "c",
            ),
            (&[("9.7.4", 50, "b"), ("9.7.4", 50, "a")], "a"),
            (&[("8.0.46", 90, "a"), ("8.0.45", 10, "b")], "b"),
            // Before 8.0.17 every member of the lowest major version is a candidate; before 5.7.20 there are no weights.
            (&[("8.0.16", 90, "b"), ("8.0.11", 10, "a")], "b"),
            (
                &[
                    ("5.7.44", 10, "c"),
                    ("5.7.30", 90, "b"),
                    ("8.0.46", 95, "a"),
                ],
                "b",
            ),
            (&[("5.7.19", 10, "b"), ("5.7.44", 90, "c")], "b"),
        ] {
            let online: Vec<Electable<'_>> = members
                .iter()
                .map(|(version, weight, uuid)| Electable {
                    version: v(version),
                    weight: *weight,
                    uuid,
                })
                .collect();
            let found = elected(&online).unwrap().uuid;
            assert_eq!(found, expected, "{members:?}");
        }
        assert_eq!(elected(&[]), None);
    }

    #[test]
    fn only_the_lowest_version_writes_in_a_multi_primary_group() {
        // member_info.cc, and tried: an 8.4.10 in a group of 8.4.4 stays read-only.
        for (own, members, expected) in [
            ("8.4.10", &["8.4.4", "8.4.10"][..], false),
            ("8.4.4", &["8.4.4", "8.4.10"], true),
            ("9.7.4", &["9.7.4", "9.7.4"], true),
            ("8.0.46", &["5.7.44", "8.0.46"], false),
            ("8.0.15", &["8.0.11", "8.0.15"], true),
        ] {
            let members: Vec<_> = members.iter().map(|m| v(m)).collect();
            assert_eq!(
                may_write_in_multi_primary(v(own), &members),
                expected,
                "{own}: {members:?}"
            );
        }
    }

    #[test]
    fn losses_a_group_survives() {
        assert_eq!(
            [1, 2, 3, 4, 5, 7, 9].map(tolerated_losses),
            [0, 0, 1, 1, 2, 3, 4]
        );
    }
}
