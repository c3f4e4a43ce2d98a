//! Option files without the old names of semi-synchronous replication.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "semiSyncOptions",
    level: Level::Error,
    reference: Reference {
        source: "release notes of 9.5.0; starts of real servers with the old names",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/9.5/en/news-9-5-0.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(9, 5, 0)]),
    overriding: Overriding::Refused("the new mysqld would not start"),
    needs: &[],
    title: "Option files do not use the old names of semi-synchronous replication",
    description: "9.5 removed the plugins rpl_semi_sync_master and rpl_semi_sync_slave with their variables: mysqld does not start with an option that it does not know. What pluginUsage says of the plugins comes first.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        let old = server.explicit_variables.iter().filter(|variable| {
            variable.starts_with("rpl_semi_sync_master_")
                || variable.starts_with("rpl_semi_sync_slave_")
        });
        for variable in old {
            let new = variable
                .replace("rpl_semi_sync_master_", "rpl_semi_sync_source_")
                .replace("rpl_semi_sync_slave_", "rpl_semi_sync_replica_")
                .replace("_for_slave_", "_for_replica_")
                .replace("_no_slave", "_no_replica");
            found.push(CHECK.error(
                name,
                format!(
                    "{variable} is set in an option file or persisted, and {} does not know it",
                    subject.target
                ),
                format!("with the plugins changed over, write loose_{new} instead"),
            ));
        }
    }
    found
}
