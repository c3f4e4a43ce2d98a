//! Replicas position themselves by GTID.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::ids::MemberName;
use std::collections::BTreeMap;

pub const CHECK: Check = Check {
    id: "gtidAutoPosition",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"GTID Auto-Positioning\" and \"Replication Mode Concepts\"",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-auto-positioning.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Refused("that nothing is lost is proved over GTID sets"),
    needs: &[],
    title: "Servers replicate by GTID, with auto-position",
    description: "Every gate and every proof that nothing is lost compares GTID sets, and a replica finds its place behind an upgraded or another source by them.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut modes: BTreeMap<&str, Vec<&MemberName>> = BTreeMap::new();
    for (name, server) in subject.seen.servers() {
        match server.variables.get("gtid_mode") {
            Some(mode) => modes.entry(mode).or_default().push(name),
            None => found.push(CHECK.untold(name, "gtid_mode", "the agent did not report it")),
        }
    }
    for (mode, members) in modes.iter().filter(|(mode, _)| **mode != "ON") {
        for name in members {
            found.push(CHECK.error(
                name,
                format!("gtid_mode is {mode}"),
                "switch it on online, one step at a time on every server (OFF_PERMISSIVE, ON_PERMISSIVE, ON), and write gtid_mode=ON and enforce_gtid_consistency=ON into its option file",
            ));
        }
    }
    for channel in subject.channels(&CHECK, &mut found) {
        if !channel.detail.auto_position {
            found.push(
                CHECK.error(
                    channel.object(),
                    "the channel works by file and position",
                    channel
                        .change("SOURCE_AUTO_POSITION=1")
                        .replace(" IO_THREAD", ""),
                ),
            );
        }
    }
    found
}
