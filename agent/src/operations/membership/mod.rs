//! Membership of the group and the primary role: what several operations share.
//!
//! Source of the rules: MySQL manual "Group Replication Operations"; what a refused START leaves behind was seen with real
//! servers (the member becomes writable, alone).

pub mod bootstrap;
pub mod join;
pub mod leave;
mod pause;

use super::context::refuse;
use super::{Notes, OpContext, answering};
use crate::host::{Host, HostError, Pulse};
use refit_shared::ids::ServerUuid;
use refit_shared::observation::MemberState;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use std::time::Duration;
use tokio::time::Instant;

/// While the member can write nothing and its role is not handed over yet, every millisecond is a write gap.
const EAGER: Duration = Duration::from_millis(5);
/// While nobody waits for us.
const CALM: Duration = Duration::from_millis(50);

/// Not a member: stopped, or never set up.
pub fn is_out(seen: &Pulse) -> bool {
    matches!(seen.state, None | Some(MemberState::Offline))
}

/// Out, and fenced: how far leaving has come.
pub fn how_far_out(seen: &Pulse) -> Probe {
    match (is_out(seen), seen.super_read_only) {
        (true, true) => Probe::Done,
        (true, false) => Probe::Partial("out of the group, but writable".to_owned()),
        (false, _) => Probe::NotDone,
    }
}

/// A member that others count on: it has to leave before its server may be stopped.
pub fn serves(seen: &Pulse) -> bool {
    match seen.state {
        Some(MemberState::Online | MemberState::Recovering | MemberState::Unreachable) => true,
        Some(MemberState::Offline | MemberState::Error) | None => false,
    }
}

/// Whether this server is the one with that UUID, the primary, and takes writes.
pub async fn is_writing_primary(
    host: &Host,
    cx: &OpContext,
    uuid: &ServerUuid,
) -> Result<Probe, Failure> {
    let seen = answering::pulse(host, cx).await?;
    let own = host.mysql.uuid().await.map_err(HostError::clean)?;
    if own != *uuid {
        return Err(refuse(format!(
            "this server's UUID is {own}, the plan names {uuid}"
        )));
    }
    let online = seen.state == Some(MemberState::Online);
    Ok(match (online && seen.primary, seen.writable()) {
        (true, true) => Probe::Done,
        (true, false) => Probe::Partial("the primary, but not writable".to_owned()),
        (false, _) => Probe::NotDone,
    })
}

/// Asks the group to make this member the primary, and waits until it takes writes.
pub async fn appoint(host: &Host, cx: &OpContext, uuid: &ServerUuid) -> Result<Notes, Failure> {
    let seen = online_soon(host, cx).await?;
    if !seen.primary {
        cx.phase.say("waiting for the group to change its primary");
        host.mysql
            .appoint_primary(uuid, cx.left())
            .await
            .map_err(|error| Failure::partial(FailureCode::GroupPrimary, error.to_string()))?;
    }
    let patience = cx.patience(CALM, cx.deadline);
    loop {
        let seen = host.mysql.pulse().await.map_err(HostError::partial)?;
        if seen.primary && seen.writable() {
            return Ok(vec!["is the primary and takes writes".to_owned()]);
        }
        if !patience.more().await {
            return Err(cx.out_of_time("the primary role with writes allowed"));
        }
    }
}

/// How long a member that is in no group may need until it joins by itself: its server may have started a moment ago.
const JOINS_WITHIN: Duration = Duration::from_secs(15);

/// Waits for a member that is on its way back, as after a reboot of its host.
async fn online_soon(host: &Host, cx: &OpContext) -> Result<Pulse, Failure> {
    let began = Instant::now();
    let patience = cx.patience(CALM, cx.deadline);
    loop {
        let seen = answering::pulse(host, cx).await?;
        let (state, on_its_way) = match seen.state {
            Some(MemberState::Online) => return Ok(seen),
            Some(state @ MemberState::Recovering) => (state.as_str(), true),
            Some(state @ MemberState::Offline) => (state.as_str(), began.elapsed() < JOINS_WITHIN),
            Some(state @ (MemberState::Error | MemberState::Unreachable)) => {
                (state.as_str(), false)
            }
            None => ("in no group", false),
        };
        if !on_its_way || !patience.more().await {
            return Err(refuse(format!(
                "{} is {state}: only an ONLINE member can be appointed",
                cx.order.member
            )));
        }
        cx.phase
            .say(format!("waiting for the member, which is {state}"));
    }
}
