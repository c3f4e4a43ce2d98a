//! Runs the installed `mysql_upgrade` on this server, for versions whose server does not do it itself (MYSQL.md §4.1), and restarts it.
//!
//! ```text
//! closed, in no group, not replicating ──> administrators admitted ──> mysql_upgrade ──> kept out again
//!     ──> gtid_executed has nothing new ──> stop · start: from then on the tables of this version count
//! ```
//!
//! The program may be run again, and after a crash it is. One that an agent's death has left behind ends with the restart, at the latest.

use super::context::refuse;
use super::replication::stop;
use super::{Action, Notes, OpContext, admitting, answering, maintenance, membership, starting};
use super::{start_server, stopping};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::gtid::GtidSet;
use refit_shared::observation::ServiceState;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::version::MysqlVersion;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How far it came.
const STAGE: &str = "system-tables";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// The program has ended well, and nothing was logged.
    Ran,
    Restarted,
}

/// What was executed before the program was first run.
const BEFORE: &str = "system-tables-executed-before";

pub struct UpgradeSystemTables {
    pub version: MysqlVersion,
}

#[async_trait]
impl Action for UpgradeSystemTables {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let down = stopping::is_down(host).await.map_err(HostError::clean)?;
        Ok(match (stage(cx).await?, down) {
            (Some(Stage::Restarted), false) => Probe::Done,
            (Some(Stage::Restarted | Stage::Ran), _) => {
                Probe::Partial("the tables are upgraded, the restart is left".to_owned())
            }
            (None, true) => Probe::Partial("the server is down".to_owned()),
            (None, false) if admitting::are_in(cx).await? => {
                Probe::Partial("mysql_upgrade was begun".to_owned())
            }
            (None, false) => Probe::NotDone,
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        if !maintenance::is_on(host).await? {
            return Err(refuse(
                "the maintenance drop-ins are not in place: a restarted server could join, replicate or take writes",
            ));
        }
        if stopping::is_down(host).await.map_err(HostError::clean)? {
            // It ended by itself, with its host, or for the restart.
            self.start(host, cx).await?;
        }
        let mut notes = Vec::new();
        if stage(cx).await?.is_none() {
            notes = self.run(host, cx).await?;
            put(cx, Stage::Ran).await?;
        }
        self.restart(host, cx).await?;
        put(cx, Stage::Restarted).await?;
        notes.push("restarted on its upgraded tables".to_owned());
        Ok(notes)
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        // The next try meets the tables of before.
        forget(cx).await?;
        if stopping::is_down(host).await.map_err(HostError::clean)? {
            admitting::forget(cx).await?;
        } else if admitting::are_in(cx).await? {
            answering::pulse(host, cx).await?;
            admitting::close(host, cx).await?;
        }
        Ok(vec![
            "the tables of before come back with the snapshot".to_owned(),
        ])
    }
}

impl UpgradeSystemTables {
    async fn run(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        self.require_alone(host, cx).await?;
        let before = executed_before(host, cx).await?;
        admitting::open(host, cx).await?;
        cx.phase.say("mysql_upgrade is running");
        let began = Instant::now();
        let ran = host.mysql.upgrade_system_tables(cx.left()).await;
        // Whatever came of it.
        let closed = admitting::close(host, cx).await;
        ran.map_err(HostError::partial)?;
        closed?;
        let replication = host.mysql.replication().await;
        let new = replication
            .map_err(HostError::partial)?
            .executed
            .subtract(&before);
        if !new.is_empty() {
            return Err(Failure::partial(
                FailureCode::Replication,
                format!(
                    "while mysql_upgrade ran, gtid_executed has grown by {new}: it was logged, or somebody writes here"
                ),
            ));
        }
        Ok(vec![
            format!("mysql_upgrade took {} ms", began.elapsed().as_millis()),
            "no GTID was written: gtid_executed is as before".to_owned(),
        ])
    }

    async fn require_alone(&self, host: &Host, cx: &OpContext) -> Result<(), Failure> {
        let seen = answering::pulse(host, cx).await?;
        if membership::serves(&seen) {
            return Err(refuse("the server is a member of its group"));
        }
        let server = host.mysql.facts().await.map_err(HostError::clean)?;
        if server.version != self.version {
            return Err(refuse(format!(
                "mysqld {} is running, not {}",
                server.version, self.version
            )));
        }
        if server.takes_writes() {
            return Err(refuse("the server takes writes"));
        }
        let replicates = !server.channels.require().map_err(refuse)?.is_empty();
        // Relay logs that wait are no matter: nothing applies them.
        if replicates && stop::probe(host, cx).await? == Probe::NotDone {
            return Err(refuse("the server replicates"));
        }
        Ok(())
    }

    async fn restart(&self, host: &Host, cx: &OpContext) -> Result<(), Failure> {
        if host.service.state().await.map_err(HostError::partial)? == ServiceState::Activating {
            // On its way up, after a reboot.
            answering::pulse(host, cx).await?;
        }
        // Nobody else starts it meanwhile; the start lifts it.
        host.files
            .set_hold(true)
            .await
            .map_err(HostError::partial)?;
        cx.phase.say("restarting mysqld");
        host.service
            .begin_stop()
            .await
            .map_err(HostError::partial)?;
        if !stopping::wait_until_down(host, cx).await {
            return Err(cx.out_of_time("the end of mysqld"));
        }
        self.start(host, cx).await
    }

    async fn start(&self, host: &Host, cx: &OpContext) -> Result<(), Failure> {
        if !start_server::ran_on_other_version(host, cx).await? {
            return Err(refuse(
                "this rollout has not started the new version on the data directory",
            ));
        }
        admitting::forget(cx).await?;
        starting::start(host, cx, self.version).await.map(drop)
    }
}

async fn executed_before(host: &Host, cx: &OpContext) -> Result<GtidSet, Failure> {
    let known: Option<Option<GtidSet>> = cx.memory.get(BEFORE).await.map_err(HostError::clean)?;
    if let Some(known) = known.flatten() {
        return Ok(known);
    }
    let replication = host.mysql.replication().await.map_err(HostError::clean)?;
    cx.memory
        .put(BEFORE, &replication.executed)
        .await
        .map_err(HostError::clean)?;
    Ok(replication.executed)
}

async fn stage(cx: &OpContext) -> Result<Option<Stage>, Failure> {
    let known: Option<Option<Stage>> = cx.memory.get(STAGE).await.map_err(HostError::clean)?;
    Ok(known.flatten())
}

async fn forget(cx: &OpContext) -> Result<(), Failure> {
    let nothing: Option<Stage> = None;
    cx.memory
        .put(STAGE, &nothing)
        .await
        .map_err(HostError::partial)?;
    let nothing: Option<GtidSet> = None;
    cx.memory
        .put(BEFORE, &nothing)
        .await
        .map_err(HostError::partial)
}

async fn put(cx: &OpContext, stage: Stage) -> Result<(), Failure> {
    cx.memory
        .put(STAGE, &stage)
        .await
        .map_err(HostError::partial)
}
