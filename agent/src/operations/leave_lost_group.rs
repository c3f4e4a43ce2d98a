//! Out of a group that has lost its majority: nobody in it can commit, and it can't be begun again before all have left it.
//!
//! Both ways alike. Who is in no group is only seen to be read-only.

use super::context::refuse;
use super::{Action, Notes, OpContext, answering, membership};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct LeaveLostGroup;

#[async_trait]
impl Action for LeaveLostGroup {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let Some(seen) = answering::pulse_if_up(host, cx).await? else {
            return Ok(Probe::Partial("mysqld is down".to_owned()));
        };
        Ok(membership::how_far_out(&seen))
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let seen = answering::pulse(host, cx).await?;
        if membership::serves(&seen) {
            let view = host.mysql.group().await.map_err(HostError::clean)?;
            let members = view.map_or_else(Vec::new, |group| group.members);
            if refit_shared::observation::has_majority(&members) {
                return Err(refuse(format!(
                    "the group of {} has its majority ({} members): it is not lost",
                    cx.order.member,
                    members.len()
                )));
            }
        }
        membership::leave::leave_lost(host, cx).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        answering::revived(host, cx).await?;
        self.perform(host, cx).await
    }
}
