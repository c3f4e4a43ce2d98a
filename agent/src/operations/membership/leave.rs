//! Leaving the group: super_read_only, what is in flight drained, STOP GROUP_REPLICATION.
//!
//! On a primary this is the hand-over, and all of it is a write gap: between the pause and the STOP nothing is waited for but
//! transactions that have written.

use super::{CALM, EAGER, is_out, pause};
use crate::host::{Host, HostError};
use crate::operations::answering;
use crate::operations::context::refuse;
use crate::operations::{Notes, OpContext};
use refit_shared::observation::MemberState;
use refit_shared::receipt::{Failure, FailureCode};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to look for what became of a STOP that did not answer.
const SETTLE: Duration = Duration::from_secs(15);

pub async fn leave(host: &Host, cx: &OpContext, drain_s: u32) -> Result<Notes, Failure> {
    let seen = answering::pulse(host, cx).await?;
    if is_out(&seen) {
        if !seen.super_read_only {
            host.mysql
                .set_super_read_only(true)
                .await
                .map_err(HostError::partial)?;
        }
        pause::forget(cx).await?;
        return Ok(vec!["was in no group".to_owned()]);
    }
    if seen.state == Some(MemberState::Unreachable) {
        return Err(refuse(format!(
            "{} can't reach its group: whether it may leave can't be told",
            cx.order.member
        )));
    }
    // A pause that an earlier try announced is this one's to finish.
    let pausing = !seen.super_read_only || pause::is_announced(cx).await?;
    if !seen.super_read_only {
        pause::announce(cx).await?;
    }
    // In a multi-primary group every member has the role, nobody takes over, and others write all the while.
    let view = host.mysql.group().await.map_err(HostError::clean)?;
    let hands_over = seen.primary && view.is_none_or(|group| group.single_primary);
    let began = Instant::now();
    match pause_and_stop(host, cx, drain_s, hands_over).await {
        Ok(()) => {
            let gap = began.elapsed();
            pause::forget(cx).await?;
            let mut notes = vec![format!("left the group in {} ms", gap.as_millis())];
            if hands_over {
                notes.push("handed the primary role over".to_owned());
            }
            Ok(notes)
        }
        Err(why) if pausing => {
            let lifted = pause::lift(host, cx).await;
            let message = format!("{why}; {}", lifted.in_words());
            Err(match lifted {
                pause::Lifted::WritesAllowed => Failure::clean(FailureCode::GroupLeave, message),
                pause::Lifted::NoPrimary | pause::Lifted::StillPaused => {
                    Failure::partial(FailureCode::GroupLeave, message)
                }
            })
        }
        Err(why) => Err(Failure::partial(FailureCode::GroupLeave, why)),
    }
}

/// Leaves a group in which nobody can commit: there is nothing to drain, and who waits for it to commit is told that it was not done.
pub async fn leave_lost(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let seen = answering::pulse(host, cx).await?;
    if is_out(&seen) {
        return leave(host, cx, 0).await;
    }
    cx.phase.say("super_read_only");
    host.mysql.set_super_read_only(true).await.map_err(|error| {
        let message = format!(
            "{} could not be made read-only before it leaves a group without majority: {error}; end the sessions that wait for their COMMIT on it (SHOW PROCESSLIST, KILL)",
            cx.order.member
        );
        Failure::partial(FailureCode::GroupLeave, message)
    })?;
    cx.phase.say("STOP GROUP_REPLICATION");
    let stopped = host
        .mysql
        .stop_group_replication(cx.left().max(SETTLE))
        .await;
    settle(host, stopped.err())
        .await
        .map_err(|why| Failure::partial(FailureCode::GroupLeave, why))?;
    pause::forget(cx).await?;
    Ok(vec!["left a group that had lost its majority".to_owned()])
}

async fn pause_and_stop(
    host: &Host,
    cx: &OpContext,
    drain_s: u32,
    primary: bool,
) -> Result<(), String> {
    cx.phase.say("super_read_only");
    host.mysql
        .set_super_read_only(true)
        .await
        .map_err(|error| error.to_string())?;
    let until = Instant::now() + Duration::from_secs(u64::from(drain_s));
    let patience = cx.patience(EAGER, until);
    loop {
        // What can't be asked now may be asked again: only time ends the drain.
        let waiting = match in_flight(host, primary).await {
            Ok(None) => match still_paused(host).await {
                Ok(true) => break,
                Ok(false) => "another member's view change let writes in again".to_owned(),
                Err(error) => error.to_string(),
            },
            Ok(Some(what)) => what,
            Err(error) => error.to_string(),
        };
        cx.phase.say(format!("waiting: {waiting}"));
        if !patience.more().await {
            return Err(format!("not drained within {drain_s} s: {waiting}"));
        }
    }
    cx.phase.say("STOP GROUP_REPLICATION");
    let stopped = host
        .mysql
        .stop_group_replication(cx.left().max(SETTLE))
        .await;
    settle(host, stopped.err()).await
}

/// Whether it is still read-only. A view change makes a member of the lowest version of a multi-primary group writable again,
/// whoever set it read-only (MYSQL.md §2.3): it is set anew then.
async fn still_paused(host: &Host) -> Result<bool, HostError> {
    if host.mysql.super_read_only().await? {
        return Ok(true);
    }
    host.mysql.set_super_read_only(true).await?;
    Ok(false)
}

/// What still has to end before the member may go; `None` when nothing.
async fn in_flight(host: &Host, primary: bool) -> Result<Option<String>, HostError> {
    let writing = host.mysql.writing_transactions().await?;
    if writing > 0 {
        return Ok(Some(format!("{writing} transactions that have written")));
    }
    if primary {
        // A primary that took over a moment ago may still be applying what its predecessor certified.
        let queue = host.mysql.pulse().await?.applier_queue;
        if queue > 0 {
            return Ok(Some(format!("{queue} transactions to be applied")));
        }
    }
    Ok(None)
}

/// Sees what the STOP led to. An error alone says nothing: the statement may have been carried out.
async fn settle(host: &Host, error: Option<HostError>) -> Result<(), String> {
    let until = Instant::now() + SETTLE;
    loop {
        let seen = host.mysql.pulse().await;
        match (&seen, &error) {
            (Ok(seen), _) if is_out(seen) => {
                if seen.super_read_only {
                    return Ok(());
                }
                if let Err(error) = host.mysql.set_super_read_only(true).await {
                    tracing::warn!(%error, "a member that left its group is not read-only yet");
                } else {
                    return Ok(());
                }
            }
            // A definite answer, and the server says that it is still a member.
            (Ok(_), Some(error @ HostError::Sql { .. })) => return Err(error.to_string()),
            (Ok(_) | Err(_), _) => {}
        }
        if Instant::now() >= until {
            let state = match seen {
                Ok(seen) => seen
                    .state
                    .map_or("in no group", MemberState::as_str)
                    .to_owned(),
                Err(error) => error.to_string(),
            };
            let why = error.map_or_else(String::new, |error| format!(" ({error})"));
            return Err(format!("after STOP GROUP_REPLICATION{why}: {state}"));
        }
        sleep(CALM).await;
    }
}
