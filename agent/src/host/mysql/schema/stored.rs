//! Stored code: statements that later servers do not parse, schemas that are gone, events that run.

use super::text::Look;
use super::{ANY, Ask, Query, SEE_CODE};
use refit_shared::survey::Question;
use refit_shared::version::MysqlVersion;

/// Schema, name, kind, text; the text of views goes with it where a question is about any SQL.
const CODE: [&str; 5] = ["s", "n", "''", "k", "d"];

const fn code(question: Question, from: &'static str, look: Look) -> Query {
    Query {
        question,
        since: ANY,
        privileges: SEE_CODE,
        ask: Ask::Text(CODE, from, look),
    }
}

pub(super) const QUERIES: &[Query] = &[
    code(
        Question::OldStatements,
        "FROM {code} code WHERE s {user} AND (d IS NULL OR LOWER(d) REGEXP '(slave|master)')",
        Look::Statements,
    ),
    code(
        Question::GroupByOrder,
        "FROM {code} code WHERE s {user} AND (d IS NULL OR LOWER(d) REGEXP 'group[[:space:]]+by.*[^a-z0-9_$](asc|desc)')",
        Look::GroupByOrder,
    ),
    Query {
        question: Question::EmptyDotNames,
        since: ANY,
        privileges: SEE_CODE,
        ask: Ask::Objects(
            ["s", "n", "''", "SUBSTRING_INDEX(k, ':', 1)"],
            "FROM {code} code WHERE s {user} AND LOWER(d) REGEXP '(from|join|into|update|table)[[:space:]]+[.][a-z_`]'",
        ),
    },
    Query {
        question: Question::OrphanedObjects,
        since: ANY,
        privileges: SEE_CODE,
        ask: Ask::Objects(
            ["o.s", "o.n", "''", "o.k"],
            "FROM (SELECT routine_schema s, routine_name n, LOWER(routine_type) k FROM information_schema.routines \
             UNION ALL SELECT event_schema, event_name, 'event' FROM information_schema.events) o \
             LEFT JOIN information_schema.schemata h ON h.schema_name = o.s WHERE h.schema_name IS NULL",
        ),
    },
    Query {
        question: Question::SqlModes,
        since: ANY,
        privileges: SEE_CODE,
        ask: Ask::Objects(
            ["s", "n", "k", "m"],
            "FROM (SELECT routine_schema s, routine_name n, LOWER(routine_type) k, sql_mode m FROM information_schema.routines \
             UNION ALL SELECT trigger_schema, trigger_name, 'trigger', sql_mode FROM information_schema.triggers \
             UNION ALL SELECT event_schema, event_name, 'event', sql_mode FROM information_schema.events) code \
             WHERE s {user} AND m REGEXP 'MAXDB|DB2|MSSQL|MYSQL323|MYSQL40|NO_AUTO_CREATE_USER|NO_FIELD_OPTIONS|NO_KEY_OPTIONS|NO_TABLE_OPTIONS|ORACLE|POSTGRESQL'",
        ),
    },
    Query {
        question: Question::EnabledEvents,
        since: MysqlVersion::new(5, 7, 0),
        privileges: SEE_CODE,
        ask: Ask::Objects(
            ["event_schema", "event_name", "''", "''"],
            "FROM information_schema.events WHERE status = 'ENABLED' AND event_schema {user}",
        ),
    },
];
