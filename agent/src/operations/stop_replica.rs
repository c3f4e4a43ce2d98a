//! Stops replicating, with all that was received applied.

use super::replication::{start, stop};
use super::{Action, Notes, OpContext, answering};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct StopReplica {
    pub drain_s: u32,
}

#[async_trait]
impl Action for StopReplica {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        stop::probe(host, cx).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        stop::stop(host, cx, self.drain_s).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        answering::revived(host, cx).await?;
        start::start(host, cx, cx.order.deadline_s).await
    }
}
