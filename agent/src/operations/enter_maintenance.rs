//! Puts the drop-ins in place: a restart then neither joins the group nor starts replicas nor takes writes, and the service
//! manager never kills a long shutdown or upgrade.

use super::{Action, Notes, OpContext, answering, maintenance, membership};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct EnterMaintenance;

#[async_trait]
impl Action for EnterMaintenance {
    async fn probe(&self, host: &Host, _: &OpContext) -> Result<Probe, Failure> {
        maintenance::probe(host, true).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        maintenance::put(host, cx).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        if maintenance::was_entered(cx).await? {
            answering::revived(host, cx).await?;
        }
        match maintenance::end(host, cx).await {
            // Not this step's doing, and nothing that repeating it would change: what becomes of the member is for the gates and a person.
            Err(failure) if membership::join::is_of_lower_version(&failure) => Ok(vec![format!(
                "out of maintenance, read-only and in no group, which does not take it back on this version: {}",
                failure.message
            )]),
            ended => ended,
        }
    }
}
