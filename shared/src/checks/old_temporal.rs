//! Columns in the temporal format of 5.5.

use super::listed::Verdict;
use super::rebuilds::Remedy;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "oldTemporal",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, oldTemporal (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Allowed,
    needs: &[Question::OldTemporals],
    title: "Temporal columns have the present format",
    description: "TIME, DATETIME and TIMESTAMP columns that were made before 5.6.4 and never rebuilt can not be read by 8.0.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// What is to be rebuilt for it.
pub(super) const REMEDY: Remedy = Remedy {
    check: &CHECK,
    question: Question::OldTemporals,
    why: |row| Some(format!("{} is {}: the format of 5.5", row.part, row.detail)),
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OldTemporals, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("{}: the format of 5.5", row.detail),
            format!("ALTER TABLE {} FORCE", row.quoted()),
        ))
    })
}
