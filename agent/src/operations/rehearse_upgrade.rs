//! Rehearses an upgrade: the target's mysqld on a throw-away clone. The member itself is only read.
//!
//! A rehearsal that was cut short by the agent's end is not gone on with: everything is removed, and that is told.

use super::context::refuse;
use super::{Action, Notes, OpContext, validate_config};
use crate::host::rehearsal::Piece;
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::config::edit::Rewrite;
use refit_shared::observation::{PackagePin, ServiceState};
use refit_shared::receipt::{Failure, Probe};
use refit_shared::version::MysqlVersion;

const BEGUN: &str = "rehearsal-begun";

pub struct RehearseUpgrade {
    pub version: MysqlVersion,
    pub packages: Vec<PackagePin>,
    pub files: Vec<Rewrite>,
    pub running: bool,
    pub copy: bool,
    pub data_directory: Option<String>,
}

#[async_trait]
impl Action for RehearseUpgrade {
    /// What was found an hour ago may be different now: a rehearsal is never done for good.
    async fn probe(&self, _: &Host, _: &OpContext) -> Result<Probe, Failure> {
        Ok(Probe::NotDone)
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let begun: Option<bool> = cx.memory.get(BEGUN).await.map_err(HostError::clean)?;
        if begun.is_some() {
            host.rehearsals.clear().await.map_err(HostError::partial)?;
            return Err(refuse(
                "the agent was restarted in the middle of the rehearsal; everything of it has been removed: rehearse again",
            ));
        }
        let installed = self.require_as_seen(host).await?;
        let present = host.files.option_tree().await.map_err(HostError::clean)?;
        let candidate = validate_config::edited(present.clone(), &self.files)?;
        cx.phase.say("fetching the target's packages");
        let packages = validate_config::fetched(host, &self.packages, &cx.phase)
            .await
            .map_err(HostError::clean)?;
        cx.memory
            .put(BEGUN, &true)
            .await
            .map_err(HostError::clean)?;
        let piece = Piece {
            id: cx.order.id.clone(),
            target: self.version,
            installed,
            packages,
            present,
            candidate,
            running: self.running,
            copy: self.copy,
            data_directory: self.data_directory.clone(),
            deadline: cx.deadline,
        };
        let found = host.rehearsals.rehearse(&piece, &cx.phase).await;
        let found = found.map_err(HostError::clean)?;
        Ok(vec![match &found.refused {
            Some(why) => format!("mysqld {} would not start: {why}", self.version),
            None => format!(
                "mysqld {} was ready after {} ms; {} tables and views opened, {} can't be read",
                self.version,
                found.started.0,
                found.tables_opened + found.views_opened,
                found.broken.len()
            ),
        }])
    }

    async fn undo(&self, host: &Host, _: &OpContext) -> Result<Notes, Failure> {
        host.rehearsals.clear().await.map_err(HostError::partial)?;
        Ok(vec!["nothing of it is left".to_owned()])
    }
}

impl RehearseUpgrade {
    /// The server is up or down, as the order says: a clone is made differently. Gives the version that is installed.
    async fn require_as_seen(&self, host: &Host) -> Result<Option<MysqlVersion>, Failure> {
        let packages = host.packages.facts().await.map_err(HostError::clean)?;
        let installed = packages
            .installed_version()
            .ok()
            .and_then(|version| version.mysql_version().ok());
        if self.data_directory.is_some() {
            return Ok(installed);
        }
        let state = host.service.state().await.map_err(HostError::clean)?;
        match (state, self.running) {
            (ServiceState::Active, true) => {
                let facts = host.mysql.facts().await.map_err(HostError::clean)?;
                Ok(Some(facts.version))
            }
            (ServiceState::Inactive | ServiceState::Failed, false) => Ok(installed),
            (state, _) => Err(refuse(format!(
                "mysqld's unit is {state:?} now; it was {} when the rehearsal was asked for",
                if self.running { "up" } else { "down" }
            ))),
        }
    }
}
