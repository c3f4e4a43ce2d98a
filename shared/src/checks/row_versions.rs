//! Tables with instant row versions, on versions where they can damage the redo log.

use super::listed::Verdict;
use super::rebuilds::Remedy;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "instantRowVersions",
    level: Level::Error,
    reference: Reference {
        source: "MySQL bugs 107613, 107611 and 107854",
        link: None,
    },
    applies: When::Rule("from 8.0.29 to 8.0.31", |pair| {
        MysqlVersion::new(8, 0, 29) <= pair.from && pair.from <= MysqlVersion::new(8, 0, 31)
    }),
    overriding: Overriding::Refused(
        "a crash on the way could leave a redo log that no version can apply",
    ),
    needs: &[Question::RowVersions],
    title: "No instant row versions on releases that mishandle them",
    description: "On 8.0.29 to 8.0.31 crash recovery or a backup can find the redo log corrupt for a table that ALTER TABLE … ALGORITHM=INSTANT has changed.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// What is to be rebuilt for it.
pub(super) const REMEDY: Remedy = Remedy {
    check: &CHECK,
    question: Question::RowVersions,
    why: |row| Some(format!("has {} row versions", row.detail)),
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::RowVersions, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!("has {} row versions", row.detail),
            format!(
                "OPTIMIZE TABLE {} (rebuilds it) on the primary, then shut down cleanly",
                row.quoted()
            ),
        ))
    })
}
