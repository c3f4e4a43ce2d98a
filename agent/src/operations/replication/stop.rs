//! Stopping replication with the relay logs applied: receivers first, then what was received, then the appliers.

use super::{EVERY, detail, failure, is_running, is_stopped, named, of_replica, remember};
use crate::host::{Host, HostError, Replication};
use crate::operations::{Notes, OpContext};
use refit_shared::observation::ReplicationService;
use refit_shared::receipt::{Failure, Probe};
use std::time::Duration;
use tokio::time::Instant;

pub async fn probe(host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
    let seen = of_replica(host, cx).await?;
    let mut all = true;
    for channel in &seen.channels {
        all &= is_stopped(channel)?;
    }
    Ok(match (all, waiting(&seen)?) {
        (true, None) => Probe::Done,
        (true, Some(what)) => Probe::Partial(format!("stopped, {what}")),
        (false, _) => Probe::NotDone,
    })
}

/// What has been received and is not applied, `None`: nothing. On a replica that is delayed on purpose it is left, and is
/// fetched again by its GTIDs.
pub fn waiting(seen: &Replication) -> Result<Option<String>, Failure> {
    for channel in &seen.channels {
        let detail = detail(channel)?;
        let left = detail.received.subtract(&seen.executed).count();
        if left > 0 && !(detail.delay_s > 0 && detail.auto_position) {
            return Ok(Some(format!(
                "{}{left} transactions wait to be applied",
                named(channel)
            )));
        }
    }
    Ok(None)
}

pub async fn stop(host: &Host, cx: &OpContext, drain_s: u32) -> Result<Notes, Failure> {
    of_replica(host, cx).await?;
    remember(host, cx).await?;
    let began = Instant::now();
    cx.phase.say("STOP REPLICA IO_THREAD");
    host.mysql
        .stop_receivers()
        .await
        .map_err(HostError::partial)?;
    match drained(host, cx, drain_s).await {
        Ok(()) => {
            cx.phase.say("STOP REPLICA");
            host.mysql
                .stop_replica()
                .await
                .map_err(HostError::partial)?;
            Ok(vec![format!(
                "stopped with all that was received applied, after {} ms",
                began.elapsed().as_millis()
            )])
        }
        Err(mut why) => {
            match host.mysql.start_replica().await {
                Ok(()) => why.message.push_str("; it replicates again"),
                Err(error) => why
                    .message
                    .push_str(&format!("; AND IT COULD NOT BE STARTED AGAIN: {error}")),
            }
            Err(why)
        }
    }
}

async fn drained(host: &Host, cx: &OpContext, drain_s: u32) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_secs(u64::from(drain_s));
    let patience = cx.patience(EVERY, until);
    let mut started = false;
    loop {
        let seen = host.mysql.replication().await.map_err(HostError::partial)?;
        let Some(what) = waiting(&seen)? else {
            return Ok(());
        };
        for channel in &seen.channels {
            let applier = &detail(channel)?.applier;
            if applier.errno != 0 {
                return Err(failure(format!(
                    "{}the applier has stopped: error {}, {}",
                    named(channel),
                    applier.errno,
                    applier.error
                )));
            }
            if applier.service == ReplicationService::Off && !started {
                // As after a reboot in maintenance: nobody applies what is left.
                host.mysql
                    .start_appliers()
                    .await
                    .map_err(HostError::partial)?;
                started = true;
            }
        }
        cx.phase.say(format!("waiting: {what}"));
        if !patience.more().await {
            return Err(failure(format!("not drained within {drain_s} s: {what}")));
        }
    }
}

/// Stops at once: the way back.
pub async fn halt(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let seen = super::look(host, cx).await?;
    let mut running = false;
    for channel in &seen.channels {
        running |= is_running(channel)? || !is_stopped(channel)?;
    }
    if running {
        host.mysql
            .stop_replica()
            .await
            .map_err(HostError::partial)?;
    }
    Ok(vec!["replication is stopped".to_owned()])
}
