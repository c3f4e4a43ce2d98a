//! Parallel appliers commit in the source's order.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};

pub const CHECK: Check = Check {
    id: "commitOrder",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"Replication and Transaction Inconsistencies\"",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/replication-features-transaction-inconsistencies.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Parallel appliers keep the source's order",
    description: "With replica_parallel_workers above 1 and replica_preserve_commit_order=OFF a replica that is killed or stopped has gaps: transactions that it lacks although it has later ones. It shows states that its source never had, and can't be taken back to one point.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let channels = subject.channels(&CHECK, &mut found);
    for (name, server) in subject.seen.servers() {
        if !channels.iter().any(|channel| channel.replica == name) {
            continue;
        }
        let value = |names: [&str; 2]| names.iter().find_map(|name| server.variables.get(*name));
        let workers = value(["replica_parallel_workers", "slave_parallel_workers"]);
        let ordered = value([
            "replica_preserve_commit_order",
            "slave_preserve_commit_order",
        ]);
        let workers = workers.and_then(|workers| workers.parse::<u32>().ok());
        if let (Some(workers @ 2..), Some("OFF")) = (workers, ordered.map(String::as_str)) {
            found.push(CHECK.warning(
                name,
                format!("{workers} appliers commit in any order"),
                "STOP REPLICA SQL_THREAD; SET PERSIST replica_preserve_commit_order = ON; START REPLICA SQL_THREAD",
            ));
        }
    }
    found
}
