//! What a host does for a rollout: one file per operation of [`refit_shared::operation::Operation`].
//!
//! Each operation looks first. What is already so is success; what is not as the plan expects is a refusal, never a repair.
//! Each copes with being asked twice, and each undo with an operation that never ran, half ran or fully ran. Nothing here
//! decides *what* should happen: the plan has done that.
//!
//! ```text
//!  worker ── run(order) ──> probe ──done──> "was already so"
//!                             └──> perform | undo ──> the four ports of crate::host
//! ```
//!
//! A deadline is kept by the operation's own waits; a half-done future is never dropped.

mod admitting;
mod allow_writes;
mod answering;
mod appoint_primary;
mod back_up_config;
mod bootstrap_group;
mod context;
mod demote_source;
mod discard_logs;
mod dissolve_group;
mod enter_maintenance;
mod fetch_packages;
mod follow_source;
mod inspect_tables;
mod join_group;
mod keep_primary;
mod keep_replica;
mod keep_writable;
mod leave_group;
mod leave_lost_group;
mod leave_maintenance;
mod log;
mod log_rows;
mod maintenance;
mod membership;
mod pause_writes;
mod promote_replica;
mod rebuild_offline;
mod rebuild_tables;
mod rehearse_upgrade;
mod release_artifacts;
mod replication;
mod rewrite_config;
mod seclusion;
mod snapshot_data;
mod start_replica;
mod start_server;
mod starting;
mod stop_replica;
mod stop_server;
mod stopping;
mod swap_packages;
#[cfg(test)]
mod tests;
mod upgrade_system_tables;
pub(crate) mod validate_config;
mod writes;

pub use context::OpContext;
pub use log::{ErrorLog, FileLog, LogLines, LogPlace};

use crate::host::Host;
use async_trait::async_trait;
use refit_shared::operation::{Direction, Operation};
use refit_shared::receipt::{Failure, Outcome, Probe};

/// What a person would want in the record.
pub type Notes = Vec<String>;

/// The note of an operation that found its work done.
pub const ALREADY: &str = "was already so";

/// One operation with its arguments.
#[async_trait]
pub trait Action: Send + Sync {
    /// Looks, changing nothing, whether the operation has been done.
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure>;

    /// Does it, from any state that an earlier try may have left.
    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure>;

    /// Puts the host back as it was before the operation, whether that never ran, half ran or fully ran.
    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure>;
}

/// The action that carries out an operation.
pub fn action(operation: &Operation) -> Box<dyn Action> {
    match operation.clone() {
        Operation::FetchPackages { target, rollback } => {
            Box::new(fetch_packages::FetchPackages { target, rollback })
        }
        Operation::BackUpConfig => Box::new(back_up_config::BackUpConfig),
        Operation::EnterMaintenance => Box::new(enter_maintenance::EnterMaintenance),
        Operation::LeaveGroup { drain_s } => Box::new(leave_group::LeaveGroup { drain_s }),
        Operation::StopServer {
            version,
            slow,
            drain_s,
        } => Box::new(stop_server::StopServer {
            version,
            slow,
            drain_s,
        }),
        Operation::SnapshotData { name } => Box::new(snapshot_data::SnapshotData { name }),
        Operation::ValidateConfig {
            version,
            packages,
            files,
        } => Box::new(validate_config::ValidateConfig {
            version,
            packages,
            files,
        }),
        Operation::RehearseUpgrade {
            version,
            packages,
            files,
            running,
            copy,
            data_directory,
        } => Box::new(rehearse_upgrade::RehearseUpgrade {
            version,
            packages,
            files,
            running,
            copy,
            data_directory,
        }),
        Operation::RewriteConfig { files } => Box::new(rewrite_config::RewriteConfig { files }),
        Operation::SwapPackages { from, to } => Box::new(swap_packages::SwapPackages { from, to }),
        Operation::StartServer { version, snapshot } => {
            Box::new(start_server::StartServer { version, snapshot })
        }
        Operation::UpgradeSystemTables { version } => {
            Box::new(upgrade_system_tables::UpgradeSystemTables { version })
        }
        Operation::JoinGroup { drain_s } => Box::new(join_group::JoinGroup { drain_s }),
        Operation::LeaveMaintenance => Box::new(leave_maintenance::LeaveMaintenance),
        Operation::AppointPrimary { uuid } => Box::new(appoint_primary::AppointPrimary { uuid }),
        Operation::KeepPrimary { uuid } => Box::new(keep_primary::KeepPrimary { uuid }),
        Operation::DissolveGroup { drain_s } => Box::new(dissolve_group::DissolveGroup { drain_s }),
        Operation::BootstrapGroup => Box::new(bootstrap_group::BootstrapGroup),
        Operation::LeaveLostGroup => Box::new(leave_lost_group::LeaveLostGroup),
        Operation::KeepWritable => Box::new(keep_writable::KeepWritable),
        Operation::AllowWrites => Box::new(allow_writes::AllowWrites),
        Operation::StopReplica { drain_s } => Box::new(stop_replica::StopReplica { drain_s }),
        Operation::StartReplica { catch_up_s } => {
            Box::new(start_replica::StartReplica { catch_up_s })
        }
        Operation::KeepReplica => Box::new(keep_replica::KeepReplica),
        Operation::PauseWrites { drain_s, lease_s } => {
            Box::new(pause_writes::PauseWrites { drain_s, lease_s })
        }
        Operation::DemoteSource => Box::new(demote_source::DemoteSource),
        Operation::PromoteReplica => Box::new(promote_replica::PromoteReplica),
        Operation::FollowSource { source } => Box::new(follow_source::FollowSource { source }),
        Operation::DiscardLogs => Box::new(discard_logs::DiscardLogs),
        Operation::LogRows { wait_s } => Box::new(log_rows::LogRows { wait_s }),
        Operation::InspectTables { tables, secluded } => {
            Box::new(inspect_tables::InspectTables { tables, secluded })
        }
        Operation::RebuildTables { tables } => Box::new(rebuild_tables::RebuildTables { tables }),
        Operation::RebuildOffline { version, tables } => {
            Box::new(rebuild_offline::RebuildOffline { version, tables })
        }
        Operation::ReleaseArtifacts { snapshot } => {
            Box::new(release_artifacts::ReleaseArtifacts { snapshot })
        }
    }
}

/// Carries out one order to its end.
pub async fn run(host: &Host, cx: &OpContext) -> Outcome {
    let action = action(&cx.order.operation);
    let result = match cx.order.direction {
        Direction::Perform => perform(&*action, host, cx).await,
        Direction::Undo => action.undo(host, cx).await,
    };
    match result {
        Ok(notes) => Outcome::Done { notes },
        Err(failure) => Outcome::Failed(failure),
    }
}

async fn perform(action: &dyn Action, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    answering::anew(host, cx).await?;
    match action.probe(host, cx).await? {
        Probe::Done => Ok(vec![ALREADY.to_owned()]),
        Probe::NotDone => action.perform(host, cx).await,
        Probe::Partial(found) => {
            let mut notes = action.perform(host, cx).await?;
            notes.insert(0, format!("found: {found}"));
            Ok(notes)
        }
    }
}

/// Looks, changing nothing, whether an order's operation has been done or, by its direction, undone.
pub async fn probe(host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
    let found = action(&cx.order.operation).probe(host, cx).await?;
    Ok(match (cx.order.direction, found) {
        (Direction::Perform, found) => found,
        (Direction::Undo, Probe::Done) => Probe::NotDone,
        // "Not done" does not prove "undone": a start that was refused has to be put back, too.
        (Direction::Undo, Probe::NotDone) => Probe::Partial("the operation is not done".to_owned()),
        (Direction::Undo, Probe::Partial(found)) => Probe::Partial(found),
    })
}
