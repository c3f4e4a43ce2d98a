//! Semi-synchronous replication still has enough replicas while one is out.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::observation::ServerFacts;
use crate::topology::replication::Tree;

pub const CHECK: Check = Check {
    id: "semiSyncReplicas",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Semisynchronous Replication\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/replication-semisync.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Enough semi-synchronous replicas remain while one is out",
    description: "A source waits for rpl_semi_sync_source_wait_for_replica_count acknowledgements. With fewer replicas left every commit stalls until rpl_semi_sync_source_timeout, and then writes are acknowledged that no replica has.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let Ok(tree) = Tree::of(subject.seen) else {
        return found;
    };
    for (name, server) in subject.seen.servers() {
        let Some(side) = SIDES.iter().find(|side| on(server, side.enabled)) else {
            continue;
        };
        let replicas = tree.replicas(name);
        let acknowledge = |replica: &&&crate::ids::MemberName| {
            let server = subject.seen.server(replica);
            server.is_ok_and(|server| REPLICA_ENABLED.iter().any(|name| on(server, name)))
        };
        let having = replicas.iter().filter(acknowledge).count() as u64;
        let count = server
            .variables
            .get(side.count)
            .map(|text| text.parse::<u64>());
        let Some(Ok(wanted)) = count else {
            found.push(CHECK.untold(name, side.count, "the server did not report it as a number"));
            continue;
        };
        let left = having.saturating_sub(1);
        if left < wanted {
            let fix = if left == 0 {
                format!(
                    "make another replica semi-synchronous, or for the time of the upgrade: SET GLOBAL {} = OFF",
                    side.enabled
                )
            } else {
                format!(
                    "for the time of the upgrade: SET GLOBAL {} = {left}",
                    side.count
                )
            };
            found.push(CHECK.error(
                name,
                format!("waits for {wanted} of its {having} semi-synchronous replicas; with one out {left} remain"),
                fix,
            ));
        }
    }
    found
}

/// The same settings under their names from 8.0.26 on and before.
struct Side {
    enabled: &'static str,
    count: &'static str,
}

const SIDES: [Side; 2] = [
    Side {
        enabled: "rpl_semi_sync_source_enabled",
        count: "rpl_semi_sync_source_wait_for_replica_count",
    },
    Side {
        enabled: "rpl_semi_sync_master_enabled",
        count: "rpl_semi_sync_master_wait_for_slave_count",
    },
];
const REPLICA_ENABLED: [&str; 2] = [
    "rpl_semi_sync_replica_enabled",
    "rpl_semi_sync_slave_enabled",
];

fn on(server: &ServerFacts, variable: &str) -> bool {
    server
        .variables
        .get(variable)
        .is_some_and(|value| value == "ON")
}
