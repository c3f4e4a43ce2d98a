//! Partitions that no engine of its own keeps.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "nonNativePartitioning",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, nonNativePartitioning (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Refused("the new mysqld does not start with such a table"),
    needs: &[Question::OtherPartitions],
    title: "Partitioned tables are InnoDB",
    description: "From 8.0 on only engines with partitioning of their own can have partitioned tables.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OtherPartitions, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("partitioned, and {}", row.detail),
            format!(
                "ALTER TABLE {} ENGINE = InnoDB, or REMOVE PARTITIONING",
                row.quoted()
            ),
        ))
    })
}
