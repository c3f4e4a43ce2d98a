//! Replication statements of old in stored code.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "removedStatements",
    level: Level::Error,
    reference: Reference {
        source: "statements tried on 5.7.42, 8.0.46, 8.4.10 and 9.7.4; server error MY-013235 (MYSQL.md §3.3, §5.2)",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/8.4/en/news-8-4-0.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 4, 0)]),
    overriding: Overriding::Allowed,
    needs: &[Question::OldStatements],
    title: "Stored code has no replication statement that is gone",
    description: "SHOW SLAVE STATUS, START SLAVE, CHANGE MASTER TO, SHOW MASTER STATUS, RESET MASTER and their kind are gone from 8.4 on: a new mysqld does not parse routines and events with them, and gives up (MY-013235).",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OldStatements, |row, pair| {
        let (kind, statements) = row.detail.split_once(": ")?;
        Some(Verdict::new(
            Level::Error,
            format!(
                "{kind} uses {}, which {} does not have",
                statements.to_ascii_uppercase(),
                pair.to
            ),
            format!(
                "DROP and CREATE {kind} {} again, with REPLICA, SOURCE or BINARY LOG in its place",
                row.quoted()
            ),
        ))
    })
}
