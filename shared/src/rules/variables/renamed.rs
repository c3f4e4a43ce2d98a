//! System variables of replication that have two names since 8.0.26.
//!
//! Source: MySQL 8.0.26 release notes; every old name was given to a 9.7.4 server as an option and accepted with a
//! deprecation warning. A file must never set both names of one variable: the last one wins silently.

use crate::version::MysqlVersion;

/// One variable, two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renamed {
    pub old: &'static str,
    pub new: &'static str,
}

/// From here on servers know the new names.
pub const SINCE: MysqlVersion = MysqlVersion::new(8, 0, 26);

const fn renamed(old: &'static str, new: &'static str) -> Renamed {
    Renamed { old, new }
}

/// By old name. Both names work up to 9.7, unless the variable itself was removed.
pub const RENAMED: &[Renamed] = &[
    renamed("init_slave", "init_replica"),
    renamed("log_slave_updates", "log_replica_updates"),
    renamed("log_slow_slave_statements", "log_slow_replica_statements"),
    renamed("master_verify_checksum", "source_verify_checksum"),
    renamed("rpl_stop_slave_timeout", "rpl_stop_replica_timeout"),
    renamed("skip_slave_start", "skip_replica_start"),
    renamed("slave_allow_batching", "replica_allow_batching"),
    renamed("slave_checkpoint_group", "replica_checkpoint_group"),
    renamed("slave_checkpoint_period", "replica_checkpoint_period"),
    renamed("slave_compressed_protocol", "replica_compressed_protocol"),
    renamed("slave_exec_mode", "replica_exec_mode"),
    renamed("slave_load_tmpdir", "replica_load_tmpdir"),
    renamed("slave_max_allowed_packet", "replica_max_allowed_packet"),
    renamed("slave_net_timeout", "replica_net_timeout"),
    renamed("slave_parallel_type", "replica_parallel_type"),
    renamed("slave_parallel_workers", "replica_parallel_workers"),
    renamed(
        "slave_pending_jobs_size_max",
        "replica_pending_jobs_size_max",
    ),
    renamed(
        "slave_preserve_commit_order",
        "replica_preserve_commit_order",
    ),
    renamed("slave_skip_errors", "replica_skip_errors"),
    renamed("slave_sql_verify_checksum", "replica_sql_verify_checksum"),
    renamed("slave_transaction_retries", "replica_transaction_retries"),
    renamed("slave_type_conversions", "replica_type_conversions"),
    renamed("sql_slave_skip_counter", "sql_replica_skip_counter"),
    renamed("sync_master_info", "sync_source_info"),
];

/// The new name of an old one.
pub fn new_name(old: &str) -> Option<&'static str> {
    RENAMED
        .iter()
        .find(|pair| pair.old == old)
        .map(|pair| pair.new)
}

/// The old name of a new one.
pub fn old_name(new: &str) -> Option<&'static str> {
    RENAMED
        .iter()
        .find(|pair| pair.new == new)
        .map(|pair| pair.old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_lead_there_and_back() {
        assert!(RENAMED.is_sorted_by_key(|pair| pair.old));
        for pair in RENAMED {
            assert_eq!(new_name(pair.old), Some(pair.new));
            assert_eq!(old_name(pair.new), Some(pair.old));
            assert_eq!(new_name(pair.new), None, "{}", pair.new);
        }
    }
}
