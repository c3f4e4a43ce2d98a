//! What the agent itself says to a server must be understood by it.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::version::MysqlVersion;

/// `skip_replica_start` in the maintenance drop-in: a mysqld that does not know the name does not start (MY-000067). What else is
/// younger than 8.0: `START REPLICA`, `SHOW REPLICAS` and `source_connection_auto_failover` (8.0.22), `CHANGE REPLICATION SOURCE TO`
/// (8.0.23); 5.7 lacks `performance_schema.variables_info`, and a group's member roles, too.
const UNDERSTANDS: MysqlVersion = MysqlVersion::new(8, 0, 26);

pub const CHECK: Check = Check {
    id: "agentStatements",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual 8.0, \"What Is New in MySQL 8.0\" and \"Replication and Binary Logging Options and Variables\"; rules/dialect.rs",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/replication-options-replica.html"),
    },
    applies: When::Rule("from or to a release before 8.0.26", |pair| {
        pair.from < UNDERSTANDS || pair.to < UNDERSTANDS
    }),
    overriding: Overriding::Allowed,
    needs: &[],
    title: "The servers understand the agent",
    description: "The agent says START REPLICA, CHANGE REPLICATION SOURCE TO and skip_replica_start: words of 8.0.22 to 8.0.26. A server before 8.0.26 does not start with the maintenance drop-in, and older ones can't be observed or stopped by it either.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        let old = [("runs", server.version), ("is to run", subject.target)];
        let old: Vec<String> = old
            .into_iter()
            .filter(|(_, version)| *version < UNDERSTANDS)
            .map(|(how, version)| format!("{how} {version}"))
            .collect();
        if old.is_empty() {
            continue;
        }
        found.push(CHECK.error(
            name,
            format!(
                "{}: this agent speaks to servers from {UNDERSTANDS} on; such a plan can be read, and a person can go by it, but agents can't carry it out",
                old.join(" and ")
            ),
            "upgrade to 8.0.26 or later by hand, as the plan says, and go on from there with Refit; --override agentStatements shows the plan",
        ));
    }
    found
}
