//! Asking a server that may just be coming up: after a reboot the agent is often back before mysqld is.

use super::{OpContext, maintenance, start_server, stopping};
use crate::host::{Host, HostError, Pulse};
use refit_shared::ids::Attempt;
use refit_shared::observation::ServiceState;
use refit_shared::operation::Operation;
use refit_shared::receipt::Failure;
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_millis(100);
/// How long a server that is neither running nor held may need until the service manager begins with it.
const GRACE: Duration = Duration::from_secs(15);

/// The first answer, for an undo: a server that died in maintenance is started first. The service manager would have restarted it, had
/// our drop-in not told it otherwise.
pub async fn revived(host: &Host, cx: &OpContext) -> Result<Pulse, Failure> {
    // Its data are to be put back first.
    if !start_server::ran_on_other_version(host, cx).await? {
        start_if_dead(host, cx).await?;
    }
    pulse(host, cx).await
}

async fn start_if_dead(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let down = stopping::is_down(host).await.map_err(HostError::clean)?;
    let held = host.files.held().await.map_err(HostError::clean)?;
    if down && !held && maintenance::is_on(host).await? {
        cx.phase.say("starting mysqld, which has died");
        if host.service.state().await.map_err(HostError::clean)? == ServiceState::Failed {
            host.service
                .reset_failed()
                .await
                .map_err(HostError::clean)?;
        }
        host.service
            .begin_start()
            .await
            .map_err(HostError::partial)?;
    }
    Ok(())
}

/// Before a forward step that is tried again: that a server dies is a reason to stop once, and a person has said since that the
/// rollout goes on. Behind the pivot nothing but going on brings the member back.
pub async fn anew(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    match cx.order.id.attempt {
        Attempt(0 | 1) => Ok(()),
        Attempt(_) if starts_its_own(&cx.order.operation) => Ok(()),
        Attempt(_) => start_if_dead(host, cx).await,
    }
}

/// Behind or during which the server is down, or which knows itself how it is to be started.
fn starts_its_own(operation: &Operation) -> bool {
    match operation {
        Operation::StopServer { .. }
        | Operation::SnapshotData { .. }
        | Operation::RewriteConfig { .. }
        | Operation::SwapPackages { .. }
        | Operation::StartServer { .. }
        | Operation::UpgradeSystemTables { .. }
        | Operation::RebuildOffline { .. }
        | Operation::RehearseUpgrade { .. }
        | Operation::ReleaseArtifacts { .. } => true,
        Operation::FetchPackages { .. }
        | Operation::BackUpConfig
        | Operation::ValidateConfig { .. }
        | Operation::EnterMaintenance
        | Operation::LeaveGroup { .. }
        | Operation::JoinGroup { .. }
        | Operation::LeaveMaintenance
        | Operation::AppointPrimary { .. }
        | Operation::KeepPrimary { .. }
        | Operation::DissolveGroup { .. }
        | Operation::BootstrapGroup
        | Operation::LeaveLostGroup
        | Operation::KeepWritable
        | Operation::AllowWrites
        | Operation::StopReplica { .. }
        | Operation::StartReplica { .. }
        | Operation::KeepReplica
        | Operation::PauseWrites { .. }
        | Operation::DemoteSource
        | Operation::PromoteReplica
        | Operation::FollowSource { .. }
        | Operation::DiscardLogs
        | Operation::LogRows { .. }
        | Operation::InspectTables { .. }
        | Operation::RebuildTables { .. } => false,
    }
}

/// For a probe: the server's answer, or `None` for one that is down. What that means is the operation's to say.
pub async fn pulse_if_up(host: &Host, cx: &OpContext) -> Result<Option<Pulse>, Failure> {
    if stopping::is_down(host).await.map_err(HostError::clean)? {
        return Ok(None);
    }
    pulse(host, cx).await.map(Some)
}

/// The first answer of a server that runs or is on its way up. A server that is down and stays down is an error.
pub async fn pulse(host: &Host, cx: &OpContext) -> Result<Pulse, Failure> {
    let began = Instant::now();
    let patience = cx.patience(EVERY, cx.deadline);
    loop {
        let error = match host.mysql.pulse().await {
            Ok(seen) => return Ok(seen),
            Err(error @ HostError::ServerAway(_)) => error,
            Err(error) => return Err(error.clean()),
        };
        let state = host.service.state().await.map_err(HostError::clean)?;
        let on_its_way = match state {
            ServiceState::Activating => true,
            // One that ends may be one that asked to be started again, as after a clone.
            ServiceState::Active | ServiceState::Failed | ServiceState::Deactivating => {
                began.elapsed() < GRACE
            }
            ServiceState::Inactive => {
                let held = host.files.held().await.map_err(HostError::clean)?;
                !held && began.elapsed() < GRACE
            }
        };
        if !on_its_way || !patience.more().await {
            return Err(error.clean());
        }
        cx.phase.say(format!("waiting for mysqld: {error}"));
    }
}
