//! Takes the maintenance drop-ins away, once the member serves again.

use super::{Action, Notes, OpContext, answering, maintenance};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct LeaveMaintenance;

#[async_trait]
impl Action for LeaveMaintenance {
    async fn probe(&self, host: &Host, _: &OpContext) -> Result<Probe, Failure> {
        maintenance::probe(host, false).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        // Out of maintenance a restart joins by itself: only a server that runs and answers may be let go.
        answering::pulse(host, cx).await?;
        maintenance::end(host, cx).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        maintenance::put(host, cx).await
    }
}
