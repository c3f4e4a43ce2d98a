//! Starts the installed version, perhaps for the first time on this data directory; the undo stops it and puts the snapshot
//! back.
//!
//! Nothing is started without the verified snapshot of this rollout, and that it was started is durable before it is.

use super::context::refuse;
use super::{Action, Notes, OpContext, membership, snapshot_data, starting, stopping};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::observation::ServiceState;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::version::MysqlVersion;

/// Which snapshot holds the data from before the first start.
const WAY_BACK: &str = "way-back";

/// Whether this rollout has started another version on the data directory and not put the snapshot back.
pub async fn ran_on_other_version(host: &Host, cx: &OpContext) -> Result<bool, Failure> {
    let snapshot: Option<String> = cx.memory.get(WAY_BACK).await.map_err(HostError::clean)?;
    match snapshot {
        Some(name) => host.files.is_dirty(&name).await.map_err(HostError::clean),
        None => Ok(false),
    }
}

pub struct StartServer {
    pub version: MysqlVersion,
    pub snapshot: String,
}

#[async_trait]
impl Action for StartServer {
    async fn probe(&self, host: &Host, _: &OpContext) -> Result<Probe, Failure> {
        let state = host.service.state().await.map_err(HostError::clean)?;
        match state {
            ServiceState::Active => {
                let facts = host.mysql.facts().await.map_err(HostError::clean)?;
                let held = host.files.held().await.map_err(HostError::clean)?;
                Ok(if facts.version == self.version && !held {
                    Probe::Done
                } else {
                    Probe::Partial(format!("mysqld {} is running", facts.version))
                })
            }
            ServiceState::Activating | ServiceState::Deactivating => {
                Ok(Probe::Partial(format!("{state:?}").to_lowercase()))
            }
            ServiceState::Inactive | ServiceState::Failed => Ok(Probe::NotDone),
        }
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let state = host.service.state().await.map_err(HostError::clean)?;
        match state {
            ServiceState::Active => {
                let facts = host.mysql.facts().await.map_err(HostError::clean)?;
                if facts.version != self.version {
                    return Err(refuse(format!(
                        "mysqld {} is running, not {}",
                        facts.version, self.version
                    )));
                }
                // Up and held: an earlier try ended between the two.
                host.files
                    .set_hold(false)
                    .await
                    .map_err(HostError::partial)?;
                return Ok(vec![format!("mysqld {} was running", facts.version)]);
            }
            // Begun by an earlier try: the snapshot was verified and the start noted before it.
            ServiceState::Activating => return starting::resume(host, cx, self.version).await,
            ServiceState::Deactivating => return Err(refuse("mysqld is being stopped")),
            ServiceState::Inactive | ServiceState::Failed => {}
        }
        self.require_ready_to_start(host, cx).await?;
        let snapshot = cx.snapshot(&self.snapshot);
        cx.memory
            .put(WAY_BACK, &snapshot)
            .await
            .map_err(HostError::clean)?;
        host.files
            .set_dirty(&snapshot, true)
            .await
            .map_err(HostError::clean)?;
        starting::start(host, cx, self.version).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let snapshot = cx.snapshot(&self.snapshot);
        let dirty = host
            .files
            .is_dirty(&snapshot)
            .await
            .map_err(HostError::clean)?;
        let down = stopping::is_down(host).await.map_err(HostError::clean)?;
        if !dirty {
            // Every start of ours is noted before it happens.
            return if down {
                Ok(vec!["the new version was never started".to_owned()])
            } else {
                Err(refuse(
                    "mysqld is running, and this rollout did not start it",
                ))
            };
        }
        host.files
            .set_hold(true)
            .await
            .map_err(HostError::partial)?;
        if !down {
            stop(host, cx).await?;
        }
        put_back(host, cx, &snapshot).await?;
        Ok(vec![format!(
            "stopped, and the data directory of snapshot {snapshot} put back"
        )])
    }
}

impl StartServer {
    async fn require_ready_to_start(&self, host: &Host, cx: &OpContext) -> Result<(), Failure> {
        let packages = host.packages.facts().await.map_err(HostError::clean)?;
        let installed = packages.installed_version().map_err(refuse)?;
        if installed.mysql_version().ok() != Some(self.version) || !packages.broken.is_empty() {
            return Err(refuse(format!(
                "the installed packages are {installed}, the plan starts {}",
                self.version
            )));
        }
        if !host
            .files
            .in_maintenance()
            .await
            .map_err(HostError::clean)?
        {
            return Err(refuse(
                "the maintenance drop-ins are not in place: the server could join or take writes by itself",
            ));
        }
        let snapshot = cx.snapshot(&self.snapshot);
        let complete = host
            .files
            .verify_snapshot(&snapshot)
            .await
            .map_err(HostError::clean)?;
        if !complete || snapshot_data::is_outdated(cx).await? {
            return Err(Failure::clean(
                FailureCode::Snapshot,
                format!(
                    "snapshot {snapshot} is missing, incomplete or outdated: without it there is no way back"
                ),
            ));
        }
        Ok(())
    }
}

async fn stop(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    starting::wait_while_upgrading(host, cx).await?;
    // A server that does not answer is no member; one that does must have left.
    if let Ok(seen) = host.mysql.pulse().await {
        if membership::serves(&seen) {
            return Err(refuse(
                "the server is a member of its group; it must leave first",
            ));
        }
        // Its data is about to be replaced: nothing is won by a slow shutdown.
        if let Err(error) = host.mysql.set_fast_shutdown(1).await {
            tracing::info!(%error, "the shutdown may be slow");
        }
    }
    host.service
        .begin_stop()
        .await
        .map_err(HostError::partial)?;
    if stopping::wait_until_down(host, cx).await {
        Ok(())
    } else {
        Err(cx.out_of_time("the end of mysqld"))
    }
}

async fn put_back(host: &Host, cx: &OpContext, snapshot: &str) -> Result<(), Failure> {
    let complete = host
        .files
        .verify_snapshot(snapshot)
        .await
        .map_err(HostError::partial)?;
    if !complete {
        return Err(Failure::partial(
            FailureCode::Snapshot,
            format!(
                "snapshot {snapshot} is missing or incomplete: the data directory is left as it is"
            ),
        ));
    }
    cx.phase.say("putting the snapshot back");
    host.files
        .restore_snapshot(snapshot, &cx.phase)
        .await
        .map_err(HostError::partial)?;
    host.files
        .set_dirty(snapshot, false)
        .await
        .map_err(HostError::partial)
}
