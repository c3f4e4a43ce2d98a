//! Leaves the group as its last member: from then on there is none, and nobody takes writes. The undo begins it again.

use super::context::refuse;
use super::{Action, Notes, OpContext, answering, membership};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::observation::MemberState;
use refit_shared::receipt::{Failure, Probe};

pub struct DissolveGroup {
    pub drain_s: u32,
}

pub async fn probe(host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
    let seen = answering::pulse(host, cx).await?;
    Ok(membership::how_far_out(&seen))
}

#[async_trait]
impl Action for DissolveGroup {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        probe(host, cx).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let seen = answering::pulse(host, cx).await?;
        if !membership::is_out(&seen) {
            let view = host.mysql.group().await.map_err(HostError::clean)?;
            let own = host.mysql.uuid().await.map_err(HostError::clean)?;
            let members = view.map_or_else(Vec::new, |group| group.members);
            // Whom it can't reach a gate of the plan has seen to be out.
            let serving = members.iter().find(|m| {
                m.uuid != own && matches!(m.state, MemberState::Online | MemberState::Recovering)
            });
            if let Some(other) = serving {
                return Err(refuse(format!(
                    "{} is {} in the group; it must leave before the group is dissolved",
                    other.host,
                    other.state.as_str()
                )));
            }
        }
        membership::leave::leave(host, cx, self.drain_s).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        membership::bootstrap::bootstrap(host, cx).await
    }
}
