//! A server that runs without binary log and without network: putting it there, taking it back, and keeping everybody else out until
//! it is back. What were written there no replica would ever have.
//!
//! That it was begun is durable before it is. The service manager's own drop-in is below `/run`: a host that is started anew has a
//! usual server, in maintenance.

use super::context::refuse;
use super::{OpContext, admitting, answering, starting, stopping};
use crate::host::{Host, HostError};
use refit_shared::observation::ServiceState;
use refit_shared::receipt::{Failure, FailureCode};
use refit_shared::version::MysqlVersion;

const BEGUN: &str = "seclusion-begun";

async fn is_begun(cx: &OpContext) -> Result<bool, Failure> {
    let known: Option<bool> = cx.memory.get(BEGUN).await.map_err(HostError::clean)?;
    Ok(known.unwrap_or(false))
}

/// None is under way, as far as this rollout knows.
pub async fn is_over(cx: &OpContext) -> Result<bool, Failure> {
    Ok(!is_begun(cx).await?)
}

async fn put_begun(cx: &OpContext, begun: bool) -> Result<(), Failure> {
    let put = cx.memory.put(BEGUN, &begun).await;
    put.map_err(HostError::partial)
}

/// Whether the server that runs logs and listens: yes, or why not.
async fn usual(host: &Host) -> Result<Result<(), String>, Failure> {
    let server = host.mysql.facts().await.map_err(HostError::partial)?;
    for (name, wanted) in [("log_bin", "ON"), ("skip_networking", "OFF")] {
        match server.variables.get(name) {
            Some(is) if is == wanted => {}
            Some(is) => return Ok(Err(format!("{name} is {is}"))),
            None => return Err(refuse(format!("the server does not tell its {name}"))),
        }
    }
    Ok(Ok(()))
}

/// Refuses until the server is a usual one again: before maintenance ends, and before writes are let in.
pub async fn require_over(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    if host.service.is_secluded().await.map_err(HostError::clean)? {
        return Err(refuse(
            "mysqld is set to start without binary log and network: `refit resume` or `refit unwind` takes that back first",
        ));
    }
    if is_begun(cx).await?
        && let Err(why) = usual(host).await?
    {
        return Err(refuse(format!(
            "mysqld still runs without binary log and network ({why}): what is written now no replica would have"
        )));
    }
    Ok(())
}

/// The server is down, or runs, or is on its way from one to the other: settles which. `true`: it runs and answers.
async fn runs(host: &Host, cx: &OpContext) -> Result<bool, Failure> {
    let state = host.service.state().await.map_err(HostError::clean)?;
    if state == ServiceState::Deactivating && !stopping::wait_until_down(host, cx).await {
        return Err(cx.out_of_time("the end of mysqld"));
    }
    let seen = answering::pulse_if_up(host, cx).await?;
    Ok(seen.is_some())
}

/// Runs it secluded, from any state. It has ended cleanly before: else not all of its GTIDs would be in their table.
pub async fn begin(host: &Host, cx: &OpContext, version: MysqlVersion) -> Result<(), Failure> {
    if runs(host, cx).await? {
        let set = host.service.is_secluded().await.map_err(HostError::clean)?;
        if set && usual(host).await?.is_err() {
            return Ok(());
        }
        stop(host, cx).await?;
    }
    hold(host).await?;
    if !is_clean(cx).await? {
        cx.phase.say("recovering a server that did not end cleanly");
        host.service
            .seclude(false)
            .await
            .map_err(HostError::partial)?;
        start(host, cx, version).await?;
        stop(host, cx).await?;
    }
    put_begun(cx, true).await?;
    host.service
        .seclude(true)
        .await
        .map_err(HostError::partial)?;
    cx.phase.say("starting without binary log and network");
    start(host, cx, version).await?;
    match usual(host).await? {
        Err(_) => Ok(()),
        Ok(()) => Err(Failure::partial(
            FailureCode::Expectation,
            "mysqld was started without binary log and network, and has both all the same",
        )),
    }
}

/// Runs it as usual, from any state.
pub async fn end(host: &Host, cx: &OpContext, version: MysqlVersion) -> Result<(), Failure> {
    lift(host, cx).await?;
    if !runs(host, cx).await? {
        start(host, cx, version).await?;
    }
    if let Err(why) = usual(host).await? {
        return Err(Failure::partial(
            FailureCode::Expectation,
            format!("mysqld was started as usual, but {why}"),
        ));
    }
    put_begun(cx, false).await
}

/// Its next start is a usual one, and a secluded server is stopped. Nothing where none was ever begun.
pub async fn give_up(host: &Host, cx: &OpContext) -> Result<bool, Failure> {
    let set = host.service.is_secluded().await.map_err(HostError::clean)?;
    if !set && !is_begun(cx).await? {
        return Ok(false);
    }
    lift(host, cx).await?;
    put_begun(cx, false).await?;
    Ok(true)
}

/// A server that is not a usual one is stopped, and its next start will be.
async fn lift(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    if runs(host, cx).await? && usual(host).await?.is_err() {
        stop(host, cx).await?;
    }
    host.service
        .seclude(false)
        .await
        .map_err(HostError::partial)?;
    host.service
        .reload_units()
        .await
        .map_err(HostError::partial)
}

async fn start(host: &Host, cx: &OpContext, version: MysqlVersion) -> Result<(), Failure> {
    admitting::forget(cx).await?;
    starting::start(host, cx, version).await.map(drop)
}

async fn stop(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    hold(host).await?;
    cx.phase.say("stopping mysqld");
    host.service
        .begin_stop()
        .await
        .map_err(HostError::partial)?;
    if !stopping::wait_until_down(host, cx).await {
        return Err(cx.out_of_time("the end of mysqld"));
    }
    Ok(())
}

async fn hold(host: &Host) -> Result<(), Failure> {
    host.files.set_hold(true).await.map_err(HostError::partial)
}

async fn is_clean(cx: &OpContext) -> Result<bool, Failure> {
    let last = cx.log.last_shutdown().await;
    Ok(last.map_err(HostError::partial)?.is_clean())
}
