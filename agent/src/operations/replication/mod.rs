//! Asynchronous replication: what several operations share. `IO_Running: Yes` proves nothing, so everything waits for threads that
//! run without an error and for transactions that are applied (MYSQL.md §3.4).

pub mod ensure;
pub mod start;
pub mod stop;

use super::context::refuse;
use super::{OpContext, answering};
use crate::host::{Host, HostError, Replication};
use refit_shared::observation::{ChannelDetail, ChannelFacts, ReplicationService};
use refit_shared::receipt::{Failure, FailureCode};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(50);
/// Whether the server replicated before this rollout stopped it, so that it does again whatever stops it in between.
const BEFORE: &str = "replicated-before";

/// Replication as the server tells, once it answers.
pub async fn look(host: &Host, cx: &OpContext) -> Result<Replication, Failure> {
    answering::pulse(host, cx).await?;
    host.mysql.replication().await.map_err(HostError::clean)
}

/// The same of a server that must be a replica.
async fn of_replica(host: &Host, cx: &OpContext) -> Result<Replication, Failure> {
    let seen = look(host, cx).await?;
    if seen.channels.is_empty() {
        return Err(refuse(format!(
            "{} replicates from nobody",
            cx.order.member
        )));
    }
    Ok(seen)
}

/// A channel's details; an agent reads them itself, so they are there.
fn detail(channel: &ChannelFacts) -> Result<&ChannelDetail, Failure> {
    channel
        .detail
        .require()
        .map_err(|why| refuse(format!("channel {:?}: {why}", channel.name)))
}

/// Both threads run, and the receiver knows its source: it says ON before it has asked for the source's version and server_uuid
/// (rpl_replica.cc, handle_slave_io), and may wait there for ever (MYSQL.md §3.4).
fn is_running(channel: &ChannelFacts) -> Result<bool, Failure> {
    let detail = detail(channel)?;
    Ok(detail.receiver.service == ReplicationService::On
        && detail.source_uuid.is_some()
        && detail.applier.service == ReplicationService::On)
}

fn is_stopped(channel: &ChannelFacts) -> Result<bool, Failure> {
    let detail = detail(channel)?;
    Ok(detail.receiver.service == ReplicationService::Off
        && detail.applier.service == ReplicationService::Off)
}

/// Remembers once, before this rollout changes anything, whether the server replicated. Not before is not after, either.
pub async fn remember(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let known: Option<bool> = cx.memory.get(BEFORE).await.map_err(HostError::clean)?;
    if known.is_some() {
        return Ok(());
    }
    let seen = look(host, cx).await?;
    let mut ran = false;
    for channel in &seen.channels {
        ran |= !is_stopped(channel)?;
    }
    set_remembered(cx, ran).await
}

async fn set_remembered(cx: &OpContext, ran: bool) -> Result<(), Failure> {
    cx.memory.put(BEFORE, &ran).await.map_err(HostError::clean)
}

/// From now on the server is one that replicates.
pub async fn remember_that_it_replicates(cx: &OpContext) -> Result<(), Failure> {
    set_remembered(cx, true).await
}

/// Whether it is to replicate outside maintenance.
pub async fn replicated_before(cx: &OpContext) -> Result<bool, Failure> {
    let known: Option<bool> = cx.memory.get(BEFORE).await.map_err(HostError::partial)?;
    Ok(known.unwrap_or(false))
}

fn failure(message: impl Into<String>) -> Failure {
    Failure::partial(FailureCode::Replication, message)
}

/// `channel "shop": `, for people; nothing for the default one.
fn named(channel: &ChannelFacts) -> String {
    if channel.name.is_empty() {
        String::new()
    } else {
        format!("channel {:?}: ", channel.name)
    }
}
