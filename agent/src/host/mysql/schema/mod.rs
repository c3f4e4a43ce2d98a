//! Answering a survey's questions about the schema: one bounded, read-only query each.
//!
//! But CHECK TABLE ([`super::check_tables`]), only `information_schema`, `performance_schema` and `mysql` are read, never a user's table. Every query is cut off on the
//! server (`MAX_EXECUTION_TIME`) and here; it names at most [`MOST_ROWS`] objects, and counts the rest only when there are more.
//!
//! ```text
//! accounts · functions · keywords · stored · columns · tables · partitions · server · before_80     queries, one file a subject
//! sight     may this account see what the query asks about? A server hides what it may not
//! text      what stored code really says, outside comments and strings
//! ```

mod accounts;
mod before_80;
mod columns;
mod functions;
mod keywords;
mod partitions;
mod server;
mod sight;
mod stored;
mod tables;
mod text;

use super::connection::Session;
use crate::host::{HostError, HostResult};
use refit_shared::survey::{Listing, MOST_ROWS, Question, Row};
use refit_shared::version::MysqlVersion;

/// One query. Where a question has several, the last whose `since` the server has reached is asked.
struct Query {
    question: Question,
    /// Older servers do not have what it asks about, so the answer is that there is none.
    since: MysqlVersion,
    /// Global privileges without which the server would hide rows.
    privileges: &'static [&'static str],
    ask: Ask,
}

/// `{user}` stands for "is none of the server's own schemas", `{words}` for the keywords as a list, `{defaults}` for the
/// variables whose defaults change, `{word}` and `{call}` for regular expressions, `{code}` for all routines, triggers and events.
enum Ask {
    /// A whole statement that gives one number.
    Number(&'static str),
    /// Schema, name, part and detail; then everything from FROM on.
    Objects([&'static str; 4], &'static str),
    /// Schema, name, part, a prefix for the detail, and the text to search; then everything from FROM on.
    Text([&'static str; 5], &'static str, text::Look),
}

const ANY: MysqlVersion = MysqlVersion::new(5, 7, 0);
const V8: MysqlVersion = MysqlVersion::new(8, 0, 11);
const SEE_TABLES: &[&str] = &["SELECT"];
const SEE_VIEWS: &[&str] = &["SELECT", "SHOW VIEW"];
const SEE_CODE: &[&str] = &["SELECT", "TRIGGER", "EVENT"];
const SEE_INNODB: &[&str] = &["PROCESS"];

/// Schema, name, kind and text of everything that is stored to be run.
const CODE: &str = "(SELECT routine_schema s, routine_name n, CONCAT(LOWER(routine_type), ': ') k, \
       CONVERT(routine_definition USING utf8mb4) d FROM information_schema.routines \
     UNION ALL SELECT trigger_schema, trigger_name, 'trigger: ', CONVERT(action_statement USING utf8mb4) \
       FROM information_schema.triggers \
     UNION ALL SELECT event_schema, event_name, 'event: ', CONVERT(event_definition USING utf8mb4) \
       FROM information_schema.events)";

/// A text is searched in whole up to here; longer ones are left to a person.
const LONGEST_TEXT: usize = 64 << 10;
/// Texts that are fetched to be searched.
const MOST_TEXTS: usize = 200;

fn query(question: Question, version: MysqlVersion) -> Option<&'static Query> {
    let all = [
        accounts::QUERIES,
        before_80::QUERIES,
        columns::QUERIES,
        functions::QUERIES,
        keywords::QUERIES,
        partitions::QUERIES,
        server::QUERIES,
        stored::QUERIES,
        tables::QUERIES,
    ];
    let mut queries = all.into_iter().flatten();
    queries.rfind(|query| query.question == question && query.since <= version)
}

/// What must be set in the session before the question can be answered.
fn prepare(question: Question) -> Option<&'static str> {
    (question == Question::OldTemporals).then_some("SET SESSION show_old_temporals = ON")
}

pub(super) async fn ask(session: &mut Session<'_>, question: Question) -> HostResult<Listing> {
    let version: Option<String> = session.one("SELECT @@GLOBAL.version").await?;
    let version = MysqlVersion::parse_prefix(&version.unwrap_or_default())
        .map_err(|error| HostError::Unexpected(error.to_string()))?;
    let Some(query) = query(question, version) else {
        return Ok(Listing::default());
    };
    sight::require(session, version, query.privileges).await?;
    if let Some(statement) = prepare(question) {
        session.execute(statement).await?;
    }
    let limit_ms = question.limit().as_millis();
    match &query.ask {
        Ask::Number(statement) => {
            let number: Option<u64> = session.one(&fill(statement)).await?;
            let total =
                number.ok_or_else(|| HostError::Unexpected(format!("{statement}: no row")))?;
            Ok(Listing {
                total,
                rows: Vec::new(),
            })
        }
        Ask::Objects(columns, from) => {
            let from = fill(from);
            let columns = columns
                .map(|column| format!("COALESCE({column}, '')"))
                .join(", ");
            let statement = format!(
                "SELECT /*+ MAX_EXECUTION_TIME({limit_ms}) */ {columns} {from} LIMIT {MOST_ROWS}"
            );
            let rows: Vec<(String, String, String, String)> = session.all(&statement).await?;
            let rows: Vec<Row> = rows
                .into_iter()
                .map(|(schema, name, part, detail)| Row {
                    schema,
                    name,
                    part,
                    detail,
                })
                .collect();
            let total = count(session, rows.len(), MOST_ROWS, &from, limit_ms).await?;
            Ok(Listing { total, rows })
        }
        Ask::Text(columns, from, look) => {
            let from = fill(from);
            let [schema, name, part, prefix, searched] = columns;
            let statement = format!(
                "SELECT /*+ MAX_EXECUTION_TIME({limit_ms}) */ COALESCE({schema}, ''), COALESCE({name}, ''), COALESCE({part}, ''), \
                 COALESCE({prefix}, ''), LEFT(CONVERT({searched} USING utf8mb4), {LONGEST_TEXT} + 1) {from} LIMIT {MOST_TEXTS}"
            );
            let candidates: Vec<text::Candidate> = session.all(&statement).await?;
            let fetched = candidates.len();
            let all = count(session, fetched, MOST_TEXTS, &from, limit_ms).await?;
            // Somebody may have dropped one in between.
            let unread = all.saturating_sub(fetched as u64);
            let mut rows = text::search(candidates, *look)?;
            let total = rows.len() as u64 + unread;
            rows.truncate(MOST_ROWS);
            Ok(Listing { total, rows })
        }
    }
}

/// How many there are: counted only when the answer is cut off.
async fn count(
    session: &mut Session<'_>,
    fetched: usize,
    most: usize,
    from: &str,
    limit_ms: u128,
) -> HostResult<u64> {
    if fetched < most {
        return Ok(fetched as u64);
    }
    let statement = format!("SELECT /*+ MAX_EXECUTION_TIME({limit_ms}) */ COUNT(*) {from}");
    let total: Option<u64> = session.one(&statement).await?;
    total.ok_or_else(|| HostError::Unexpected(format!("{statement}: no row")))
}

fn fill(statement: &str) -> String {
    let mut filled = statement.replace(
        "{user}",
        "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')",
    );
    if filled.contains("{code}") {
        filled = filled.replace("{code}", CODE);
    }
    if filled.contains("{words}") {
        filled = filled.replace("{words}", &keywords::list());
    }
    if filled.contains("{defaults}") {
        filled = filled.replace("{defaults}", &server::defaults());
    }
    if filled.contains("{word}") {
        filled = filled.replace("{word}", &keywords::expression());
    }
    if filled.contains("{call}") {
        filled = filled.replace("{call}", &functions::expression());
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_server(question: Question) -> bool {
        !question.of_the_machine() && !question.of_the_files() && !question.of_the_tables()
    }

    #[test]
    fn every_question_about_the_server_has_a_query() {
        for question in Question::ALL.iter().filter(|q| of_the_server(**q)) {
            assert!(
                query(*question, MysqlVersion::new(9, 7, 4)).is_some(),
                "{question}"
            );
        }
    }

    #[test]
    fn statements_read_only_the_servers_own_schemas_and_lock_nothing() {
        for question in Question::ALL.iter().filter(|q| of_the_server(**q)) {
            let query = query(*question, MysqlVersion::new(9, 7, 4)).unwrap();
            let text = match &query.ask {
                Ask::Number(text) | Ask::Objects(_, text) | Ask::Text(_, text, _) => fill(text),
            };
            let lower = text.to_lowercase();
            for word in [
                "insert",
                "update ",
                "delete",
                "for share",
                "lock in",
                "into outfile",
                "call ",
                ";",
            ] {
                assert!(!lower.contains(word), "{question}: {word}");
            }
            for place in lower
                .split(" from ")
                .skip(1)
                .chain(lower.split(" join ").skip(1))
            {
                let first = place.trim_start();
                let own = ["information_schema.", "performance_schema.", "mysql.", "("];
                assert!(
                    own.iter().any(|own| first.starts_with(own)),
                    "{question}: {first}"
                );
            }
            for place in ["{user}", "{word", "{call}", "{code}", "{defaults}"] {
                assert!(!text.contains(place), "{question}: {text}");
            }
        }
    }

    #[test]
    fn what_an_old_server_does_not_have_is_not_asked() {
        let old = MysqlVersion::new(8, 0, 11);
        assert!(query(Question::FunctionsInChecks, old).is_none());
        assert!(query(Question::NoPrimaryKey, old).is_some());
    }
}
