//! Defaults that are not the same in every version and change what a server does.
//!
//! Source: defaults of real servers 5.7.42, 8.0.46, 8.4.10 and 9.7.4 compared; MySQL Shell's `sysvars.json` and release notes for the
//! version in between at which one changed.

use crate::version::MysqlVersion;

/// One variable's defaults over time.
#[derive(Debug, Clone, Copy)]
pub struct Default {
    pub name: &'static str,
    /// The plugin is loaded by the server itself or not at all: the setting needs `loose_`, so that `--initialize` and a server
    /// without the plugin start.
    pub plugin: bool,
    /// The default before any change, then each change: since when, and what. Empty text: worked out from the machine or other
    /// settings.
    pub first: &'static str,
    pub changes: &'static [(MysqlVersion, &'static str)],
    /// What the last change does.
    pub effect: &'static str,
    pub weight: Weight,
}

/// How much a change matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Members of the old and the new version can't talk to each other.
    Breaks,
    /// What the server does or how fast changes.
    Behaviour,
}

impl Default {
    /// The default in a version; `None` where it is worked out.
    pub fn at(&self, version: MysqlVersion) -> Option<&'static str> {
        let value = self
            .changes
            .iter()
            .rev()
            .find(|(since, _)| *since <= version)
            .map_or(self.first, |(_, value)| *value);
        (!value.is_empty()).then_some(value)
    }

    /// Whether going from one version to another changes it.
    pub fn differs(&self, from: MysqlVersion, to: MysqlVersion) -> bool {
        self.at(from) != self.at(to)
    }
}

const fn v(major: u16, minor: u16, patch: u16) -> MysqlVersion {
    MysqlVersion::new(major, minor, patch)
}

const fn server(
    name: &'static str,
    first: &'static str,
    changes: &'static [(MysqlVersion, &'static str)],
    effect: &'static str,
) -> Default {
    Default {
        name,
        plugin: false,
        first,
        changes,
        effect,
        weight: Weight::Behaviour,
    }
}

const fn breaks(
    name: &'static str,
    plugin: bool,
    first: &'static str,
    changes: &'static [(MysqlVersion, &'static str)],
    effect: &'static str,
) -> Default {
    Default {
        name,
        plugin,
        first,
        changes,
        effect,
        weight: Weight::Breaks,
    }
}

const fn plugin(
    name: &'static str,
    first: &'static str,
    changes: &'static [(MysqlVersion, &'static str)],
    effect: &'static str,
) -> Default {
    Default {
        name,
        plugin: true,
        first,
        changes,
        effect,
        weight: Weight::Behaviour,
    }
}

const V8011: MysqlVersion = v(8, 0, 11);
const V840: MysqlVersion = v(8, 4, 0);
const V940: MysqlVersion = v(9, 4, 0);
const V950: MysqlVersion = v(9, 5, 0);

/// Every default that is known to change, by name.
pub const DEFAULTS: &[Default] = &[
    server(
        "back_log",
        "",
        &[(V940, "10000")],
        "a longer queue of connections that wait to be accepted",
    ),
    server(
        "binlog_transaction_dependency_history_size",
        "25000",
        &[(V950, "10000000")],
        "more memory on a source",
    ),
    server(
        "caching_sha2_password_digest_rounds",
        "5000",
        &[(V950, "10000")],
        "logins without a cached password cost more CPU",
    ),
    server(
        "character_set_server",
        "latin1",
        &[(V8011, "utf8mb4")],
        "new schemas get another character set",
    ),
    server(
        "collation_server",
        "latin1_swedish_ci",
        &[(V8011, "utf8mb4_0900_ai_ci")],
        "new schemas get another collation; joins with old tables may fail with \"Illegal mix of collations\"",
    ),
    breaks(
        "enforce_gtid_consistency",
        false,
        "OFF",
        &[(V950, "ON")],
        "statements that GTIDs can't carry are refused",
    ),
    server(
        "event_scheduler",
        "OFF",
        &[(V8011, "ON")],
        "events run, on replicas too",
    ),
    server(
        "explain_format",
        "TRADITIONAL",
        &[(V950, "TREE")],
        "tools that read EXPLAIN",
    ),
    server(
        "explain_json_format_version",
        "1",
        &[(V950, "2")],
        "tools that read EXPLAIN FORMAT=JSON",
    ),
    server(
        "explicit_defaults_for_timestamp",
        "OFF",
        &[(V8011, "ON")],
        "TIMESTAMP columns without a default are made otherwise",
    ),
    breaks(
        "gtid_mode",
        false,
        "OFF",
        &[(V950, "ON")],
        "a replica with ON can't follow a source with OFF (error 13117)",
    ),
    plugin(
        "group_replication_autorejoin_tries",
        "0",
        &[(v(8, 0, 21), "3")],
        "an expelled member comes back by itself",
    ),
    plugin(
        "group_replication_components_stop_timeout",
        "31536000",
        &[(v(8, 0, 27), "300")],
        "STOP GROUP_REPLICATION gives up after five minutes",
    ),
    plugin(
        "group_replication_consistency",
        "EVENTUAL",
        &[(V840, "BEFORE_ON_PRIMARY_FAILOVER")],
        "a new primary holds queries until its backlog is applied",
    ),
    plugin(
        "group_replication_exit_state_action",
        "READ_ONLY",
        &[
            (v(8, 0, 12), "ABORT_SERVER"),
            (v(8, 0, 16), "READ_ONLY"),
            (V840, "OFFLINE_MODE"),
        ],
        "a member that falls out disconnects its clients",
    ),
    plugin(
        "group_replication_member_expel_timeout",
        "0",
        &[(v(8, 0, 21), "5")],
        "a silent member is expelled later",
    ),
    breaks(
        "group_replication_recovery_use_ssl",
        true,
        "OFF",
        &[(V950, "ON")],
        "a joiner asks its donor for TLS",
    ),
    breaks(
        "group_replication_ssl_mode",
        true,
        "DISABLED",
        &[(V950, "REQUIRED")],
        "a member with the new default can't join a group with the old one",
    ),
    server(
        "innodb_adaptive_hash_index",
        "ON",
        &[(V840, "OFF")],
        "point look-ups may become slower",
    ),
    server(
        "innodb_autoinc_lock_mode",
        "1",
        &[(V8011, "2")],
        "values of AUTO_INCREMENT may have gaps within a statement",
    ),
    server(
        "innodb_change_buffer_max_size",
        "25",
        &[(V940, "5")],
        "less is buffered for secondary indexes",
    ),
    server(
        "innodb_change_buffering",
        "all",
        &[(V840, "none"), (V950, "all")],
        "writes to secondary indexes on slow disks",
    ),
    server(
        "innodb_doublewrite_pages",
        "4",
        &[(V840, "128")],
        "larger batches to the doublewrite buffer",
    ),
    server(
        "innodb_flush_method",
        "fsync",
        &[(V840, "O_DIRECT")],
        "the operating system's cache is bypassed",
    ),
    server(
        "innodb_flush_neighbors",
        "1",
        &[(V8011, "0")],
        "slower on spinning disks",
    ),
    server(
        "innodb_io_capacity",
        "200",
        &[(V840, "10000")],
        "flush storms on slow disks",
    ),
    server(
        "innodb_io_capacity_max",
        "2000",
        &[(V840, "20000")],
        "flush storms on slow disks",
    ),
    server(
        "innodb_log_buffer_size",
        "16777216",
        &[(V840, "67108864")],
        "more memory",
    ),
    server(
        "innodb_max_dirty_pages_pct",
        "75",
        &[(V8011, "90")],
        "more dirty pages",
    ),
    server(
        "innodb_native_foreign_keys",
        "ON",
        &[(v(9, 6, 0), "OFF")],
        "foreign keys are checked by the SQL layer, and child rows are logged",
    ),
    server(
        "innodb_purge_threads",
        "4",
        &[(V840, "")],
        "fewer purge threads on small machines",
    ),
    server(
        "innodb_use_fdatasync",
        "OFF",
        &[(V840, "ON")],
        "metadata is not flushed with data",
    ),
    server(
        "local_infile",
        "ON",
        &[(V8011, "OFF")],
        "LOAD DATA LOCAL is refused",
    ),
    // Pinned as `skip_log_bin`: a value would be the log's name.
    server(
        "log_bin",
        "OFF",
        &[(V8011, "ON")],
        "a binary log is written and takes room",
    ),
    server(
        "log_replica_updates",
        "OFF",
        &[(V8011, "ON")],
        "a replica logs what it applies",
    ),
    server(
        "max_allowed_packet",
        "4194304",
        &[(V8011, "67108864")],
        "larger packets are accepted",
    ),
    server(
        "replica_parallel_workers",
        "0",
        &[(v(8, 0, 27), "4")],
        "a replica applies in parallel",
    ),
    server(
        "replica_preserve_commit_order",
        "OFF",
        &[(v(8, 0, 27), "ON")],
        "a replica commits in the source's order",
    ),
    server(
        "restrict_fk_on_non_standard_key",
        "OFF",
        &[(V840, "ON")],
        "new foreign keys to a key that is not unique are refused (6125)",
    ),
    server(
        "table_open_cache",
        "2000",
        &[(V8011, "4000")],
        "more file descriptors",
    ),
    server(
        "temptable_max_mmap",
        "1073741824",
        &[(V840, "0")],
        "large temporary tables go to InnoDB on disk",
    ),
    server(
        "temptable_max_ram",
        "1073741824",
        &[(V840, "")],
        "temporary tables may take 3 % of the memory",
    ),
];

/// The entry of a variable.
pub fn find(name: &str) -> Option<&'static Default> {
    DEFAULTS.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_unique_and_changes_in_order() {
        let mut names: Vec<_> = DEFAULTS.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DEFAULTS.len());
        for entry in DEFAULTS {
            assert!(
                entry.changes.is_sorted_by_key(|(since, _)| *since),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn defaults_as_real_servers_have_them() {
        // Asked of 5.7.42, 8.0.46, 8.4.10 and 9.7.4.
        for (name, expected) in [
            ("gtid_mode", ["OFF", "OFF", "OFF", "ON"]),
            ("innodb_change_buffering", ["all", "all", "none", "all"]),
            (
                "group_replication_ssl_mode",
                ["DISABLED", "DISABLED", "DISABLED", "REQUIRED"],
            ),
            ("innodb_io_capacity", ["200", "200", "10000", "10000"]),
            (
                "character_set_server",
                ["latin1", "utf8mb4", "utf8mb4", "utf8mb4"],
            ),
            ("replica_parallel_workers", ["0", "4", "4", "4"]),
        ] {
            let entry = find(name).unwrap();
            for (version, expected) in ["5.7.42", "8.0.46", "8.4.10", "9.7.4"]
                .into_iter()
                .zip(expected)
            {
                assert_eq!(
                    entry.at(version.parse().unwrap()),
                    Some(expected),
                    "{name} in {version}"
                );
            }
        }
        let buffering = find("innodb_change_buffering").unwrap();
        assert!(
            !buffering.differs(v(8, 0, 46), v(9, 7, 4)),
            "there and back"
        );
        assert!(buffering.differs(v(8, 4, 10), v(9, 7, 4)));
    }
}
