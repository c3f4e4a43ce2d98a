//! Geometry columns in an old format.

use super::listed::Verdict;
use super::rebuilds::Remedy;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "oldGeometryTypes",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, oldGeometryTypes (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Rule("from 5.7 to 8.0.23 or earlier", |pair| {
        pair.crosses(MysqlVersion::new(8, 0, 11)) && pair.to < MysqlVersion::new(8, 0, 24)
    }),
    overriding: Overriding::Refused("the new mysqld can not open such a table"),
    needs: &[Question::OldGeometries],
    title: "Geometry columns have the present format",
    description: "Geometry columns that were made before 5.7 are stored as plain blobs; up to 8.0.23 the upgrade fails on them.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// What is to be rebuilt for it.
pub(super) const REMEDY: Remedy = Remedy {
    check: &CHECK,
    question: Question::OldGeometries,
    why: |row| Some(format!("{} is stored in the format of 5.6", row.part)),
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OldGeometries, |row, _| {
        Some(Verdict::new(
            Level::Error,
            "stored in the format of 5.6",
            format!(
                "ALTER TABLE {} FORCE, or choose 8.0.24 or later",
                row.quoted()
            ),
        ))
    })
}
