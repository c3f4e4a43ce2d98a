//! A standalone server, or a source, takes writes: afterwards they are let in again.

use super::{ALSO_WITHOUT_UPGRADE, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::observation::ServerFacts;
use crate::topology::Kind;

pub const CHECK: Check = Check {
    id: "serverTakesWrites",
    level: Level::Error,
    reference: Reference {
        source: "what the servers say of themselves",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "a server that takes no writes before the upgrade may be somebody else's standby",
    ),
    needs: &[],
    title: "The server takes writes",
    description: "The upgrade of a standalone server or a source ends with writes let in. One that is kept read-only on purpose must not be opened by it.",
    kinds: &[Kind::StandaloneServer, Kind::ReplicationTopology],
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let replicates = |server: &ServerFacts| {
        let channels = server.channels.known();
        channels.is_some_and(|channels| !channels.is_empty())
    };
    let closed = subject
        .seen
        .servers()
        .filter(|(_, server)| !server.takes_writes() && !replicates(server));
    closed
        .map(|(name, _)| {
            CHECK.error(
                name,
                "the server is read-only or in offline mode",
                "find out why; then SET GLOBAL read_only=OFF, offline_mode=OFF for the time of the upgrade",
            )
        })
        .collect()
}
