//! Foreign keys between engines, or to nothing.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "invalidEngineForeignKey",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, invalidEngineForeignKey (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/create-table-foreign-keys.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 0)]),
    overriding: Overriding::Allowed,
    needs: &[Question::ForeignKeyEngines],
    title: "Foreign keys stay within InnoDB",
    description: "A foreign key whose parent is of another engine, or does not exist, was possible with foreign_key_checks=0; such a key stops the upgrade or is lost.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::ForeignKeyEngines, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("its parent is {}", row.detail),
            format!(
                "ALTER TABLE {} DROP FOREIGN KEY {}, or make both tables InnoDB",
                row.quoted(),
                quote(&row.part)
            ),
        ))
    })
}
