//! Options that a version no longer knows: a server with one in an option file does not start (MY-000067), unless it is written with
//! `loose_`. In `mysqld-auto.cnf` they are silently ignored.
//!
//! Source: release notes of each version; MySQL Shell's `sysvars.json`; every name was given to `mysqld --validate-config` of 9.7.4 and
//! refused.

use crate::version::MysqlVersion;

/// What takes an option's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// Nothing: what it did is gone or always so.
    Nothing,
    /// The same value under another name.
    Rename(&'static str),
    /// Days, kept as seconds by another variable.
    SecondsOf(&'static str),
    /// This setting, where the old one was on.
    Setting(&'static str, &'static str),
    /// `innodb_redo_log_capacity` = size × number of files.
    RedoCapacity,
    /// What a person has to do.
    Person(&'static str),
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    pub name: &'static str,
    /// The first version that refuses it.
    pub since: MysqlVersion,
    pub instead: Instead,
}

/// The entry of an option that is gone in `target`; `name` is written with `_` and without modifiers.
pub fn find(name: &str, target: MysqlVersion) -> Option<&'static Removed> {
    REMOVED
        .iter()
        .chain(PREFIXES.iter().filter(|entry| name.starts_with(entry.name)))
        .find(|entry| entry.since <= target && (entry.name == name || entry.name.ends_with('_')))
}

const fn gone(minor: (u16, u16), name: &'static str, instead: Instead) -> Removed {
    Removed {
        name,
        since: MysqlVersion::new(minor.0, minor.1, 0),
        instead,
    }
}

use Instead::{Nothing, Person, RedoCapacity, Rename, SecondsOf, Setting};

const V80: (u16, u16) = (8, 0);
const V83: (u16, u16) = (8, 3);
const V84: (u16, u16) = (8, 4);
const V93: (u16, u16) = (9, 3);
const V95: (u16, u16) = (9, 5);

const KEYRING: Instead = Person(
    "migrate to component_keyring_file with mysql_migrate_keyring while the old server still runs",
);

/// Whole families, by the beginning of their names.
const PREFIXES: &[Removed] = &[
    gone(
        V80,
        "log_syslog_",
        Person("install the component syseventlog"),
    ),
    gone(V80, "metadata_locks_", Nothing),
    gone(
        V83,
        "daemon_memcached_",
        Person("the memcached plugin is gone"),
    ),
    gone(V83, "innodb_api_", Nothing),
    gone(V84, "keyring_encrypted_file_", KEYRING),
    gone(V84, "keyring_oci_", KEYRING),
    gone(
        V93,
        "version_tokens_",
        Person("the plugin version_tokens is gone"),
    ),
];

/// In the order of the versions that refuse them.
pub const REMOVED: &[Removed] = &[
    gone(V80, "query_cache_limit", Nothing),
    gone(V80, "query_cache_min_res_unit", Nothing),
    gone(V80, "query_cache_size", Nothing),
    gone(V80, "query_cache_type", Nothing),
    gone(V80, "query_cache_wlock_invalidate", Nothing),
    gone(V80, "innodb_file_format", Nothing),
    gone(V80, "innodb_file_format_check", Nothing),
    gone(V80, "innodb_file_format_max", Nothing),
    gone(V80, "innodb_large_prefix", Nothing),
    gone(
        V80,
        "innodb_checksums",
        Person("set innodb_checksum_algorithm where checksums were off"),
    ),
    gone(
        V80,
        "innodb_locks_unsafe_for_binlog",
        Person("use transaction_isolation=READ-COMMITTED"),
    ),
    gone(V80, "innodb_support_xa", Nothing),
    gone(
        V80,
        "innodb_stats_sample_pages",
        Rename("innodb_stats_transient_sample_pages"),
    ),
    gone(V80, "innodb_undo_logs", Rename("innodb_rollback_segments")),
    gone(V80, "internal_tmp_disk_storage_engine", Nothing),
    gone(
        V80,
        "log_warnings",
        Person("use log_error_verbosity: 2 for 1, 3 for more"),
    ),
    gone(
        V80,
        "log_syslog",
        Person("install the component syseventlog"),
    ),
    gone(V80, "tx_isolation", Rename("transaction_isolation")),
    gone(V80, "tx_read_only", Rename("transaction_read_only")),
    gone(V80, "secure_auth", Nothing),
    gone(V80, "old_passwords", Nothing),
    gone(V80, "sync_frm", Nothing),
    gone(V80, "temp_pool", Nothing),
    gone(V80, "date_format", Nothing),
    gone(V80, "datetime_format", Nothing),
    gone(V80, "time_format", Nothing),
    gone(
        V80,
        "ignore_db_dirs",
        Person("move other directories out of the data directory"),
    ),
    gone(V80, "ignore_builtin_innodb", Nothing),
    gone(V80, "bootstrap", Rename("initialize")),
    gone(V80, "partition", Nothing),
    gone(V80, "multi_range_count", Nothing),
    gone(V80, "max_tmp_tables", Nothing),
    gone(V80, "show_compatibility_56", Nothing),
    gone(V80, "des_key_file", Nothing),
    gone(V80, "have_crypt", Nothing),
    gone(V80, "log_builtin_as_identified_by_password", Nothing),
    gone(V80, "disable_partition_engine_check", Nothing),
    gone(
        (8, 2),
        "expire_logs_days",
        SecondsOf("binlog_expire_logs_seconds"),
    ),
    gone(V83, "log_bin_use_v1_row_events", Nothing),
    gone(V83, "master_info_repository", Nothing),
    gone(V83, "relay_log_info_repository", Nothing),
    gone(V83, "master_info_file", Nothing),
    gone(V83, "relay_log_info_file", Nothing),
    gone(V83, "slave_rows_search_algorithms", Nothing),
    gone(V83, "transaction_write_set_extraction", Nothing),
    gone(
        V83,
        "group_replication_ip_whitelist",
        Rename("group_replication_ip_allowlist"),
    ),
    gone(V83, "abort_slave_event_count", Nothing),
    gone(V83, "disconnect_slave_event_count", Nothing),
    gone(V83, "old_style_user_limits", Nothing),
    gone(V83, "skip_host_cache", Setting("host_cache_size", "0")),
    gone(V83, "character_set_client_handshake", Nothing),
    gone(
        V84,
        "default_authentication_plugin",
        Person("set authentication_policy where accounts must not get caching_sha2_password"),
    ),
    gone(V84, "binlog_transaction_dependency_tracking", Nothing),
    gone(V84, "avoid_temporal_upgrade", Nothing),
    gone(V84, "show_old_temporals", Nothing),
    gone(V84, "new", Nothing),
    gone(V84, "old", Nothing),
    gone(
        V84,
        "language",
        Person("use lc_messages_dir and lc_messages"),
    ),
    gone(
        V84,
        "ssl",
        Person("drop it where it is on; to go without TLS set tls_version to an empty value"),
    ),
    gone(
        V84,
        "admin_ssl",
        Person("drop it where it is on; to go without TLS set admin_tls_version to an empty value"),
    ),
    gone(V84, "innodb", Nothing),
    gone(V84, "no_dd_upgrade", Person("use --upgrade=NONE")),
    gone(V84, "have_ssl", Nothing),
    gone(V84, "have_openssl", Nothing),
    gone(V84, "keyring_file_data", KEYRING),
    gone(
        V84,
        "authentication_fido_rp_id",
        Person("the plugin authentication_fido is gone: use authentication_webauthn"),
    ),
    gone(V84, "group_replication_recovery_complete_at", Nothing),
    gone(
        (9, 0),
        "mysql_native_password",
        Person("move the accounts that use it to caching_sha2_password first"),
    ),
    gone((9, 0), "mysql_native_password_proxy_users", Nothing),
    gone(V93, "innodb_log_file_size", RedoCapacity),
    gone(V93, "innodb_log_files_in_group", RedoCapacity),
    gone(
        V93,
        "innodb_undo_tablespaces",
        Person("use CREATE UNDO TABLESPACE for more than two"),
    ),
    gone(
        (9, 4),
        "temptable_use_mmap",
        Person("set temptable_max_mmap=0 where it was OFF"),
    ),
    gone(V95, "replica_parallel_type", Nothing),
    gone(V95, "slave_parallel_type", Nothing),
    gone(
        V95,
        "rpl_semi_sync_master_enabled",
        Rename("rpl_semi_sync_source_enabled"),
    ),
    gone(
        V95,
        "rpl_semi_sync_master_timeout",
        Rename("rpl_semi_sync_source_timeout"),
    ),
    gone(
        V95,
        "rpl_semi_sync_master_trace_level",
        Rename("rpl_semi_sync_source_trace_level"),
    ),
    gone(
        V95,
        "rpl_semi_sync_master_wait_for_slave_count",
        Rename("rpl_semi_sync_source_wait_for_replica_count"),
    ),
    gone(
        V95,
        "rpl_semi_sync_master_wait_no_slave",
        Rename("rpl_semi_sync_source_wait_no_replica"),
    ),
    gone(
        V95,
        "rpl_semi_sync_master_wait_point",
        Rename("rpl_semi_sync_source_wait_point"),
    ),
    gone(
        V95,
        "rpl_semi_sync_slave_enabled",
        Rename("rpl_semi_sync_replica_enabled"),
    ),
    gone(
        V95,
        "rpl_semi_sync_slave_trace_level",
        Rename("rpl_semi_sync_replica_trace_level"),
    ),
    gone(
        V95,
        "group_replication_allow_local_lower_version_join",
        Nothing,
    ),
];

/// A value that a version refuses.
#[derive(Debug, Clone, Copy)]
pub struct Forbidden {
    pub name: &'static str,
    pub since: MysqlVersion,
    /// The part of a value (between commas) that is refused, without regard to case.
    pub part: &'static str,
    /// The server's code.
    pub code: &'static str,
    /// What takes the part's place; `None`: it is left out.
    pub instead: Option<&'static str>,
}

const fn forbidden(
    name: &'static str,
    since: (u16, u16, u16),
    part: &'static str,
    code: &'static str,
    instead: Option<&'static str>,
) -> Forbidden {
    Forbidden {
        name,
        since: MysqlVersion::new(since.0, since.1, since.2),
        part,
        code,
        instead,
    }
}

/// Source: release notes 8.0.11 and 8.0.28; the character sets were seen on 9.7.4 (`utf8` as an option, MY-015640) and are taken to
/// be refused by every 9.7.
pub const FORBIDDEN: &[Forbidden] = &[
    forbidden("tls_version", (8, 0, 28), "TLSv1", "MY-013835", None),
    forbidden("tls_version", (8, 0, 28), "TLSv1.1", "MY-013835", None),
    forbidden("admin_tls_version", (8, 0, 28), "TLSv1", "MY-013835", None),
    forbidden(
        "admin_tls_version",
        (8, 0, 28),
        "TLSv1.1",
        "MY-013835",
        None,
    ),
    forbidden(
        "character_set_server",
        (9, 7, 0),
        "utf8",
        "MY-015640",
        Some("utf8mb3"),
    ),
    forbidden(
        "character_set_filesystem",
        (9, 7, 0),
        "utf8",
        "MY-015640",
        Some("utf8mb3"),
    ),
    forbidden("sql_mode", (8, 0, 11), "DB2", "MY-000077", None),
    forbidden("sql_mode", (8, 0, 11), "MAXDB", "MY-000077", None),
    forbidden("sql_mode", (8, 0, 11), "MSSQL", "MY-000077", None),
    forbidden("sql_mode", (8, 0, 11), "MYSQL323", "MY-000077", None),
    forbidden("sql_mode", (8, 0, 11), "MYSQL40", "MY-000077", None),
    forbidden(
        "sql_mode",
        (8, 0, 11),
        "NO_AUTO_CREATE_USER",
        "MY-000077",
        None,
    ),
    forbidden(
        "sql_mode",
        (8, 0, 11),
        "NO_FIELD_OPTIONS",
        "MY-000077",
        None,
    ),
    forbidden("sql_mode", (8, 0, 11), "NO_KEY_OPTIONS", "MY-000077", None),
    forbidden(
        "sql_mode",
        (8, 0, 11),
        "NO_TABLE_OPTIONS",
        "MY-000077",
        None,
    ),
    forbidden("sql_mode", (8, 0, 11), "ORACLE", "MY-000077", None),
    forbidden("sql_mode", (8, 0, 11), "POSTGRESQL", "MY-000077", None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_order_and_unique() {
        assert!(REMOVED.is_sorted_by_key(|entry| entry.since));
        let mut names: Vec<_> = REMOVED.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REMOVED.len());
    }

    #[test]
    fn an_option_is_gone_from_its_version_on() {
        for (name, target, since) in [
            ("expire_logs_days", "8.1.0", None),
            ("expire_logs_days", "8.4.6", Some("8.2.0")),
            ("innodb_log_file_size", "9.2.0", None),
            ("innodb_log_file_size", "9.7.4", Some("9.3.0")),
            ("daemon_memcached_option", "8.4.0", Some("8.3.0")),
            ("keyring_file_data", "9.7.4", Some("8.4.0")),
            ("max_connections", "9.7.4", None),
            ("innodb", "9.7.4", Some("8.4.0")),
            ("innodb_io_capacity", "9.7.4", None),
        ] {
            let found = find(name, target.parse().unwrap()).map(|entry| entry.since.to_string());
            assert_eq!(found.as_deref(), since, "{name} in {target}");
        }
    }
}
