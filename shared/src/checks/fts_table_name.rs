//! Tables with FTS in their names.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "ftsInTablename",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, ftsInTablename (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Rule("from 5.7 to 8.0.17 or earlier", |pair| {
        pair.crosses(MysqlVersion::new(8, 0, 11)) && pair.to < MysqlVersion::new(8, 0, 18)
    }),
    overriding: Overriding::Refused("the new mysqld does not start with such a table"),
    needs: &[Question::FtsNames],
    title: "No table has FTS in its name",
    description: "Up to 8.0.17 a table with the letters FTS in its name is taken for one of a FULLTEXT index, and the upgrade fails.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::FtsNames, |row, _| {
        Some(Verdict::new(
            Level::Error,
            "has FTS in its name",
            format!(
                "RENAME TABLE {} for the time of the upgrade, or choose 8.0.18 or later",
                row.quoted()
            ),
        ))
    })
}
