//! Tablespaces that are not whole.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "tablespaceStates",
    level: Level::Warning,
    reference: Reference {
        source: "INFORMATION_SCHEMA.INNODB_TABLESPACES",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/information-schema-innodb-tablespaces-table.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::OddTablespaces],
    title: "Tablespaces are normal",
    description: "A tablespace that is discarded, corrupted or being truncated is found again by every start.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OddTablespaces, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            format!("tablespace is {}", row.detail),
            "import or drop what is discarded; wait for a truncation to end",
        ))
    })
}
