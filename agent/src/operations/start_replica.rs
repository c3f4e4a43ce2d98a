//! Replicates again, and sees that it really does.

use super::replication::{start, stop};
use super::{Action, Notes, OpContext};
use crate::host::{Host, HostError};
use crate::operations::stopping;
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct StartReplica {
    pub catch_up_s: u32,
}

#[async_trait]
impl Action for StartReplica {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        start::probe(host, cx).await
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        start::start(host, cx, self.catch_up_s).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        if stopping::is_down(host).await.map_err(HostError::clean)? {
            return Ok(vec!["the server is down".to_owned()]);
        }
        stop::halt(host, cx).await
    }
}
