//! Forward: sees that the server takes writes. Undo: lets them in again.

use super::{Action, Notes, OpContext, writes};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};

pub struct KeepWritable;

#[async_trait]
impl Action for KeepWritable {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        writes::probe(host, cx).await
    }

    async fn perform(&self, _: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        // Asked only when the probe found otherwise: the plan was made for another world.
        Err(Failure::clean(
            FailureCode::Precondition,
            format!("{} takes no writes", cx.order.member),
        ))
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        writes::allow(host, cx).await
    }
}
