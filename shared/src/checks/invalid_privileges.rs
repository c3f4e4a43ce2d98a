//! Privileges that no longer exist.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "invalidPrivileges",
    level: Level::Notice,
    reference: Reference {
        source: "MySQL Shell, invalidPrivileges",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/privileges-provided.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 4, 0)]),
    overriding: Overriding::Allowed,
    needs: &[Question::RemovedPrivileges],
    title: "Granted privileges exist on the new server",
    description: "SET_USER_ID is gone from 8.4 on: who has it gets nothing in its place, and GRANT statements that name it fail.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::RemovedPrivileges, |row, _| {
        Some(Verdict::new(
            Level::Notice,
            format!("has {}", row.detail),
            "GRANT SET_ANY_DEFINER, ALLOW_NONEXISTENT_DEFINER ON *.* to it after the last member is upgraded, if it needs them",
        ))
    })
}
