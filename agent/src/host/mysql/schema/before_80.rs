//! What only a server before 8.0 can hold: there InnoDB has a dictionary of its own, and names of its own for it.
//!
//! Source: the statements of MySQL Shell's checks (MYSQL.md §5.1). They are asked of 5.7 alone, by the checks' versions.

use super::text::Look;
use super::{ANY, Ask, Query, SEE_INNODB, SEE_TABLES};
use refit_shared::survey::Question;

const fn objects(
    question: Question,
    privileges: &'static [&'static str],
    columns: [&'static str; 4],
    from: &'static str,
) -> Query {
    Query {
        question,
        since: ANY,
        privileges,
        ask: Ask::Objects(columns, from),
    }
}

pub(super) const QUERIES: &[Query] = &[
    // The column's type tells only when show_old_temporals is on: see `prepare`.
    objects(
        Question::OldTemporals,
        SEE_TABLES,
        ["table_schema", "table_name", "column_name", "column_type"],
        "FROM information_schema.columns WHERE column_type LIKE '%5.5 binary format%' AND table_schema {user}",
    ),
    objects(
        Question::OldGeometries,
        SEE_INNODB,
        [
            "SUBSTRING_INDEX(t.name, '/', 1)",
            "SUBSTRING_INDEX(t.name, '/', -1)",
            "c.name",
            "''",
        ],
        "FROM information_schema.innodb_sys_columns c JOIN information_schema.innodb_sys_tables t USING (table_id) \
         JOIN information_schema.columns i ON i.table_schema = SUBSTRING_INDEX(t.name, '/', 1) \
           AND i.table_name = SUBSTRING_INDEX(t.name, '/', -1) AND i.column_name = c.name \
         WHERE c.mtype = 5 AND i.data_type IN ('geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring', \
           'multipolygon', 'geometrycollection')",
    ),
    objects(
        Question::ImpossibleDefaults,
        SEE_TABLES,
        ["table_schema", "table_name", "column_name", "data_type"],
        "FROM information_schema.columns WHERE column_default IS NOT NULL AND extra NOT LIKE '%DEFAULT_GENERATED%' \
         AND data_type IN ('tinyblob', 'blob', 'mediumblob', 'longblob', 'tinytext', 'text', 'mediumtext', 'longtext', 'json', \
           'geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection') \
         AND table_schema {user}",
    ),
    Query {
        question: Question::LongElements,
        since: ANY,
        privileges: SEE_TABLES,
        ask: Ask::Text(
            [
                "table_schema",
                "table_name",
                "column_name",
                "''",
                "column_type",
            ],
            "FROM information_schema.columns WHERE data_type IN ('enum', 'set') AND CHAR_LENGTH(column_type) > 260 \
             AND table_schema {user}",
            Look::Elements,
        ),
    },
    objects(
        Question::LargeIndexes,
        SEE_TABLES,
        ["s", "n", "i", "bytes"],
        "FROM (SELECT s.table_schema s, s.table_name n, s.index_name i, \
           MAX(COALESCE(s.sub_part * (c.character_octet_length DIV c.character_maximum_length), c.character_octet_length)) bytes \
         FROM information_schema.statistics s JOIN information_schema.columns c USING (table_schema, table_name, column_name) \
         JOIN information_schema.tables t USING (table_schema, table_name) \
         WHERE t.engine = 'InnoDB' AND t.row_format IN ('Redundant', 'Compact') AND s.index_type = 'BTREE' \
         GROUP BY s.table_schema, s.table_name, s.index_name) large WHERE bytes > 767 AND s {user}",
    ),
    objects(
        Question::OtherPartitions,
        SEE_TABLES,
        ["table_schema", "table_name", "''", "engine"],
        "FROM information_schema.tables WHERE create_options LIKE '%partitioned%' AND engine NOT IN ('InnoDB', 'NDB', 'NDBCLUSTER') \
         AND table_schema {user}",
    ),
    objects(
        Question::LongForeignKeys,
        SEE_INNODB,
        [
            "SUBSTRING_INDEX(id, '/', 1)",
            "SUBSTRING_INDEX(id, '/', -1)",
            "''",
            "for_name",
        ],
        "FROM information_schema.innodb_sys_foreign WHERE CHAR_LENGTH(SUBSTRING_INDEX(id, '/', -1)) > 64",
    ),
    objects(
        Question::ForeignKeyEngines,
        SEE_TABLES,
        [
            "r.constraint_schema",
            "r.table_name",
            "r.constraint_name",
            "COALESCE(p.engine, 'not there')",
        ],
        "FROM information_schema.referential_constraints r JOIN information_schema.tables c \
           ON c.table_schema = r.constraint_schema AND c.table_name = r.table_name \
         LEFT JOIN information_schema.tables p ON p.table_schema = r.unique_constraint_schema AND p.table_name = r.referenced_table_name \
         WHERE (p.engine IS NULL OR p.engine <> c.engine) AND r.constraint_schema {user}",
    ),
    // Encoded names (@0023), partitions (#p#) and the files of FULLTEXT indexes are left out.
    objects(
        Question::OrphanedTables,
        SEE_INNODB,
        [
            "SUBSTRING_INDEX(i.name, '/', 1)",
            "SUBSTRING_INDEX(i.name, '/', -1)",
            "''",
            "''",
        ],
        "FROM information_schema.innodb_sys_tables i LEFT JOIN information_schema.tables t \
           ON t.table_schema = SUBSTRING_INDEX(i.name, '/', 1) AND t.table_name = SUBSTRING_INDEX(i.name, '/', -1) \
         WHERE i.name LIKE '%/%' AND i.name NOT LIKE '%@%' AND i.name NOT LIKE '%#%' AND LOWER(i.name) NOT LIKE '%/fts\\_%' \
         AND t.table_name IS NULL",
    ),
    objects(
        Question::EngineMixups,
        SEE_INNODB,
        ["t.table_schema", "t.table_name", "''", "t.engine"],
        "FROM information_schema.innodb_sys_tables i JOIN information_schema.tables t \
           ON t.table_schema = SUBSTRING_INDEX(i.name, '/', 1) AND t.table_name = SUBSTRING_INDEX(i.name, '/', -1) \
         WHERE i.name LIKE '%/%' AND t.engine <> 'InnoDB'",
    ),
    objects(
        Question::DictionaryNames,
        SEE_TABLES,
        ["table_schema", "table_name", "''", "''"],
        "FROM information_schema.tables WHERE table_schema = 'mysql' AND LOWER(table_name) IN ('catalogs', 'character_sets', \
         'collations', 'column_type_elements', 'columns', 'dd_properties', 'events', 'foreign_key_column_usage', 'foreign_keys', \
         'index_column_usage', 'index_partitions', 'index_stats', 'indexes', 'parameter_type_elements', 'parameters', 'routines', \
         'schemata', 'st_spatial_reference_systems', 'table_partition_values', 'table_partitions', 'table_stats', 'tables', \
         'tablespace_files', 'tablespaces', 'triggers', 'view_routine_usage', 'view_table_usage', 'component', 'default_roles', \
         'global_grants', 'innodb_ddl_log', 'innodb_dynamic_metadata', 'password_history', 'role_edges')",
    ),
    objects(
        Question::FtsNames,
        SEE_TABLES,
        ["table_schema", "table_name", "''", "''"],
        "FROM information_schema.tables WHERE table_name LIKE BINARY '%FTS%' AND table_schema {user}",
    ),
    objects(
        Question::UndecodedNames,
        SEE_TABLES,
        ["s", "n", "''", "''"],
        "FROM (SELECT schema_name s, '' n FROM information_schema.schemata WHERE schema_name LIKE '#mysql50#%' \
         UNION ALL SELECT table_schema, table_name FROM information_schema.tables WHERE table_name LIKE '#mysql50#%') names",
    ),
];
