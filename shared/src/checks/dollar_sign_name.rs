//! Names that begin with a dollar sign.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "dollarSignName",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL Shell, dollarSignName; deprecated from 8.0.32 on",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/identifiers.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 32)]),
    overriding: Overriding::Allowed,
    needs: &[Question::DollarNames],
    title: "No name begins with a dollar sign",
    description: "A dollar sign as the first character of an unquoted name is deprecated and will become a syntax error.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::DollarNames, |_, _| {
        Some(Verdict::new(
            Level::Warning,
            "the name begins with a dollar sign",
            "rename it, or quote it wherever it is used",
        ))
    })
}
