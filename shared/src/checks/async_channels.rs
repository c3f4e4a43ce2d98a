//! Asynchronous channels into the group stand in the way of a hand-over and of rejoining.

use super::{ANY_STRATEGY, Check, Finding, GROUPS, Subject};

pub const CHECK: Check = Check {
    id: "asyncChannels",
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
