//! Seeing that a replica goes on when the server above it was away: a receiver waits SOURCE_CONNECT_RETRY seconds between two
//! tries, and gives up after SOURCE_RETRY_COUNT of them. What a person has stopped is left stopped.

use super::{detail, failure, is_running, named, of_replica};
use crate::host::{Host, HostError, Replication};
use crate::operations::context::refuse;
use crate::operations::{Notes, OpContext};
use refit_shared::observation::ReplicationService;
use refit_shared::receipt::{Failure, Probe};
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_millis(200);
/// A receiver that has just been started is given so long before it is started anew.
const ANEW_AFTER: Duration = Duration::from_secs(3);
/// For how long a thread that is off counts as on its way: a server that has just started begins to replicate by itself.
const STARTS_WITHIN: Duration = Duration::from_secs(15);

pub async fn probe(host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
    let seen = of_replica(host, cx).await?;
    for channel in &seen.channels {
        if !is_running(channel)? {
            return Ok(Probe::NotDone);
        }
    }
    Ok(Probe::Done)
}

pub async fn ensure(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let began = Instant::now();
    let mut tried: Option<Instant> = None;
    let patience = cx.patience(EVERY, cx.deadline);
    loop {
        let seen = of_replica(host, cx).await?;
        let state = judge(&seen)?;
        match state {
            State::Goes => {
                return Ok(vec![match tried {
                    Some(_) => {
                        format!("replicates again, after {} ms", began.elapsed().as_millis())
                    }
                    None => "replicates".to_owned(),
                }]);
            }
            State::Waits(why) => {
                if tried.is_none_or(|at| at.elapsed() >= ANEW_AFTER) {
                    tried = Some(Instant::now());
                    host.mysql
                        .stop_receivers()
                        .await
                        .map_err(HostError::partial)?;
                    host.mysql
                        .start_receivers()
                        .await
                        .map_err(HostError::partial)?;
                }
                cx.phase.say(why);
            }
            State::Stopped(why) if tried.is_none() && began.elapsed() >= STARTS_WITHIN => {
                return Err(refuse(format!(
                    "{why}, and Refit has not stopped it: find out who has and why; then START REPLICA"
                )));
            }
            State::Stopped(why) => cx.phase.say(why),
        }
        if !patience.more().await {
            return Err(failure(match judge(&seen)? {
                State::Goes => unreachable!("it was seen not to go just now"),
                State::Waits(why) | State::Stopped(why) => why,
            }));
        }
    }
}

enum State {
    Goes,
    /// The receiver tries to connect, or has given up.
    Waits(String),
    /// Off without an error.
    Stopped(String),
}

fn judge(seen: &Replication) -> Result<State, Failure> {
    let mut state = State::Goes;
    for channel in &seen.channels {
        let detail = detail(channel)?;
        let (receiver, applier) = (&detail.receiver, &detail.applier);
        if applier.service == ReplicationService::Off && applier.errno != 0 {
            return Err(failure(format!(
                "{}the applier has stopped: error {}, {}",
                named(channel),
                applier.errno,
                applier.error
            )));
        }
        let off = receiver.service == ReplicationService::Off;
        if applier.service == ReplicationService::Off || (off && receiver.errno == 0) {
            return Ok(State::Stopped(format!(
                "{}replication is stopped",
                named(channel)
            )));
        }
        if receiver.service != ReplicationService::On {
            state = State::Waits(format!(
                "{}the receiver is {} (error {}: {})",
                named(channel),
                receiver.service.as_str(),
                receiver.errno,
                receiver.error
            ));
        }
    }
    Ok(state)
}
