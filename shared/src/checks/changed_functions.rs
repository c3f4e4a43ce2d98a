//! Indexed columns whose generated values may differ.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "changedFunctionsInGeneratedColumns",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL Shell, changedFunctionsInGeneratedColumns",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/cast-functions.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 28)]),
    overriding: Overriding::Allowed,
    needs: &[Question::CastsInGeneratedColumns],
    title: "Indexed generated columns keep their values",
    description: "CAST and CONVERT give other results from 8.0.28 on: an index over such a column may disagree with its table.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::CastsInGeneratedColumns, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            "indexed generated column calls CAST or CONVERT",
            format!("after the upgrade: ALTER TABLE {} FORCE", row.quoted()),
        ))
    })
}
