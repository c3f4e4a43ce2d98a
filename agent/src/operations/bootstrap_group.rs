//! Begins the group anew with this member; the others join it. The undo ends the group again.

use super::dissolve_group::{self, DissolveGroup};
use super::{Action, Notes, OpContext, membership};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::observation::ServiceState;
use refit_shared::receipt::{Failure, Probe};

/// What is in flight on a group that was begun a moment ago, in seconds.
const UNDO_DRAIN_S: u32 = 10;

pub struct BootstrapGroup;

#[async_trait]
impl Action for BootstrapGroup {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        Ok(match dissolve_group::probe(host, cx).await? {
            Probe::Done => Probe::NotDone,
            // Performing it again sees to it that bootstrap_group is OFF.
            Probe::NotDone => Probe::Partial("in a group".to_owned()),
            Probe::Partial(found) => Probe::Partial(found),
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        membership::bootstrap::bootstrap(host, cx).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let state = host.service.state().await.map_err(HostError::clean)?;
        if matches!(state, ServiceState::Inactive | ServiceState::Failed) {
            return Ok(vec!["mysqld is not running".to_owned()]);
        }
        let dissolve = DissolveGroup {
            drain_s: UNDO_DRAIN_S,
        };
        dissolve.perform(host, cx).await
    }
}
