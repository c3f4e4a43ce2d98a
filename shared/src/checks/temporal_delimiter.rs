//! Partition bounds with dates in an old spelling.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "deprecatedTemporalDelimiter",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, deprecatedTemporalDelimiter",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/date-and-time-literals.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 29)]),
    overriding: Overriding::Allowed,
    needs: &[Question::PartitionDates],
    title: "Partition bounds are standard dates",
    description: "From 8.0.29 on a partition bound with a date in non-standard delimiters makes its table unusable.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::PartitionDates, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("the bound {} is no standard date", row.detail),
            format!("ALTER TABLE {} REORGANIZE PARTITION {} with the bound written as YYYY-MM-DD hh:mm:ss", row.quoted(), quote(&row.part)),
        ))
    })
}
