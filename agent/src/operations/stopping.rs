//! Whether mysqld is down and kept down, and waiting until it is.

use super::OpContext;
use super::context::refuse;
use crate::host::{Host, HostError, HostResult};
use refit_shared::observation::ServiceState;
use refit_shared::receipt::Failure;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(50);

/// No process, and none on its way.
pub async fn is_down(host: &Host) -> HostResult<bool> {
    let state = host.service.state().await?;
    let process = host.service.main_pid().await?;
    let idle = matches!(state, ServiceState::Inactive | ServiceState::Failed);
    Ok(idle && process.is_none())
}

/// What touches the data directory or the packages needs a server that is down and stays down.
pub async fn require_held_down(host: &Host) -> Result<(), Failure> {
    if !is_down(host).await.map_err(HostError::clean)? {
        return Err(refuse("mysqld is running; it must be stopped for this"));
    }
    if !host.files.held().await.map_err(HostError::clean)? {
        return Err(refuse(
            "mysqld is stopped, but nothing keeps it from being started meanwhile",
        ));
    }
    Ok(())
}

/// Waits until the server is gone, `false` when the order's time is up. A service manager that can't be asked for a moment
/// is asked again.
pub async fn wait_until_down(host: &Host, cx: &OpContext) -> bool {
    let patience = cx.patience(EVERY, cx.deadline);
    loop {
        match is_down(host).await {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => cx.phase.say(format!("asking again: {error}")),
        }
        if !patience.more().await {
            return false;
        }
    }
}
