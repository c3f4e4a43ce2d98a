//! Group Replication is busy with an action of its own.

use super::listed::Verdict;
use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "groupActions",
    level: Level::Error,
    reference: Reference {
        source: "performance_schema.events_stages_current",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/group-replication-functions-for-mode.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Refused("two changes of the group at one time exclude each other"),
    needs: &[Question::GroupActions],
    title: "No group action is running",
    description: "A change of primary or of mode that somebody has begun must end first.",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::GroupActions, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("a group action is running: {}", row.detail),
            "wait for it to end",
        ))
    })
}
