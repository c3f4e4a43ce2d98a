//! A source logs rows from now on, and every session that began before has ended.

use super::context::refuse;
use super::{Action, Notes, OpContext, answering};
use crate::host::{Host, HostError, LogFormat};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use std::time::Duration;
use tokio::time::Instant;

/// What the server logged before this rollout.
const BEFORE: &str = "log-format-before";
const EVERY: Duration = Duration::from_millis(500);

pub struct LogRows {
    pub wait_s: u32,
}

#[async_trait]
impl Action for LogRows {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        answering::pulse(host, cx).await?;
        if host.mysql.log_format().await.map_err(HostError::clean)? != LogFormat::Row {
            return Ok(Probe::NotDone);
        }
        Ok(match waiting(host).await.map_err(HostError::clean)? {
            None => Probe::Done,
            Some(who) => Probe::Partial(who),
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let server = host.mysql.facts().await.map_err(HostError::clean)?;
        if !server.channels.require().map_err(refuse)?.is_empty() {
            return Err(refuse(
                "a replica hands on what it receives as it is: only a source is made to log rows",
            ));
        }
        let was = host.mysql.log_format().await.map_err(HostError::clean)?;
        if before(cx).await?.is_none() {
            cx.memory
                .put(BEFORE, &was)
                .await
                .map_err(HostError::clean)?;
        }
        host.mysql
            .set_log_format(LogFormat::Row)
            .await
            .map_err(HostError::partial)?;
        let began = Instant::now();
        let patience = cx.patience(EVERY, began + Duration::from_secs(u64::from(self.wait_s)));
        loop {
            let Some(who) = waiting(host).await.map_err(HostError::partial)? else {
                return Ok(vec![format!(
                    "rows instead of {}; no session logs anything else after {} ms",
                    was.as_str(),
                    began.elapsed().as_millis()
                )]);
            };
            cx.phase.say(format!("waiting: {who}"));
            if !patience.more().await {
                // As before, so that nothing is half switched while somebody thinks about it.
                put_back(host, cx).await?;
                return Err(Failure::partial(
                    FailureCode::Deadline,
                    format!(
                        "after {} s sessions still log statements, and none was killed; let these clients connect anew: {who}",
                        self.wait_s
                    ),
                ));
            }
        }
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        answering::revived(host, cx).await?;
        put_back(host, cx).await
    }
}

async fn waiting(host: &Host) -> Result<Option<String>, HostError> {
    let others = host.mysql.sessions_without_rows().await?;
    Ok((!others.is_empty()).then(|| others.join(", ")))
}

async fn before(cx: &OpContext) -> Result<Option<LogFormat>, Failure> {
    cx.memory.get(BEFORE).await.map_err(HostError::clean)
}

async fn put_back(host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
    let Some(was) = before(cx).await? else {
        return Ok(vec!["it was never changed".to_owned()]);
    };
    host.mysql
        .set_log_format(was)
        .await
        .map_err(HostError::partial)?;
    Ok(vec![format!("logs {} again", was.as_str())])
}
