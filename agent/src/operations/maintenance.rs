//! Putting the maintenance drop-ins in place and taking them away again: what entering and leaving maintenance share.

use super::context::refuse;
use super::{Notes, OpContext, answering, membership, replication, seclusion, stopping};
use crate::host::{Host, HostError};
use refit_shared::receipt::{Failure, FailureCode, Probe};
use std::time::Duration;
use tokio::time::Instant;

/// For a server that runs and can't be asked for a moment.
const ASK_EVERY: Duration = Duration::from_millis(200);
const ASK_FOR: Duration = Duration::from_secs(15);

const TRY_FOR: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(500);

const VARIABLE: &str = "group_replication_start_on_boot";
/// Whether the running server was set to join its group at start, before this rollout touched it.
const BEFORE: &str = "start-on-boot-before";

pub async fn is_on(host: &Host) -> Result<bool, Failure> {
    host.files.in_maintenance().await.map_err(HostError::clean)
}

pub async fn put(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    remember_start_on_boot(host, cx).await?;
    replication::remember(host, cx).await?;
    host.files
        .write_maintenance()
        .await
        .map_err(HostError::partial)?;
    host.service
        .reload_units()
        .await
        .map_err(HostError::partial)?;
    set_running(host, cx, false).await
}

async fn take_away(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    if host.files.held().await.map_err(HostError::clean)? {
        return Err(refuse(
            "mysqld is still held down; without the drop-ins anybody could start it",
        ));
    }
    seclusion::require_over(host, cx).await?;
    host.files
        .remove_maintenance()
        .await
        .map_err(HostError::partial)?;
    host.service
        .reload_units()
        .await
        .map_err(HostError::partial)?;
    let mut notes = set_running(host, cx, true).await?;
    // A host that was rebooted meanwhile came up outside its group; without the drop-ins it would have joined by itself.
    if joined_by_itself(cx).await? && !stopping::is_down(host).await.map_err(HostError::partial)? {
        let seen = answering::pulse(host, cx).await?;
        if membership::is_out(&seen) {
            notes.append(&mut membership::join::join(host, cx, cx.order.deadline_s).await?);
        }
    }
    notes.append(&mut replicates_by_itself(host, cx).await?);
    Ok(notes)
}

/// The same, patiently: on a source everybody waits for what is behind this, so what fails is tried again for a while.
pub async fn end(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let patience = cx.patience(AGAIN, Instant::now() + TRY_FOR);
    loop {
        match take_away(host, cx).await {
            Err(failure) if is_passing(&failure) && patience.more().await => {
                cx.phase.say(failure.message);
            }
            ended => return ended,
        }
    }
}

/// A refusal stays one; so does what a group or a source has been asked for long enough.
fn is_passing(failure: &Failure) -> bool {
    !matches!(
        failure.code,
        FailureCode::Precondition | FailureCode::GroupJoin | FailureCode::Replication
    )
}

/// The same for a replica: its server was told not to replicate at start.
async fn replicates_by_itself(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    if !replication::replicated_before(cx).await?
        || stopping::is_down(host).await.map_err(HostError::partial)?
        || replication::start::probe(host, cx).await? != Probe::NotDone
    {
        return Ok(Vec::new());
    }
    replication::start::start(host, cx, cx.order.deadline_s).await
}

/// This rollout has entered maintenance, or begun to: the server was running then.
pub async fn was_entered(cx: &OpContext) -> Result<bool, Failure> {
    let before: Option<Option<bool>> = cx.memory.get(BEFORE).await.map_err(HostError::clean)?;
    Ok(before.is_some())
}

/// Whether the server was set to join its group at start before this rollout touched it.
async fn joined_by_itself(cx: &OpContext) -> Result<bool, Failure> {
    let before: Option<Option<bool>> = cx.memory.get(BEFORE).await.map_err(HostError::partial)?;
    Ok(before.flatten() == Some(true))
}

/// Looks for the drop-ins. The running server's own setting is seen to by performing again, which costs nothing.
pub async fn probe(host: &Host, wanted: bool) -> Result<Probe, Failure> {
    let found = is_on(host).await?;
    Ok(if found == wanted {
        let where_ = if wanted { "in place" } else { "gone" };
        Probe::Partial(format!("the drop-ins are {where_} already"))
    } else {
        Probe::NotDone
    })
}

/// Once a rollout, before anything is changed.
async fn remember_start_on_boot(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let known: Option<Option<bool>> = cx.memory.get(BEFORE).await.map_err(HostError::clean)?;
    if known.is_some() {
        return Ok(());
    }
    if is_on(host).await? {
        return Err(refuse(
            "maintenance drop-ins are in place that this rollout did not put there",
        ));
    }
    answering::pulse(host, cx).await?;
    let server = host.mysql.facts().await.map_err(HostError::clean)?;
    let before = server
        .variables
        .get(VARIABLE)
        .map(|value| matches!(value.to_ascii_uppercase().as_str(), "ON" | "1"));
    cx.memory
        .put(BEFORE, &before)
        .await
        .map_err(HostError::clean)
}

/// The drop-in speaks for the next start; this speaks to the server that runs, if one does.
async fn set_running(host: &Host, cx: &OpContext, as_before: bool) -> Result<Notes, Failure> {
    let before: Option<Option<bool>> = cx.memory.get(BEFORE).await.map_err(HostError::partial)?;
    // Off before, unknown, or no Group Replication here: leave the running server alone.
    let Some(Some(true)) = before else {
        return Ok(Vec::new());
    };
    let patience = cx.patience(ASK_EVERY, Instant::now() + ASK_FOR);
    loop {
        let why = match host.mysql.set_start_on_boot(as_before).await {
            Ok(()) => return Ok(Vec::new()),
            Err(HostError::ServerAway(why)) => why,
            Err(error) => return Err(error.partial()),
        };
        let down = stopping::is_down(host).await.map_err(HostError::partial)?;
        if down || !patience.more().await {
            return Ok(vec![format!(
                "the running server was not told ({why}); its next start will be"
            )]);
        }
    }
}
