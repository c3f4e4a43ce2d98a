//! Data files that are found by way of a parent directory.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "circularDirectory",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, circularDirectory",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/innodb-create-table-external.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 17)]),
    overriding: Overriding::Allowed,
    needs: &[Question::CircularPaths],
    title: "Data files have plain paths",
    description: "From 8.0.17 on InnoDB refuses a data file whose path holds /../.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::CircularPaths, |row, _| {
        Some(Verdict::new(
            Level::Error,
            "the path of the data file holds /../",
            format!(
                "move the table of {} with ALTER TABLE … DATA DIRECTORY and a plain path",
                row.name
            ),
        ))
    })
}
