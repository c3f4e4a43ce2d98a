//! Partitions in a shared tablespace.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "partitionedTablesInSharedTablespaces",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, partitionedTablesInSharedTablespaces",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/partitioning-limitations.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11), MysqlVersion::new(8, 0, 13)]),
    overriding: Overriding::Allowed,
    needs: &[Question::SharedPartitions],
    title: "Partitions have files of their own",
    description: "From 8.0.13 on a partition can not be in the system tablespace or a general one: the upgrade fails.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::SharedPartitions, |row, _| {
        Some(Verdict::new(
            Level::Error,
            "partition in a shared tablespace",
            format!(
                "ALTER TABLE {} REORGANIZE PARTITION {} INTO (… TABLESPACE=innodb_file_per_table)",
                row.quoted(),
                quote(&row.part)
            ),
        ))
    })
}
