//! Events that run on one server only.

use super::listed::Verdict;
use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "eventsFollow",
    level: Level::Notice,
    reference: Reference {
        source: "MySQL manual, \"Replication of Invoked Features\" (MYSQL.md §5.8)",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/replication-features-invoked.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::EnabledEvents],
    title: "Events run where writes go",
    description: "An event is enabled on the server where it was made, and disabled where it was replicated to. When another server takes the writes, nobody runs it there until it is enabled by hand.",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let answers = subject.answers(&CHECK, Question::EnabledEvents, &mut found);
    // On one server alone nothing moves.
    if answers.len() > 1 {
        found.extend(subject.listed(&CHECK, Question::EnabledEvents, |row, _| {
            Some(Verdict::new(
                Level::Notice,
                "an enabled event",
                format!("when another server takes the writes: ALTER EVENT {} ENABLE there, DISABLE ON REPLICA here", row.quoted()),
            ))
        }));
    }
    found
}
