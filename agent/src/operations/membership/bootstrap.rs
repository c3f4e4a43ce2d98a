//! Beginning a group anew with one member. Twice would be two groups with one name, each taking writes.
//!
//! That nobody else is in a group, and that this member has everything, only the controller can know: a gate of the plan has
//! seen it directly before. Here `group_replication_bootstrap_group` is never left ON, whatever happens on the way.
//!
//! Source: MySQL manual "Bootstrapping the Group".

use super::{CALM, pause};
use crate::host::{Host, HostError};
use crate::operations::context::refuse;
use crate::operations::{Notes, OpContext, answering};
use refit_shared::observation::MemberState;
use refit_shared::receipt::{Failure, FailureCode};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// For how long the variable is tried to be set back to OFF.
const OFF_FOR: Duration = Duration::from_secs(30);

pub async fn bootstrap(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let seen = answering::revived(host, cx).await?;
    if seen.state.is_none() {
        return Err(refuse("Group Replication is not set up on this server"));
    }
    // An earlier try may have ended between ON and OFF.
    never_left_on(host, cx).await?;
    match seen.state {
        None => return Err(refuse("Group Replication is not set up on this server")),
        Some(MemberState::Online | MemberState::Recovering) => {}
        Some(state @ (MemberState::Error | MemberState::Unreachable)) => {
            return Err(refuse(format!(
                "{} is {}: whether others are in the group can't be told",
                cx.order.member,
                state.as_str()
            )));
        }
        Some(MemberState::Offline) => begin(host, cx).await?,
    }
    let notes = writing(host, cx).await?;
    // Whatever was paused here, the group decides now who writes.
    pause::forget(cx).await?;
    Ok(notes)
}

async fn begin(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    host.mysql
        .set_super_read_only(true)
        .await
        .map_err(HostError::clean)?;
    cx.phase
        .say("START GROUP_REPLICATION with bootstrap_group=ON");
    let on = host.mysql.set_bootstrap_group(true).await;
    let started = match on {
        Ok(()) => host.mysql.start_group_replication(cx.left()).await,
        Err(error) => Err(error),
    };
    never_left_on(host, cx).await?;
    let Err(error) = started else {
        return Ok(());
    };
    // The statement may have been carried out although its answer was lost.
    match host.mysql.pulse().await.map(|seen| seen.state) {
        Ok(Some(MemberState::Online | MemberState::Recovering)) => Ok(()),
        Ok(_) | Err(_) => {
            let fenced = host.mysql.set_super_read_only(true).await;
            let mut message = format!("the group could not be begun: {error}");
            if let Err(error) = fenced {
                message.push_str(&format!(
                    "; AND THE SERVER COULD NOT BE MADE READ-ONLY ({error}): keep clients away from it"
                ));
            }
            Err(Failure::partial(FailureCode::GroupJoin, message))
        }
    }
}

async fn never_left_on(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let until = Instant::now() + OFF_FOR;
    loop {
        let Err(error) = host.mysql.set_bootstrap_group(false).await else {
            return Ok(());
        };
        // A server that is gone has forgotten it: it is no setting that survives a restart.
        if Instant::now() >= until {
            return Err(Failure::partial(
                FailureCode::GroupJoin,
                format!(
                    "group_replication_bootstrap_group could not be set to OFF ({error}): run SET GLOBAL group_replication_bootstrap_group=OFF on {} before anything else",
                    cx.order.member
                ),
            ));
        }
        sleep(CALM).await;
    }
}

/// ONLINE, and the group lets it write.
async fn writing(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let patience = cx.patience(CALM, cx.deadline);
    loop {
        let seen = host.mysql.pulse().await.map_err(HostError::partial)?;
        match seen.state {
            Some(MemberState::Online) if seen.primary && seen.writable() => {
                return Ok(vec!["began the group, and takes writes".to_owned()]);
            }
            Some(MemberState::Online | MemberState::Recovering) => {}
            Some(MemberState::Offline | MemberState::Error | MemberState::Unreachable) | None => {
                return Err(Failure::partial(
                    FailureCode::GroupJoin,
                    "the member did not stay in the group that it had begun",
                ));
            }
        }
        if !patience.more().await {
            return Err(cx.out_of_time("a group that takes writes"));
        }
    }
}
