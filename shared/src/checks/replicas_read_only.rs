//! Nobody writes on a replica.

use super::{
    ALSO_WITHOUT_UPGRADE, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};

pub const CHECK: Check = Check {
    id: "replicasReadOnly",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"super_read_only\"",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_super_read_only",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Replicas are read-only",
    description: "A write on a replica is an errant transaction: nobody else has it, and behind another source replication stops at it. read_only does not keep administrators out, super_read_only does.",
    kinds: TOPOLOGIES,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let channels = subject.channels(&CHECK, &mut found);
    for (name, server) in subject.seen.servers() {
        let replicates = channels.iter().any(|channel| channel.replica == name);
        if replicates && !server.super_read_only {
            let what = if server.read_only {
                "super_read_only is OFF: accounts with CONNECTION_ADMIN may write"
            } else {
                "everybody may write"
            };
            found.push(CHECK.warning(name, what, "SET PERSIST super_read_only = ON"));
        }
    }
    found
}
