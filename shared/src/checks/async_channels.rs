//! Asynchronous channels into the group stand in the way of a hand-over and of rejoining.

use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "asyncChannels",
    level: Level::Error,
    reference: Reference {
        source: "server errors 3910 and MY-011638, seen on real servers",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/group-replication-functions-for-new-primary.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Refused("the hand-over or a member's return would be refused half way"),
    needs: &[],
    title: "No asynchronous channel runs into the group",
    description: "With one running on the primary, set_as_primary is refused (3910); with one on a secondary, START GROUP_REPLICATION is (MY-011638).",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        match server.channels.require() {
            Ok(channels) => found.extend(
                channels
                    .iter()
                    .filter(|channel| channel.receiving || channel.applying)
                    .map(|channel| {
                        CHECK.error(
                            name,
                            format!(
                                "channel {:?} from {} is running",
                                channel.name, channel.source_host
                            ),
                            format!(
                                "STOP REPLICA FOR CHANNEL '{}' for the time of the upgrade",
                                channel.name
                            ),
                        )
                    }),
            ),
            Err(why) => found.push(CHECK.untold(name, "replication channels", why)),
        }
    }
    found
}
