//! Indexes that old row formats can not hold.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "indexTooLarge",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, indexTooLarge (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/innodb-limits.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 0)]),
    overriding: Overriding::Refused("the table can not be opened after the upgrade"),
    needs: &[Question::LargeIndexes],
    title: "Indexes fit their row formats",
    description: "A REDUNDANT or COMPACT table holds 767 bytes of a column in an index; 5.6 and 5.7 could be brought to make more, and 8.0 does not open such a table.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::LargeIndexes, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("takes {} bytes of a column, 767 are allowed", row.detail),
            format!("ALTER TABLE {} ROW_FORMAT = DYNAMIC", row.quoted()),
        ))
    })
}
