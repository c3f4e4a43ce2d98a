//! Which of the variables whose defaults change can be set while the server runs, and when that counts.
//!
//! Source: MySQL manual 9.7, "Server System Variable Reference" (column "Dynamic") and the description of each variable; every name
//! was given to a 9.7.4 server as `SET GLOBAL name = DEFAULT`, and a scenario of the lab does so again: read-only ones are refused
//! with error 1238.

/// What `SET GLOBAL` does to a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// It is read when the server starts (error 1238).
    Restart,
    /// It counts at once.
    AtOnce,
    /// It can be set, and counts later or under a condition.
    Later(&'static str),
}

use Runtime::{AtOnce, Later, Restart};

const NEW_SESSIONS: Runtime = Later("counts for sessions that begin after it");
const APPLIERS: Runtime =
    Later("the appliers must be stopped for it (STOP REPLICA SQL_THREAD) and started again");

/// In the order of names.
pub const RUNTIME: &[(&str, Runtime)] = &[
    ("back_log", Restart),
    ("binlog_transaction_dependency_history_size", AtOnce),
    (
        "caching_sha2_password_digest_rounds",
        Later("counts for passwords that are set after it"),
    ),
    (
        "character_set_server",
        Later("counts for sessions that begin after it, with collation_server"),
    ),
    ("collation_server", NEW_SESSIONS),
    (
        "enforce_gtid_consistency",
        Later(
            "set WARN first and watch the error log: a statement that GTIDs can't carry is refused from ON on",
        ),
    ),
    ("event_scheduler", AtOnce),
    ("explain_format", NEW_SESSIONS),
    ("explain_json_format_version", NEW_SESSIONS),
    ("explicit_defaults_for_timestamp", NEW_SESSIONS),
    (
        "gtid_mode",
        Later(
            "one step at a time, each on all servers before the next: OFF_PERMISSIVE, ON_PERMISSIVE, ON",
        ),
    ),
    ("group_replication_autorejoin_tries", AtOnce),
    ("group_replication_components_stop_timeout", AtOnce),
    ("group_replication_consistency", NEW_SESSIONS),
    ("group_replication_exit_state_action", AtOnce),
    ("group_replication_member_expel_timeout", AtOnce),
    ("group_replication_recovery_use_ssl", AtOnce),
    (
        "group_replication_ssl_mode",
        Later("counts when the member has left the group and joins again"),
    ),
    ("innodb_adaptive_hash_index", AtOnce),
    ("innodb_autoinc_lock_mode", Restart),
    ("innodb_change_buffer_max_size", AtOnce),
    ("innodb_change_buffering", AtOnce),
    ("innodb_doublewrite_pages", Restart),
    ("innodb_flush_method", Restart),
    ("innodb_flush_neighbors", AtOnce),
    ("innodb_io_capacity", AtOnce),
    ("innodb_io_capacity_max", AtOnce),
    ("innodb_log_buffer_size", AtOnce),
    ("innodb_max_dirty_pages_pct", AtOnce),
    ("innodb_native_foreign_keys", Restart),
    ("innodb_purge_threads", Restart),
    ("innodb_use_fdatasync", AtOnce),
    ("local_infile", AtOnce),
    ("log_bin", Restart),
    ("log_replica_updates", Restart),
    ("max_allowed_packet", NEW_SESSIONS),
    ("replica_parallel_workers", APPLIERS),
    ("replica_preserve_commit_order", APPLIERS),
    ("restrict_fk_on_non_standard_key", NEW_SESSIONS),
    ("table_open_cache", AtOnce),
    ("temptable_max_mmap", AtOnce),
    ("temptable_max_ram", AtOnce),
];

/// What is known of a variable.
pub fn of(name: &str) -> Option<Runtime> {
    let entry = RUNTIME.iter().find(|(known, _)| *known == name);
    entry.map(|(_, runtime)| *runtime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::variables::defaults::DEFAULTS;

    #[test]
    fn every_default_that_changes_has_its_line_and_nothing_else_has() {
        let names: Vec<&str> = RUNTIME.iter().map(|(name, _)| *name).collect();
        let mut known: Vec<&str> = DEFAULTS.iter().map(|entry| entry.name).collect();
        known.sort_unstable();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, known);
    }
}
