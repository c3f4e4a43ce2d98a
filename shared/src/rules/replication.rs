//! Asynchronous replication's version rules: which source may feed which replica, how many versions a topology may have, and what
//! the server itself would refuse.
//!
//! Source: MySQL manual 19.5.2 "Replication Compatibility Between MySQL Versions" and 19.5.3 "Upgrading or Downgrading a
//! Replication Topology"; server source `rpl_replica.cc` (`is_version_compatible`) of 9.7.4; channels tried between real servers.

use super::releases::ReleaseTable;
use super::upgrade_path::{PathRefused, upgrade};
use crate::version::{MysqlVersion, Series};
use std::collections::BTreeSet;
use std::fmt;

/// Why a source and a replica are not supported together. The server does not stop them by itself: see
/// [`server_accepts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsupported {
    /// Works for plain statements and stops at the first that the replica does not know: only a stopgap on the way back.
    ToOlder {
        source: MysqlVersion,
        replica: MysqlVersion,
    },
    /// The replica's version is not one hop above the source's.
    NotOneHop {
        source: MysqlVersion,
        replica: MysqlVersion,
        refused: PathRefused,
    },
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToOlder { source, replica } => write!(
                f,
                "a source of {source} may not feed an older replica ({replica}): it stops at the first statement that the replica does not know"
            ),
            Self::NotOneHop {
                source,
                replica,
                refused,
            } => write!(
                f,
                "a source of {source} may not feed a replica of {replica}: {}",
                refused.why
            ),
        }
    }
}

/// Whether the manual supports a channel from `source` to `replica`: the same version, or one hop up that is also an upgrade path.
pub fn supported(
    table: &ReleaseTable,
    source: MysqlVersion,
    replica: MysqlVersion,
) -> Result<(), Unsupported> {
    if replica < source {
        return Err(Unsupported::ToOlder { source, replica });
    }
    match upgrade(table, source, replica) {
        Ok(_) => Ok(()),
        Err(refused) => Err(Unsupported::NotOneHop {
            source,
            replica,
            refused,
        }),
    }
}

/// A topology has more than two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooManyVersions(pub BTreeSet<MysqlVersion>);

impl fmt::Display for TooManyVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(
            f,
            "{} versions replicate from each other ({}), and at most two may: finish one hop everywhere before the next",
            all.len(),
            all.join(", ")
        )
    }
}

/// At most two versions in one replication topology; patch releases count as different versions (manual 19.5.2: 8.0.22, 8.0.24
/// and 8.0.28 together are not supported, any two of them are).
pub fn two_versions(
    versions: impl IntoIterator<Item = MysqlVersion>,
) -> Result<(), TooManyVersions> {
    let distinct: BTreeSet<MysqlVersion> = versions.into_iter().collect();
    if distinct.len() > 2 {
        Err(TooManyVersions(distinct))
    } else {
        Ok(())
    }
}

/// What the replica's server does with a source of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerCheck {
    /// It does not look at the version.
    NotLookedAt,
    Accepted,
    /// The receiver stops with `ER_RPL_REPLICA_VERSION_INCOMPATIBLE`.
    Refused,
}

/// The replica's own check: from 9.7.0 on, and only with `replica_allow_higher_version_source=OFF` (it is ON by default), a
/// source of a higher version is refused, but for one of the same long-term series.
pub fn server_accepts(
    replica: MysqlVersion,
    source: MysqlVersion,
    allow_higher_version_source: bool,
) -> ServerCheck {
    if replica < MysqlVersion::new(9, 7, 0) || allow_higher_version_source {
        return ServerCheck::NotLookedAt;
    }
    let nine_seven = Series { major: 9, minor: 7 };
    let one_series = replica.series() == nine_seven && source.series() == nine_seven;
    if one_series || source <= replica {
        ServerCheck::Accepted
    } else {
        ServerCheck::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> MysqlVersion {
        text.parse().unwrap()
    }

    #[test]
    fn channels_are_judged_as_the_manual_judges_them() {
        let table = ReleaseTable::built_in();
        for (source, replica, expected, from) in [
            ("8.4.6", "9.7.4", true, "manual 9.7 19.5.2"),
            ("8.0.46", "8.4.10", true, "manual 8.4 19.5.2"),
            ("5.7.44", "8.0.46", true, "manual 8.0 19.5.2"),
            ("9.7.3", "9.7.4", true, "manual 9.7 19.5.2"),
            ("9.7.4", "9.7.4", true, "manual 9.7 19.5.2"),
            ("9.7.4", "26.7.0", true, "manual 26.10 3.2"),
            ("8.0.46", "9.7.4", false, "no upgrade path in one hop"),
            ("5.7.44", "8.4.10", false, "no upgrade path in one hop"),
            (
                "9.7.4",
                "9.7.3",
                false,
                "newer to older; tried, replicates plain statements",
            ),
            (
                "9.7.4",
                "8.4.10",
                false,
                "newer to older; tried, VECTOR stops it",
            ),
        ] {
            let found = supported(&table, v(source), v(replica));
            assert_eq!(
                found.is_ok(),
                expected,
                "{source} -> {replica} ({from}): {found:?}"
            );
        }
    }

    #[test]
    fn at_most_two_versions() {
        // The manual's own examples (19.5.2).
        let judge = |versions: &[&str]| two_versions(versions.iter().map(|text| v(text)));
        assert!(judge(&["8.0.22", "8.0.24", "8.0.28"]).is_err());
        for pair in [
            ["8.0.22", "8.0.24"],
            ["8.0.22", "8.0.28"],
            ["8.0.24", "8.0.28"],
        ] {
            assert_eq!(judge(&pair), Ok(()));
        }
        assert_eq!(judge(&["8.4.6", "9.7.4", "8.4.6", "9.7.4"]), Ok(()));
        assert_eq!(judge(&[]), Ok(()));
    }

    #[test]
    fn the_servers_own_check() {
        // rpl_replica.cc of 9.7.4, and tried.
        use ServerCheck::{Accepted, NotLookedAt, Refused};
        for (replica, source, allow, expected) in [
            ("9.7.4", "9.7.9", false, Accepted),
            ("9.7.4", "8.4.10", false, Accepted),
            ("9.7.4", "26.7.0", false, Refused),
            ("9.7.4", "26.7.0", true, NotLookedAt),
            ("8.4.10", "9.7.4", false, NotLookedAt),
        ] {
            let found = server_accepts(v(replica), v(source), allow);
            assert_eq!(found, expected, "{source} -> {replica}");
        }
    }
}
