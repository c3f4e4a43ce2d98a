//! Elements of ENUM and SET columns.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "enumSetElementLength",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, enumSetElementLength (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Refused(
        "the new mysqld can not make its dictionary with such a column",
    ),
    needs: &[Question::LongElements],
    title: "Elements of ENUM and SET are not too long",
    description: "From 8.0 on an element of an ENUM or SET column has at most 255 characters or 1020 bytes.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::LongElements, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!(
                "has an element of {} characters, 255 are allowed",
                row.detail
            ),
            format!(
                "ALTER TABLE {} MODIFY COLUMN {} … with shorter elements",
                row.quoted(),
                quote(&row.part)
            ),
        ))
    })
}
