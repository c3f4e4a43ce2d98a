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
}

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
        let mut found: Vec<String> = words(&text)
            .into_iter()
            .filter(|word| wanted(word, look))
            .map(|word| word.text.to_ascii_lowercase())
            .collect();
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

fn wanted(word: &Word<'_>, look: Look) -> bool {
    match look {
        Look::Keywords => {
            !word.qualified
                && KEYWORDS
                    .iter()
                    .any(|k| k.word.eq_ignore_ascii_case(word.text))
        }
        // `schema.md5(x)` is a function of the operator's own.
        Look::Calls => word.calls && !word.qualified && removed(word.text).is_some(),
    }
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
    fn a_text_that_is_hidden_or_too_long_is_not_fine() {
        assert!(search(vec![candidate(None)], Look::Calls).is_err());
        let long = " ".repeat(LONGEST_TEXT + 1);
        assert!(search(vec![candidate(Some(&long))], Look::Calls).is_err());
        let found = format!("md5(a){long}");
        assert_eq!(details(&found, Look::Calls), ["procedure: md5"]);
    }
}
