//! The default character set changes at 8.0.

use super::{ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::topology::Kind;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "characterSetPinned",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Upgrading or Downgrading a Replication Topology\"; release notes of 8.0.1",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/replication-upgrade.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 0)]),
    overriding: Overriding::Allowed,
    needs: &[],
    title: "The character set does not change by itself",
    description: "From 8.0 on character_set_server is utf8mb4 by default. While versions differ, a table that is created without a character set would get another one on an upgraded replica than on its source: pin both settings until every server is upgraded.",
    kinds: SEVERAL,
    strategies: ANY_STRATEGY,
    run,
};

/// Where versions differ for a while.
const SEVERAL: &[Kind] = &[
    Kind::SinglePrimaryGroup,
    Kind::MultiPrimaryGroup,
    Kind::ReplicationTopology,
];

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        for pin in ["character_set_server", "collation_server"] {
            if !server.explicit_variables.contains(pin) {
                let value = server
                    .variables
                    .get(pin)
                    .map_or("its present value", String::as_str);
                found.push(CHECK.error(
                    name,
                    format!("{pin} is not set in an option file, and its default changes at 8.0"),
                    format!(
                        "write `{pin}={value}` below [mysqld] into the option file of every server"
                    ),
                ));
            }
        }
    }
    found
}
