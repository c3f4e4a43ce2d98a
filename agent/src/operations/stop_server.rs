//! Stops mysqld and proves from the error log that it ended cleanly; from then on it is held down, across reboots too.

use super::context::refuse;
use super::{
    Action, Notes, OpContext, answering, membership, snapshot_data, start_server, starting,
    stopping, writes,
};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::observation::ServiceState;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::version::MysqlVersion;
use tokio::time::Instant;

pub struct StopServer {
    pub version: MysqlVersion,
    /// With innodb_fast_shutdown=0.
    pub slow: bool,
    /// Seconds for which writes are paused first; 0: nobody is served any more.
    pub drain_s: u32,
}

#[async_trait]
impl Action for StopServer {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let held = host.files.held().await.map_err(HostError::clean)?;
        if !stopping::is_down(host).await.map_err(HostError::clean)? {
            return Ok(if held {
                Probe::Partial("running, though its next start is held".to_owned())
            } else {
                Probe::NotDone
            });
        }
        let clean = is_proved(cx).await.map_err(HostError::clean)?;
        Ok(match (held, clean) {
            (true, true) => Probe::Done,
            (false, _) => Probe::Partial("stopped, but not held down".to_owned()),
            (true, false) => {
                Probe::Partial("stopped, without proof of a clean shutdown".to_owned())
            }
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        if !host
            .files
            .in_maintenance()
            .await
            .map_err(HostError::clean)?
        {
            return Err(refuse(
                "the maintenance drop-ins are not in place: the service manager could kill a slow shutdown",
            ));
        }
        let began = Instant::now();
        if stopping::is_down(host).await.map_err(HostError::clean)? {
            hold(host).await?;
            if !is_proved(cx).await.map_err(HostError::partial)? {
                // It ended by itself, with its host, or in an earlier try. Past the pivot nobody could undo that.
                cx.phase.say("recovering a server that did not end cleanly");
                self.start_again(host, cx).await?;
                self.stop(host, cx).await?;
            }
        } else {
            self.stop(host, cx).await?;
        }
        if !is_proved(cx).await.map_err(HostError::partial)? {
            return Err(Failure::partial(
                FailureCode::UncleanShutdown,
                "mysqld is down, but its error log does not end with \"Shutdown complete\": it has to be started once more, \
                 to recover, and stopped again, which the next try does",
            ));
        }
        Ok(vec![format!(
            "clean shutdown proved, after {} ms",
            began.elapsed().as_millis()
        )])
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        match host.service.state().await.map_err(HostError::clean)? {
            ServiceState::Active => return self.already_running(host).await,
            ServiceState::Activating => {
                self.require_own_version(host, cx).await?;
                release(host).await?;
                return starting::resume(host, cx, self.version).await;
            }
            ServiceState::Deactivating => {
                if !stopping::wait_until_down(host, cx).await {
                    return Err(cx.out_of_time("the end of mysqld"));
                }
            }
            ServiceState::Inactive | ServiceState::Failed => {}
        }
        self.start_again(host, cx).await
    }
}

impl StopServer {
    async fn stop(&self, host: &Host, cx: &OpContext) -> Result<(), Failure> {
        self.begin(host, cx).await?;
        if stopping::wait_until_down(host, cx).await {
            Ok(())
        } else {
            Err(cx.out_of_time("the end of mysqld"))
        }
    }

    /// Starts what was stopped, on the data that it left.
    async fn start_again(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        self.require_own_version(host, cx).await?;
        snapshot_data::outdate(cx).await?;
        starting::start(host, cx, self.version).await
    }

    async fn begin(&self, host: &Host, cx: &OpContext) -> Result<(), Failure> {
        let state = host.service.state().await.map_err(HostError::clean)?;
        if state != ServiceState::Deactivating {
            let seen = answering::pulse(host, cx).await?;
            let facts = host.mysql.facts().await.map_err(HostError::clean)?;
            if facts.version != self.version {
                return Err(refuse(format!(
                    "mysqld {} is running, the plan expects {}",
                    facts.version, self.version
                )));
            }
            if membership::serves(&seen) {
                return Err(refuse(
                    "the server is still a member of its group; it must leave first",
                ));
            }
            host.mysql
                .set_fast_shutdown(if self.slow { 0 } else { 1 })
                .await
                .map_err(HostError::clean)?;
            if self.drain_s > 0 {
                writes::pause(host, cx, self.drain_s).await?;
            }
        }
        hold(host).await?;
        cx.phase.say(if self.slow {
            "slow shutdown: purging and merging everything"
        } else {
            "shutting down"
        });
        host.service.begin_stop().await.map_err(HostError::partial)
    }

    async fn already_running(&self, host: &Host) -> Result<Notes, Failure> {
        let facts = host.mysql.facts().await.map_err(HostError::clean)?;
        if facts.version != self.version {
            return Err(refuse(format!(
                "mysqld {} is running, {} was stopped",
                facts.version, self.version
            )));
        }
        release(host).await?;
        Ok(vec![format!("mysqld {} is running", facts.version)])
    }

    /// What would be started is what was stopped, on the data that it left.
    async fn require_own_version(&self, host: &Host, cx: &OpContext) -> Result<(), Failure> {
        let packages = host.packages.facts().await.map_err(HostError::clean)?;
        let installed = packages.installed_version().map_err(refuse)?;
        if installed.mysql_version().ok() != Some(self.version) || !packages.broken.is_empty() {
            return Err(refuse(format!(
                "the installed packages are {installed}, {} was stopped",
                self.version
            )));
        }
        if start_server::ran_on_other_version(host, cx).await? {
            return Err(refuse(
                "a new version has been started on the data directory and the snapshot has not been put back",
            ));
        }
        Ok(())
    }
}

async fn is_proved(cx: &OpContext) -> Result<bool, HostError> {
    Ok(cx.log.last_shutdown().await?.is_clean())
}

async fn hold(host: &Host) -> Result<(), Failure> {
    host.files.set_hold(true).await.map_err(HostError::partial)
}

async fn release(host: &Host) -> Result<(), Failure> {
    host.files.set_hold(false).await.map_err(HostError::partial)
}
