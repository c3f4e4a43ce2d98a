//! Tables: keys, engines, row formats.

use super::{ANY, Ask, Query, SEE_TABLES};
use refit_shared::survey::Question;

const TABLE: [&str; 4] = ["t.table_schema", "t.table_name", "''", "''"];

const fn tables(question: Question, columns: [&'static str; 4], from: &'static str) -> Query {
    Query {
        question,
        since: ANY,
        privileges: SEE_TABLES,
        ask: Ask::Objects(columns, from),
    }
}

/// A key helps when all its columns are NOT NULL and it is unique.
pub(super) const QUERIES: &[Query] = &[
    tables(
        Question::NoPrimaryKey,
        TABLE,
        "FROM information_schema.tables t LEFT JOIN (SELECT DISTINCT table_schema, table_name FROM \
           (SELECT table_schema, table_name FROM information_schema.statistics WHERE table_schema {user} \
            GROUP BY table_schema, table_name, index_name \
            HAVING SUM(CASE WHEN non_unique = 0 AND nullable <> 'YES' THEN 1 ELSE 0 END) = COUNT(*)) whole) k \
         USING (table_schema, table_name) WHERE k.table_name IS NULL AND t.table_type = 'BASE TABLE' AND t.table_schema {user}",
    ),
    tables(
        Question::NoPrimaryKeyFulltext,
        TABLE,
        "FROM information_schema.tables t JOIN (SELECT DISTINCT table_schema, table_name FROM information_schema.statistics \
           WHERE index_type = 'FULLTEXT' AND table_schema {user}) f USING (table_schema, table_name) \
         WHERE t.table_type = 'BASE TABLE' AND NOT EXISTS (SELECT 1 FROM information_schema.statistics k \
           WHERE k.table_schema = t.table_schema AND k.table_name = t.table_name AND k.index_name = 'PRIMARY')",
    ),
    tables(
        Question::OtherEngines,
        ["t.table_schema", "t.table_name", "''", "t.engine"],
        "FROM information_schema.tables t WHERE t.table_type = 'BASE TABLE' AND t.engine NOT IN ('InnoDB', 'MEMORY') \
         AND t.table_schema {user}",
    ),
    tables(
        Question::RowFormats,
        [
            "t.table_schema",
            "t.table_name",
            "''",
            "UPPER(t.row_format)",
        ],
        "FROM information_schema.tables t WHERE t.table_type = 'BASE TABLE' AND t.engine = 'InnoDB' AND t.row_format <> 'Dynamic' \
         AND t.table_schema {user}",
    ),
];
