//! Names and stored code with words that some version reserves.

use super::text::Look;
use super::{ANY, Ask, Query, SEE_CODE, SEE_TABLES};
use refit_shared::rules::keywords::KEYWORDS;
use refit_shared::survey::Question;

/// `'CUBE', 'CUME_DIST', …`
pub(super) fn list() -> String {
    let words: Vec<String> = KEYWORDS.iter().map(|k| format!("'{}'", k.word)).collect();
    words.join(", ")
}

/// Words that are common in stored code anyway are not looked for.
pub(super) fn expression() -> String {
    let words: Vec<String> = KEYWORDS
        .iter()
        .filter(|k| !k.common)
        .map(|k| k.word.to_ascii_lowercase())
        .collect();
    format!("'(^|[^a-z0-9_$])({})([^a-z0-9_$]|$)'", words.join("|"))
}

pub(super) const QUERIES: &[Query] = &[
    Query {
        question: Question::KeywordNames,
        since: ANY,
        privileges: SEE_CODE,
        ask: Ask::Objects(
            ["s", "n", "''", "k"],
            "FROM (SELECT schema_name s, '' n, 'schema' k FROM information_schema.schemata WHERE UPPER(schema_name) IN ({words}) \
             UNION ALL SELECT table_schema, table_name, IF(table_type = 'VIEW', 'view', 'table') FROM information_schema.tables \
               WHERE UPPER(table_name) IN ({words}) \
             UNION ALL SELECT routine_schema, routine_name, LOWER(routine_type) FROM information_schema.routines \
               WHERE UPPER(routine_name) IN ({words}) \
             UNION ALL SELECT trigger_schema, trigger_name, 'trigger' FROM information_schema.triggers \
               WHERE UPPER(trigger_name) IN ({words}) \
             UNION ALL SELECT event_schema, event_name, 'event' FROM information_schema.events \
               WHERE UPPER(event_name) IN ({words})) names WHERE s {user}",
        ),
    },
    Query {
        question: Question::KeywordColumns,
        since: ANY,
        privileges: SEE_TABLES,
        ask: Ask::Objects(
            ["table_schema", "table_name", "column_name", "''"],
            "FROM information_schema.columns WHERE UPPER(column_name) IN ({words}) AND table_schema {user}",
        ),
    },
    Query {
        question: Question::KeywordsInCode,
        since: ANY,
        privileges: SEE_CODE,
        ask: Ask::Text(
            ["s", "n", "''", "k", "d"],
            "FROM {code} code WHERE s {user} AND (d IS NULL OR LOWER(d) REGEXP {word})",
            Look::Keywords,
        ),
    },
    Query {
        question: Question::DollarNames,
        since: ANY,
        privileges: SEE_CODE,
        ask: Ask::Objects(
            ["s", "n", "p", "''"],
            "FROM (SELECT schema_name s, '' n, '' p, schema_name own FROM information_schema.schemata \
             UNION ALL SELECT table_schema, table_name, '', table_name FROM information_schema.tables \
             UNION ALL SELECT table_schema, table_name, column_name, column_name FROM information_schema.columns \
             UNION ALL SELECT routine_schema, routine_name, '', routine_name FROM information_schema.routines \
             UNION ALL SELECT trigger_schema, trigger_name, '', trigger_name FROM information_schema.triggers \
             UNION ALL SELECT event_schema, event_name, '', event_name FROM information_schema.events) names \
             WHERE own LIKE '$%' AND own NOT LIKE '%$' AND s {user}",
        ),
    },
];
