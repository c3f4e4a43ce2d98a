//! What stored code and expressions really say: a regular expression on the server finds candidates, this looks closer.

use super::LONGEST_TEXT;
use crate::host::{HostError, HostResult};
use refit_shared::rules::{keywords::KEYWORDS, removed_functions::removed};
use refit_shared::sql_text::{Word, words};
use refit_shared::survey::Row;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Words that some version reserves, as bare names.
    Keywords,
    /// Calls of functions that some version removed.
    Calls,
    /// Replication statements that 8.4 does not have, by their first two words (MYSQL.md §3.3).
    Statements,
    /// ASC and DESC within GROUP BY.
    GroupByOrder,
    /// Elements of an ENUM or SET type with more than [`LONGEST_ELEMENT`] characters.
    Elements,
}

/// MySQL manual, "The ENUM Type": characters of one element.
const LONGEST_ELEMENT: usize = 255;

const GONE: [[&str; 2]; 10] = [
    ["change", "master"],
    ["flush", "master"],
    ["purge", "master"],
    ["reset", "master"],
    ["reset", "slave"],
    ["show", "master"],
    ["show", "slave"],
    ["start", "slave"],
    ["stop", "slave"],
    ["flush", "slave"],
];
/// What ends a GROUP BY clause.
const AFTER_GROUP_BY: [&str; 16] = [
    "having",
    "order",
    "limit",
    "into",
    "for",
    "lock",
    "union",
    "window",
    "select",
    "insert",
    "update",
    "delete",
    "set",
    "if",
    "end",
    "procedure",
];

/// Schema, name, part, prefix of the detail, text.
pub(super) type Candidate = (String, String, String, String, Option<String>);

/// The candidates that hold what is looked for; it is named in the detail.
pub(super) fn search(candidates: Vec<Candidate>, look: Look) -> HostResult<Vec<Row>> {
    let mut rows = Vec::new();
    for (schema, name, part, prefix, text) in candidates {
        let object = format!("{schema}.{name}");
        // A privilege that is missing shows as a text that is not there.
        let text = text.ok_or_else(|| {
            HostError::Unexpected(format!("the text of {object} is hidden from this account"))
        })?;
        let mut found = found(&text, look);
        found.sort();
        found.dedup();
        if !found.is_empty() {
            let detail = prefix + &found.join(",");
            rows.push(Row {
                schema,
                name,
                part,
                detail,
            });
        } else if text.len() > LONGEST_TEXT {
            return Err(HostError::Unexpected(format!(
                "{object} is longer than {} KiB: look through it by hand",
                LONGEST_TEXT >> 10
            )));
        }
    }
    Ok(rows)
}

fn found(text: &str, look: Look) -> Vec<String> {
    let words = words(text);
    let lower = |word: &Word<'_>| word.text.to_ascii_lowercase();
    let named = |wanted: fn(&Word<'_>) -> bool| {
        words
            .iter()
            .filter(|word| wanted(word))
            .map(lower)
            .collect()
    };
    match look {
        Look::Keywords => named(|word| {
            let mut keywords = KEYWORDS.iter();
            !word.qualified && keywords.any(|k| k.word.eq_ignore_ascii_case(word.text))
        }),
        // `schema.md5(x)` is a function of the operator's own.
        Look::Calls => named(|word| word.calls && !word.qualified && removed(word.text).is_some()),
        Look::Statements => {
            let pairs = words.windows(2).map(|two| [lower(&two[0]), lower(&two[1])]);
            let gone = pairs.filter(|two| GONE.iter().any(|gone| gone == two));
            gone.map(|two| two.join(" ")).collect()
        }
        Look::GroupByOrder => group_by_order(&words),
        Look::Elements => {
            let longest = elements(text).into_iter().max();
            longest
                .filter(|longest| *longest > LONGEST_ELEMENT)
                .map(|longest| longest.to_string())
                .into_iter()
                .collect()
        }
    }
}

/// The clause ends with the next clause or statement; a call's own ORDER BY stands before ASC and ends it, too.
fn group_by_order(words: &[Word<'_>]) -> Vec<String> {
    let is = |word: &Word<'_>, text: &str| !word.qualified && word.text.eq_ignore_ascii_case(text);
    let mut found = Vec::new();
    for (at, two) in words.windows(2).enumerate() {
        if !(is(&two[0], "group") && is(&two[1], "by")) {
            continue;
        }
        let clause = words[at + 2..]
            .iter()
            .take_while(|word| !AFTER_GROUP_BY.iter().any(|end| is(word, end)));
        let order = clause.filter(|word| is(word, "asc") || is(word, "desc"));
        found.extend(order.map(|word| word.text.to_ascii_lowercase()));
    }
    found
}

/// Lengths in characters of the quoted elements of `enum('a','b')`; a quote within one is doubled.
fn elements(column_type: &str) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut rest = column_type;
    while let Some(start) = rest.find('\'') {
        let mut length = 0;
        let mut characters = rest[start + 1..].char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, character)) = characters.next() {
            if character == '\'' {
                if characters.peek().is_none_or(|(_, next)| *next != '\'') {
                    end = start + 1 + at + 1;
                    break;
                }
                characters.next();
            }
            length += 1;
        }
        lengths.push(length);
        rest = &rest[end..];
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(text: Option<&str>) -> Candidate {
        let own = str::to_owned;
        (
            own("shop"),
            own("p"),
            own(""),
            own("procedure: "),
            text.map(own),
        )
    }

    fn details(text: &str, look: Look) -> Vec<String> {
        let rows = search(vec![candidate(Some(text))], look).unwrap();
        rows.into_iter().map(|row| row.detail).collect()
    }

    #[test]
    fn only_what_is_code_counts() {
        let text =
            "BEGIN -- md5(x)\n SELECT 'sha1(y)', t.md5, SHA ( z ), MD5(a), md5(b), f.md5(c); END";
        assert_eq!(details(text, Look::Calls), ["procedure: md5,sha"]);
        assert!(details("SELECT 1 /* md5(x) */", Look::Calls).is_empty());
        assert_eq!(
            details("SELECT qualify, t.library FROM t", Look::Keywords),
            ["procedure: qualify"]
        );
        assert!(details("SELECT `qualify`, 'library'", Look::Keywords).is_empty());
    }

    #[test]
    fn replication_statements_are_found_as_code_only() {
        let text = "BEGIN SHOW SLAVE STATUS; SELECT 'stop slave', master FROM t; /* reset master */ CHANGE MASTER TO MASTER_HOST='x'; END";
        assert_eq!(
            details(text, Look::Statements),
            ["procedure: change master,show slave"]
        );
        assert!(details("SELECT slave, master FROM show_slave", Look::Statements).is_empty());
    }

    #[test]
    fn only_an_order_within_group_by_counts() {
        for (text, expected) in [
            (
                "SELECT a, COUNT(*) FROM t GROUP BY a DESC, b ASC",
                &["procedure: asc,desc"][..],
            ),
            ("SELECT a FROM t GROUP BY a ORDER BY a DESC", &[]),
            (
                "SELECT GROUP_CONCAT(a ORDER BY a DESC) FROM t GROUP BY b",
                &[],
            ),
            (
                "SELECT a FROM t GROUP BY a; SELECT b FROM t ORDER BY b DESC",
                &[],
            ),
            ("SELECT a FROM t GROUP BY t.`desc`", &[]),
        ] {
            assert_eq!(details(text, Look::GroupByOrder), expected, "{text}");
        }
    }

    #[test]
    fn elements_are_measured_in_characters() {
        let long = "é".repeat(256);
        assert_eq!(
            details(&format!("enum('a','{long}')"), Look::Elements),
            ["procedure: 256"]
        );
        assert!(
            details(
                &format!("set('{}','it''s')", "x".repeat(255)),
                Look::Elements
            )
            .is_empty()
        );
        assert_eq!(elements("enum('a''b','')"), [3, 0]);
    }

    #[test]
    fn a_text_that_is_hidden_or_too_long_is_not_fine() {
        assert!(search(vec![candidate(None)], Look::Calls).is_err());
        let long = " ".repeat(LONGEST_TEXT + 1);
        assert!(search(vec![candidate(Some(&long))], Look::Calls).is_err());
        let found = format!("md5(a){long}");
        assert_eq!(details(&found, Look::Calls), ["procedure: md5"]);
    }
}
