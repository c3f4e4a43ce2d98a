//! Names of foreign keys.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "foreignKeyLength",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, foreignKeyLength (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Refused("the new mysqld can not make its dictionary with such a name"),
    needs: &[Question::LongForeignKeys],
    title: "Names of foreign keys are not too long",
    description: "A foreign key whose name has more than 64 characters can not be in the dictionary of 8.0.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::LongForeignKeys, |row, _| {
        Some(Verdict::new(
            Level::Error,
            "the foreign key's name has more than 64 characters",
            format!(
                "on table {}: DROP FOREIGN KEY, and add it again with a shorter name",
                row.detail
            ),
        ))
    })
}
