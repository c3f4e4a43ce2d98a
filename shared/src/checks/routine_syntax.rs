//! Stored code that the new server can not parse.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::rules::keywords::newly_reserved;
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "routineSyntax",
    level: Level::Error,
    reference: Reference {
        source: "server error MY-013235, seen on real servers; MySQL manual, \"Keywords and Reserved Words\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/keywords.html"),
    },
    applies: When::SeriesChanges,
    overriding: Overriding::Allowed,
    needs: &[Question::KeywordsInCode],
    title: "Stored code parses on the new server",
    description: "A new mysqld parses every routine and event when it first starts, and gives up (MY-013235) on one that uses a new reserved word as a bare name. The old mysqld still starts then. Comments, strings and quoted names do not count.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::KeywordsInCode, |row, pair| {
        let (kind, words) = row.detail.split_once(": ")?;
        let words = words.split(',');
        let words: Vec<&str> = words
            .filter(|word| newly_reserved(word, pair.from, pair.to).is_some_and(|k| !k.common))
            .collect();
        if words.is_empty() {
            return None;
        }
        Some(Verdict::new(
            Level::Error,
            format!(
                "{kind} uses {}, reserved in {}, as a bare name",
                words.join(" and "),
                pair.to
            ),
            format!(
                "DROP and CREATE {kind} {} with the name in backticks",
                row.quoted()
            ),
        ))
    })
}
