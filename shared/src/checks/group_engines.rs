//! Tables of another engine than InnoDB.

use super::listed::Verdict;
use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "groupEngines",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"Group Replication Requirements\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/group-replication-requirements.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::OtherEngines],
    title: "Tables are InnoDB",
    description: "Group Replication refuses writes to tables that are not InnoDB, and no snapshot or rejoin makes their content agree between members.",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OtherEngines, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            format!("engine {}", row.detail),
            format!("ALTER TABLE {} ENGINE=InnoDB", row.quoted()),
        ))
    })
}
