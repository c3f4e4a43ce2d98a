//! Packages on hold.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "packageHolds",
    level: Level::Notice,
    reference: Reference {
        source: "apt-mark",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Package holds are known",
    description: "Refit changes the packages that are named in the agent's configuration although they are on hold, and puts the holds back.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, seen) in subject.seen.observed() {
        // What keeps the packages from being read is told by packageManagerState.
        let Some(packages) = seen.packages.known() else {
            continue;
        };
        if !packages.held.is_empty() {
            let held: Vec<&str> = packages.held.iter().map(String::as_str).collect();
            found.push(CHECK.finding(
                Level::Notice,
                name,
                format!("on hold: {}", held.join(", ")),
                "nothing, if the hold is yours; apt-mark showhold",
            ));
        }
    }
    found
}
