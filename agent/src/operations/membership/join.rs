//! Joining the group: START GROUP_REPLICATION, ONLINE, caught up.
//!
//! A member that is refused comes out *writable* (the server puts back the mode it had): it is made read-only at once.

use super::{CALM, leave, pause};
use crate::host::{Host, HostError, Pulse};
use crate::operations::answering;
use crate::operations::context::refuse;
use crate::operations::{LogPlace, Notes, OpContext};
use refit_shared::observation::{MemberState, ServiceState};
use refit_shared::receipt::{Failure, FailureCode};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const LOWER_VERSION: &str = "MY-011521";
/// Refusals that no repetition changes: version, errant transactions, settings that must be equal in the group.
const DEFINITIVE: [&str; 10] = [
    LOWER_VERSION,
    "MY-011522",
    "MY-011526",
    "MY-011520",
    "MY-013107",
    "MY-013376",
    "MY-013753",
    "MY-015124",
    "MY-011563",
    "MY-013786",
];
/// For how long other refusals are tried again: after a crash the group knows the member's old incarnation until it expels it.
const TRY_FOR: Duration = Duration::from_secs(120);
const BETWEEN_TRIES: Duration = Duration::from_secs(3);
/// How long making a refused member read-only is tried for.
const FENCE_FOR: Duration = Duration::from_secs(30);
/// A queue that is never quite empty under load counts as drained below this, once all that waited at first is applied. The
/// gates of the plan judge the cluster after it.
const NEGLIGIBLE: u64 = 50;
const NOTICEABLE_LINES: usize = 8;
/// A clone ends with one; what another one would be, nobody knows.
const RESTARTS: u32 = 2;
/// A server that neither answers nor is being started is one that has died. Its shutdown after a clone may take a moment.
const GONE_FOR: Duration = Duration::from_secs(10);

/// The group has gone on to versions that this one can't join (MYSQL.md §2.2).
pub fn is_of_lower_version(failure: &Failure) -> bool {
    failure.code == FailureCode::GroupJoin && failure.message.contains(LOWER_VERSION)
}

/// Begins anew behind a restart that the server has asked for itself: a member that its group lets clone ends once it has the data,
/// and comes back, in maintenance, as one that is in no group.
pub async fn join(host: &Host, cx: &OpContext, drain_s: u32) -> Result<Notes, Failure> {
    let mut restarts = 0;
    loop {
        let process = host.service.main_pid().await.map_err(HostError::clean)?;
        match join_once(host, cx, drain_s).await {
            Err(failure) if restarts < RESTARTS && came_back(host, cx, process).await? => {
                restarts += 1;
                cx.phase.say(format!(
                    "the server has restarted, joining again: {failure}"
                ));
            }
            Ok(mut notes) if restarts > 0 => {
                notes.insert(
                    0,
                    format!("the server restarted {restarts} time(s) on the way, as after a clone"),
                );
                return Ok(notes);
            }
            ended => return ended,
        }
    }
}

/// Whether another process of the server answers than the one that joined. One that is gone and not on its way back is a server that
/// has died.
async fn came_back(host: &Host, cx: &OpContext, joined: Option<u32>) -> Result<bool, Failure> {
    let patience = cx.patience(CALM, cx.deadline);
    let mut still_since: Option<Instant> = None;
    loop {
        let state = host.service.state().await.map_err(HostError::partial)?;
        let process = host.service.main_pid().await.map_err(HostError::partial)?;
        let answers = host.mysql.pulse().await.is_ok();
        let is_new = process.is_some() && process != joined;
        if answers {
            return Ok(is_new);
        }
        let on_its_way = is_new || state == ServiceState::Activating;
        if on_its_way {
            still_since = None;
        } else if still_since.get_or_insert_with(Instant::now).elapsed() >= GONE_FOR {
            return Ok(false);
        }
        cx.phase.say("waiting for a server that is on its way back");
        if !patience.more().await {
            return Ok(false);
        }
    }
}

async fn join_once(host: &Host, cx: &OpContext, drain_s: u32) -> Result<Notes, Failure> {
    let seen = answering::pulse(host, cx).await?;
    match seen.state {
        None => return Err(refuse("Group Replication is not set up on this server")),
        Some(MemberState::Online) => return already_online(host, cx, drain_s, &seen).await,
        Some(MemberState::Recovering) => {}
        Some(MemberState::Error | MemberState::Unreachable) => {
            // Still holds its old membership; START would say that it runs.
            leave::leave(host, cx, 0).await?;
            start(host, cx).await?;
        }
        Some(MemberState::Offline) => start(host, cx).await?,
    }
    online(host, cx).await?;
    // Whatever was paused here, the group decides now who writes.
    pause::forget(cx).await?;
    catch_up(host, cx, drain_s).await
}

async fn already_online(
    host: &Host,
    cx: &OpContext,
    drain_s: u32,
    seen: &Pulse,
) -> Result<Notes, Failure> {
    let mut notes = vec!["was ONLINE".to_owned()];
    // A leave that got no further than its write pause.
    if pause::is_announced(cx).await? {
        if seen.primary && seen.super_read_only {
            let lifted = pause::lift(host, cx).await;
            if lifted == pause::Lifted::StillPaused {
                return Err(Failure::partial(
                    FailureCode::GroupPrimary,
                    lifted.in_words(),
                ));
            }
            notes.push(lifted.in_words().to_owned());
        } else {
            pause::forget(cx).await?;
        }
    }
    notes.append(&mut catch_up(host, cx, drain_s).await?);
    Ok(notes)
}

/// START GROUP_REPLICATION, until it is accepted.
async fn start(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let until = (Instant::now() + TRY_FOR).min(cx.deadline);
    loop {
        let seen = host.mysql.pulse().await.map_err(HostError::partial)?;
        if !seen.super_read_only {
            host.mysql
                .set_super_read_only(true)
                .await
                .map_err(HostError::partial)?;
        }
        let place = cx.log.end().await.map_err(HostError::partial)?;
        cx.phase.say("START GROUP_REPLICATION");
        let Err(error) = host
            .mysql
            .start_group_replication(cx.left().max(BETWEEN_TRIES))
            .await
        else {
            return Ok(());
        };
        // The statement may have been carried out although its answer was lost.
        if let Ok(Some(MemberState::Online | MemberState::Recovering)) =
            host.mysql.pulse().await.map(|seen| seen.state)
        {
            return Ok(());
        }
        let refused = refusal(host, cx, &place, &error.to_string()).await;
        let definitive = DEFINITIVE.iter().any(|code| refused.message.contains(code));
        if definitive || Instant::now() + BETWEEN_TRIES >= until {
            return Err(refused);
        }
        cx.phase
            .say(format!("refused, will be tried again: {}", refused.message));
        sleep(BETWEEN_TRIES).await;
    }
}

/// Makes the refused member read-only and says why it was refused, in the server's own words.
async fn refusal(host: &Host, cx: &OpContext, place: &LogPlace, what: &str) -> Failure {
    let fenced = fence(host).await;
    let mut message = what.to_owned();
    match lines_since(cx, place).await {
        Ok(lines) => {
            let said: Vec<&str> = lines
                .iter()
                .filter(|line| line.contains("[ERROR]") || line.contains("[Warning]"))
                .filter_map(|line| line.find("[MY-").map(|at| line[at..].trim_end()))
                .collect();
            let from = said.len().saturating_sub(NOTICEABLE_LINES);
            for line in &said[from..] {
                message.push_str("; ");
                message.push_str(line);
            }
        }
        Err(error) => message.push_str(&format!("; the error log can't be read: {error}")),
    }
    if let Err(error) = fenced {
        message.push_str(&format!(
            "; AND THE SERVER COULD NOT BE MADE READ-ONLY ({error}): keep clients away from it"
        ));
    }
    Failure::partial(FailureCode::GroupJoin, message)
}

async fn lines_since(cx: &OpContext, place: &LogPlace) -> Result<Vec<String>, HostError> {
    let mut follower = cx.log.follow(place).await?;
    let mut all = Vec::new();
    loop {
        let mut some = follower.next()?;
        if some.is_empty() {
            return Ok(all);
        }
        all.append(&mut some);
    }
}

async fn fence(host: &Host) -> Result<(), HostError> {
    let until = Instant::now() + FENCE_FOR;
    loop {
        match host.mysql.set_super_read_only(true).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= until => return Err(error),
            Err(_) => sleep(CALM).await,
        }
    }
}

async fn online(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let place = cx.log.end().await.map_err(HostError::partial)?;
    let patience = cx.patience(CALM, cx.deadline);
    loop {
        let seen = host.mysql.pulse().await.map_err(HostError::partial)?;
        match seen.state {
            Some(MemberState::Online) => return Ok(()),
            Some(MemberState::Recovering) => cx.phase.say(format!(
                "RECOVERING, {} transactions executed, {} wait",
                seen.transactions_executed, seen.applier_queue
            )),
            None | Some(MemberState::Offline | MemberState::Error | MemberState::Unreachable) => {
                let state = seen.state.map_or("in no group", MemberState::as_str);
                let what = format!("the member became {state} instead of ONLINE");
                return Err(refusal(host, cx, &place, &what).await);
            }
        }
        if !patience.more().await {
            return Err(cx.out_of_time("ONLINE"));
        }
    }
}

/// Waits until what the others had ahead is applied.
async fn catch_up(host: &Host, cx: &OpContext, drain_s: u32) -> Result<Notes, Failure> {
    let until = Instant::now() + Duration::from_secs(u64::from(drain_s));
    let began = Instant::now();
    let mut goal: Option<u64> = None;
    let patience = cx.patience(CALM, until);
    loop {
        let seen = host.mysql.pulse().await.map_err(HostError::partial)?;
        if seen.state != Some(MemberState::Online) {
            let state = seen.state.map_or("in no group", MemberState::as_str);
            return Err(Failure::partial(
                FailureCode::GroupJoin,
                format!("the member became {state} while it was catching up"),
            ));
        }
        let left = seen.applier_queue;
        let goal = *goal.get_or_insert(seen.transactions_executed + left);
        if left == 0 || (seen.transactions_executed >= goal && left <= NEGLIGIBLE) {
            return Ok(vec![format!(
                "ONLINE and caught up after {} ms",
                began.elapsed().as_millis()
            )]);
        }
        cx.phase
            .say(format!("ONLINE, {left} transactions wait to be applied"));
        if !patience.more().await {
            return Err(Failure::partial(
                FailureCode::Deadline,
                format!(
                    "ONLINE, but {left} transactions still wait to be applied after {drain_s} s"
                ),
            ));
        }
    }
}
