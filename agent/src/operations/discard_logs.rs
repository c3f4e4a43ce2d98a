//! Removes relay logs and binary logs of a replica that is to be downgraded: a lower version need not read what a higher one wrote.
//!
//! Source: MySQL manual, "Upgrading or Downgrading a Replication Topology". The GTIDs stay (gtid_executed, gtid_purged).

use super::context::refuse;
use super::replication::{look, stop};
use super::{Action, Notes, OpContext};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, Probe};

pub struct DiscardLogs;

#[async_trait]
impl Action for DiscardLogs {
    async fn probe(&self, _: &Host, _: &OpContext) -> Result<Probe, Failure> {
        Ok(Probe::Partial("to do it again changes nothing".to_owned()))
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        match stop::probe(host, cx).await? {
            Probe::Done => {}
            Probe::NotDone => return Err(refuse("the server still replicates")),
            Probe::Partial(why) => return Err(refuse(why)),
        }
        let auto = |c: &refit_shared::observation::ChannelFacts| {
            c.detail.known().is_some_and(|detail| detail.auto_position)
        };
        if !look(host, cx).await?.channels.iter().all(auto) {
            return Err(refuse(
                "a channel replicates by file and position: without its relay logs it would lose its place",
            ));
        }
        host.mysql
            .discard_logs()
            .await
            .map_err(HostError::partial)?;
        Ok(vec!["relay logs and binary logs are removed".to_owned()])
    }

    async fn undo(&self, _: &Host, _: &OpContext) -> Result<Notes, Failure> {
        Ok(vec!["what is missing is fetched again by GTID".to_owned()])
    }
}
