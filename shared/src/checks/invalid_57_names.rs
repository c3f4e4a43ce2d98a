//! Names that 5.7 could not decode.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "invalid57Names",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, invalid57Names (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/8.0/en/upgrade-prerequisites.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 0)]),
    overriding: Overriding::Refused("the new mysqld can not make its dictionary with such a name"),
    needs: &[Question::UndecodedNames],
    title: "Names are valid",
    description: "A schema or table whose name shows as #mysql50#… has a file name that is no valid name; 8.0 does not take it.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::UndecodedNames, |_, _| {
        Some(Verdict::new(
            Level::Error,
            "its name begins with #mysql50#",
            "mysqlcheck --check-upgrade --fix-db-names --fix-table-names, or rename the file",
        ))
    })
}
