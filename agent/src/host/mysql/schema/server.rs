//! InnoDB, limits and what the server is busy with.

use super::{ANY, Ask, Query, SEE_INNODB, SEE_VIEWS, V8};
use refit_shared::rules::variables::{defaults::DEFAULTS, renamed};
use refit_shared::survey::Question;
use refit_shared::version::MysqlVersion;

const NONE: &[&str] = &[];

const LIBRARY: [&str; 4] = [
    "@@GLOBAL.plugin_dir",
    "loaded.name",
    "loaded.file",
    "loaded.kind",
];

/// What is loaded, and what is installed and not loaded. One character set, since a UNION of several is refused.
macro_rules! libraries {
    () => {
        "SELECT CONVERT(plugin_name USING utf8mb4) name, CONVERT(plugin_library USING utf8mb4) file, \
         CONVERT(CONCAT('plugin ', plugin_type) USING utf8mb4) kind \
         FROM information_schema.plugins WHERE plugin_library IS NOT NULL AND plugin_status IN ('ACTIVE', 'INACTIVE', 'DISABLED') \
         UNION ALL SELECT CONVERT(name USING utf8mb4), CONVERT(dl USING utf8mb4), 'plugin' FROM mysql.plugin \
         WHERE CONVERT(name USING utf8mb4) NOT IN (SELECT CONVERT(plugin_name USING utf8mb4) FROM information_schema.plugins) \
         UNION ALL SELECT CONVERT(component_urn USING utf8mb4), CONVERT(CONCAT(SUBSTRING(component_urn, 8), '.so') USING utf8mb4), \
         'component' FROM mysql.component WHERE component_urn LIKE 'file://%' \
         UNION ALL SELECT GROUP_CONCAT(CONVERT(name USING utf8mb4) ORDER BY name SEPARATOR ', '), CONVERT(dl USING utf8mb4), \
         'function' FROM mysql.func GROUP BY dl"
    };
}

/// Under every name that a version gives them: `'back_log', …`
pub(super) fn defaults() -> String {
    let names = DEFAULTS
        .iter()
        .flat_map(|entry| [Some(entry.name), renamed::old_name(entry.name)]);
    let names: Vec<String> = names.flatten().map(|name| format!("'{name}'")).collect();
    names.join(", ")
}

pub(super) const QUERIES: &[Query] = &[
    Query {
        question: Question::RowVersions,
        since: MysqlVersion::new(8, 0, 29),
        privileges: SEE_INNODB,
        ask: Ask::Objects(
            [
                "SUBSTRING_INDEX(name, '/', 1)",
                "SUBSTRING_INDEX(name, '/', -1)",
                "''",
                "total_row_versions",
            ],
            "FROM information_schema.innodb_tables WHERE total_row_versions > 0 AND name LIKE '%/%'",
        ),
    },
    Query {
        question: Question::Tablespaces,
        since: V8,
        privileges: SEE_INNODB,
        ask: Ask::Number("SELECT COUNT(*) FROM information_schema.innodb_tablespaces"),
    },
    Query {
        question: Question::OddTablespaces,
        since: MysqlVersion::new(8, 0, 14),
        privileges: SEE_INNODB,
        ask: Ask::Objects(
            ["''", "name", "''", "state"],
            "FROM information_schema.innodb_tablespaces WHERE state NOT IN ('normal', 'active')",
        ),
    },
    Query {
        question: Question::ViewsAndRoutines,
        since: ANY,
        privileges: SEE_VIEWS,
        ask: Ask::Number(
            "SELECT (SELECT COUNT(*) FROM information_schema.views) + (SELECT COUNT(*) FROM information_schema.routines)",
        ),
    },
    Query {
        question: Question::HistoryLength,
        since: ANY,
        privileges: SEE_INNODB,
        ask: Ask::Number(
            "SELECT CAST(count AS UNSIGNED) FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'",
        ),
    },
    Query {
        question: Question::GroupActions,
        since: V8,
        privileges: NONE,
        ask: Ask::Objects(
            ["''", "'group'", "''", "event_name"],
            "FROM performance_schema.events_stages_current WHERE event_name LIKE '%stage/group_rpl%'",
        ),
    },
    Query {
        question: Question::EncryptedTablespaces,
        since: MysqlVersion::new(8, 0, 13),
        privileges: SEE_INNODB,
        ask: Ask::Objects(
            ["''", "name", "''", "''"],
            "FROM information_schema.innodb_tablespaces WHERE encryption = 'Y'",
        ),
    },
    Query {
        question: Question::CertificateEnds,
        since: ANY,
        privileges: NONE,
        // `Mar  9 12:00:00 2027 GMT`; nothing where there is no certificate.
        ask: Ask::Objects(
            ["''", "'certificate'", "''", "variable_value"],
            "FROM performance_schema.global_status WHERE variable_name = 'Ssl_server_not_after' AND variable_value <> '' \
             AND STR_TO_DATE(REPLACE(variable_value, '  ', ' '), '%b %e %H:%i:%s %Y GMT') < UTC_TIMESTAMP() + INTERVAL 30 DAY",
        ),
    },
    Query {
        question: Question::SetAtRuntime,
        since: V8,
        privileges: NONE,
        ask: Ask::Objects(
            ["''", "i.variable_name", "''", "g.variable_value"],
            "FROM performance_schema.variables_info i JOIN performance_schema.global_variables g USING (variable_name) \
             WHERE i.variable_source = 'DYNAMIC' AND i.variable_name IN ({defaults})",
        ),
    },
    Query {
        question: Question::LoadedLibraries,
        since: V8,
        privileges: NONE,
        ask: Ask::Objects(LIBRARY, concat!("FROM (", libraries!(), ") loaded")),
    },
    Query {
        question: Question::LoadedLibraries,
        since: MysqlVersion::new(8, 0, 24),
        privileges: NONE,
        ask: Ask::Objects(
            LIBRARY,
            concat!(
                "FROM (",
                libraries!(),
                " UNION ALL SELECT CONVERT(status_value USING utf8mb4), CONVERT(CONCAT(status_value, '.so') USING utf8mb4), \
                 'keyring component' FROM performance_schema.keyring_component_status WHERE status_key = 'Component_name') loaded"
            ),
        ),
    },
    Query {
        question: Question::OpenFiles,
        since: ANY,
        privileges: NONE,
        ask: Ask::Number("SELECT @@GLOBAL.open_files_limit"),
    },
];
