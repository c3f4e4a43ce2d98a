//! The sql_mode MAXDB.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "maxdbSqlModeFlags",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL Shell, maxdbSqlModeFlags (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/sql-mode.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Allowed,
    needs: &[Question::SqlModes],
    title: "Stored code was not made with sql_mode MAXDB",
    description: "MAXDB made TIMESTAMP another name for DATETIME; 8.0 does not have it, and stored code that was made with it means something else there.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::SqlModes, |row, _| {
        (row.detail.split(',').any(|mode| mode == "MAXDB")).then(|| {
            Verdict::new(
                Level::Warning,
                format!("{} was made with sql_mode MAXDB", row.part),
                format!("DROP and CREATE {} again, without MAXDB", row.quoted()),
            )
        })
    })
}
