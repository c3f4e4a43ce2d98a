//! Stops taking part in the group; a primary hands its role over by this.

use super::{Action, Notes, OpContext, answering, membership};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct LeaveGroup {
    pub drain_s: u32,
}

#[async_trait]
impl Action for LeaveGroup {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let Some(seen) = answering::pulse_if_up(host, cx).await? else {
            return Ok(Probe::Partial("mysqld is down".to_owned()));
        };
        Ok(membership::how_far_out(&seen))
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        membership::leave::leave(host, cx, self.drain_s).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        answering::revived(host, cx).await?;
        // How far it caught up is for the gates to judge; what was waited for on the way out bounds the way back as well.
        membership::join::join(host, cx, cx.order.deadline_s).await
    }
}
