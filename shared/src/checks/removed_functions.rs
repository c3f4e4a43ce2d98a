//! Objects that call a function which a later server does not have.

use super::listed::Verdict;
use super::{
    ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, VersionPair,
    When,
};
use crate::rules::removed_functions::removed;
use crate::survey::{Question, Row, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "removedFunctions",
    level: Level::Error,
    reference: Reference {
        source: "release notes of 8.0.11, 8.4.0 and 9.6.0; upgrades from 8.4 to 9.7 with an object of every kind (MYSQL.md §3.3, §5.4)",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/9.6/en/news-9-6-0.html"),
    },
    applies: When::Crosses(&[
        MysqlVersion::new(8, 0, 11),
        MysqlVersion::new(8, 4, 0),
        MysqlVersion::new(9, 6, 0),
    ]),
    overriding: Overriding::Refused(
        "the new mysqld would crash, or a table be unreadable after it",
    ),
    needs: &[
        Question::FunctionsInGeneratedColumns,
        Question::FunctionsInIndexes,
        Question::FunctionsInDefaults,
        Question::FunctionsInChecks,
        Question::FunctionsInViews,
        Question::FunctionsInCode,
    ],
    title: "No object calls a removed function",
    description: "MD5(), SHA1() and SHA() left the server in 9.6. Where a virtual generated column, a functional index, a default or a CHECK calls one, the new mysqld crashes when it first starts; a stored generated column makes its table unreadable; views and stored code fail when they run, until component_classic_hashing is installed.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

const CRASHES: &str =
    "the new mysqld crashes (SIGSEGV, MY-013135) when it first starts; the old one starts again";

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let questions = CHECK.needs.iter();
    questions
        .flat_map(|question| {
            subject.listed(&CHECK, *question, |row, pair| judge(*question, row, pair))
        })
        .collect()
}

fn judge(question: Question, row: &Row, pair: VersionPair) -> Option<Verdict> {
    let gone: Vec<_> = row
        .detail
        .split([',', ' '])
        .filter_map(removed)
        .filter(|function| pair.crosses(function.removed))
        .collect();
    let first = gone.first()?;
    let names: Vec<String> = gone
        .iter()
        .map(|f| format!("{}()", f.name.to_ascii_uppercase()))
        .collect();
    let calls = names.join(" and ");
    let instead = format!("with {} instead", first.instead);
    let table = row.quoted();
    let part = quote(&row.part);
    // Before 9.6 there is no component to fall back on.
    let component = gone.iter().all(|f| f.removed == MysqlVersion::new(9, 6, 0));
    Some(match question {
        Question::FunctionsInGeneratedColumns if row.detail.starts_with("STORED") => Verdict::new(
            Level::Error,
            format!(
                "stored generated column calls {calls}: the table can not be read after the upgrade (1046, 3763)"
            ),
            format!("ALTER TABLE {table} MODIFY COLUMN {part} … {instead}, or DROP COLUMN {part}"),
        ),
        Question::FunctionsInGeneratedColumns => Verdict::new(
            Level::Error,
            format!("virtual generated column calls {calls}: {CRASHES}"),
            format!("ALTER TABLE {table} DROP COLUMN {part}, and add it again {instead}"),
        ),
        Question::FunctionsInIndexes => Verdict::new(
            Level::Error,
            format!("functional index calls {calls}: {CRASHES}"),
            format!("ALTER TABLE {table} DROP INDEX {part}, and add it again {instead}"),
        ),
        Question::FunctionsInDefaults => Verdict::new(
            Level::Error,
            format!("default expression calls {calls}: {CRASHES}"),
            format!("ALTER TABLE {table} ALTER COLUMN {part} SET DEFAULT (…) {instead}"),
        ),
        Question::FunctionsInChecks => Verdict::new(
            Level::Error,
            format!("CHECK constraint calls {calls}: {CRASHES}"),
            format!("ALTER TABLE {table} DROP CHECK {part}, and add it again {instead}"),
        ),
        _ if component => Verdict::new(
            Level::Warning,
            format!("calls {calls}: fails when it runs (1305, 1356)"),
            format!(
                "after the last member is upgraded: INSTALL COMPONENT 'file://component_classic_hashing'; or write it {instead}"
            ),
        ),
        _ => Verdict::new(
            Level::Error,
            format!("calls {calls}, which {} does not have", pair.to),
            format!("write it {instead}"),
        ),
    })
}
