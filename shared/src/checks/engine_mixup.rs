//! Tables whose engine the server and InnoDB see differently.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "engineMixup",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, engineMixup (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/5.7/en/innodb-troubleshooting-datadict.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Refused("the new mysqld can not make its dictionary"),
    needs: &[Question::EngineMixups],
    title: "The server and InnoDB agree on engines",
    description: "A table that InnoDB has and that the server takes for one of another engine stops the upgrade.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::EngineMixups, |row, _| {
        Some(Verdict::new(Level::Error, format!("InnoDB has this table, the server says {}", row.detail), "rename the table of the other engine away, then DROP TABLE what InnoDB has under this name"))
    })
}
