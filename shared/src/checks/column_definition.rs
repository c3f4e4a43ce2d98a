//! Columns of a type that AUTO_INCREMENT no longer takes.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "columnDefinition",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, columnDefinition; release notes of 8.4.0",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/8.4/en/news-8-4-0.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 4, 0)]),
    overriding: Overriding::Allowed,
    needs: &[Question::FloatAutoIncrement],
    title: "AUTO_INCREMENT columns are integers",
    description: "From 8.4 on AUTO_INCREMENT is refused for FLOAT and DOUBLE columns.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::FloatAutoIncrement, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("AUTO_INCREMENT column of type {}", row.detail),
            format!(
                "ALTER TABLE {} MODIFY COLUMN {} BIGINT NOT NULL AUTO_INCREMENT",
                row.quoted(),
                quote(&row.part)
            ),
        ))
    })
}
