//! Starting replication, and seeing that it really goes: connected, without an error, and what had waited applied.

use super::{EVERY, detail, failure, is_running, look, named, of_replica};
use crate::host::{Host, HostError, Replication};
use crate::operations::{Notes, OpContext};
use refit_shared::observation::{ChannelDetail, ChannelFacts, ReplicationService};
use refit_shared::receipt::{Failure, Probe};
use std::time::Duration;
use tokio::time::Instant;

/// A queue that is never quite empty under load counts as applied below this; the gates of the plan judge the topology after it.
const NEGLIGIBLE: u64 = 50;

pub async fn probe(host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
    let seen = of_replica(host, cx).await?;
    for channel in &seen.channels {
        if !is_running(channel)? {
            return Ok(Probe::NotDone);
        }
    }
    Ok(match waiting(&seen)? {
        0..=NEGLIGIBLE => Probe::Done,
        left => Probe::Partial(format!("replicates, {left} transactions wait")),
    })
}

fn waiting(seen: &Replication) -> Result<u64, Failure> {
    let mut left = 0;
    for channel in &seen.channels {
        let detail = detail(channel)?;
        if detail.delay_s == 0 {
            left += detail.received.subtract(&seen.executed).count();
        }
    }
    Ok(left)
}

pub async fn start(host: &Host, cx: &OpContext, catch_up_s: u32) -> Result<Notes, Failure> {
    of_replica(host, cx).await?;
    cx.phase.say("START REPLICA");
    host.mysql
        .start_replica()
        .await
        .map_err(HostError::partial)?;
    let began = Instant::now();
    connected(host, cx).await?;
    let until = Instant::now() + Duration::from_secs(u64::from(catch_up_s));
    let patience = cx.patience(EVERY, until);
    loop {
        let seen = host.mysql.replication().await.map_err(HostError::partial)?;
        errors(&seen)?;
        let left = waiting(&seen)?;
        if left <= NEGLIGIBLE {
            return Ok(vec![format!(
                "replicates and has caught up, after {} ms",
                began.elapsed().as_millis()
            )]);
        }
        cx.phase
            .say(format!("{left} transactions wait to be applied"));
        if !patience.more().await {
            return Err(failure(format!(
                "replicates, but {left} transactions still wait to be applied after {catch_up_s} s"
            )));
        }
    }
}

/// Until every channel's threads run.
pub async fn connected(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let patience = cx.patience(EVERY, cx.deadline);
    loop {
        let seen = look(host, cx).await?;
        errors(&seen)?;
        let mut why = None;
        for channel in &seen.channels {
            if !is_running(channel)? {
                let state = not_running(detail(channel)?);
                why = why.or(Some(format!("{}{state}", named(channel))));
            }
        }
        let Some(why) = why else {
            return Ok(());
        };
        cx.phase.say(why.clone());
        if !patience.more().await {
            return Err(failure(format!("replication did not begin in time: {why}")));
        }
    }
}

/// Why a channel does not count as running, for people.
fn not_running(detail: &ChannelDetail) -> String {
    let threads = [("receiver", &detail.receiver), ("applier", &detail.applier)];
    let off = threads
        .into_iter()
        .find(|(_, thread)| thread.service != ReplicationService::On);
    let Some((what, thread)) = off else {
        return "the receiver is connected and has not yet learnt who its source is".to_owned();
    };
    let error = match thread.errno {
        0 => String::new(),
        errno => format!(" (error {errno}: {})", thread.error),
    };
    format!("the {what} is {}{error}", thread.service.as_str())
}

/// A thread that has ended with an error. One that tries to connect may still succeed.
fn errors(seen: &Replication) -> Result<(), Failure> {
    let ended = |channel: &ChannelFacts| -> Result<Option<String>, Failure> {
        let detail = detail(channel)?;
        let threads = [("receiver", &detail.receiver), ("applier", &detail.applier)];
        let ended = threads
            .into_iter()
            .find(|(_, thread)| thread.service == ReplicationService::Off && thread.errno != 0);
        Ok(ended.map(|(what, thread)| {
            format!(
                "{}the {what} has stopped: error {}, {}",
                named(channel),
                thread.errno,
                thread.error
            )
        }))
    };
    for channel in &seen.channels {
        if let Some(why) = ended(channel)? {
            return Err(failure(why));
        }
    }
    Ok(())
}
