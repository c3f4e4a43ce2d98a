//! Whether a server that is in no group takes writes: pausing them before it is stopped, and letting them in again.
//!
//! In a group the plugin decides who may write (see [`super::membership`]); nothing here touches a member of one, or a replica.

use super::context::refuse;
use super::{Notes, OpContext, answering, seclusion};
use crate::host::{Host, HostError};
use refit_shared::receipt::{Failure, FailureCode, Probe};
use std::time::Duration;
use tokio::time::Instant;

/// Every millisecond of a pause is downtime.
const EAGER: Duration = Duration::from_millis(5);
/// Between two tries to let writes in, and for how long it is tried.
const CALM: Duration = Duration::from_millis(500);
const ALLOW_FOR: Duration = Duration::from_secs(60);

/// Refuses where somebody else decides who may write.
async fn require_standalone(host: &Host) -> Result<(), Failure> {
    let facts = host.mysql.facts().await.map_err(HostError::clean)?;
    if facts.group.require().map_err(refuse)?.is_some() {
        return Err(refuse(
            "the server is set up for a group, and the group decides who may write",
        ));
    }
    let channels = facts.channels.require().map_err(refuse)?;
    if let Some(channel) = channels.iter().find(|c| c.receiving || c.applying) {
        return Err(refuse(format!(
            "the server replicates from {} (channel {:?}): a replica must not take writes of its own",
            channel.source_host, channel.name
        )));
    }
    Ok(())
}

/// Looks whether writes are let in.
pub async fn probe(host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
    let seen = answering::pulse(host, cx).await?;
    Ok(if seen.writable() {
        Probe::Done
    } else {
        Probe::NotDone
    })
}

/// Lets writes in. Everybody waits for it: what fails is tried again, until the order's time is up.
pub async fn allow(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let patience = cx.patience(CALM, Instant::now() + ALLOW_FOR);
    loop {
        match try_allow(host, cx).await {
            Err(failure) if failure.code != FailureCode::Precondition && patience.more().await => {
                cx.phase.say(failure.message);
            }
            ended => return ended,
        }
    }
}

async fn try_allow(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let seen = answering::revived(host, cx).await?;
    if seen.writable() {
        cx.lease.end().await.map_err(HostError::partial)?;
        return Ok(vec!["takes writes".to_owned()]);
    }
    require_standalone(host).await?;
    seclusion::require_over(host, cx).await?;
    set(host, false).await?;
    // Only now: until writes are let in, a lease that runs out does it.
    cx.lease.end().await.map_err(HostError::partial)?;
    Ok(vec!["writes are let in".to_owned()])
}

/// Keeps writes out, at once.
pub async fn forbid(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    answering::pulse(host, cx).await?;
    require_standalone(host).await?;
    set(host, true).await?;
    Ok(vec!["super_read_only".to_owned()])
}

/// Pauses writes and waits until what is in flight has ended. Where that does not happen in time, writes are let in again.
pub async fn pause(host: &Host, cx: &OpContext, drain_s: u32) -> Result<Notes, Failure> {
    require_standalone(host).await?;
    cx.phase.say("super_read_only");
    let began = Instant::now();
    set(host, true).await?;
    let patience = cx.patience(EAGER, began + Duration::from_secs(u64::from(drain_s)));
    let why = loop {
        let waiting = match host.mysql.writing_transactions().await {
            Ok(0) => {
                let took = began.elapsed().as_millis();
                return Ok(vec![format!("drained within {took} ms")]);
            }
            Ok(count) => format!("{count} transactions that have written"),
            Err(error) => error.to_string(),
        };
        cx.phase.say(format!("waiting: {waiting}"));
        if !patience.more().await {
            break format!("not drained within {drain_s} s: {waiting}");
        }
    };
    match set(host, false).await {
        Ok(()) => Err(Failure::clean(
            FailureCode::Precondition,
            format!("{why}; writes are let in again"),
        )),
        Err(error) => Err(Failure::partial(
            FailureCode::Precondition,
            format!(
                "{why}; AND WRITES COULD NOT BE LET IN AGAIN ({}): run SET GLOBAL read_only=OFF on {}",
                error.message, cx.order.member
            ),
        )),
    }
}

async fn set(host: &Host, read_only: bool) -> Result<(), Failure> {
    host.mysql
        .set_super_read_only(read_only)
        .await
        .map_err(HostError::partial)
}
