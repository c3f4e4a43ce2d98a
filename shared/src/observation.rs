//! What one agent saw at one time. Every fact is a value or the reason why it is missing; nothing is defaulted.

use crate::gtid::GtidSet;
use crate::ids::{ClusterName, Digest, Epoch, MemberName, ServerUuid};
use crate::operation::OperationKind;
use crate::rehearsal::Rehearsal;
use crate::version::{MysqlVersion, PackageVersion};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A value, or why there is none. "Could not tell" never folds into yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    Known(T),
    Unknown(String),
}

impl<T> Fact<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Fact::Known(value) => Some(value),
            Fact::Unknown(_) => None,
        }
    }
    /// The value, or the reason as an error that can be passed on with `?`.
    pub fn require(&self) -> Result<&T, &str> {
        match self {
            Fact::Known(value) => Ok(value),
            Fact::Unknown(reason) => Err(reason),
        }
    }
}

/// Everything one agent reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub member: MemberName,
    pub cluster: ClusterName,
    /// The agent's clock when it finished looking, milliseconds since 1970.
    pub at_unix_ms: i64,
    pub agent: AgentFacts,
    pub host: HostFacts,
    pub service: Fact<ServiceState>,
    pub packages: Fact<PackageFacts>,
    /// Content digest over the option files that this server reads, mysqld-auto.cnf included.
    pub config_digest: Fact<Digest>,
    pub storage: Fact<StorageFacts>,
    /// Unknown when the server can't be asked; the reason says why (stopped, refused, timed out).
    pub server: Fact<ServerFacts>,
}

/// What the agent knows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFacts {
    pub version: String,
    /// The highest controller epoch that it has obeyed.
    pub highest_epoch: Epoch,
    /// The operation that it is working on, for people.
    pub working_on: Option<String>,
    /// Maintenance drop-ins are in place.
    pub in_maintenance: bool,
    /// The server is kept from starting by Refit's hold.
    pub holding_server_down: bool,
    /// The account that this server would replicate as, were it to follow a new source; `None`: the agent is not configured for
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_user: Option<String>,
    /// How long operations took on this host before: median seconds by kind.
    pub measured_s: BTreeMap<OperationKind, Seconds>,
    /// The latest rehearsals: of the member's own data, and of a directory that a person named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rehearsals: Vec<Rehearsal>,
}

/// Seconds with millisecond precision, comparable and hashable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Seconds(pub u64);

impl Seconds {
    pub fn from_millis(ms: u64) -> Self {
        Self(ms)
    }
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}
impl From<f64> for Seconds {
    fn from(seconds: f64) -> Self {
        Self((seconds.max(0.0) * 1000.0).round() as u64)
    }
}
impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> f64 {
        seconds.as_secs_f64()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    pub hostname: String,
    pub os: String,
    /// Changes with every boot.
    pub boot_id: Fact<String>,
    pub uptime_s: Fact<u64>,
}

/// The service manager's word on mysqld's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    Active,
    Activating,
    Deactivating,
    Inactive,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFacts {
    /// The packages that the agent's configuration names, with the installed version (absent: not installed).
    pub installed: BTreeMap<String, PackageVersion>,
    /// Versions of those packages that the configured repositories offer, with the repository's SHA-256.
    pub available: Vec<PackagePin>,
    pub held: BTreeSet<String>,
    /// Packages that are half installed or half configured.
    pub broken: BTreeSet<String>,
    /// Somebody else holds the package manager's lock.
    pub locked_by_other: bool,
    /// `/etc/mysql/FROZEN` exists though Refit did not put it there.
    pub frozen_by_other: bool,
}

impl PackageFacts {
    /// The one version that all configured packages have; `Err` says what is in the way.
    pub fn installed_version(&self) -> Result<&PackageVersion, String> {
        let versions: BTreeSet<_> = self.installed.values().collect();
        let mut versions = versions.into_iter();
        match (versions.next(), versions.next()) {
            (Some(version), None) => Ok(version),
            (None, _) => Err("no MySQL server package is installed".to_owned()),
            (Some(a), Some(b)) => Err(format!("server packages differ in version: {a} and {b}")),
        }
    }
}

/// One package, exactly: what is installed must have this hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackagePin {
    pub name: String,
    pub version: PackageVersion,
    /// Lower-case hex SHA-256 of the package file as the signed repository index gives it.
    pub sha256: String,
}

/// How a snapshot would be taken on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotMethod {
    BtrfsSubvolume,
    Reflink,
    Copy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageFacts {
    pub paths: Vec<DataPath>,
    pub snapshot_method: SnapshotMethod,
    /// Bytes a snapshot would really occupy at first (0 with reflinks).
    pub snapshot_needs_bytes: u64,
    pub snapshot_free_bytes: u64,
    /// Free bytes where the data directory lives.
    pub data_free_bytes: u64,
}

/// What a path of the server holds (MYSQL.md §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathRole {
    DataDir,
    BinaryLogs,
    RelayLogs,
    RedoLogs,
    UndoLogs,
    InnodbHome,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPath {
    pub role: PathRole,
    pub path: String,
    pub bytes: u64,
    pub filesystem: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    pub version: MysqlVersion,
    /// `SELECT VERSION()` as it came.
    pub version_string: String,
    pub uuid: ServerUuid,
    pub server_id: u64,
    pub report_host: String,
    pub port: u16,
    pub uptime_s: u64,
    pub read_only: bool,
    pub super_read_only: bool,
    pub offline_mode: bool,
    pub gtid_executed: GtidSet,
    pub gtid_purged: GtidSet,
    /// Selected global variables, by name.
    pub variables: BTreeMap<String, String>,
    /// Variables that an option file or SET PERSIST sets, by name: not the compiled default.
    pub explicit_variables: BTreeSet<String>,
    pub table_count: Fact<u64>,
    pub long_transactions: Fact<Vec<LongTransaction>>,
    pub prepared_xa: Fact<u64>,
    /// What has changed schemas or accounts here of late, the latest first.
    pub schema_statements: Fact<Vec<SchemaStatement>>,
    pub channels: Fact<Vec<ChannelFacts>>,
    /// Who is connected to this server as a replica (`SHOW REPLICAS`).
    pub replicas: Fact<Vec<ConnectedReplica>>,
    pub group: Fact<Option<GroupFacts>>,
}

impl ServerFacts {
    /// Any client may write: by the server's own variables, never by its role.
    pub fn takes_writes(&self) -> bool {
        !self.read_only && !self.super_read_only && !self.offline_mode
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongTransaction {
    pub thread_id: u64,
    pub user: String,
    pub running_s: u64,
}

/// A statement that changes a schema or an account, as `performance_schema.events_statements_summary_by_digest` keeps it: without its
/// literals, so that no password is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaStatement {
    /// The session's default schema; `None`: it had none.
    pub schema: Option<String>,
    pub text: String,
    /// How often since the server was started.
    pub times: u64,
    /// When it was run last, milliseconds since 1970, by the server's clock.
    pub last_unix_ms: i64,
}

/// An asynchronous replication channel; Group Replication's own are part of [`GroupFacts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelFacts {
    pub name: String,
    pub source_host: String,
    /// The receiver's service state is ON: connected, not merely trying to.
    pub receiving: bool,
    pub applying: bool,
    pub last_error: String,
    /// How it is set up and how far it is. Unknown from an agent of an earlier release.
    pub detail: Fact<ChannelDetail>,
}

/// `performance_schema.replication_connection_*` and `replication_applier_*` of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelDetail {
    pub source_port: u16,
    /// `None`: it has never been connected.
    pub source_uuid: Option<ServerUuid>,
    pub user: String,
    pub auto_position: bool,
    /// Seconds between two tries to connect, and how many tries there are before the receiver gives up.
    pub connect_retry_s: u32,
    pub retry_count: u64,
    pub ssl: bool,
    pub get_public_key: bool,
    /// `SOURCE_CONNECTION_AUTO_FAILOVER`: the server may choose another source by itself.
    pub auto_failover: bool,
    /// Seconds that the applier stays behind on purpose.
    pub delay_s: u32,
    /// `REPLICATE_DO_DB=shop`, one each.
    pub filters: Vec<String>,
    /// `RECEIVED_TRANSACTION_SET`.
    pub received: GtidSet,
    pub receiver: ThreadState,
    pub applier: ThreadState,
    /// Milliseconds since the transaction that is being applied was committed where it comes from; 0 when all that was
    /// received is applied. `None`: it can't be told now.
    pub lag_ms: Option<u64>,
}

/// A replication thread: its service state, and the last error where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadState {
    pub service: ReplicationService,
    /// 0: none.
    pub errno: u32,
    pub error: String,
}

/// `SERVICE_STATE` of `performance_schema.replication_*_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicationService {
    On,
    /// A receiver that tries to connect.
    Connecting,
    Off,
}

impl ReplicationService {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "ON",
            Self::Connecting => "CONNECTING",
            Self::Off => "OFF",
        }
    }
}

/// A row of `SHOW REPLICAS`: somebody who reads this server's binary log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnectedReplica {
    pub server_id: u64,
    pub host: String,
    pub port: u16,
    /// `None`: a client that reads the binary log and is no server (mysqlbinlog, change capture).
    pub uuid: Option<ServerUuid>,
}

/// What this server sees of its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupFacts {
    pub group_name: String,
    pub view_id: String,
    pub single_primary: bool,
    pub own_state: MemberState,
    pub members: Vec<GroupMember>,
    /// Transactions that wait for certification on this member.
    pub certifier_queue: u64,
    /// Certified transactions of others that this member has yet to apply.
    pub applier_queue: u64,
    /// What the applier channel has received.
    pub received: GtidSet,
    pub communication_protocol: Fact<MysqlVersion>,
    pub weight: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupMember {
    pub uuid: ServerUuid,
    pub host: String,
    pub port: u16,
    pub state: MemberState,
    pub role: MemberRole,
    pub version: MysqlVersion,
}

/// Whether of the members of a view more than half can be reached: without them nobody in it can commit.
pub fn has_majority(members: &[GroupMember]) -> bool {
    let reachable = members
        .iter()
        .filter(|m| m.state != MemberState::Unreachable)
        .count();
    reachable * 2 > members.len()
}

/// `performance_schema.replication_group_members.MEMBER_STATE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberState {
    Online,
    Recovering,
    Offline,
    Error,
    Unreachable,
}

impl MemberState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "ONLINE",
            Self::Recovering => "RECOVERING",
            Self::Offline => "OFFLINE",
            Self::Error => "ERROR",
            Self::Unreachable => "UNREACHABLE",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Online,
            Self::Recovering,
            Self::Offline,
            Self::Error,
            Self::Unreachable,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

/// `MEMBER_ROLE`. In a multi-primary group it says PRIMARY even of a member that can't write (MYSQL.md §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberRole {
    Primary,
    Secondary,
    /// The server does not say (a member that is not in the group).
    None,
}

/// A quick look, several a second during a rollout: enough to see whether writes are possible and flowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    pub member: MemberName,
    pub at_unix_ms: i64,
    /// Unknown: the server can't be asked.
    pub state: Fact<MemberState>,
    pub writable: bool,
    pub transactions_executed: u64,
    pub applier_queue: u64,
}
