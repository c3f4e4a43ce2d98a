//! A replica becomes the source. The plan's gates have seen that it has everything and that nobody takes writes.

use super::context::refuse;
use super::replication::{look, stop};
use super::{Action, Notes, OpContext, answering};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use std::time::Duration;

const AGAIN: Duration = Duration::from_millis(500);

pub struct PromoteReplica;

#[async_trait]
impl Action for PromoteReplica {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let writable = answering::pulse(host, cx).await?.writable();
        let seen = look(host, cx).await?;
        Ok(match (writable, seen.channels.is_empty()) {
            (true, true) => Probe::Done,
            (false, true) => Probe::Partial("replicates from nobody any more".to_owned()),
            (_, false) => Probe::NotDone,
        })
    }

    /// Everybody waits for it: what fails is tried again, until the order's time is up.
    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let patience = cx.patience(AGAIN, cx.deadline);
        loop {
            match promote(host, cx).await {
                Err(failure)
                    if failure.code != FailureCode::Precondition && patience.more().await =>
                {
                    cx.phase.say(failure.message);
                }
                ended => return ended,
            }
        }
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Err(refuse("writes have been handed over: there is no way back"))
    }
}

async fn promote(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let seen = look(host, cx).await?;
    if !seen.channels.is_empty() {
        if let Some(what) = stop::waiting(&seen)? {
            return Err(refuse(what));
        }
        cx.phase.say("STOP REPLICA");
        host.mysql
            .stop_replica()
            .await
            .map_err(HostError::partial)?;
        // What came in between the look and the stop would be thrown away with the channel.
        let seen = look(host, cx).await?;
        if let Some(what) = stop::waiting(&seen)? {
            host.mysql
                .start_replica()
                .await
                .map_err(HostError::partial)?;
            return Err(refuse(what));
        }
        cx.phase.say("RESET REPLICA ALL");
        host.mysql
            .forget_sources()
            .await
            .map_err(HostError::partial)?;
    }
    host.mysql
        .persist_read_only(false)
        .await
        .map_err(HostError::partial)?;
    if !answering::pulse(host, cx).await?.writable() {
        return Err(Failure::partial(
            FailureCode::Expectation,
            "the server takes no writes although read_only was set off (offline_mode?)",
        ));
    }
    Ok(vec!["takes the writes, after a restart too".to_owned()])
}
