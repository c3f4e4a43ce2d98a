//! Names that begin with a dot in stored code.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "emptyDotTableSyntax",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, emptyDotTableSyntax (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 0)]),
    overriding: Overriding::Allowed,
    needs: &[Question::EmptyDotNames],
    title: "Stored code names no table as .table",
    description: "The name of a table with a dot before it and no schema is gone from 8.0 on: the new mysqld does not parse stored code with it (MY-013235). Comments and strings count here, too.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::EmptyDotNames, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("{} seems to name a table as .table", row.detail),
            format!("DROP and CREATE {} again, without the dot", row.quoted()),
        ))
    })
}
