//! Tables that Group Replication can not write to.

use super::listed::Verdict;
use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "groupPrimaryKeys",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"Group Replication Requirements\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/group-replication-requirements.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::NoPrimaryKey],
    title: "Tables have primary keys",
    description: "Group Replication refuses writes to a table without a primary key, or a unique key without NULLs; on a replica each change to one scans the table.",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::NoPrimaryKey, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            "has neither a primary key nor a unique key without NULLs",
            format!("ALTER TABLE {} ADD COLUMN id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY", row.quoted()),
        ))
    })
}
