//! Takes the maintenance drop-ins away, once the member serves again.

use super::{Action, Notes, OpContext, answering, maintenance};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use std::time::Duration;
use tokio::time::Instant;

/// On a source everybody waits for the step behind this one: what fails is tried again, for so long.
const TRY_FOR: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(500);

pub struct LeaveMaintenance;

#[async_trait]
impl Action for LeaveMaintenance {
    async fn probe(&self, host: &Host, _: &OpContext) -> Result<Probe, Failure> {
        maintenance::probe(host, false).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        // Out of maintenance a restart joins by itself: only a server that runs and answers may be let go.
        answering::anew(host, cx).await?;
        let patience = cx.patience(AGAIN, Instant::now() + TRY_FOR);
        loop {
            match maintenance::take_away(host, cx).await {
                Err(failure)
                    if failure.code != FailureCode::Precondition && patience.more().await =>
                {
                    cx.phase.say(failure.message);
                }
                ended => return ended,
            }
        }
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        maintenance::put(host, cx).await
    }
}
