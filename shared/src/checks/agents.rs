//! Every member's agent answers, and its server can be asked.

use super::{
    ALSO_WITHOUT_UPGRADE, ANY_KIND, Check, Finding, Level, Overriding, Reference, Subject, When,
};

pub const CHECK: Check = Check {
    id: "refitAgents",
    level: Level::Error,
    reference: Reference {
        source: "what Refit needs to see a member",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Refused("a member that can't be seen can't be upgraded safely"),
    needs: &[],
    title: "Agents and servers answer",
    description: "A member that can't be seen can't be upgraded safely: its agent must answer and its mysqld must be up.",
    kinds: ANY_KIND,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, fact) in &subject.seen.members {
        match fact.require() {
            Err(why) => found.push(CHECK.error(
                name,
                why,
                format!("on {name}: systemctl status refit-agent"),
            )),
            Ok(seen) => {
                if let Err(why) = seen.server.require() {
                    found.push(CHECK.error(
                        name,
                        format!("mysqld can't be asked: {why}"),
                        "start the server, or mend what keeps it from starting",
                    ));
                }
            }
        }
    }
    found
}
