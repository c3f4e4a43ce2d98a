//! A write pause is a lease: it begins with super_read_only on a member that took writes, and whatever happens it ends, with
//! the member out of the group or with writes allowed again.
//!
//! That the member took writes before is durable first, so that an agent that was killed in between knows it.

use super::{CALM, EAGER};
use crate::host::Host;
use crate::operations::OpContext;
use refit_shared::observation::MemberState;
use refit_shared::receipt::Failure;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PAUSED: &str = "write-pause";
/// How long lifting is tried for. A server that can't be asked for so long serves nobody anyway.
const LIFT_FOR: Duration = Duration::from_secs(60);

/// Notes that this rollout is about to pause writes here.
pub async fn announce(cx: &OpContext) -> Result<(), Failure> {
    cx.memory
        .put(PAUSED, &true)
        .await
        .map_err(|error| error.clean())
}

pub async fn is_announced(cx: &OpContext) -> Result<bool, Failure> {
    let found: Option<bool> = cx.memory.get(PAUSED).await.map_err(|error| error.clean())?;
    Ok(found.unwrap_or(false))
}

/// The pause is over.
pub async fn forget(cx: &OpContext) -> Result<(), Failure> {
    cx.memory
        .put(PAUSED, &false)
        .await
        .map_err(|error| error.partial())
}

/// How a pause ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifted {
    /// Writes are allowed again.
    WritesAllowed,
    /// The member is no ONLINE primary any more, so there was nothing to lift; it stays read-only.
    NoPrimary,
    /// It could not be done.
    StillPaused,
}

impl Lifted {
    /// What to tell a person.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::WritesAllowed => "writes are allowed again",
            Self::NoPrimary => "the member is no longer the primary and stays read-only",
            Self::StillPaused => {
                "AND WRITES COULD NOT BE ALLOWED AGAIN: run SET GLOBAL super_read_only=OFF on the primary"
            }
        }
    }
}

/// Allows writes again if this member still is an ONLINE primary, whatever the order's deadline says.
pub async fn lift(host: &Host, cx: &OpContext) -> Lifted {
    let until = Instant::now() + LIFT_FOR;
    let mut every = EAGER;
    loop {
        if let Some(lifted) = try_lift(host).await {
            if forget(cx).await.is_err() {
                // Only costs a needless look after a restart: lifting what is lifted changes nothing.
                tracing::warn!("the end of a write pause could not be recorded");
            }
            return lifted;
        }
        if Instant::now() >= until {
            return Lifted::StillPaused;
        }
        sleep(every).await;
        every = CALM;
    }
}

/// `None`: could not be told or done.
async fn try_lift(host: &Host) -> Option<Lifted> {
    let is_primary =
        |seen: &crate::host::Pulse| seen.state == Some(MemberState::Online) && seen.primary;
    let seen = host.mysql.pulse().await.ok()?;
    if !is_primary(&seen) {
        host.mysql.set_super_read_only(true).await.ok()?;
        return Some(Lifted::NoPrimary);
    }
    host.mysql.set_super_read_only(false).await.ok()?;
    // It may have left in between; a server outside its group must not take writes.
    match host.mysql.pulse().await {
        Ok(seen) if is_primary(&seen) => Some(Lifted::WritesAllowed),
        Ok(_) | Err(_) => {
            host.mysql.set_super_read_only(true).await.ok()?;
            None
        }
    }
}
