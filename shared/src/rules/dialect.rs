//! How a server of a version calls things: statements, columns, variables.
//!
//! 8.0.22 to 8.0.26 brought `REPLICA` and `SOURCE`, and 8.4 took `SLAVE` and `MASTER` away; between the two both work. Nothing here talks
//! to a server: it gives the words.
//!
//! Source: MySQL manual 8.0, 1.3 "What Is New" and 19.4.2; each row of the tests was run on real servers 5.7.42, 8.0.28, 8.0.46,
//! 8.4.10 and 9.7.4, in-between versions are the release notes'.

use super::variables::renamed;
use crate::version::MysqlVersion;

/// The words of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    version: MysqlVersion,
}

const fn at(minor: u16, patch: u16) -> MysqlVersion {
    MysqlVersion::new(8, minor, patch)
}

impl Dialect {
    pub const fn of(version: MysqlVersion) -> Self {
        Self { version }
    }

    fn since(self, first: MysqlVersion) -> bool {
        self.version >= first
    }

    fn pick(self, since: MysqlVersion, new: &'static str, old: &'static str) -> &'static str {
        if self.since(since) { new } else { old }
    }

    /// `REPLICA` in SHOW, START, STOP and RESET (8.0.22).
    pub fn replica(self) -> &'static str {
        self.pick(at(0, 22), "REPLICA", "SLAVE")
    }
    pub fn show_replica_status(self) -> &'static str {
        self.pick(at(0, 22), "SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
    }
    pub fn show_replicas(self) -> &'static str {
        self.pick(at(0, 22), "SHOW REPLICAS", "SHOW SLAVE HOSTS")
    }
    pub fn start_replica(self) -> &'static str {
        self.pick(at(0, 22), "START REPLICA", "START SLAVE")
    }
    pub fn stop_replica(self) -> &'static str {
        self.pick(at(0, 22), "STOP REPLICA", "STOP SLAVE")
    }
    pub fn reset_replica_all(self) -> &'static str {
        self.pick(at(0, 22), "RESET REPLICA ALL", "RESET SLAVE ALL")
    }

    /// The beginning of the statement that configures a channel (8.0.23).
    pub fn change_source(self) -> &'static str {
        self.pick(
            at(0, 23),
            "CHANGE REPLICATION SOURCE TO",
            "CHANGE MASTER TO",
        )
    }
    /// An option of that statement, given by its present name without the prefix: `HOST` gives `SOURCE_HOST` or
    /// `MASTER_HOST`.
    pub fn source_option(self, name: &str) -> String {
        let prefix = self.pick(at(0, 23), "SOURCE", "MASTER");
        if name == "GET_PUBLIC_KEY" {
            format!("GET_{prefix}_PUBLIC_KEY")
        } else {
            format!("{prefix}_{name}")
        }
    }

    /// 8.2 brought the new statement; 8.4 took the old one away.
    pub fn show_binary_log_status(self) -> &'static str {
        self.pick(at(2, 0), "SHOW BINARY LOG STATUS", "SHOW MASTER STATUS")
    }
    pub fn reset_binary_logs(self) -> &'static str {
        self.pick(at(2, 0), "RESET BINARY LOGS AND GTIDS", "RESET MASTER")
    }
    /// Waits for a position (8.0.26).
    pub fn position_wait(self) -> &'static str {
        self.pick(at(0, 26), "SOURCE_POS_WAIT", "MASTER_POS_WAIT")
    }

    /// A column of `SHOW REPLICA STATUS`, given by its present name: `Source_Host` is `Master_Host` in `SHOW SLAVE STATUS`.
    pub fn status_column(self, name: &str) -> String {
        if self.since(at(0, 22)) {
            name.to_owned()
        } else {
            name.replace("Source", "Master").replace("Replica", "Slave")
        }
    }

    /// A system variable of replication, given by its present name (8.0.26; `skip_replica_start` is an option only before). Names
    /// that did not change come back as they are.
    pub fn variable(self, name: &str) -> String {
        if self.since(renamed::SINCE) {
            return name.to_owned();
        }
        renamed::old_name(name).unwrap_or(name).to_owned()
    }

    /// `performance_schema.replication_group_members` has role and version (8.0).
    pub fn group_members_have_role(self) -> bool {
        self.since(at(0, 2))
    }
    /// `performance_schema.variables_info`, `persisted_variables`, `log_status`, `error_log` exist (8.0; `error_log` 8.0.22).
    pub fn has_variables_info(self) -> bool {
        self.since(at(0, 0))
    }
    pub fn has_error_log_table(self) -> bool {
        self.since(at(0, 22))
    }
    /// `LOCK INSTANCE FOR BACKUP` (8.0).
    pub fn has_backup_lock(self) -> bool {
        self.since(at(0, 0))
    }
    /// `mysqld --validate-config` (8.0.16).
    pub fn has_validate_config(self) -> bool {
        self.since(at(0, 16))
    }
    /// `group_replication_get_communication_protocol()` (8.0.16).
    pub fn has_communication_protocol(self) -> bool {
        self.since(at(0, 16))
    }

    /// The plugins of semisynchronous replication, source's and replica's: the new ones come with 8.0.26, the old ones went with
    /// 9.5; a server can't have both kinds installed (error 4045).
    pub fn semisync_plugins(self) -> (&'static str, &'static str) {
        if self.since(at(0, 26)) {
            ("rpl_semi_sync_source", "rpl_semi_sync_replica")
        } else {
            ("rpl_semi_sync_master", "rpl_semi_sync_slave")
        }
    }
    pub fn has_old_semisync(self) -> bool {
        !self.since(MysqlVersion::new(9, 5, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(version: &str) -> Dialect {
        Dialect::of(version.parse().unwrap())
    }

    #[test]
    fn statements_as_real_servers_take_them() {
        type Word = fn(Dialect) -> &'static str;
        let rows: [(Word, [&str; 5]); 6] = [
            // Run on 5.7.42, 8.0.46, 8.4.10, 9.7.4; 8.0.21 by the release notes.
            (
                Dialect::show_replica_status,
                [
                    "SHOW SLAVE STATUS",
                    "SHOW SLAVE STATUS",
                    "SHOW REPLICA STATUS",
                    "SHOW REPLICA STATUS",
                    "SHOW REPLICA STATUS",
                ],
            ),
            (
                Dialect::start_replica,
                [
                    "START SLAVE",
                    "START SLAVE",
                    "START REPLICA",
                    "START REPLICA",
                    "START REPLICA",
                ],
            ),
            (
                Dialect::change_source,
                [
                    "CHANGE MASTER TO",
                    "CHANGE MASTER TO",
                    "CHANGE REPLICATION SOURCE TO",
                    "CHANGE REPLICATION SOURCE TO",
                    "CHANGE REPLICATION SOURCE TO",
                ],
            ),
            (
                Dialect::show_binary_log_status,
                [
                    "SHOW MASTER STATUS",
                    "SHOW MASTER STATUS",
                    "SHOW MASTER STATUS",
                    "SHOW BINARY LOG STATUS",
                    "SHOW BINARY LOG STATUS",
                ],
            ),
            (
                Dialect::position_wait,
                [
                    "MASTER_POS_WAIT",
                    "MASTER_POS_WAIT",
                    "SOURCE_POS_WAIT",
                    "SOURCE_POS_WAIT",
                    "SOURCE_POS_WAIT",
                ],
            ),
            (
                Dialect::show_replicas,
                [
                    "SHOW SLAVE HOSTS",
                    "SHOW SLAVE HOSTS",
                    "SHOW REPLICAS",
                    "SHOW REPLICAS",
                    "SHOW REPLICAS",
                ],
            ),
        ];
        for (word, expected) in rows {
            for (version, expected) in ["5.7.42", "8.0.21", "8.0.46", "8.4.10", "9.7.4"]
                .into_iter()
                .zip(expected)
            {
                assert_eq!(word(words(version)), expected, "{version}");
            }
        }
    }

    #[test]
    fn columns_options_and_variables_follow_the_statement() {
        assert_eq!(
            words("5.7.44").status_column("Seconds_Behind_Source"),
            "Seconds_Behind_Master"
        );
        assert_eq!(
            words("5.7.44").status_column("Replica_SQL_Running"),
            "Slave_SQL_Running"
        );
        assert_eq!(words("9.7.4").status_column("Source_Host"), "Source_Host");
        assert_eq!(words("8.0.22").source_option("HOST"), "MASTER_HOST");
        assert_eq!(
            words("8.0.22").source_option("GET_PUBLIC_KEY"),
            "GET_MASTER_PUBLIC_KEY"
        );
        assert_eq!(
            words("8.0.23").source_option("AUTO_POSITION"),
            "SOURCE_AUTO_POSITION"
        );
        assert_eq!(
            words("8.0.25").variable("replica_parallel_workers"),
            "slave_parallel_workers"
        );
        assert_eq!(
            words("8.0.26").variable("log_replica_updates"),
            "log_replica_updates"
        );
        assert_eq!(
            words("5.7.44").variable("log_replica_updates"),
            "log_slave_updates"
        );
        assert_eq!(words("5.7.44").variable("gtid_mode"), "gtid_mode");
    }

    #[test]
    fn what_a_server_has() {
        assert!(!words("5.7.44").has_variables_info() && words("8.0.46").has_variables_info());
        assert!(!words("8.0.15").has_validate_config() && words("8.0.16").has_validate_config());
        assert!(words("9.4.0").has_old_semisync() && !words("9.7.4").has_old_semisync());
        assert_eq!(words("8.0.25").semisync_plugins().0, "rpl_semi_sync_master");
    }
}
