//! Names that become reserved words.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::rules::keywords::newly_reserved;
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "reservedKeywords",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"Keywords and Reserved Words\"; each word tried on real servers",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/keywords.html"),
    },
    applies: When::SeriesChanges,
    overriding: Overriding::Allowed,
    needs: &[Question::KeywordNames, Question::KeywordColumns],
    title: "Names are no reserved words",
    description: "A name that becomes a reserved word must be quoted from then on, in every statement of every application. Views are stored quoted and survive.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for question in [Question::KeywordNames, Question::KeywordColumns] {
        found.extend(subject.listed(&CHECK, question, |row, pair| {
            // The question names the last part that there is: a column, else the object, else the schema.
            let (kind, name) = match question {
                Question::KeywordColumns => ("column", &row.part),
                _ if row.name.is_empty() => ("schema", &row.schema),
                _ => (row.detail.as_str(), &row.name),
            };
            newly_reserved(name, pair.from, pair.to)?;
            Some(Verdict::new(
                Level::Warning,
                format!("the name of this {kind} is a reserved word in {}", pair.to),
                format!("quote it wherever it is used (`{name}`), or rename it"),
            ))
        }));
    }
    found
}
