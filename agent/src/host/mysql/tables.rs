//! Tables that are rebuilt by this server alone: what they are, and the rebuild, with the binary log off on the session that does it.
//!
//! Source: MYSQL.md §3.8. `sql_log_bin` is of one session only, so it is set and read again on the very connection that runs the
//! statement: a session that has it off can't write a GTID. Connections that were used here are closed, never given to another use.

use super::channels::quoted;
use super::connection::Session;
use super::group::parse_gtids;
use crate::host::{HostError, HostResult, Rebuilt};
use refit_shared::gtid::GtidSet;
use refit_shared::table::{TableFacts, TableName};

pub(super) async fn read(
    session: &mut Session<'_>,
    tables: &[TableName],
) -> HostResult<Vec<TableFacts>> {
    // Backslashes in a literal mean the same whatever the server's own mode is; sizes are those of now.
    session
        .execute("SET SESSION sql_mode = '', information_schema_stats_expiry = 0")
        .await?;
    let mut found = Vec::with_capacity(tables.len());
    for table in tables {
        let (schema, name) = (quoted(table.schema()), quoted(table.table()));
        let row: Option<(String, Option<String>, Option<u64>, bool)> = session
            .one(&format!(
                "SELECT t.table_type, t.engine, t.data_length + t.index_length, EXISTS (SELECT 1 FROM information_schema.statistics s \
                 WHERE s.table_schema = t.table_schema AND s.table_name = t.table_name AND s.index_type IN ('FULLTEXT', 'SPATIAL')) \
                 FROM information_schema.tables t WHERE t.table_schema = {schema} AND t.table_name = {name}"
            ))
            .await?;
        found.push(match row {
            None => TableFacts::Missing,
            Some((kind, Some(engine), bytes, locks)) if kind == "BASE TABLE" => TableFacts::Base {
                engine,
                bytes: bytes.unwrap_or(0),
                locks,
            },
            Some((kind, ..)) => TableFacts::NotBase(kind),
        });
    }
    Ok(found)
}

pub(super) async fn admit_administrators(session: &mut Session<'_>, on: bool) -> HostResult<()> {
    let read_only: Option<bool> = session.one("SELECT @@GLOBAL.read_only").await?;
    if on && read_only != Some(true) {
        return Err(HostError::Unexpected(
            "read_only is OFF: super_read_only alone would keep nobody out".to_owned(),
        ));
    }
    session
        .execute(match on {
            true => "SET GLOBAL super_read_only = OFF",
            false => "SET GLOBAL super_read_only = ON",
        })
        .await
}

pub(super) async fn rebuild(
    session: &mut Session<'_>,
    table: &TableName,
    lock_free: bool,
) -> HostResult<Rebuilt> {
    // A table that an older version accepted is not judged anew by this session's mode.
    session.execute("SET SESSION sql_mode = ''").await?;
    session.execute("SET SESSION sql_log_bin = 0").await?;
    must_be_off(session).await?;
    let before = executed(session).await?;
    let name = table.quoted();
    session
        .execute(&if lock_free {
            format!("ALTER TABLE {name} FORCE, ALGORITHM=INPLACE, LOCK=NONE")
        } else {
            format!("ALTER TABLE {name} FORCE")
        })
        .await?;
    let after = executed(session).await?;
    must_be_off(session).await?;
    Ok(Rebuilt { before, after })
}

async fn must_be_off(session: &mut Session<'_>) -> HostResult<()> {
    let on: Option<bool> = session.one("SELECT @@SESSION.sql_log_bin").await?;
    if on == Some(false) {
        return Ok(());
    }
    Err(HostError::Unexpected(
        "sql_log_bin is not OFF on the session that rebuilds".to_owned(),
    ))
}

async fn executed(session: &mut Session<'_>) -> HostResult<GtidSet> {
    let executed: Option<String> = session.one("SELECT @@GLOBAL.gtid_executed").await?;
    // No answer is not the empty set: twice no answer would prove that nothing was written.
    let executed = executed.ok_or_else(|| {
        HostError::Unexpected("the server does not tell its gtid_executed".to_owned())
    })?;
    parse_gtids("gtid_executed", &executed)
}
