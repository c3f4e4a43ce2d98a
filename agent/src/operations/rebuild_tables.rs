//! Rebuilds tables on this server alone: no GTID is written (MYSQL.md §3.8).
//!
//! ```text
//! replica (replication stopped, read-only),         source (serves)
//! member (out of its group, read-only)
//! super_read_only off, read_only stays on           nothing
//! ALTER TABLE … FORCE, one after the other          ALTER TABLE … FORCE, LOCK=NONE, one after the other
//! gtid_executed is as before, exactly               sql_log_bin was off on that session before and after
//! super_read_only on again
//! ```
//!
//! Tables that are done are remembered durably, each once it is. One that was in hand when the agent died is rebuilt again, which
//! harms nobody; the statement of before, if mysqld still runs it, holds the table's lock, and the new one waits for it.

use super::context::refuse;
use super::replication::stop;
use super::{Action, Notes, OpContext, admitting, answering, maintenance, membership};
use crate::host::{Host, HostError, Rebuilt};
use async_trait::async_trait;
use refit_shared::receipt::{Failure, FailureCode, Probe};
use refit_shared::table::TableName;
use std::time::Duration;
use tokio::time::Instant;

/// The tables that are done.
const DONE: &str = "tables-rebuilt";
/// ER_LOCK_WAIT_TIMEOUT: a transaction, or an earlier rebuild, holds the table.
const LOCKED: u16 = 1205;
/// While a rebuild waits for a table's lock, whoever comes after it waits, too: so others go first for a while.
const BREATHE: Duration = Duration::from_secs(10);

pub struct RebuildTables {
    pub tables: Vec<TableName>,
}

#[async_trait]
impl Action for RebuildTables {
    async fn probe(&self, host: &Host, cx: &OpContext) -> Result<Probe, Failure> {
        answering::pulse(host, cx).await?;
        let left = self.left(cx).await?;
        Ok(match (left, admitting::are_in(cx).await?) {
            (0, false) => Probe::Done,
            (0, true) => Probe::Partial("administrators are still admitted".to_owned()),
            (left, false) if left == self.tables.len() => Probe::NotDone,
            (left, _) => Probe::Partial(format!("{left} tables are left")),
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let alone = require_alone(host, cx).await?;
        let server = host.mysql.facts().await.map_err(HostError::clean)?;
        if server.super_read_only {
            admitting::open(host, cx).await?;
        }
        let result = self.each(host, cx, alone, server.takes_writes()).await;
        // Whatever came of it.
        let closed = admitting::close(host, cx).await;
        let notes = result?;
        closed?;
        Ok(notes)
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        answering::revived(host, cx).await?;
        admitting::close(host, cx).await?;
        Ok(vec![
            "a rebuilt table holds the same rows: it is left as it is".to_owned(),
        ])
    }
}

impl RebuildTables {
    /// How many are still to be rebuilt.
    pub(super) async fn left(&self, cx: &OpContext) -> Result<usize, Failure> {
        let done = done(cx).await?;
        Ok(self.tables.iter().filter(|t| !done.contains(t)).count())
    }

    /// Rebuilds those that are left. `alone`: nobody else writes here; `lock_free`: others do, and must not be locked out.
    pub(super) async fn each(
        &self,
        host: &Host,
        cx: &OpContext,
        alone: bool,
        lock_free: bool,
    ) -> Result<Notes, Failure> {
        let mut finished = done(cx).await?;
        let mut notes = Vec::new();
        for (place, table) in self.tables.iter().enumerate() {
            if finished.contains(table) {
                continue;
            }
            cx.phase.say(format!(
                "rebuilding {table} ({} of {})",
                place + 1,
                self.tables.len()
            ));
            let began = Instant::now();
            let rebuilt = one(host, cx, table, lock_free).await?;
            if alone && rebuilt.before != rebuilt.after {
                return Err(Failure::partial(
                    FailureCode::Replication,
                    format!(
                        "while {table} was rebuilt with replication stopped, gtid_executed has changed by {}: somebody writes here",
                        rebuilt.after.subtract(&rebuilt.before)
                    ),
                ));
            }
            finished.push(table.clone());
            cx.memory
                .put(DONE, &finished)
                .await
                .map_err(HostError::partial)?;
            notes.push(format!(
                "{table} rebuilt within {} ms",
                began.elapsed().as_millis()
            ));
        }
        notes.push(
            if alone {
                "no GTID was written: gtid_executed is as before on the sessions that rebuilt"
            } else {
                "no GTID was written: sql_log_bin was off before and after on the sessions that rebuilt"
            }
            .to_owned(),
        );
        Ok(notes)
    }
}

async fn one(
    host: &Host,
    cx: &OpContext,
    table: &TableName,
    lock_free: bool,
) -> Result<Rebuilt, Failure> {
    let patience = cx.patience(BREATHE, cx.deadline);
    loop {
        match host.mysql.rebuild_table(table, lock_free, cx.left()).await {
            Ok(rebuilt) => return Ok(rebuilt),
            Err(HostError::Sql { code: LOCKED, .. }) if patience.more().await => {
                cx.phase
                    .say(format!("waiting: a transaction holds {table}"));
            }
            Err(error) => return Err(error.partial()),
        }
    }
}

/// Refuses where others would see the rebuild. `true`: a replica, or a member that is out of its group, to which nobody writes.
async fn require_alone(host: &Host, cx: &OpContext) -> Result<bool, Failure> {
    let seen = answering::pulse(host, cx).await?;
    let server = host.mysql.facts().await.map_err(HostError::clean)?;
    if server.group.require().map_err(refuse)?.is_some() {
        if !membership::is_out(&seen) {
            return Err(refuse(
                "the server is a member of its group: a rebuild by one member alone would diverge it",
            ));
        }
        if server.takes_writes() || !maintenance::is_on(host).await? {
            return Err(refuse(
                "the server is out of its group, but it takes writes or would join by itself: it must be in maintenance",
            ));
        }
        return Ok(true);
    }
    if server.channels.require().map_err(refuse)?.is_empty() {
        return Ok(false);
    }
    match stop::probe(host, cx).await? {
        Probe::Done => Ok(true),
        Probe::NotDone => Err(refuse("the server still replicates")),
        Probe::Partial(why) => Err(refuse(why)),
    }
}

async fn done(cx: &OpContext) -> Result<Vec<TableName>, Failure> {
    let known: Option<Vec<TableName>> = cx.memory.get(DONE).await.map_err(HostError::clean)?;
    Ok(known.unwrap_or_default())
}
