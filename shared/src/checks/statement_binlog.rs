//! Statements in the binary log mean something else to another version.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::plan::Strategy;
use crate::topology::replication::{Role, Tree};

pub const CHECK: Check = Check {
    id: "statementBinaryLog",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Upgrading or Downgrading a Replication Topology\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/replication-upgrade.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "The source logs rows, not statements",
    description: "A statement is parsed and run anew by the replica's version, whose defaults, strictness and functions may differ: it stops the applier, or gives other rows. Rows do not depend on the version.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let Ok(tree) = Tree::of(subject.seen) else {
        return found;
    };
    // Their plans make sources log rows first. A replica that is behind on purpose would not have passed that point for long.
    let planned = subject.chosen().is_ok_and(|chosen| {
        matches!(
            chosen.strategy,
            Strategy::ReplicasFirst | Strategy::Switchover
        )
    });
    let delayed = subject.seen.servers().any(|(_, server)| {
        let channels = server.channels.known().into_iter().flatten();
        channels
            .filter_map(|channel| channel.detail.known())
            .any(|detail| detail.delay_s > 0)
    });
    let planned = planned && !delayed;
    for (name, server) in subject.seen.servers() {
        if tree.role(name) != Role::Source && !server.takes_writes() {
            continue;
        }
        let Some(format) = server.variables.get("binlog_format") else {
            found.push(CHECK.untold(name, "binlog_format", "the agent did not report it"));
            continue;
        };
        if format != "ROW" && planned && tree.role(name) == Role::Source {
            found.push(CHECK.warning(
                name,
                format!("binlog_format is {format}: the plan makes it log rows before the first replica is taken out"),
                "sessions keep the format that they began with: let every client connect anew when the plan waits for them; or SET PERSIST binlog_format = ROW beforehand",
            ));
        } else if format != "ROW" {
            // Within a series statements mean the same but for mended bugs.
            let level = if server.version.series() == subject.target.series() {
                Level::Warning
            } else {
                Level::Error
            };
            found.push(CHECK.finding(
                level,
                name,
                format!("binlog_format is {format}"),
                "SET PERSIST binlog_format = ROW; sessions keep the format that they began with, so let every client connect anew, and wait until all replicas have passed that point",
            ));
        }
    }
    found
}
