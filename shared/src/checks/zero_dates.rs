//! Defaults that are no dates.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "zeroDates",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL Shell, zeroDates",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/sql-mode.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Allowed,
    needs: &[Question::ZeroDateDefaults],
    title: "Defaults are dates",
    description: "The default sql_mode refuses zero dates: a table with one as a default can not be altered or loaded.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::ZeroDateDefaults, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            format!("the default is {}", row.detail),
            format!(
                "ALTER TABLE {} ALTER COLUMN {} SET DEFAULT … or DROP DEFAULT",
                row.quoted(),
                quote(&row.part)
            ),
        ))
    })
}
