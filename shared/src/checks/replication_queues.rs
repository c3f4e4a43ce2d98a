//! Members keep up.

use super::{
    ALSO_WITHOUT_UPGRADE, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When,
};

pub const CHECK: Check = Check {
    id: "replicationQueues",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"Group Replication Flow Control\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/group-replication-flow-control.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Members keep up with the primary",
    description: "A member with a long queue takes long to leave and to come back.",
    kinds: GROUPS,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

const MANY: u64 = 1000;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let behind = subject.seen.groups().filter_map(|(name, _, group)| {
        let waiting = group.applier_queue.max(group.certifier_queue);
        (waiting > MANY).then(|| {
            CHECK.warning(
                name,
                format!("{waiting} transactions wait to be applied"),
                "wait until the queue is short, or find out why it grows",
            )
        })
    });
    behind.collect()
}
