//! Defaults where none can be.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "columnsWhichCannotHaveDefaults",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, columnsWhichCannotHaveDefaults (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/data-type-defaults.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 12)]),
    overriding: Overriding::Refused(
        "the new mysqld can not make its dictionary with such a column",
    ),
    needs: &[Question::ImpossibleDefaults],
    title: "Columns that can have no default have none",
    description: "BLOB, TEXT, JSON and geometry columns can have no literal default; old servers let one slip in, and 8.0 does not upgrade such a table.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::ImpossibleDefaults, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("a {} column with a default", row.detail),
            format!(
                "ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT",
                row.quoted(),
                quote(&row.part)
            ),
        ))
    })
}
