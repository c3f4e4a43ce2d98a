//! Forward: sees that this member is the primary. Undo: gives it the role back.

use super::{Action, Notes, OpContext, membership};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::ids::ServerUuid;
use refit_shared::receipt::{Failure, FailureCode, Probe};

pub struct KeepPrimary {
    pub uuid: ServerUuid,
}

#[async_trait]
impl Action for KeepPrimary {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        membership::is_writing_primary(host, cx, &self.uuid).await
    }

    async fn perform(&self, _: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        // Asked only when the probe found otherwise: the plan was made for another world.
        Err(Failure::clean(
            FailureCode::GroupPrimary,
            format!("{} is not the writable primary", cx.order.member),
        ))
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        match membership::is_writing_primary(host, cx, &self.uuid).await? {
            Probe::Done => Ok(vec!["is the primary".to_owned()]),
            Probe::NotDone | Probe::Partial(_) => membership::appoint(host, cx, &self.uuid).await,
        }
    }
}
