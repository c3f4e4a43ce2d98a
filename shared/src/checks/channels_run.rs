//! Replication runs, without errors.

use super::{
    ALSO_WITHOUT_UPGRADE, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::observation::ReplicationService;

pub const CHECK: Check = Check {
    id: "channelsRun",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Checking Replication Status\"",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/replication-administration-status.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "a replica that stands still can't tell whether it goes on after its upgrade",
    ),
    needs: &[],
    title: "Every replica replicates",
    description: "Each channel's receiver and applier run without an error. A replica that was stopped or that an error has stopped before the upgrade would look like one that the upgrade has stopped.",
    kinds: TOPOLOGIES,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for channel in subject.channels(&CHECK, &mut found) {
        let threads = [
            ("receiver", "IO_THREAD", &channel.detail.receiver),
            ("applier", "SQL_THREAD", &channel.detail.applier),
        ];
        for (what, thread, state) in threads {
            let running = state.service == ReplicationService::On;
            if running && state.errno == 0 {
                continue;
            }
            let error = match state.errno {
                0 => String::new(),
                errno => format!(", error {errno}: {}", state.error),
            };
            found.push(CHECK.error(
                channel.object(),
                format!("the {what} is {}{error}", state.service.as_str()),
                format!(
                    "mend what it reports, then START REPLICA {thread}{}",
                    channel.clause()
                ),
            ));
        }
    }
    found
}
