//! No replica chooses another source by itself.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};

pub const CHECK: Check = Check {
    id: "channelFailover",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Switching Sources and Replicas with Asynchronous Connection Failover\"",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/replication-asynchronous-connection-failover.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "No replica changes its source by itself",
    description: "With SOURCE_CONNECTION_AUTO_FAILOVER a replica whose source is taken down for its upgrade may connect to another one: the shape that the plan was made for is gone, and a lower version may end up below a higher one.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for channel in subject.channels(&CHECK, &mut found) {
        if channel.detail.auto_failover {
            found.push(CHECK.error(
                channel.object(),
                "may choose another source by itself (SOURCE_CONNECTION_AUTO_FAILOVER=1)",
                format!(
                    "for the time of the upgrade: {}",
                    channel.change("SOURCE_CONNECTION_AUTO_FAILOVER=0")
                ),
            ));
        }
    }
    found
}
