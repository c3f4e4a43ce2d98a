//! Partitions.

use super::{ANY, Ask, Query, SEE_INNODB, SEE_TABLES};
use refit_shared::survey::Question;

pub(super) const QUERIES: &[Query] = &[
    Query {
        question: Question::PrefixPartitionKeys,
        since: ANY,
        privileges: SEE_TABLES,
        ask: Ask::Objects(
            ["s.table_schema", "s.table_name", "''", "s.column_name"],
            "FROM information_schema.statistics s WHERE s.sub_part IS NOT NULL AND s.index_type = 'BTREE' AND s.table_schema {user} \
             AND EXISTS (SELECT 1 FROM information_schema.partitions p \
               WHERE p.table_schema = s.table_schema AND p.table_name = s.table_name \
               AND ((p.partition_method LIKE '%KEY' \
                   AND (COALESCE(p.partition_expression, '') = '' OR LOCATE(CONCAT('`', s.column_name, '`'), p.partition_expression) > 0)) \
                 OR (p.subpartition_method LIKE '%KEY' \
                   AND LOCATE(CONCAT('`', s.column_name, '`'), COALESCE(p.subpartition_expression, '')) > 0)))",
        ),
    },
    Query {
        question: Question::PartitionDates,
        since: ANY,
        privileges: SEE_TABLES,
        ask: Ask::Objects(
            [
                "p.table_schema",
                "p.table_name",
                "p.partition_name",
                "p.partition_description",
            ],
            "FROM information_schema.partitions p WHERE p.partition_method IN ('RANGE COLUMNS', 'LIST COLUMNS') \
             AND p.partition_description REGEXP '''[0-9]{2,4}[^-0-9''][0-9]{1,2}[^-0-9''][0-9]{1,2}' AND p.table_schema {user} \
             AND EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = p.table_schema \
               AND c.table_name = p.table_name AND c.data_type IN ('date', 'datetime', 'timestamp') \
               AND LOCATE(CONCAT('`', c.column_name, '`'), p.partition_expression) > 0)",
        ),
    },
    Query {
        question: Question::SharedPartitions,
        since: ANY,
        privileges: SEE_TABLES,
        ask: Ask::Objects(
            [
                "table_schema",
                "table_name",
                "partition_name",
                "tablespace_name",
            ],
            "FROM information_schema.partitions WHERE partition_name IS NOT NULL \
             AND COALESCE(tablespace_name, '') NOT IN ('', 'innodb_file_per_table') AND table_schema {user}",
        ),
    },
    Query {
        question: Question::CircularPaths,
        since: ANY,
        privileges: SEE_INNODB,
        ask: Ask::Objects(
            ["''", "tablespace_name", "''", "file_name"],
            "FROM information_schema.files WHERE file_name LIKE '%/../%'",
        ),
    },
];
