//! Tables in an old row format.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "innodbRowFormat",
    level: Level::Notice,
    reference: Reference {
        source: "MySQL Shell, innodbRowFormat",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/innodb-row-format.html"),
    },
    applies: When::SeriesChanges,
    overriding: Overriding::Allowed,
    needs: &[Question::RowFormats],
    title: "Row formats are DYNAMIC",
    description: "REDUNDANT, COMPACT and COMPRESSED still work; DYNAMIC is the default and what new features are made for.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::RowFormats, |row, _| {
        Some(Verdict::new(
            Level::Notice,
            format!("row format {}", row.detail),
            format!("later: ALTER TABLE {} ROW_FORMAT=DYNAMIC", row.quoted()),
        ))
    })
}
