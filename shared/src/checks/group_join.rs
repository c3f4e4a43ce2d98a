//! The group takes the upgraded member back while others still run the old version.

use super::{Check, Finding, GROUPS, Level, Overriding, ROLLING, Reference, Subject, When};
use crate::rules::group::{Join, join};

pub const CHECK: Check = Check {
    id: "groupJoin",
    level: Level::Error,
    reference: Reference {
        source: "server source, compatibility_module.cc; joins tried between real servers",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Refused("the upgraded member could not rejoin"),
    needs: &[],
    title: "An upgraded member may join the group",
    description: "Members of both versions are in the group for a while; what a group refuses is decided by the joiner's version and the lowest one in it.",
    kinds: GROUPS,
    strategies: ROLLING,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let versions: Vec<_> = subject
        .seen
        .servers()
        .map(|(_, server)| server.version)
        .collect();
    // A target below a member's version is no upgrade; `upgradePath` says so.
    if versions.iter().any(|version| subject.target < *version) {
        return Vec::new();
    }
    match join(subject.target, &versions) {
        Join::Compatible | Join::ReadOnly => Vec::new(),
        Join::Refused(why) => vec![CHECK.error(
            &subject.seen.cluster,
            format!("the group would refuse the upgraded member: {why}"),
            "choose another target or strategy",
        )],
    }
}
