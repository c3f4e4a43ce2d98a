//! Pauses writes on a source, on a lease.

use super::{Action, Notes, OpContext, answering, writes};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};
use std::time::Duration;

pub struct PauseWrites {
    pub drain_s: u32,
    pub lease_s: u32,
}

#[async_trait]
impl Action for PauseWrites {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let closed = !answering::pulse(host, cx).await?.writable();
        let held = cx.lease.is_held_by(&cx.order.id.rollout);
        Ok(match (closed, held.await.map_err(HostError::clean)?) {
            // What is in flight may still be on its way; to look for it again costs nothing.
            (true, true) => Probe::Partial("paused".to_owned()),
            (false, true) => Probe::Partial("announced".to_owned()),
            (_, false) => Probe::NotDone,
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let lease = Duration::from_secs(u64::from(self.lease_s));
        cx.lease
            .begin(&cx.order.id.rollout, lease)
            .await
            .map_err(HostError::clean)?;
        match writes::pause(host, cx, self.drain_s).await {
            Ok(mut notes) => {
                notes.push(format!("a lease of {} s", self.lease_s));
                Ok(notes)
            }
            // Where writes could not be let in again the lease does it.
            Err(failure) if failure.partial => Err(failure),
            Err(failure) => {
                cx.lease.end().await.map_err(HostError::partial)?;
                Err(failure)
            }
        }
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        writes::allow(host, cx).await
    }
}
