//! Lets writes in on a server that is in no group: its downtime ends.

use super::{Action, Notes, OpContext, writes};
use crate::host::Host;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct AllowWrites;

#[async_trait]
impl Action for AllowWrites {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        writes::probe(host, cx).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        writes::allow(host, cx).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        writes::forbid(host, cx).await
    }
}
