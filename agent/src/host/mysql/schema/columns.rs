//! Columns and indexes.

use super::{ANY, Ask, Query, SEE_TABLES};
use refit_shared::survey::Question;

const COLUMN: [&str; 4] = ["table_schema", "table_name", "column_name", "''"];

const fn columns(question: Question, columns: [&'static str; 4], from: &'static str) -> Query {
    Query {
        question,
        since: ANY,
        privileges: SEE_TABLES,
        ask: Ask::Objects(columns, from),
    }
}

pub(super) const QUERIES: &[Query] = &[
    columns(
        Question::FloatAutoIncrement,
        ["table_schema", "table_name", "column_name", "column_type"],
        "FROM information_schema.columns WHERE data_type IN ('float', 'double') AND extra LIKE '%auto_increment%' \
         AND table_schema {user}",
    ),
    columns(
        Question::Utf8mb3Columns,
        COLUMN,
        "FROM information_schema.columns WHERE character_set_name IN ('utf8', 'utf8mb3') AND table_schema {user}",
    ),
    columns(
        Question::Utf8mb3Schemas,
        ["schema_name", "''", "''", "''"],
        "FROM information_schema.schemata WHERE default_character_set_name IN ('utf8', 'utf8mb3') AND schema_name {user}",
    ),
    columns(
        Question::CastsInGeneratedColumns,
        COLUMN,
        "FROM information_schema.columns WHERE column_key <> '' AND generation_expression REGEXP '(cast|convert)[(]' \
         AND table_schema {user}",
    ),
    columns(
        Question::ZeroDateDefaults,
        [
            "table_schema",
            "table_name",
            "column_name",
            "column_default",
        ],
        "FROM information_schema.columns WHERE data_type IN ('date', 'datetime', 'timestamp') \
         AND column_default LIKE '0000-00-00%' AND table_schema {user}",
    ),
    columns(
        Question::SpatialIndexes,
        [
            "s.table_schema",
            "s.table_name",
            "s.index_name",
            "s.column_name",
        ],
        "FROM information_schema.statistics s JOIN information_schema.tables t USING (table_schema, table_name) \
         WHERE s.index_type = 'SPATIAL' AND t.engine = 'InnoDB' AND s.table_schema {user}",
    ),
    columns(
        Question::ForeignKeysWithoutUnique,
        [
            "k.fs",
            "k.ft",
            "k.fk",
            "CONCAT(k.ps, '.', k.pt, '(', k.cols, ')')",
        ],
        "FROM (SELECT constraint_schema fs, table_name ft, constraint_name fk, referenced_table_schema ps, \
           referenced_table_name pt, GROUP_CONCAT(referenced_column_name ORDER BY referenced_column_name) cols \
           FROM information_schema.key_column_usage WHERE referenced_table_name IS NOT NULL \
           GROUP BY constraint_schema, table_name, constraint_name, referenced_table_schema, referenced_table_name) k \
         LEFT JOIN (SELECT table_schema us, table_name ut, GROUP_CONCAT(column_name ORDER BY column_name) cols \
           FROM information_schema.statistics WHERE non_unique = 0 AND table_schema {user} \
           GROUP BY table_schema, table_name, index_name HAVING SUM(sub_part IS NOT NULL) = 0) u \
         ON u.us = k.ps AND u.ut = k.pt AND u.cols = k.cols WHERE u.cols IS NULL AND k.fs {user}",
    ),
];
