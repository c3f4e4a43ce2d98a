//! The old three-byte character set.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};

pub const CHECK: Check = Check {
    id: "utf8mb3",
    level: Level::Notice,
    reference: Reference {
        source: "MySQL Shell, utf8mb3; MySQL manual, \"The utf8mb3 Character Set\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/charset-unicode-utf8mb3.html"),
    },
    applies: When::SeriesChanges,
    overriding: Overriding::Allowed,
    needs: &[Question::Utf8mb3Schemas, Question::Utf8mb3Columns],
    title: "Character sets are not deprecated",
    description: "utf8mb3 is deprecated. It still works; convert to utf8mb4 at leisure, not during the upgrade.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = subject.listed(&CHECK, Question::Utf8mb3Schemas, |row, _| {
        Some(Verdict::new(
            Level::Notice,
            "new tables of this schema are utf8mb3 by default",
            format!(
                "ALTER DATABASE {} CHARACTER SET utf8mb4",
                quote(&row.schema)
            ),
        ))
    });
    found.extend(subject.listed(&CHECK, Question::Utf8mb3Columns, |row, _| {
        Some(Verdict::new(
            Level::Notice,
            "utf8mb3 column",
            format!(
                "later: ALTER TABLE {} CONVERT TO CHARACTER SET utf8mb4",
                row.quoted()
            ),
        ))
    }));
    found
}
