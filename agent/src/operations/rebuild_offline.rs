//! Rebuilds tables on a source that nobody can reach: started without binary log and network, then as usual again.
//!
//! ```text
//! down and held, ended cleanly ──> started secluded ──> gtid_executed noted ──> administrators admitted ──> ALTER TABLE … FORCE, each
//!     ──> kept out again ──> gtid_executed as before ──> stopped ──> started as usual, in maintenance ──> gtid_executed as before
//! ```
//!
//! Source: MySQL manual, "Upgrading or Downgrading a Replication Topology"; MYSQL.md §3.8. Tables that are done are remembered, as in
//! [`super::rebuild_tables`]. Wherever it is cut off, the next try begins with what it finds: a host that was started anew has a usual
//! server, in maintenance, which is stopped once more.

use super::context::refuse;
use super::rebuild_tables::RebuildTables;
use super::{Action, Notes, OpContext, admitting, maintenance, seclusion, stopping};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::gtid::GtidSet;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::table::TableName;
use refit_shared::version::MysqlVersion;

/// What was executed when it was first started so, since it was a usual server last.
const BEFORE: &str = "executed-before-offline-rebuild";

pub struct RebuildOffline {
    pub version: MysqlVersion,
    pub tables: Vec<TableName>,
}

#[async_trait]
impl Action for RebuildOffline {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        let down = stopping::is_down(host).await.map_err(HostError::clean)?;
        let secluded = host.service.is_secluded().await.map_err(HostError::clean)?;
        let left = self.rebuild().left(cx).await?;
        if left == self.tables.len() && down && !secluded {
            return Ok(Probe::NotDone);
        }
        let held = host.files.held().await.map_err(HostError::clean)?;
        let over = seclusion::is_over(cx).await?;
        Ok(if left == 0 && !down && !secluded && !held && over {
            Probe::Done
        } else {
            Probe::Partial(format!("{left} tables are left"))
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        if !maintenance::is_on(host).await? {
            return Err(refuse(
                "the maintenance drop-ins are not in place: a restarted server could take writes",
            ));
        }
        let mut notes = Vec::new();
        if self.rebuild().left(cx).await? > 0 {
            seclusion::begin(host, cx, self.version).await?;
            require_same(host, cx).await?;
            admitting::open(host, cx).await?;
            let result = self.rebuild().each(host, cx, true, false).await;
            // Whatever came of it.
            let closed = admitting::close(host, cx).await;
            notes = result?;
            closed?;
            require_same(host, cx).await?;
        }
        seclusion::end(host, cx, self.version).await?;
        require_same(host, cx).await?;
        notes.push(
            "rebuilt without binary log and network; gtid_executed is as before, and both are on again"
                .to_owned(),
        );
        Ok(notes)
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let begun = seclusion::give_up(host, cx).await?;
        if stopping::is_down(host).await.map_err(HostError::clean)? {
            admitting::forget(cx).await?;
        }
        // Clients write again before the next try.
        let forgotten = cx.memory.put(BEFORE, &None::<GtidSet>).await;
        forgotten.map_err(HostError::partial)?;
        Ok(vec![
            if begun {
                "the next start is a usual one; a rebuilt table holds the same rows"
            } else {
                "no start without binary log is left"
            }
            .to_owned(),
        ])
    }
}

impl RebuildOffline {
    fn rebuild(&self) -> RebuildTables {
        RebuildTables {
            tables: self.tables.clone(),
        }
    }
}

/// What is executed is what was when the server was first started so: noted then, compared until that is undone.
async fn require_same(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let now = host.mysql.replication().await;
    let now = now.map_err(HostError::partial)?.executed;
    let before: Option<Option<GtidSet>> =
        cx.memory.get(BEFORE).await.map_err(HostError::partial)?;
    let Some(before) = before.flatten() else {
        let noted = cx.memory.put(BEFORE, &now).await;
        return noted.map_err(HostError::partial);
    };
    if now == before {
        return Ok(());
    }
    Err(Failure::partial(
        FailureCode::Replication,
        format!(
            "gtid_executed is not as before the rebuild: {} more, {} less",
            now.subtract(&before),
            before.subtract(&now)
        ),
    ))
}
