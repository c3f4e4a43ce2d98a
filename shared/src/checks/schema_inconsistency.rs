//! Tables of which only InnoDB or only the server knows.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "schemaInconsistency",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, schemaInconsistency (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/refman/5.7/en/innodb-troubleshooting-datadict.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 11)]),
    overriding: Overriding::Refused("the new mysqld can not make its dictionary"),
    needs: &[Question::OrphanedTables],
    title: "InnoDB and the server know the same tables",
    description: "A table that InnoDB has and the server has not (an orphaned .ibd file or a lost .frm file) stops the upgrade. Names with characters that are encoded in file names are not looked at.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::OrphanedTables, |_, _| {
        Some(Verdict::new(Level::Error, "InnoDB has this table, the server has not", "MySQL manual, \"InnoDB Data Dictionary Operations\": make the table with the same .frm elsewhere and copy that file, then DROP TABLE"))
    })
}
