//! At most two versions replicate from each other, and never from a higher one to a lower one.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::rules::releases::ReleaseTable;
use crate::rules::replication::{supported, two_versions};
use crate::version::MysqlVersion;
use std::collections::BTreeSet;

pub const CHECK: Check = Check {
    id: "replicationVersions",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Replication Compatibility Between MySQL Versions\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/replication-compatibility.html"),
    },
    applies: When::Always,
    // As a stopgap on the way back it works for plain statements: only with a name and a reason.
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Versions may replicate from each other, now and on the way",
    description: "A source may feed replicas of its own version or one hop above, and a topology has at most two versions; patch releases count. The upgrade adds its target to those that run now.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let running: BTreeSet<MysqlVersion> = subject
        .seen
        .servers()
        .map(|(_, server)| server.version)
        .collect();
    if let Err(many) = two_versions(running.iter().copied().chain([subject.target])) {
        found.push(CHECK.error(
            &subject.seen.cluster,
            format!("with the target {} {many}", subject.target),
            "upgrade the servers of the lowest version to the other one first, then all to the target",
        ));
    }
    let table = ReleaseTable::built_in();
    for link in subject.links(&CHECK, &mut found) {
        let (source, replica) = (link.source_server.version, link.channel.server.version);
        if let Err(why) = supported(&table, source, replica) {
            // A replica that is to get its source's version is mended by the upgrade itself.
            let (level, fix) = if source == subject.target {
                (
                    Level::Warning,
                    "the upgrade mends it: this replica is brought to its source's version",
                )
            } else {
                (
                    Level::Error,
                    "bring source and replica to one version first",
                )
            };
            found.push(CHECK.finding(
                level,
                link.channel.object(),
                format!("replicates from {}: {why}", link.source),
                fix,
            ));
            continue;
        }
        // On the way up the replica is there first, on the way down the source.
        let on_the_way = if subject.target < source {
            supported(&table, subject.target, replica)
        } else {
            supported(&table, source, subject.target.max(replica))
        };
        if let Err(why) = on_the_way {
            found.push(CHECK.error(
                link.channel.object(),
                format!(
                    "on the way to {} it would replicate from {}: {why}",
                    subject.target, link.source
                ),
                "go in hops: `refit path` names them",
            ));
        }
    }
    found
}
