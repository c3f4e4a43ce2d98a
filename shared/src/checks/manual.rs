//! What no program can judge from the servers: told beside the results, in the place where MySQL Shell puts its manual checks.

use super::{CheckResult, VALIDATE_CONFIG, VersionPair, When};
use crate::rules::dialect::Dialect;
use crate::version::MysqlVersion;

/// Something that only a person can look at.
#[derive(Debug, Clone, Copy)]
pub struct ManualCheck {
    pub id: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub link: Option<&'static str>,
    pub applies: When,
    /// The check that asks instead: where it was made, nothing is left to look at.
    pub unless: Option<&'static str>,
}

/// In the order in which they are shown.
pub const MANUAL: &[ManualCheck] = &[
    ManualCheck {
        id: "clientAuthentication",
        title: "Clients can use caching_sha2_password",
        description: "mysql_native_password is off by default from 8.4 on and gone from 9.0 on. Drivers, proxies, monitoring and backup programs \
             must support caching_sha2_password over TLS or with the server's public key.",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/caching-sha2-pluggable-authentication.html",
        ),
        applies: When::Crosses(&[MysqlVersion::new(8, 4, 0), MysqlVersion::new(9, 0, 0)]),
        unless: None,
    },
    ManualCheck {
        id: "clientRemovedFunctions",
        title: "Applications do not call MD5(), SHA1() or SHA()",
        description: "From 9.6 on these functions are in component_classic_hashing; without it a statement that calls one fails (1046 or 1305). \
             Statements in applications can't be seen from here: search their code, or events_statements_summary_by_digest.",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/9.6/en/news-9-6-0.html"),
        applies: When::Crosses(&[MysqlVersion::new(9, 6, 0)]),
        unless: None,
    },
    ManualCheck {
        id: "clientReplicationStatements",
        title: "Scripts use the new replication statements",
        description: "SHOW SLAVE STATUS, SHOW MASTER STATUS, CHANGE MASTER TO and their kind are gone from 8.4 on: monitoring, backup and \
             failover scripts must use SHOW REPLICA STATUS, SHOW BINARY LOG STATUS and CHANGE REPLICATION SOURCE TO.",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/8.4/en/news-8-4-0.html"),
        applies: When::Crosses(&[MysqlVersion::new(8, 4, 0)]),
        unless: None,
    },
    ManualCheck {
        id: "verifiedBackup",
        title: "A backup has been restored and verified",
        description: "Refit snapshots each member before its new mysqld first starts. A snapshot on the same disks is no backup: keep one elsewhere \
             that has been restored at least once.",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/upgrade-prerequisites.html"),
        applies: When::Always,
        unless: None,
    },
    ManualCheck {
        id: "checkTablesFirst",
        title: "CHECK TABLE … FOR UPGRADE",
        description: "Refit reads no user data when it checks, unless `refit check --check-tables` asks for it. Where there are MyISAM tables or tables \
             from before 8.0, run CHECK TABLE … FOR UPGRADE on a member that serves nobody.",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/check-table.html"),
        applies: When::SeriesChanges,
        unless: None,
    },
    ManualCheck {
        id: "validateConfigFirst",
        title: "mysqld --validate-config of the target",
        description: "Option files are judged by what Refit knows of each version; the target's own mysqld is asked only with `refit check \
             --validate-config`, since that fetches packages. The rollout asks it in any case, before anything is stopped.",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/server-configuration-validation.html"),
        applies: When::Rule("the target is 8.0.16 or later", |pair| {
            Dialect::of(pair.to).has_validate_config()
        }),
        unless: Some(VALIDATE_CONFIG),
    },
];

/// Those that apply to a member of one of these and were not left to a check that has been made.
pub fn manual(
    pairs: &[VersionPair],
    made: &[CheckResult],
) -> impl Iterator<Item = &'static ManualCheck> {
    let asked = |check: &ManualCheck| {
        let instead = check.unless;
        instead.is_some_and(|id| made.iter().any(|result| result.id == id))
    };
    MANUAL
        .iter()
        .filter(move |check| !asked(check) && pairs.iter().any(|pair| check.applies.applies(*pair)))
}
