//! Both ways: sees that the server replicates, and lets a receiver that waits or has given up try again.

use super::replication::ensure;
use super::{Action, Notes, OpContext};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct KeepReplica;

#[async_trait]
impl Action for KeepReplica {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        ensure::probe(host, cx).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        ensure::ensure(host, cx).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        ensure::ensure(host, cx).await
    }
}
