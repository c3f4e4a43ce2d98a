//! Opening every table and view of a server once: what can't be read after an upgrade shows here. For a rehearsal's clone.

use super::connection::Sessions;
use super::credentials::Credentials;
use crate::host::{HostError, HostResult};
use refit_shared::survey::quote;
use std::path::Path;
use std::time::Duration;

/// What was opened, and what could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tour {
    pub tables: u64,
    pub views: u64,
    /// `schema.name` and why.
    pub failed: Vec<(String, String)>,
}

/// Of the server's own schemas `mysql` and `sys` count, too: accounts and help are read from there.
const EVERYTHING: &str = "SELECT table_schema, table_name, table_type FROM information_schema.tables \
     WHERE table_schema NOT IN ('information_schema', 'performance_schema') AND table_type IN ('BASE TABLE', 'VIEW')";

/// Asks every table for at most one row, which makes the server parse all that belongs to it: generated columns, functional
/// indexes, defaults, constraints, partitions; every view for none.
pub async fn tour(
    socket: &Path,
    credentials: Credentials,
    limit: Duration,
    mut on_the_way: impl FnMut(u64, u64) + Send,
) -> HostResult<Tour> {
    let sessions = Sessions::new(socket, credentials);
    let mut session = sessions.get(limit).await?;
    session
        .execute("SET SESSION max_execution_time = 5000, information_schema_stats_expiry = 86400")
        .await?;
    let all: Vec<(String, String, String)> = session.all(EVERYTHING).await?;
    let mut tour = Tour::default();
    let total = all.len() as u64;
    for (schema, name, kind) in all {
        let view = kind == "VIEW";
        let rows = if view { 0 } else { 1 };
        let question = format!(
            "SELECT 1 FROM {}.{} LIMIT {rows}",
            quote(&schema),
            quote(&name)
        );
        match session.one::<u8>(&question).await {
            Ok(_) => {}
            Err(HostError::Sql { code, message, .. }) => {
                tour.failed.push((
                    format!("{schema}.{name}"),
                    format!("error {code}: {message}"),
                ));
            }
            Err(gone) => return Err(gone),
        }
        if view {
            tour.views += 1;
        } else {
            tour.tables += 1;
        }
        on_the_way(tour.tables + tour.views, total);
    }
    Ok(tour)
}
