//! Makes this member the primary, where the group's rules allow it.

use super::{Action, Notes, OpContext, membership};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::ids::ServerUuid;
use refit_shared::receipt::{Failure, Probe};

pub struct AppointPrimary {
    pub uuid: ServerUuid,
}

#[async_trait]
impl Action for AppointPrimary {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        membership::is_writing_primary(host, cx, &self.uuid).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        membership::appoint(host, cx, &self.uuid).await
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Ok(vec!["the primary role stays where it is".to_owned()])
    }
}
