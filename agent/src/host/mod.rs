//! The host as the agent's operations see it: seven ports, each with a production adapter and, in the simulated world, a
//! second implementation that keeps the same promises (`contract/`, one file a port).
//!
//! ```text
//! operations ──> ServiceManager  systemd over D-Bus
//!            ──> Packages        apt and dpkg, argv only
//!            ──> Mysql           the local socket
//!            ──> Files           option files, drop-ins, snapshots below a root
//!            ──> Beside          the target's programs, unpacked and never installed
//!            ──> Rehearsals      the target on a throw-away clone
//! surveys    ──> Machine         the kernel, the clock, what else runs, whom it reaches
//! ```
//!
//! Adapters decide nothing: what should happen is in [`crate::operations`], and they only do it or say why they could not.

pub mod apt;
pub mod beside;
#[cfg(any(test, feature = "sim"))]
pub mod contract;
pub mod files;
pub mod machine;
pub mod mysql;
mod production;
pub mod reach;
pub mod rehearsal;
mod seclusion;
pub mod systemd;

pub use rehearsal::Rehearsals;

use async_trait::async_trait;
use beside::{Judged, OptionTree};
use refit_shared::config::ConfigFiles;
use refit_shared::gtid::GtidSet;
use refit_shared::ids::ServerUuid;
use refit_shared::observation::{
    ChannelFacts, GroupFacts, MemberState, PackageFacts, PackagePin, ServerFacts, ServiceState,
    SnapshotMethod, StorageFacts,
};
use refit_shared::operation::SourceAddress;
use refit_shared::receipt::{Failure, FailureCode};
use refit_shared::survey::{Address, Listing, Question, Unreached};
use refit_shared::table::{TableFacts, TableName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong at the host: the operation, the noun and the cause. Printed to a person as it is.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("{action} {what}: {source}")]
    Io {
        action: &'static str,
        what: String,
        source: std::io::Error,
    },
    #[error("{program} {status}: {output}")]
    Program {
        program: String,
        status: String,
        output: String,
    },
    #[error("{what} did not finish within {after:?}")]
    Timeout { what: String, after: Duration },
    #[error("systemd: {0}")]
    Service(String),
    /// The server can't be asked at all (stopped, refusing connections).
    #[error("mysqld can't be asked: {0}")]
    ServerAway(String),
    /// The server answered with an error.
    #[error("{statement}: error {code}: {message}")]
    Sql {
        statement: String,
        code: u16,
        message: String,
    },
    #[error("{0}")]
    Packages(String),
    #[error("package {name} {version} is in no configured repository")]
    PackageUnavailable { name: String, version: String },
    #[error("package {name} {version} has SHA-256 {found}, the plan pins {pinned}")]
    PackageHash {
        name: String,
        version: String,
        found: String,
        pinned: String,
    },
    #[error("not enough room in {place}: {needed} bytes are needed, {free} are free")]
    Space {
        place: String,
        needed: u64,
        free: u64,
    },
    #[error("snapshot {name}: {why}")]
    Snapshot { name: String, why: String },
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}

impl From<refit_faults::Injected> for HostError {
    fn from(injected: refit_faults::Injected) -> Self {
        Self::Unexpected(injected.to_string())
    }
}

impl HostError {
    /// The stable code for a failure that this error causes.
    pub fn code(&self) -> FailureCode {
        match self {
            Self::Io { .. } | Self::Service(_) | Self::Program { .. } | Self::Unexpected(_) => {
                FailureCode::Host
            }
            Self::Timeout { .. } => FailureCode::Deadline,
            Self::ServerAway(_) | Self::Sql { .. } => FailureCode::Sql,
            Self::Packages(_) => FailureCode::PackageInstall,
            Self::PackageUnavailable { .. } => FailureCode::PackageUnavailable,
            Self::PackageHash { .. } => FailureCode::PackageHashMismatch,
            Self::Space { .. } => FailureCode::DiskSpace,
            Self::Snapshot { .. } => FailureCode::Snapshot,
        }
    }
    pub fn clean(self) -> Failure {
        Failure::clean(self.code(), self.to_string())
    }
    pub fn partial(self) -> Failure {
        Failure::partial(self.code(), self.to_string())
    }
}

pub type HostResult<T> = Result<T, HostError>;

/// mysqld's unit.
#[async_trait]
pub trait ServiceManager: Send + Sync + std::fmt::Debug {
    async fn state(&self) -> HostResult<ServiceState>;
    /// Queues a start job and returns: a first start of a new version may take hours.
    async fn begin_start(&self) -> HostResult<()>;
    /// Queues a stop job and returns.
    async fn begin_stop(&self) -> HostResult<()>;
    /// The service manager reads its unit files and drop-ins again.
    async fn reload_units(&self) -> HostResult<()>;
    /// Clears a failed state so that a start is possible again.
    async fn reset_failed(&self) -> HostResult<()>;
    /// At its starts from now on mysqld has no binary log and no network, or has them again; until the host's next start at most.
    async fn seclude(&self, on: bool) -> HostResult<()>;
    /// What [`ServiceManager::seclude`] has put there is in place.
    async fn is_secluded(&self) -> HostResult<bool>;
    /// The server's process, while there is one.
    async fn main_pid(&self) -> HostResult<Option<u32>>;
    /// What the unit's latest run said outside the error log, oldest first: a start that fails before mysqld opens its log
    /// leaves its reason only there. For people.
    async fn last_words(&self) -> HostResult<Vec<String>> {
        Ok(Vec::new())
    }
}

/// The package manager, for the packages that the agent's configuration names and no others.
#[async_trait]
pub trait Packages: Send + Sync + std::fmt::Debug {
    async fn facts(&self) -> HostResult<PackageFacts>;
    /// Downloads the pinned packages into the agent's own cache and verifies each hash. Already there and right: nothing.
    async fn fetch(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()>;
    /// Verifies that every pinned package is in the cache with its hash.
    async fn verify_fetched(&self, pins: &[PackagePin]) -> HostResult<()>;
    /// The cached files of these pins, every hash verified now.
    async fn fetched_files(&self, pins: &[PackagePin]) -> HostResult<Vec<PathBuf>>;
    /// Finishes what an interrupted package manager left (waits for a running one first), without running mysqld.
    async fn repair(&self, phase: &Phase) -> HostResult<()>;
    /// Whether what keeps their scripts, and the unit, from starting mysqld while packages change is in place, and is Refit's: an
    /// installation has not come to its end.
    async fn frozen(&self) -> HostResult<bool>;
    /// Installs exactly these from the cache, up or down, without a maintainer script running mysqld; then holds them.
    async fn install(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()>;
    /// Puts the holds back that were there before [`Packages::install`] (recorded by the caller).
    async fn set_held(&self, names: &[String], held: bool) -> HostResult<()>;
    /// Deletes the cache.
    async fn drop_fetched(&self) -> HostResult<()>;
}

/// The local server. Every call has a deadline of its own and opens or reuses a connection over the socket.
#[async_trait]
pub trait Mysql: Send + Sync + std::fmt::Debug {
    /// Everything that an observation reports. [`HostError::ServerAway`] when it can't be asked.
    async fn facts(&self) -> HostResult<ServerFacts>;
    /// The group as this server sees it; `None` where Group Replication is not set up.
    async fn group(&self) -> HostResult<Option<GroupFacts>>;
    /// (own state, writable, executed transactions, applier queue): cheap, several a second.
    async fn pulse(&self) -> HostResult<Pulse>;
    async fn uuid(&self) -> HostResult<ServerUuid>;
    async fn set_super_read_only(&self, on: bool) -> HostResult<()>;
    async fn super_read_only(&self) -> HostResult<bool>;
    /// Clients' active transactions that have written something (`information_schema.innodb_trx.trx_rows_modified > 0`);
    /// replication's own are not counted.
    async fn writing_transactions(&self) -> HostResult<u64>;
    /// STOP GROUP_REPLICATION; already stopped is fine.
    async fn stop_group_replication(&self, deadline: Duration) -> HostResult<()>;
    /// START GROUP_REPLICATION; returns when the statement does. Already running is fine.
    async fn start_group_replication(&self, deadline: Duration) -> HostResult<()>;
    /// `SET GLOBAL group_replication_bootstrap_group`: ON only around one START GROUP_REPLICATION.
    async fn set_bootstrap_group(&self, on: bool) -> HostResult<()>;
    /// `group_replication_set_as_primary`; already primary is fine.
    async fn appoint_primary(&self, uuid: &ServerUuid, deadline: Duration) -> HostResult<()>;
    /// `SET GLOBAL innodb_fast_shutdown`: 0 or 1.
    async fn set_fast_shutdown(&self, mode: u8) -> HostResult<()>;
    /// `SET GLOBAL group_replication_start_on_boot` for the running server (the drop-in speaks for the next start).
    async fn set_start_on_boot(&self, on: bool) -> HostResult<()>;
    /// The channels that the server replicates through, and what it has executed, read after them.
    async fn replication(&self) -> HostResult<Replication>;
    /// START REPLICA, for every channel; already running is fine.
    async fn start_replica(&self) -> HostResult<()>;
    /// START REPLICA IO_THREAD.
    async fn start_receivers(&self) -> HostResult<()>;
    /// START REPLICA SQL_THREAD.
    async fn start_appliers(&self) -> HostResult<()>;
    /// STOP REPLICA, for every channel; returns once the transactions in hand are applied. Already stopped is fine.
    async fn stop_replica(&self) -> HostResult<()>;
    /// STOP REPLICA IO_THREAD.
    async fn stop_receivers(&self) -> HostResult<()>;
    /// RESET REPLICA ALL: every channel is removed.
    async fn forget_sources(&self) -> HostResult<()>;
    /// CHANGE REPLICATION SOURCE TO, with GTID auto-position. `known`: the channel is there and keeps its account and settings;
    /// else the agent's own replication account is used.
    async fn change_source(&self, source: &SourceAddress, known: bool) -> HostResult<()>;
    /// super_read_only on, or it and read_only off, now and at every later start (`SET PERSIST`).
    async fn persist_read_only(&self, on: bool) -> HostResult<()>;
    /// RESET REPLICA, then binary logs flushed and all but the present one purged. GTIDs stay.
    async fn discard_logs(&self) -> HostResult<()>;
    /// `binlog_format` for sessions that begin from now on.
    async fn log_format(&self) -> HostResult<LogFormat>;
    async fn set_log_format(&self, format: LogFormat) -> HostResult<()>;
    /// Clients whose session has another format than ROW, for people: `app@10.0.0.7 (3 sessions)`. Nobody: empty.
    async fn sessions_without_rows(&self) -> HostResult<Vec<String>>;
    /// What the server says of these tables, in their order.
    async fn tables(&self, tables: &[TableName]) -> HostResult<Vec<TableFacts>>;
    /// super_read_only alone off or on: read_only stays on, so that of all accounts only administrators may write meanwhile.
    /// On is refused on a server that is not read-only; off closes any.
    async fn admit_administrators(&self, on: bool) -> HostResult<()>;
    /// ALTER TABLE … FORCE with the binary log off on that very session. `lock_free`: refused by the server where it can't be done
    /// while others write to the table.
    async fn rebuild_table(
        &self,
        table: &TableName,
        lock_free: bool,
        deadline: Duration,
    ) -> HostResult<Rebuilt>;
    /// `mysql_upgrade`, as it is installed, over the same socket, never with --write-binlog. It may be run again.
    async fn upgrade_system_tables(&self, deadline: Duration) -> HostResult<()>;
    /// Whom the server would replicate as through a new channel, where the agent is configured for it.
    fn replication_user(&self) -> Option<String>;
    /// Answers a question about the server: one bounded, read-only query that takes no lock and scans no user data.
    async fn ask(&self, question: Question) -> HostResult<Listing>;
}

/// The machine around the server. Only asked, never changed.
#[async_trait]
pub trait Machine: Send + Sync + std::fmt::Debug {
    /// Answers a question about the machine; an error for one that is about the server.
    async fn ask(&self, question: Question) -> HostResult<Listing>;
    /// Tries these addresses, all at once and within seconds, and tells those that were not reached. No server counts it against this
    /// host.
    async fn unreached(&self, addresses: &[Address]) -> HostResult<BTreeMap<Address, Unreached>>;
}

/// Asynchronous replication, as a replica tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    pub channels: Vec<ChannelFacts>,
    pub executed: GtidSet,
}

/// What a binary log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogFormat {
    Row,
    Statement,
    Mixed,
}

impl LogFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Row => "ROW",
            Self::Statement => "STATEMENT",
            Self::Mixed => "MIXED",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Row, Self::Statement, Self::Mixed]
            .into_iter()
            .find(|format| format.as_str() == text)
    }
}

/// What a rebuild's own session saw of gtid_executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    pub before: GtidSet,
    pub after: GtidSet,
}

/// A quick look at the local member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    pub state: Option<MemberState>,
    pub primary: bool,
    pub super_read_only: bool,
    pub offline_mode: bool,
    pub transactions_executed: u64,
    pub applier_queue: u64,
}

impl Pulse {
    /// Truth, not hope: the role says PRIMARY even of members that can't write.
    pub fn writable(&self) -> bool {
        !self.super_read_only && !self.offline_mode
    }
}

/// Files of the server and of the agent, on the real file system below a root.
#[async_trait]
pub trait Files: Send + Sync + std::fmt::Debug {
    /// Content, modes and owners of every option file the server reads and mysqld-auto.cnf, as one digest. Refit's own
    /// drop-ins are left out.
    async fn config_digest(&self) -> HostResult<refit_shared::ids::Digest>;
    /// What these files say, with secrets masked: for checks and plans.
    async fn config_files(&self) -> HostResult<ConfigFiles>;
    /// Copies them byte for byte under this name; a complete backup of that name with the same content is left alone.
    async fn back_up_config(&self, name: &str) -> HostResult<()>;
    async fn has_config_backup(&self, name: &str) -> HostResult<bool>;
    /// Puts them back: bytes, modes, owners; files that were not there before are removed.
    async fn restore_config(&self, name: &str) -> HostResult<()>;
    /// All option files, byte for byte: for a judgement on this host; they never leave it.
    async fn option_tree(&self) -> HostResult<OptionTree>;
    /// The bytes of an option file that mysqld reads; `None` where there is none. Any other path is an error.
    async fn option_file(&self, path: &str) -> HostResult<Option<Vec<u8>>>;
    /// Its bytes in a complete backup; `None` where there is no such backup or the file is not in it.
    async fn kept_option_file(&self, name: &str, path: &str) -> HostResult<Option<Vec<u8>>>;
    /// Gives such a file, which must be there, other bytes, at once and durably; its owner and mode stay, and a link stays a link.
    async fn replace_option_file(&self, path: &str, content: &[u8]) -> HostResult<()>;
    /// mysqld's drop-in (start_on_boot off, super_read_only on, skip_replica_start) and systemd's (timeouts lifted, hold).
    async fn write_maintenance(&self) -> HostResult<()>;
    /// The hold goes, too.
    async fn remove_maintenance(&self) -> HostResult<()>;
    async fn in_maintenance(&self) -> HostResult<bool>;
    /// The hold keeps mysqld's unit from starting, by anybody and across reboots, while the file exists. Refused outside maintenance,
    /// where nothing would mind it.
    async fn set_hold(&self, on: bool) -> HostResult<()>;
    async fn held(&self) -> HostResult<bool>;
    /// What a snapshot would take here.
    async fn storage(&self) -> HostResult<StorageFacts>;
    /// Takes the snapshot (data directory and every external path) with a manifest and an atomic rename. A complete one of
    /// that name is left alone; an incomplete one is removed first.
    async fn take_snapshot(&self, name: &str, phase: &Phase) -> HostResult<SnapshotMethod>;
    /// Complete, and as its manifest says?
    async fn verify_snapshot(&self, name: &str) -> HostResult<bool>;
    /// Sets the present directories aside and puts the snapshot's content in their place, atomically per path; may be repeated.
    async fn restore_snapshot(&self, name: &str, phase: &Phase) -> HostResult<()>;
    /// Deletes the snapshot of that name, the directories set aside for it, and its marker.
    async fn drop_snapshot(&self, name: &str) -> HostResult<()>;
    /// The marker "a server of another version has been started on this data directory since the snapshot of that name".
    async fn set_dirty(&self, snapshot: &str, dirty: bool) -> HostResult<()>;
    async fn is_dirty(&self, snapshot: &str) -> HostResult<bool>;
    /// Where the server writes its error log.
    async fn error_log(&self) -> HostResult<PathBuf>;
}

/// The target's programs, from packages that were fetched, beside those that are installed.
#[async_trait]
pub trait Beside: Send + Sync + std::fmt::Debug {
    /// Has the mysqld in these package files judge option files as if they were in place, and looks what becomes of these library
    /// files of the present server. Leaves nothing behind.
    async fn judge_options(
        &self,
        packages: &[PathBuf],
        tree: &OptionTree,
        libraries: &[PathBuf],
    ) -> HostResult<Judged>;
    /// Removes what was left when the agent died in the middle of it.
    async fn clear(&self) -> HostResult<()>;
}

/// Where an adapter says what it is at. The sender never blocks the work.
pub type Phase = crate::progress::Phase;

/// The ports of one host.
#[derive(Debug, Clone)]
pub struct Host {
    pub service: std::sync::Arc<dyn ServiceManager>,
    pub packages: std::sync::Arc<dyn Packages>,
    pub mysql: std::sync::Arc<dyn Mysql>,
    pub files: std::sync::Arc<dyn Files>,
    pub machine: std::sync::Arc<dyn Machine>,
    pub beside: std::sync::Arc<dyn Beside>,
    pub rehearsals: std::sync::Arc<dyn Rehearsals>,
}
