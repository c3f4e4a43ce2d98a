//! Stored code whose schema is gone.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "orphanedObjects",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, orphanedObjects; server error MY-013669 (MYSQL.md §4.3, §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 0)]),
    overriding: Overriding::Refused("the new mysqld does not start with such an object"),
    needs: &[Question::OrphanedObjects],
    title: "Stored code has a schema",
    description: "A routine or an event whose schema was removed below the server keeps the new mysqld from making its dictionary (MY-013669).",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OrphanedObjects, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("{} of a schema that does not exist", row.detail),
            format!(
                "CREATE DATABASE {}; DROP {} {}; DROP DATABASE {}",
                quote(&row.schema),
                row.detail.to_ascii_uppercase(),
                row.quoted(),
                quote(&row.schema)
            ),
        ))
    })
}
