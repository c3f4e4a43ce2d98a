//! The write pause of a source becomes lasting: another server may take the writes now.

use super::context::refuse;
use super::{Action, Notes, OpContext, answering, writes};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct DemoteSource;

#[async_trait]
impl Action for DemoteSource {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let closed = !answering::pulse(host, cx).await?.writable();
        let lasting = cx.lease.is_lasting(&cx.order.id.rollout);
        Ok(match (lasting.await.map_err(HostError::clean)?, closed) {
            (true, true) => Probe::Done,
            (true, false) => Probe::Partial("demoted, and somebody has let writes in".to_owned()),
            (false, _) => Probe::NotDone,
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        if answering::pulse(host, cx).await?.writable() {
            return Err(refuse("the server takes writes: the pause has ended"));
        }
        let lasting = cx.lease.make_lasting(&cx.order.id.rollout).await;
        if !lasting.map_err(HostError::partial)? {
            return Err(refuse(
                "the write pause has run out: what was proved while it held may no longer be so",
            ));
        }
        Ok(vec!["stays read-only".to_owned()])
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        writes::allow(host, cx).await
    }
}
