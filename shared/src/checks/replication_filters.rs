//! Replicas that leave something out.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};

pub const CHECK: Check = Check {
    id: "replicationFilters",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"How Servers Evaluate Replication Filtering Rules\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/replication-rules.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Replicas that filter are known as such",
    description: "What a filter leaves out is still in gtid_executed, as an empty transaction: such a replica has every GTID and not every row. It can be upgraded, but it must never become the source.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for channel in subject.channels(&CHECK, &mut found) {
        if !channel.detail.filters.is_empty() {
            found.push(CHECK.warning(
                channel.object(),
                format!("leaves out what {} says: it has every GTID and not every row", channel.detail.filters.join(", ")),
                "do not let it become the source; see that its filters are in its option file, since CHANGE REPLICATION FILTER does not survive a restart",
            ));
        }
    }
    found
}
