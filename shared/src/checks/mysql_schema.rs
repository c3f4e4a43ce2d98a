//! Tables of a person in schema mysql.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "mysqlSchema",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, mysqlSchema; MySQL manual, \"Preparing Your Installation for Upgrade\" (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Refused("the new mysqld needs these names for its dictionary"),
    needs: &[Question::DictionaryNames],
    title: "Schema mysql holds no table with a name of the dictionary",
    description: "From 8.0 on the data dictionary has tables of these names in schema mysql: with one of them there the upgrade fails.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::DictionaryNames, |row, _| {
        Some(Verdict::new(
            Level::Error,
            "has the name of a table of the data dictionary",
            format!("RENAME TABLE {} TO another schema", row.quoted()),
        ))
    })
}
