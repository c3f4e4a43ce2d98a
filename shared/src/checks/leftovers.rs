//! Nothing of an earlier rollout is still in the way.

use super::{
    ALSO_WITHOUT_UPGRADE, ANY_KIND, Check, Finding, Level, Overriding, Reference, Subject, When,
};

pub const CHECK: Check = Check {
    id: "refitLeftovers",
    level: Level::Error,
    reference: Reference {
        source: "Refit's own drop-ins and holds",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Refused("an earlier rollout owns this host"),
    needs: &[],
    title: "No earlier rollout is half done",
    description: "Maintenance drop-ins or a hold on mysqld mean that a rollout was left where it stood.",
    kinds: ANY_KIND,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, seen) in subject.seen.observed() {
        if seen.agent.in_maintenance || seen.agent.holding_server_down {
            let what = if seen.agent.holding_server_down {
                "mysqld is held down"
            } else {
                "maintenance drop-ins are in place"
            };
            found.push(CHECK.error(
                name,
                format!("{what} by an earlier rollout"),
                "`refit list` names it: resume or unwind it",
            ));
        }
        if let Some(work) = &seen.agent.working_on {
            found.push(CHECK.error(
                name,
                format!("the agent is working on {work}"),
                "wait for it to end",
            ));
        }
    }
    found
}
