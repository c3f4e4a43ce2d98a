//! GROUP BY … ASC and DESC in stored code.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "groupbyAscSyntax",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell, groupbyAscSyntax; release notes of 8.0.13 (MYSQL.md §5.1)",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/8.0/en/news-8-0-13.html"),
    },
    applies: When::Crosses(&[MysqlVersion::new(8, 0, 13)]),
    overriding: Overriding::Allowed,
    needs: &[Question::GroupByOrder],
    title: "Stored code sorts with ORDER BY",
    description: "GROUP BY … ASC and DESC are gone from 8.0.13 on: the new mysqld does not parse stored code with them (MY-013235). And GROUP BY no longer sorts by itself.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::GroupByOrder, |row, _| {
        Some(Verdict::new(
            Level::Error,
            format!(
                "{} sorts with GROUP BY … ASC or DESC",
                row.detail.split(':').next().unwrap_or_default()
            ),
            format!("DROP and CREATE {} again, with ORDER BY", row.quoted()),
        ))
    })
}
