//! Accounts whose authentication method the new server does not have.

use super::listed::Verdict;
use super::{
    ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, VersionPair,
    When,
};
use crate::survey::{Question, Row};
use crate::version::MysqlVersion;
use std::collections::BTreeMap;

pub const CHECK: Check = Check {
    id: "authMethodUsage",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, authMethodUsage; MySQL manual, \"Native Pluggable Authentication\"; server error 1524, seen on real servers",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/native-pluggable-authentication.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::OldAuthentication, Question::ChannelUsers],
    title: "Accounts use methods that the new server has",
    description: "An account whose plugin is gone or off can not log in (1524): that includes replication, recovery, monitoring, router and maintenance accounts. mysql_native_password is off by default from 8.4 on and gone from 9.0 on; authentication_fido is gone from 8.4 on.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// One method's life.
struct Method {
    plugin: &'static str,
    deprecated: MysqlVersion,
    off: Option<MysqlVersion>,
    removed: Option<MysqlVersion>,
}

const METHODS: [Method; 3] = [
    Method {
        plugin: "authentication_fido",
        deprecated: MysqlVersion::new(8, 2, 0),
        off: None,
        removed: Some(MysqlVersion::new(8, 4, 0)),
    },
    Method {
        plugin: "mysql_native_password",
        deprecated: MysqlVersion::new(8, 0, 34),
        off: Some(MysqlVersion::new(8, 4, 0)),
        removed: Some(MysqlVersion::new(9, 0, 0)),
    },
    Method {
        plugin: "sha256_password",
        deprecated: MysqlVersion::new(8, 0, 16),
        off: None,
        removed: None,
    },
];

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut channels: BTreeMap<String, String> = BTreeMap::new();
    for (_, _, listing) in subject.answers(&CHECK, Question::ChannelUsers, &mut found) {
        for row in &listing.rows {
            channels.insert(row.detail.clone(), row.name.clone());
        }
    }
    found.extend(
        subject.listed(&CHECK, Question::OldAuthentication, |row, pair| {
            METHODS
                .iter()
                .filter(|method| row.detail.split(',').any(|plugin| plugin == method.plugin))
                .find_map(|method| judge(method, row, pair, &channels))
        }),
    );
    found
}

fn judge(
    method: &Method,
    row: &Row,
    pair: VersionPair,
    channels: &BTreeMap<String, String>,
) -> Option<Verdict> {
    let plugin = method.plugin;
    let crosses =
        |version: Option<MysqlVersion>| version.is_some_and(|version| pair.crosses(version));
    let gone_before = method.removed.is_some_and(|removed| removed <= pair.from);
    let (level, what) = if crosses(method.removed) {
        (
            Level::Error,
            format!(
                "uses {plugin}, which {} does not have: it could not log in (1524)",
                pair.to
            ),
        )
    } else if crosses(method.off) {
        (
            Level::Error,
            format!(
                "uses {plugin}, which is off by default in {}: it could not log in (1524)",
                pair.to
            ),
        )
    } else if pair.to >= method.deprecated && !gone_before {
        (
            Level::Warning,
            format!("uses {plugin}, which is deprecated"),
        )
    } else {
        return None;
    };
    // The account is `user@host`; a user name may hold an at sign, a host can not.
    let (user, host) = row.name.rsplit_once('@').unwrap_or((&row.name, "%"));
    let used = match channels.get(user) {
        Some(channel) => format!("; channel {channel} connects as it"),
        None => String::new(),
    };
    let mut fix = format!(
        "ALTER USER '{user}'@'{host}' IDENTIFIED WITH caching_sha2_password BY …, on the primary"
    );
    if crosses(method.off) && !crosses(method.removed) {
        fix += "; or for a while: mysql_native_password=ON below [mysqld] of every member";
    }
    Some(Verdict::new(level, what + &used, fix))
}
