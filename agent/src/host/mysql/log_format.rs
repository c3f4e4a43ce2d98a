//! What the binary log holds. `binlog_format` of the server is for sessions that begin; each session keeps its own
//! (MySQL manual, "Setting The Binary Log Format").

use super::connection::Session;
use crate::host::{HostError, HostResult, LogFormat};

/// Sessions of clients that log something else than rows, this one left out. Threads that send the binary log write none.
const OTHERS: &str = "SELECT CONCAT(COALESCE(t.processlist_user, '?'), '@', COALESCE(t.processlist_host, '?')), COUNT(*) \
     FROM performance_schema.variables_by_thread v JOIN performance_schema.threads t USING (thread_id) \
     WHERE v.variable_name = 'binlog_format' AND v.variable_value <> 'ROW' AND t.processlist_id IS NOT NULL \
     AND t.processlist_id <> CONNECTION_ID() \
     AND t.processlist_command NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Daemon') \
     GROUP BY 1 ORDER BY 2 DESC LIMIT 20";

pub(super) async fn read(session: &mut Session<'_>) -> HostResult<LogFormat> {
    let found: Option<String> = session.one("SELECT @@GLOBAL.binlog_format").await?;
    let found = found.unwrap_or_default();
    LogFormat::parse(&found)
        .ok_or_else(|| HostError::Unexpected(format!("binlog_format {found:?} is not known")))
}

pub(super) async fn set(session: &mut Session<'_>, format: LogFormat) -> HostResult<()> {
    session
        .execute(match format {
            LogFormat::Row => "SET GLOBAL binlog_format = 'ROW'",
            LogFormat::Statement => "SET GLOBAL binlog_format = 'STATEMENT'",
            LogFormat::Mixed => "SET GLOBAL binlog_format = 'MIXED'",
        })
        .await
}

pub(super) async fn sessions_without_rows(session: &mut Session<'_>) -> HostResult<Vec<String>> {
    let rows: Vec<(String, u64)> = session.all(OTHERS).await?;
    let named = |(who, count): (String, u64)| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{who} ({count} session{plural})")
    };
    Ok(rows.into_iter().map(named).collect())
}
