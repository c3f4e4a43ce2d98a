//! Joins the group, and waits until the member is ONLINE and has caught up.

use super::{Action, Notes, OpContext, answering, membership};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::observation::{MemberState, ServiceState};
use refit_shared::receipt::{Failure, Probe};

/// A member that has only just come back has nothing of its own to drain when it leaves again.
const UNDO_DRAIN_S: u32 = 10;

pub struct JoinGroup {
    pub drain_s: u32,
}

#[async_trait]
impl Action for JoinGroup {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let Some(seen) = answering::pulse_if_up(host, cx).await? else {
            return Ok(Probe::NotDone);
        };
        Ok(match seen.state {
            Some(MemberState::Online) if seen.applier_queue == 0 => Probe::Done,
            Some(MemberState::Online) => Probe::Partial(format!(
                "ONLINE, {} transactions wait to be applied",
                seen.applier_queue
            )),
            Some(state @ (MemberState::Recovering | MemberState::Error)) => {
                Probe::Partial(state.as_str().to_owned())
            }
            Some(MemberState::Offline | MemberState::Unreachable) | None => Probe::NotDone,
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        membership::join::join(host, cx, self.drain_s).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let state = host.service.state().await.map_err(HostError::clean)?;
        if matches!(state, ServiceState::Inactive | ServiceState::Failed) {
            return Ok(vec!["mysqld is not running".to_owned()]);
        }
        membership::leave::leave(host, cx, UNDO_DRAIN_S).await
    }
}
