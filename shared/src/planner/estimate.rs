//! How long a step will take: as it took on this host before, else reckoned from sizes and counts.

use crate::observation::{Observation, Seconds, SnapshotMethod};
use crate::operation::{Operation, OperationKind};
use crate::plan::{Basis, Estimate};
use crate::rehearsal::Rehearsal;
use crate::rules::system_tables;
use crate::version::MysqlVersion;

/// Bytes a second of a plain copy; seen on one virtual disk: 180 to 360 MB/s.
const COPY_BYTES_A_SECOND: u64 = 200_000_000;

pub fn operation(operation: &Operation, seen: &Observation) -> Estimate {
    let kind = operation.kind();
    // A slow shutdown and a first start on a new series are unlike the ones that were measured.
    let unlike = matches!(operation, Operation::StopServer { slow: true, .. })
        || changes_series(operation, seen);
    if let Some(rehearsal) = rehearsed(operation, seen) {
        return Estimate {
            seconds: rehearsal.started,
            basis: Basis::Rehearsed {
                at_unix_ms: rehearsal.at_unix_ms,
            },
        };
    }
    match seen.agent.measured_s.get(&kind).filter(|_| !unlike) {
        Some(seconds) => Estimate {
            seconds: *seconds,
            basis: Basis::Measured,
        },
        None => Estimate {
            seconds: Seconds::from_millis(reckon_ms(operation, seen)),
            basis: Basis::Reckoned,
        },
    }
}

/// How long a server is away while it is replaced: stopped, copied, swapped and started.
pub fn outage(seen: &Observation, target: MysqlVersion) -> Seconds {
    let Some(server) = seen.server.known() else {
        return Seconds::from_millis(60_000);
    };
    let program = system_tables::by_program(target)
        .then_some(Operation::UpgradeSystemTables { version: target });
    let steps = [
        Operation::StopServer {
            version: server.version,
            slow: server.version.series() != target.series(),
            drain_s: 0,
        },
        Operation::SnapshotData {
            name: String::new(),
        },
        Operation::SwapPackages {
            from: Vec::new(),
            to: Vec::new(),
        },
        Operation::StartServer {
            version: target,
            snapshot: String::new(),
        },
    ];
    Seconds(
        steps
            .iter()
            .chain(&program)
            .map(|step| operation(step, seen).seconds.0)
            .sum(),
    )
}

/// Each table is read and written once, and a small one takes a moment.
pub fn rebuilds(bytes: impl Iterator<Item = u64>) -> Estimate {
    let one = |bytes: u64| 500 + bytes.saturating_mul(2 * 1000) / COPY_BYTES_A_SECOND;
    Estimate {
        seconds: Seconds::from_millis(bytes.map(one).sum()),
        basis: Basis::TableSizes,
    }
}

/// The same on a server that is started twice for it, and stopped once.
pub fn rebuilds_offline(bytes: impl Iterator<Item = u64>) -> Estimate {
    let mut estimate = rebuilds(bytes);
    estimate.seconds.0 += 2 * 2_000 + 4_000;
    estimate
}

pub fn gate(hold_ms: u32) -> Estimate {
    Estimate {
        seconds: Seconds::from_millis(300 + u64::from(hold_ms)),
        basis: Basis::Reckoned,
    }
}

/// A first start of exactly this version took so long on a clone of this member's own data.
fn rehearsed<'a>(operation: &Operation, seen: &'a Observation) -> Option<&'a Rehearsal> {
    let Operation::StartServer { version, .. } = operation else {
        return None;
    };
    let now = seen.server.known()?.version;
    seen.agent.rehearsals.iter().find(|made| {
        made.target == *version && !made.foreign && made.refused.is_none() && made.from == Some(now)
    })
}

fn changes_series(operation: &Operation, seen: &Observation) -> bool {
    match (operation, seen.server.known()) {
        (Operation::StartServer { version, .. }, Some(server)) => {
            version.series() != server.version.series()
        }
        _ => false,
    }
}

fn reckon_ms(operation: &Operation, seen: &Observation) -> u64 {
    let tables = seen
        .server
        .known()
        .and_then(|server| server.table_count.known().copied())
        .unwrap_or(1000);
    match operation.kind() {
        OperationKind::FetchPackages => 5_000,
        OperationKind::BackUpConfig
        | OperationKind::RewriteConfig
        | OperationKind::ReleaseArtifacts => 300,
        OperationKind::ValidateConfig => 4_000,
        OperationKind::EnterMaintenance | OperationKind::LeaveMaintenance => 300,
        OperationKind::KeepPrimary
        | OperationKind::KeepWritable
        | OperationKind::LeaveLostGroup => 50,
        OperationKind::AllowWrites => 100,
        OperationKind::LeaveGroup | OperationKind::DissolveGroup => 3_000,
        OperationKind::BootstrapGroup => 5_000,
        OperationKind::StopServer => match operation {
            Operation::StopServer { slow: true, .. } => 15_000,
            _ => 4_000,
        },
        OperationKind::SnapshotData => match seen.storage.known() {
            Some(storage) if storage.snapshot_method == SnapshotMethod::Copy => {
                500 + storage.snapshot_needs_bytes * 1000 / COPY_BYTES_A_SECOND
            }
            _ => 500,
        },
        OperationKind::SwapPackages => 4_000,
        // Every table is opened once when the series changes.
        OperationKind::StartServer if changes_series(operation, seen) => 10_000 + tables * 5,
        OperationKind::StartServer => 2_000,
        // It checks every table, and the server is restarted.
        OperationKind::UpgradeSystemTables => 16_000 + tables * 20,
        OperationKind::JoinGroup => 8_000,
        OperationKind::AppointPrimary => 500,
        OperationKind::StopReplica => 500,
        OperationKind::StartReplica => 3_000,
        OperationKind::KeepReplica => 200,
        OperationKind::PauseWrites | OperationKind::DemoteSource => 100,
        OperationKind::PromoteReplica => 300,
        OperationKind::FollowSource => 2_000,
        OperationKind::DiscardLogs => 500,
        OperationKind::InspectTables => 300,
        OperationKind::LogRows => 1_000,
        // [`rebuilds`] knows better.
        OperationKind::RebuildTables | OperationKind::RebuildOffline => 0,
        // Made before a plan, never a step of one.
        OperationKind::RehearseUpgrade => 60_000,
    }
}
