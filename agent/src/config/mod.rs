//! The agent's configuration, `/etc/refit/agent.toml`: parsed once, at the edge, with every mistake reported at once.
//!
//! Owns what the file may say and what is meant where it is silent. Does not open certificates or connect anywhere. What
//! could hurt when guessed (which cluster, which packages, where snapshots go) has no default.

mod reader;

pub use reader::{ConfigMistakes, Mistake};

use crate::host::rehearsal::Bounds;
use reader::Section;
use refit_shared::ids::{ClusterName, MemberName};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the agent looks when it isn't told another place.
pub const DEFAULT_PATH: &str = "/etc/refit/agent.toml";

/// Everything the agent is told about its host. One agent looks after one mysqld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentConfig {
    pub cluster: ClusterName,
    pub member: MemberName,
    /// Where the controller reaches the agent (gRPC over mutual TLS).
    pub listen: SocketAddr,
    /// Where `/health`, `/primary`, `/replica` and `/ready` are served over plain HTTP; `None` when switched off.
    pub health_listen: Option<SocketAddr>,
    pub tls: TlsFiles,
    /// The ledger, backups of option files, cached packages, the hold.
    pub state_dir: PathBuf,
    /// Snapshots of the data directory. Cheap (reflinks, btrfs) only on the data's own file system.
    pub snapshot_dir: PathBuf,
    /// mysqld's systemd unit.
    pub unit: String,
    /// The packages that make up the server and change version together. The agent touches no others.
    pub packages: Vec<String>,
    pub mysql: MysqlConfig,
    /// How much a rehearsal may take.
    pub rehearsal: Bounds,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MysqlConfig {
    pub socket: PathBuf,
    pub user: String,
    /// An option file with a `[client]` group that holds `password` (and `user`), readable by its owner only. Without it
    /// the socket itself authenticates (auth_socket).
    pub credentials_file: Option<PathBuf>,
    /// The same for the account that this server replicates as when it has to follow a new source: a switchover's old source.
    pub replication_credentials_file: Option<PathBuf>,
    /// The directory that belongs to mysqld's option files as a whole.
    pub option_dir: PathBuf,
    /// Where the server's own option file starts.
    pub option_file: PathBuf,
    /// The directory for the maintenance drop-in; `option_file` must include it.
    pub drop_in_dir: PathBuf,
    /// While this file exists, Debian's maintainer scripts leave the data directory alone.
    pub frozen_file: PathBuf,
}

impl AgentConfig {
    /// Reads and judges the file.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = std::fs::read_to_string(path).map_err(|source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|mistakes| LoadError::Mistaken(mistakes.in_file(path)))
    }

    /// Judges a text; all of its mistakes come back together.
    pub fn parse(text: &str) -> Result<Self, ConfigMistakes> {
        reader::read(text, |root| {
            let cluster = root.required("cluster", reader::name(ClusterName::new));
            let member = root.required("member", reader::name(MemberName::new));
            let listen = root.required("listen", reader::address);
            let health_listen = root.optional("health_listen", reader::address_or_off);
            let state_dir = root.optional("state_dir", reader::directory);
            let snapshot_dir = root.required("snapshot_dir", reader::directory);
            let unit = root.optional("unit", reader::unit);
            let packages = root.required("packages", reader::packages);
            let tls = root.section("tls", tls);
            let mysql = root.optional_section("mysql", mysql);
            let rehearsal = root.optional_section("rehearsal", rehearsal);
            let default_health = SocketAddr::from(([127, 0, 0, 1], 8401));
            let health_listen = health_listen?.unwrap_or(Some(default_health));
            let listen = listen?;
            if health_listen == Some(listen) {
                root.mistake("health_listen", "is the same address as listen");
            }
            Some(Self {
                cluster: cluster?,
                member: member?,
                listen,
                health_listen,
                tls: tls?,
                state_dir: state_dir?.unwrap_or_else(|| PathBuf::from("/var/lib/refit-agent")),
                snapshot_dir: snapshot_dir?,
                unit: unit?.unwrap_or_else(|| "mysql.service".to_owned()),
                packages: packages?,
                mysql: mysql?,
                rehearsal: rehearsal?,
            })
        })
    }

    /// While this file exists the unit refuses to start (host/files/maintenance.rs writes the drop-in that says so).
    pub fn hold_file(&self) -> PathBuf {
        self.state_dir.join("hold")
    }
    /// mysqld's maintenance drop-in. Sorts behind every sensible name, so that it is read last.
    pub fn maintenance_file(&self) -> PathBuf {
        self.mysql.drop_in_dir.join("zzzz-refit-maintenance.cnf")
    }
    /// systemd's maintenance drop-in for the server's unit.
    pub fn unit_drop_in(&self) -> PathBuf {
        Path::new("/etc/systemd/system")
            .join(format!("{}.d", self.unit))
            .join("90-refit.conf")
    }
}

fn tls(section: &mut Section<'_, '_>) -> Option<TlsFiles> {
    let ca = section.required("ca", reader::path);
    let cert = section.required("cert", reader::path);
    let key = section.required("key", reader::path);
    Some(TlsFiles {
        ca: ca?,
        cert: cert?,
        key: key?,
    })
}

fn mysql(section: &mut Section<'_, '_>) -> Option<MysqlConfig> {
    let socket = section.optional("socket", reader::path);
    let user = section.optional("user", reader::text);
    let credentials_file = section.optional("credentials_file", reader::path);
    let replication_credentials_file =
        section.optional("replication_credentials_file", reader::path);
    let option_dir = section.optional("option_dir", reader::directory);
    let option_file = section.optional("option_file", reader::path);
    let drop_in_dir = section.optional("drop_in_dir", reader::directory);
    let frozen_file = section.optional("frozen_file", reader::path);
    let option_dir = option_dir?.unwrap_or_else(|| PathBuf::from("/etc/mysql"));
    let drop_in_dir = drop_in_dir?.unwrap_or_else(|| option_dir.join("mysql.conf.d"));
    if !drop_in_dir.starts_with(&option_dir) {
        section.mistake("drop_in_dir", "must be below option_dir");
    }
    Some(MysqlConfig {
        socket: socket?.unwrap_or_else(|| PathBuf::from("/run/mysqld/mysqld.sock")),
        user: user?.unwrap_or_else(|| "root".to_owned()),
        credentials_file: credentials_file?,
        replication_credentials_file: replication_credentials_file?,
        option_file: option_file?.unwrap_or_else(|| option_dir.join("my.cnf")),
        frozen_file: frozen_file?.unwrap_or_else(|| option_dir.join("FROZEN")),
        option_dir,
        drop_in_dir,
    })
}

fn rehearsal(section: &mut Section<'_, '_>) -> Option<Bounds> {
    let memory_mb = section.optional("memory_mb", |value| reader::number(value, 256..=1_048_576));
    let cpu_percent = section.optional("cpu_percent", |value| reader::number(value, 5..=100_000));
    let data_directories = section.optional("data_directories", reader::directories);
    Some(Bounds {
        memory_mb: memory_mb?.unwrap_or(2048),
        cpu_percent: cpu_percent?.unwrap_or(100),
        data_directories: data_directories?.unwrap_or_default(),
    })
}

/// Why there is no configuration. Printed to a person as it is.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("read {}: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Mistaken(ConfigMistakes),
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../deploy/agent.toml");

    #[test]
    fn the_sample_is_valid() {
        let config = AgentConfig::parse(SAMPLE).unwrap();
        assert_eq!(config.unit, "mysql.service");
        assert_eq!(config.packages, ["mysql-server-core", "mysql-server"]);
        assert_eq!(
            config.maintenance_file(),
            Path::new("/etc/mysql/mysql.conf.d/zzzz-refit-maintenance.cnf")
        );
        assert_eq!(
            config.unit_drop_in(),
            Path::new("/etc/systemd/system/mysql.service.d/90-refit.conf")
        );
    }

    #[test]
    fn what_the_sample_shows_commented_out_are_the_defaults() {
        let uncommented: String = SAMPLE
            .lines()
            .map(|line| match line.strip_prefix("#") {
                Some(setting) if setting.contains(" = ") && !setting.starts_with(' ') => setting,
                _ => line,
            })
            .filter(|line| !line.contains("credentials_file ="))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_eq!(AgentConfig::parse(&uncommented), AgentConfig::parse(SAMPLE));
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_place() {
        let text = "cluster = \"Orders\"\nmember = 7\nlisten = \"0.0.0.0\"\nsnapshot_dir = \"snapshots\"\nstat_dir = \"/x\"\n\
                    packages = [\"mysql-server\", \"-o\", \"mysql-server\"]\nunit = \"mysql\"\n[tls]\nca = \"/a\"\ncert = \"/b\"\n\
                    [mysql]\ndrop_in_dir = \"/etc/other\"\n";
        let report = AgentConfig::parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(report);
    }

    #[test]
    fn a_file_that_is_not_toml_is_a_mistake_with_a_place() {
        let report = AgentConfig::parse("cluster = \"orders\"\nmember = = 1\nlisten \n")
            .unwrap_err()
            .to_string();
        assert!(report.contains("2:"), "{report}");
        assert!(report.contains("3:"), "{report}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            if let Err(mistakes) = AgentConfig::parse(&text) {
                proptest::prop_assert!(!mistakes.to_string().is_empty());
            }
        }
    }
}
