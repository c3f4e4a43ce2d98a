//! How a rehearsal's mysqld is started: whatever the option files say, it stays on the clone and by itself.

use refit_shared::version::MysqlVersion;
use std::path::{Path, PathBuf};

/// One of the two servers of a rehearsal.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) version: Option<MysqlVersion>,
    pub(super) program: PathBuf,
    pub(super) base: PathBuf,
    pub(super) libraries: Option<String>,
    /// Its option files, relocated.
    pub(super) options: PathBuf,
    pub(super) log: &'static str,
    /// It opens what a crash would have left.
    pub(super) recovers: bool,
}

impl Server {
    /// `run`: where it sees its place. The command line beats the option files; `loose-`: an option of some versions only.
    pub(super) fn arguments(&self, run: &Path, memory_bytes: u64) -> Vec<String> {
        let stage = run.join("stage");
        let data = stage.join("data");
        let temporary = stage.join("tmp");
        let with = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let mut arguments = vec![
            // Must be the first.
            with("defaults-file", &self.options),
            // Its own place, for everything that it writes.
            with("datadir", &data),
            with("socket", &run.join("mysqld.sock")),
            with("pid-file", &run.join("mysqld.pid")),
            with("log-error", &stage.join(self.log)),
            with("innodb-data-home-dir", &data),
            with("innodb-log-group-home-dir", &data),
            with("loose-innodb-undo-directory", &data),
            with("loose-innodb-doublewrite-dir", &data),
            // InnoDB refuses one below datadir.
            with("loose-innodb-temp-tablespaces-dir", &temporary),
            with("tmpdir", &temporary),
            with("innodb-tmpdir", &temporary),
            with("loose-replica-load-tmpdir", &temporary),
            with("basedir", &self.base),
            with("plugin-dir", &self.base.join("lib/mysql/plugin")),
            with("lc-messages-dir", &self.base.join("share/mysql")),
            with(
                "character-sets-dir",
                &self.base.join("share/mysql/charsets"),
            ),
            with("relay-log", &stage.join("tmp/relay")),
            with("relay-log-index", &stage.join("tmp/relay.index")),
        ];
        let fixed = [
            "--log-error-verbosity=3",
            "--loose-log-error-services=log_filter_internal;log_sink_internal",
            // By itself: no network, no channel, no group, no event.
            "--skip-networking",
            "--loose-mysqlx=OFF",
            "--loose-group-replication-start-on-boot=OFF",
            "--loose-group-replication-bootstrap-group=OFF",
            "--loose-event-scheduler=DISABLED",
            "--skip-log-bin",
            "--general-log=OFF",
            "--slow-query-log=OFF",
            "--secure-file-priv=NULL",
            // SET PERSIST beats the command line, and names paths and peers of the member.
            "--persisted-globals-load=OFF",
            // Small, whatever the host has.
            "--loose-innodb-dedicated-server=OFF",
            "--innodb-buffer-pool-load-at-startup=OFF",
            "--innodb-buffer-pool-dump-at-shutdown=OFF",
        ];
        // The newer name is known since 8.0.26.
        let renamed = self
            .version
            .is_none_or(|v| v >= MysqlVersion::new(8, 0, 26));
        let replica = if renamed { "replica" } else { "slave" };
        arguments.push(format!("--skip-{replica}-start"));
        arguments.extend(fixed.map(str::to_owned));
        let pool = (memory_bytes / 4).clamp(64 << 20, 1 << 30);
        arguments.push(format!("--innodb-buffer-pool-size={pool}"));
        if self.recovers {
            // Without its binary log, nobody can say how a prepared transaction should have ended; here it does not matter.
            arguments.push("--tc-heuristic-recover=ROLLBACK".to_owned());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_written_is_below_the_place() {
        let server = Server {
            version: Some(MysqlVersion::new(9, 7, 4)),
            program: "/x/mysqld".into(),
            base: "/x/root/usr".into(),
            libraries: None,
            options: "/x/options/roots.cnf".into(),
            log: "target.log",
            recovers: false,
        };
        let run = Path::new("/run/r");
        let arguments = server.arguments(run, 2 << 30);
        assert!(arguments[0].starts_with("--defaults-file=/x/options"));
        for name in [
            "datadir",
            "socket",
            "pid-file",
            "log-error",
            "tmpdir",
            "relay-log",
            "innodb-log-group-home-dir",
        ] {
            let start = format!("--{name}=/run/r/");
            assert!(arguments.iter().any(|a| a.starts_with(&start)), "{name}");
        }
        for needed in [
            "--skip-networking",
            "--skip-log-bin",
            "--skip-replica-start",
            "--persisted-globals-load=OFF",
        ] {
            assert!(arguments.iter().any(|a| a == needed), "{needed}");
        }
        assert!(!arguments.iter().any(|a| a.contains("heuristic")));
    }
}
