//! Asking a server that may just be coming up: after a reboot the agent is often back before mysqld is.

use super::OpContext;
use crate::host::{Host, HostError, Pulse};
use refit_shared::observation::ServiceState;
use refit_shared::receipt::Failure;
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_millis(100);
/// How long a server that is neither running nor held may need until the service manager begins with it.
const GRACE: Duration = Duration::from_secs(15);

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
            ServiceState::Active | ServiceState::Failed => began.elapsed() < GRACE,
            ServiceState::Inactive => {
                let held = host.files.held().await.map_err(HostError::clean)?;
                !held && began.elapsed() < GRACE
            }
            ServiceState::Deactivating => false,
        };
        if !on_its_way || !patience.more().await {
            return Err(error.clean());
        }
        cx.phase.say(format!("waiting for mysqld: {error}"));
    }
}
