//! Replicates from another server from now on, and stays read-only.

use super::context::refuse;
use super::replication::{look, remember_that_it_replicates, start};
use super::{Action, Notes, OpContext, answering};
use crate::host::{Host, HostError, Replication};
use async_trait::async_trait;
use refit_shared::observation::ReplicationService;
use refit_shared::operation::SourceAddress;
use refit_shared::receipt::{Failure, FailureCode, Probe};

pub struct FollowSource {
    pub source: SourceAddress,
}

impl FollowSource {
    /// The channel reads from where it shall, as far as it is set up.
    fn is_set(&self, seen: &Replication) -> bool {
        let mine = seen.channels.iter().find(|c| c.name == self.source.channel);
        mine.is_some_and(|channel| {
            let port = channel.detail.known().map(|detail| detail.source_port);
            channel.source_host == self.source.host && port == Some(self.source.port)
        })
    }

    fn follows(&self, seen: &Replication) -> bool {
        let mine = seen.channels.iter().find(|c| c.name == self.source.channel);
        let detail = mine.and_then(|channel| channel.detail.known());
        self.is_set(seen)
            && detail.is_some_and(|detail| {
                detail.source_uuid.as_ref() == Some(&self.source.uuid)
                    && detail.receiver.service == ReplicationService::On
                    && detail.applier.service == ReplicationService::On
            })
    }
}

#[async_trait]
impl Action for FollowSource {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let closed = !answering::pulse(host, cx).await?.writable();
        let seen = look(host, cx).await?;
        let lasting = cx.lease.is_lasting(&cx.order.id.rollout);
        let lasting = lasting.await.map_err(HostError::clean)?;
        Ok(match self.follows(&seen) {
            true if closed && !lasting => Probe::Done,
            true => Probe::Partial("follows it already".to_owned()),
            false => Probe::NotDone,
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let seen = look(host, cx).await?;
        host.mysql
            .persist_read_only(true)
            .await
            .map_err(HostError::partial)?;
        remember_that_it_replicates(cx).await?;
        if !self.follows(&seen) {
            if !seen.channels.is_empty() {
                cx.phase.say("STOP REPLICA");
                host.mysql
                    .stop_replica()
                    .await
                    .map_err(HostError::partial)?;
            }
            if !self.is_set(&seen) {
                cx.phase.say("CHANGE REPLICATION SOURCE");
                let known = seen.channels.iter().any(|c| c.name == self.source.channel);
                host.mysql
                    .change_source(&self.source, known)
                    .await
                    .map_err(HostError::partial)?;
            }
            host.mysql
                .start_replica()
                .await
                .map_err(HostError::partial)?;
            start::connected(host, cx).await?;
            let now = look(host, cx).await?;
            if !self.follows(&now) {
                return Err(Failure::partial(
                    FailureCode::Replication,
                    format!(
                        "{}:{} is another server than {}",
                        self.source.host, self.source.port, self.source.uuid
                    ),
                ));
            }
        }
        // Whatever pause of writes it had handed over with: it is a replica now.
        cx.lease.end().await.map_err(HostError::partial)?;
        Ok(vec![format!(
            "replicates from {}:{} and stays read-only",
            self.source.host, self.source.port
        )])
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Err(refuse("writes have been handed over: there is no way back"))
    }
}
