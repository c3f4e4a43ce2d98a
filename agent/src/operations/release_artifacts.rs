//! Deletes what going back would need: the snapshot, the directories set aside, the package cache. Can't be undone.

use super::context::refuse;
use super::{Action, Notes, OpContext};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::observation::ServiceState;
use refit_shared::receipt::{Failure, Probe};

pub struct ReleaseArtifacts {
    pub snapshot: String,
}

#[async_trait]
impl Action for ReleaseArtifacts {
    async fn probe(&self, _: &Host, _: &OpContext) -> Result<Probe, Failure> {
        // Deleting what is gone costs nothing; looking for every trace would cost more.
        Ok(Probe::NotDone)
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let state = host.service.state().await.map_err(HostError::clean)?;
        let held = host.files.held().await.map_err(HostError::clean)?;
        if state != ServiceState::Active || held {
            return Err(refuse(
                format!(
                    "mysqld is {state:?}{}: the snapshot may still be needed",
                    if held { " and held down" } else { "" }
                )
                .to_lowercase(),
            ));
        }
        host.mysql.pulse().await.map_err(HostError::clean)?;
        let snapshot = cx.snapshot(&self.snapshot);
        cx.phase.say("deleting the snapshot");
        host.files
            .drop_snapshot(&snapshot)
            .await
            .map_err(HostError::partial)?;
        host.files
            .set_dirty(&snapshot, false)
            .await
            .map_err(HostError::partial)?;
        host.packages
            .drop_fetched()
            .await
            .map_err(HostError::partial)?;
        cx.memory.clear().await.map_err(HostError::partial)?;
        Ok(vec![format!(
            "snapshot {snapshot} and package cache deleted"
        )])
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Err(refuse("what has been deleted can't be brought back"))
    }
}
