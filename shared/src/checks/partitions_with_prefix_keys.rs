//! Partitioning by a key of which an index takes a prefix.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "partitionsWithPrefixKeys",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, partitionsWithPrefixKeys",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/partitioning-limitations.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 4, 0)]),
    overriding: Overriding::Allowed,
    needs: &[Question::PrefixPartitionKeys],
    title: "Partition keys are whole columns",
    description: "From 8.4 on a table can not be partitioned by KEY over a column that its key takes only a prefix of.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::PrefixPartitionKeys, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("partitioned by KEY over a prefix of {}", row.detail),
            format!(
                "ALTER TABLE {} REMOVE PARTITIONING, or partition it by whole columns",
                row.quoted()
            ),
        ))
    })
}
