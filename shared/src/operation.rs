//! The agent's typed operations: all that a controller can ask of a host. There is no remote shell; package names and
//! paths come from the agent's own configuration.

use crate::config::edit::Rewrite;
use crate::ids::{Attempt, ClusterName, Digest, Epoch, MemberName, RolloutId, ServerUuid, StepId};
use crate::observation::PackagePin;
use crate::table::TableName;
use crate::version::{MysqlVersion, PackageVersion};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One operation on one host. Each has a probe (has it been done?), a perform and an undo, and copes with being asked twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Download the target's packages *and* those to go back to, and check their hashes, before anything is stopped.
    /// Undo: nothing (a cache harms nobody).
    FetchPackages {
        target: Vec<PackagePin>,
        rollback: Vec<PackagePin>,
    },
    /// Copy the option files and mysqld-auto.cnf byte for byte, with modes and owners. Undo: put them back.
    BackUpConfig,
    /// Have the target's mysqld, from the fetched packages unpacked beside and never installed, judge the option files as they will be
    /// (`--validate-config`). Undo: nothing.
    ValidateConfig {
        version: MysqlVersion,
        packages: Vec<PackagePin>,
        files: Vec<Rewrite>,
    },
    /// Put the drop-ins in place: group start on boot off, super_read_only on, replicas not started; systemd's timeouts
    /// lifted. Undo: remove them.
    EnterMaintenance,
    /// Stop taking part in the group: super_read_only first, what is in flight drained (bounded), then STOP
    /// GROUP_REPLICATION. A primary hands over by this. Undo: join again, wait for ONLINE and an empty applier queue.
    LeaveGroup { drain_s: u32 },
    /// Stop mysqld and prove from the error log that it ended cleanly; from then the unit is held down, across reboots too.
    /// `slow`: with innodb_fast_shutdown=0, for a change of series. `drain_s`: seconds for which writes are paused first, so
    /// that what is in flight can end; 0 where nobody is served any more. Undo: start the version that was stopped.
    StopServer {
        version: MysqlVersion,
        slow: bool,
        #[serde(default, skip_serializing_if = "is_zero")]
        drain_s: u32,
    },
    /// Copy the data directory and every path outside it, as one unit, with a manifest. Undo: nothing yet (released by
    /// [`Operation::ReleaseArtifacts`]).
    SnapshotData { name: String },
    /// Change option files of a server that is held down, each only where its bytes are those that were reviewed; anything else is
    /// refused. Needs the copy that [`Operation::BackUpConfig`] made. Undo: put the bytes of that copy back.
    RewriteConfig { files: Vec<Rewrite> },
    /// Install exactly these packages without letting a maintainer script run mysqld, then hold them. Undo: install `from`.
    SwapPackages {
        from: Vec<PackagePin>,
        to: Vec<PackagePin>,
    },
    /// Lift the hold, start mysqld and follow its error log to a verdict. Refuses to start a new version without the
    /// verified snapshot of that name. Undo: stop it, put the snapshot back.
    StartServer {
        version: MysqlVersion,
        snapshot: String,
    },
    /// For a target whose server does not do it itself (before 8.0.16): its own `mysql_upgrade`, without binary log, on a server in
    /// maintenance that nobody but administrators writes to; then a restart. `gtid_executed` proves that nothing was logged. Undo: only
    /// what was admitted is closed again; the snapshot has the tables of before.
    UpgradeSystemTables { version: MysqlVersion },
    /// START GROUP_REPLICATION, wait for ONLINE and an empty applier queue. If it is refused the server is kept read-only.
    /// Undo: leave.
    JoinGroup { drain_s: u32 },
    /// Remove what [`Operation::EnterMaintenance`] put. Undo: put it back.
    LeaveMaintenance,
    /// Make this member the primary (`group_replication_set_as_primary`). Undo: nothing.
    AppointPrimary { uuid: ServerUuid },
    /// Forward: only sees that this member is the primary. Undo: appoint it if it is not.
    KeepPrimary { uuid: ServerUuid },
    /// Leave the group as its last member, writes paused and drained first: there is no group after it. Undo:
    /// [`Operation::BootstrapGroup`].
    DissolveGroup { drain_s: u32 },
    /// Begin the group anew with this member; `group_replication_bootstrap_group` is ON for one statement only. A gate has
    /// seen that nobody is in a group and that this member has every transaction. Undo: [`Operation::DissolveGroup`].
    BootstrapGroup,
    /// Both ways: out of a group that has lost its majority, so that it can be begun again; a member that is in no group stays so, and
    /// one whose group has its majority is refused.
    LeaveLostGroup,
    /// Forward: only sees that this server, which is in no group, takes writes. Undo: let them in again.
    KeepWritable,
    /// Let writes in on a server that is in no group and replicates from nobody. Undo: pause them.
    AllowWrites,
    /// Stop replicating: the receivers first, then, once all that was received is applied (at most `drain_s` seconds), the
    /// appliers. Undo: replicate again.
    StopReplica { drain_s: u32 },
    /// Replicate again through every channel; wait until each is connected and what had been received meanwhile is applied
    /// (at most `catch_up_s` seconds). Undo: stop replicating.
    StartReplica { catch_up_s: u32 },
    /// Both ways: sees that this server replicates. A receiver that waits between two tries, or has given up while its
    /// source was away, is started anew; one that somebody has stopped is not.
    KeepReplica,
    /// Pause writes on a source and let what is in flight end (at most `drain_s` seconds). The pause is a lease: after
    /// `lease_s` seconds the agent lets writes in again by itself, whoever is gone. Undo: let writes in again.
    PauseWrites { drain_s: u32, lease_s: u32 },
    /// The pause becomes lasting: from here on another server may take the writes, and this one must not. Refused once the
    /// lease has ended. Undo: let writes in again.
    DemoteSource,
    /// A replica becomes the source: its channels are removed and writes let in, lastingly
    /// (`SET PERSIST`). A gate has seen that it has every transaction and that nobody else takes writes. Can't be undone.
    PromoteReplica,
    /// Replicate from another server, by GTID auto-position, and stay read-only, lastingly. Can't be undone.
    FollowSource { source: SourceAddress },
    /// On a replica that is to be downgraded: relay logs and binary logs, both fully processed, are removed. Can't be undone.
    DiscardLogs,
    /// On a source whose binary log holds statements: rows from now on. Waits at most `wait_s` seconds until every session that began
    /// before, and keeps its own format, has ended; none is killed. Undo: the format of before.
    LogRows { wait_s: u32 },
    /// See, while everybody serves, that these tables are there and can be rebuilt, and that there is room for the largest one
    /// beside itself. `secluded`: they will be while nobody reaches the server, so that what would lock writers out does not matter.
    /// Undo: nothing.
    InspectTables {
        tables: Vec<TableName>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        secluded: bool,
    },
    /// Rebuild these tables on this server alone, with the binary log off on the session that does it, so that no GTID is
    /// written. The server replicates from nobody meanwhile and is in no group. Undo: a rebuilt table holds the same rows;
    /// only what was admitted for the rebuild is closed again.
    RebuildTables { tables: Vec<TableName> },
    /// Rebuild these tables on a stopped source in maintenance: it is started without binary log and without network, and once they
    /// are rebuilt it is stopped and started as usual, still in maintenance. Proved by gtid_executed, which is as before. Undo: its
    /// next start is a usual one; a rebuilt table holds the same rows.
    RebuildOffline {
        version: MysqlVersion,
        tables: Vec<TableName>,
    },
    /// Start the target's mysqld, unpacked beside, on a throw-away clone of the data (or of the directory named, which must be
    /// allowed by the agent's configuration and not in use), look whether everything can be read, and remove the clone.
    /// `running`: the server is up, and the clone must be of one instant. `copy`: a full copy may be made. Undo: remove the clone.
    RehearseUpgrade {
        version: MysqlVersion,
        packages: Vec<PackagePin>,
        files: Vec<Rewrite>,
        running: bool,
        copy: bool,
        data_directory: Option<String>,
    },
    /// Delete the snapshot, the set-aside data directories and the package cache of this rollout. Can't be undone.
    ReleaseArtifacts { snapshot: String },
}

/// An operation without its arguments: for measured times, progress and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    FetchPackages,
    BackUpConfig,
    ValidateConfig,
    EnterMaintenance,
    LeaveGroup,
    StopServer,
    SnapshotData,
    RewriteConfig,
    SwapPackages,
    StartServer,
    UpgradeSystemTables,
    JoinGroup,
    LeaveMaintenance,
    AppointPrimary,
    KeepPrimary,
    DissolveGroup,
    BootstrapGroup,
    LeaveLostGroup,
    KeepWritable,
    AllowWrites,
    StopReplica,
    StartReplica,
    KeepReplica,
    PauseWrites,
    DemoteSource,
    PromoteReplica,
    FollowSource,
    DiscardLogs,
    LogRows,
    InspectTables,
    RebuildTables,
    RebuildOffline,
    ReleaseArtifacts,
    RehearseUpgrade,
}

/// Where a channel shall read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceAddress {
    /// Empty: the default channel.
    pub channel: String,
    pub host: String,
    pub port: u16,
    pub uuid: ServerUuid,
    /// For a channel that is not there yet; one that is keeps its own settings.
    pub ssl: bool,
    pub get_public_key: bool,
    /// Seconds between two tries to connect, and how many tries there are.
    pub connect_retry_s: u32,
    pub retry_count: u64,
}

fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

impl OperationKind {
    pub const ALL: [OperationKind; 34] = [
        Self::FetchPackages,
        Self::BackUpConfig,
        Self::ValidateConfig,
        Self::EnterMaintenance,
        Self::LeaveGroup,
        Self::StopServer,
        Self::SnapshotData,
        Self::RewriteConfig,
        Self::SwapPackages,
        Self::StartServer,
        Self::UpgradeSystemTables,
        Self::JoinGroup,
        Self::LeaveMaintenance,
        Self::AppointPrimary,
        Self::KeepPrimary,
        Self::DissolveGroup,
        Self::BootstrapGroup,
        Self::LeaveLostGroup,
        Self::KeepWritable,
        Self::AllowWrites,
        Self::StopReplica,
        Self::StartReplica,
        Self::KeepReplica,
        Self::PauseWrites,
        Self::DemoteSource,
        Self::PromoteReplica,
        Self::FollowSource,
        Self::DiscardLogs,
        Self::LogRows,
        Self::InspectTables,
        Self::RebuildTables,
        Self::RebuildOffline,
        Self::ReleaseArtifacts,
        Self::RehearseUpgrade,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::FetchPackages => "fetch_packages",
            Self::BackUpConfig => "back_up_config",
            Self::ValidateConfig => "validate_config",
            Self::EnterMaintenance => "enter_maintenance",
            Self::LeaveGroup => "leave_group",
            Self::StopServer => "stop_server",
            Self::SnapshotData => "snapshot_data",
            Self::RewriteConfig => "rewrite_config",
            Self::SwapPackages => "swap_packages",
            Self::StartServer => "start_server",
            Self::UpgradeSystemTables => "upgrade_system_tables",
            Self::JoinGroup => "join_group",
            Self::LeaveMaintenance => "leave_maintenance",
            Self::AppointPrimary => "appoint_primary",
            Self::KeepPrimary => "keep_primary",
            Self::DissolveGroup => "dissolve_group",
            Self::BootstrapGroup => "bootstrap_group",
            Self::LeaveLostGroup => "leave_lost_group",
            Self::KeepWritable => "keep_writable",
            Self::AllowWrites => "allow_writes",
            Self::StopReplica => "stop_replica",
            Self::StartReplica => "start_replica",
            Self::KeepReplica => "keep_replica",
            Self::PauseWrites => "pause_writes",
            Self::DemoteSource => "demote_source",
            Self::PromoteReplica => "promote_replica",
            Self::FollowSource => "follow_source",
            Self::DiscardLogs => "discard_logs",
            Self::LogRows => "log_rows",
            Self::InspectTables => "inspect_tables",
            Self::RebuildTables => "rebuild_tables",
            Self::RebuildOffline => "rebuild_offline",
            Self::ReleaseArtifacts => "release_artifacts",
            Self::RehearseUpgrade => "rehearse_upgrade",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Operation {
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::FetchPackages { .. } => OperationKind::FetchPackages,
            Self::BackUpConfig => OperationKind::BackUpConfig,
            Self::ValidateConfig { .. } => OperationKind::ValidateConfig,
            Self::EnterMaintenance => OperationKind::EnterMaintenance,
            Self::LeaveGroup { .. } => OperationKind::LeaveGroup,
            Self::StopServer { .. } => OperationKind::StopServer,
            Self::SnapshotData { .. } => OperationKind::SnapshotData,
            Self::RewriteConfig { .. } => OperationKind::RewriteConfig,
            Self::SwapPackages { .. } => OperationKind::SwapPackages,
            Self::StartServer { .. } => OperationKind::StartServer,
            Self::UpgradeSystemTables { .. } => OperationKind::UpgradeSystemTables,
            Self::JoinGroup { .. } => OperationKind::JoinGroup,
            Self::LeaveMaintenance => OperationKind::LeaveMaintenance,
            Self::AppointPrimary { .. } => OperationKind::AppointPrimary,
            Self::KeepPrimary { .. } => OperationKind::KeepPrimary,
            Self::DissolveGroup { .. } => OperationKind::DissolveGroup,
            Self::BootstrapGroup => OperationKind::BootstrapGroup,
            Self::LeaveLostGroup => OperationKind::LeaveLostGroup,
            Self::KeepWritable => OperationKind::KeepWritable,
            Self::AllowWrites => OperationKind::AllowWrites,
            Self::StopReplica { .. } => OperationKind::StopReplica,
            Self::StartReplica { .. } => OperationKind::StartReplica,
            Self::KeepReplica => OperationKind::KeepReplica,
            Self::PauseWrites { .. } => OperationKind::PauseWrites,
            Self::DemoteSource => OperationKind::DemoteSource,
            Self::PromoteReplica => OperationKind::PromoteReplica,
            Self::FollowSource { .. } => OperationKind::FollowSource,
            Self::DiscardLogs => OperationKind::DiscardLogs,
            Self::LogRows { .. } => OperationKind::LogRows,
            Self::InspectTables { .. } => OperationKind::InspectTables,
            Self::RebuildTables { .. } => OperationKind::RebuildTables,
            Self::RebuildOffline { .. } => OperationKind::RebuildOffline,
            Self::ReleaseArtifacts { .. } => OperationKind::ReleaseArtifacts,
            Self::RehearseUpgrade { .. } => OperationKind::RehearseUpgrade,
        }
    }

    /// While it runs or after it, the member does not serve: not a member of its group, or its server is down.
    pub fn takes_member_out(&self) -> bool {
        matches!(
            self,
            Self::LeaveGroup { .. } | Self::DissolveGroup { .. } | Self::StopServer { .. }
        )
    }

    /// The one version that a set of pins installs, where they agree.
    pub fn pinned_version(pins: &[PackagePin]) -> Option<&PackageVersion> {
        let first = &pins.first()?.version;
        pins.iter()
            .all(|pin| &pin.version == first)
            .then_some(first)
    }
}

/// Forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Perform,
    Undo,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Perform => "perform",
            Self::Undo => "undo",
        })
    }
}

/// What makes one try at one step unique in the world.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    pub rollout: RolloutId,
    pub step: StepId,
    pub attempt: Attempt,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.rollout, self.step, self.attempt)
    }
}

/// An order to one agent. The agent refuses it when the cluster or the member is not its own, when the epoch is older than
/// one it has obeyed, or when the attempt is known with other content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub id: AttemptId,
    pub epoch: Epoch,
    pub cluster: ClusterName,
    pub member: MemberName,
    pub direction: Direction,
    pub operation: Operation,
    /// Seconds of work, from when the agent begins.
    pub deadline_s: u32,
}

impl Order {
    /// What "the same content" means: everything but the epoch, since a restarted controller asks again under a new one.
    pub fn content_digest(&self) -> Digest {
        let content = (
            &self.id,
            &self.cluster,
            &self.member,
            self.direction,
            &self.operation,
            self.deadline_s,
        );
        let bytes =
            serde_json::to_vec(&content).expect("plain data with string keys always serialises");
        Digest::of(&bytes)
    }
}
