//! Where the running server keeps its files: the truth for what a snapshot must hold (MYSQL.md §6.2).

use super::connection::Session;
use crate::host::HostResult;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Answers where the server keeps its files, while it can be asked.
#[async_trait]
pub trait AskPaths: Send + Sync + std::fmt::Debug {
    async fn paths(&self) -> HostResult<ServerPaths>;
}

/// As the server says them: maybe relative to the data directory, maybe empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPaths {
    /// By variable.
    pub variables: BTreeMap<String, String>,
    /// Tablespace files, as InnoDB names them.
    pub tablespaces: Vec<PathBuf>,
}

const VARIABLES: &str = "SELECT variable_name, variable_value FROM performance_schema.global_variables WHERE variable_name IN \
     ('datadir', 'innodb_data_home_dir', 'innodb_log_group_home_dir', 'innodb_undo_directory', 'innodb_doublewrite_dir', \
     'log_bin_basename', 'log_bin_index', 'relay_log_basename', 'relay_log_index', 'log_error')";
/// Only files outside the data directory: relative names are below it.
const TABLESPACES: &str = "SELECT file_name FROM information_schema.files \
     WHERE file_type <> 'TEMPORARY' AND file_name LIKE '/%' AND file_name NOT LIKE CONCAT(@@GLOBAL.datadir, '%')";

pub(super) async fn read(session: &mut Session<'_>) -> HostResult<ServerPaths> {
    let rows: Vec<(String, Option<String>)> = session.all(VARIABLES).await?;
    let files: Vec<String> = session.all(TABLESPACES).await?;
    Ok(ServerPaths {
        variables: rows
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.filter(|v| !v.is_empty())?)))
            .collect(),
        tablespaces: files.into_iter().map(PathBuf::from).collect(),
    })
}
