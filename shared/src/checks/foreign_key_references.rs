//! Foreign keys to columns that are no unique key.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "foreignKeyReferences",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL Shell, foreignKeyReferences; restrict_fk_on_non_standard_key is ON from 8.4 on",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/create-table-foreign-keys.html"),
    },
    applies: When::Rule("to 8.4.0 or later, another series", |pair| {
        pair.to >= MysqlVersion::new(8, 4, 0) && pair.from.series() != pair.to.series()
    }),
    overriding: Overriding::Allowed,
    needs: &[Question::ForeignKeysWithoutUnique],
    title: "Foreign keys refer to unique keys",
    description: "From 8.4 on a foreign key to columns that are not exactly a unique key can not be made any more (6124, 6125): the table stays, but a dump of it can not be loaded.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::ForeignKeysWithoutUnique, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            format!("refers to {}, which is not exactly a unique key", row.detail),
            "add a UNIQUE key over exactly these columns to the parent, or set restrict_fk_on_non_standard_key=OFF on the new server",
        ))
    })
}
