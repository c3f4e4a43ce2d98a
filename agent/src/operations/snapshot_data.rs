//! Takes the snapshot that going back rests on: the data directory and every path outside it, of a server that was shut down
//! cleanly and is held down.

use super::context::refuse;
use super::{Action, Notes, OpContext, stopping};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};

/// The old version has run again since the snapshot was taken (it was unwound and is gone forward with once more).
const OUTDATED: &str = "snapshot-outdated";

/// Says that the server is about to run on its own data again: a snapshot that was taken before is no longer the present.
pub async fn outdate(cx: &OpContext) -> Result<(), Failure> {
    cx.memory
        .put(OUTDATED, &true)
        .await
        .map_err(HostError::clean)
}

/// Whether the old version has run since the snapshot.
pub async fn is_outdated(cx: &OpContext) -> Result<bool, Failure> {
    let found: Option<bool> = cx.memory.get(OUTDATED).await.map_err(HostError::clean)?;
    Ok(found.unwrap_or(false))
}

pub struct SnapshotData {
    pub name: String,
}

#[async_trait]
impl Action for SnapshotData {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let name = cx.snapshot(&self.name);
        let complete = host
            .files
            .verify_snapshot(&name)
            .await
            .map_err(HostError::clean)?;
        Ok(match (complete, is_outdated(cx).await?) {
            (true, false) => Probe::Done,
            (true, true) => Probe::Partial("the server has run since the snapshot".to_owned()),
            (false, _) => Probe::NotDone,
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        stopping::require_held_down(host).await?;
        let name = cx.snapshot(&self.name);
        if host.files.is_dirty(&name).await.map_err(HostError::clean)? {
            return Err(refuse(
                "a new version has been started on this data directory: its snapshot must not be taken anew",
            ));
        }
        if is_outdated(cx).await? {
            host.files
                .drop_snapshot(&name)
                .await
                .map_err(HostError::clean)?;
            cx.memory
                .put(OUTDATED, &false)
                .await
                .map_err(HostError::clean)?;
        }
        cx.phase.say("taking the snapshot");
        let method = host
            .files
            .take_snapshot(&name, &cx.phase)
            .await
            .map_err(HostError::clean)?;
        cx.phase.say("verifying the snapshot");
        let complete = host
            .files
            .verify_snapshot(&name)
            .await
            .map_err(HostError::clean)?;
        if !complete {
            return Err(Failure::clean(
                FailureCode::Snapshot,
                format!("snapshot {name} is not what its manifest says"),
            ));
        }
        Ok(vec![format!(
            "snapshot {name} taken and verified ({method:?})"
        )])
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Ok(vec![
            "the snapshot is kept until the rollout is finalized".to_owned(),
        ])
    }
}
