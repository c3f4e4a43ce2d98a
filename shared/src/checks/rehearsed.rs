//! What the latest rehearsal of a member's own data found, where it was of this very hop.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::rules::releases::Date;

pub const CHECK: Check = Check {
    id: "rehearsed",
    level: Level::Error,
    reference: Reference {
        source: "the target's own mysqld, started on a clone of the member's data (`refit rehearse`)",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "No rehearsal has failed",
    description: "The target did not start on a clone of the member's data, or could not read all of it. Only the latest rehearsal counts, and only one from the version that runs to this target; a member that was never rehearsed is nothing to tell.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// Objects that a finding names; more are only counted.
const NAMED: usize = 5;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let (cluster, target) = (&subject.seen.cluster, subject.target);
    for (name, fact) in &subject.seen.members {
        // That a member can't be asked is told by refitAgents.
        let Ok(seen) = fact.require() else { continue };
        let runs = seen.server.known().map(|server| server.version);
        let made = seen.agent.rehearsals.iter().filter(|made| {
            let of_this_hop = match (made.from, runs) {
                (Some(from), Some(runs)) => from == runs,
                // Not known to be of another one.
                _ => true,
            };
            made.target == target && !made.foreign && of_this_hop
        });
        let Some(latest) = made.max_by_key(|made| made.at_unix_ms) else {
            continue;
        };
        let when = Date::of_unix_ms(latest.at_unix_ms);
        let fix = format!("mend it, then: refit rehearse {cluster} {name} --target {target}");
        if let Some(why) = &latest.refused {
            let what =
                format!("its rehearsal of {when}: {target} does not start on its data: {why}");
            found.push(CHECK.error(name, what, &fix));
        }
        if !latest.broken.is_empty() {
            let named: Vec<&str> = latest
                .broken
                .iter()
                .map(String::as_str)
                .take(NAMED)
                .collect();
            let more = latest.broken.len() - named.len();
            let more = match more {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let what = format!(
                "its rehearsal of {when}: {target} can't read what can be read now: {}{more}",
                named.join("; ")
            );
            found.push(CHECK.error(name, what, &fix));
        }
    }
    found
}
