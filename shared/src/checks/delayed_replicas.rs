//! Replicas that are behind on purpose.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};

pub const CHECK: Check = Check {
    id: "delayedReplicas",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"Delayed Replication\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/replication-delayed.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "No replica is behind on purpose",
    description: "Before a replica is stopped it applies what it has received, and before the next step it must have caught up. With SOURCE_DELAY that takes at least as long as the delay, each time.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for channel in subject.channels(&CHECK, &mut found) {
        if channel.detail.delay_s > 0 {
            let clause = channel.clause();
            found.push(CHECK.warning(
                channel.object(),
                format!("applies {} s late on purpose", channel.detail.delay_s),
                format!(
                    "for the time of the upgrade: STOP REPLICA SQL_THREAD{clause}; CHANGE REPLICATION SOURCE TO SOURCE_DELAY=0{clause}; START REPLICA SQL_THREAD{clause}"
                ),
            ));
        }
    }
    found
}
