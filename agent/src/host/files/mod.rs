//! The server's files and the agent's own, on the real file system.
//!
//! ```text
//! HostFiles ──> config_backup.rs  option files: digest, backup, the way back
//!           ──> maintenance.rs    drop-ins and the hold;  persisted.rs  what SET PERSIST wrote
//!           ──> paths.rs          which directories belong to the server
//!           ──> snapshot/         copies of them, and putting them back
//! ```
//!
//! Everything may be asked twice and may be cut short anywhere: disk.rs makes each small step durable.

mod clone;
mod config_backup;
#[cfg(test)]
mod contract_tests;
pub(crate) mod disk;
mod maintenance;
mod mounts;
pub(crate) mod options;
mod paths;
mod persisted;
mod snapshot;

pub(crate) use clone::{Clone, Original};

use super::beside::OptionTree;
use super::mysql::{AskPaths, ServerPaths};
use super::{Files, HostError, HostResult, Phase};
use crate::config::AgentConfig;
use async_trait::async_trait;
use config_backup::OptionFiles;
use maintenance::Maintenance;
#[cfg(any(test, feature = "sim"))]
pub(crate) use maintenance::{RESTART_STATUS, restarts_after as maintenance_restarts_after};
use mounts::Mounts;
#[cfg(any(test, feature = "sim"))]
pub(crate) use paths::{OURS, is_transient};
use persisted::Persisted;
use refit_shared::config::ConfigFiles;
use refit_shared::ids::Digest;
use refit_shared::observation::{DataPath, SnapshotMethod, StorageFacts};
use snapshot::{Snapshots, tree};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A walk over a data directory of a hundred thousand files takes a moment: its result is good for this long.
const SIZES_HOLD: Duration = Duration::from_secs(30);

/// The files of one host.
#[derive(Debug)]
pub struct HostFiles {
    state_dir: PathBuf,
    options: OptionFiles,
    maintenance: Maintenance,
    snapshots: Snapshots,
    snapshot_dir: PathBuf,
    server: Arc<dyn AskPaths>,
    storage: Mutex<Option<(Instant, StorageFacts)>>,
}

/// A name from an order that becomes the name of a file or directory: plain, so that it can't lead anywhere else.
pub(crate) fn plain_name(name: &str) -> HostResult<&str> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if (1..=128).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(fine) {
        Ok(name)
    } else {
        Err(HostError::Unexpected(format!(
            "{name:?} can't be the name of a snapshot or backup"
        )))
    }
}

/// Work that waits for the disk, on a thread where that is fine.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> HostResult<T> + Send + 'static,
) -> HostResult<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| HostError::Unexpected(format!("a file operation panicked: {e}")))?
}

impl HostFiles {
    pub fn new(config: &AgentConfig, server: Arc<dyn AskPaths>) -> Self {
        let options = OptionFiles {
            dir: config.mysql.option_dir.clone(),
            roots: vec![
                PathBuf::from("/etc/my.cnf"),
                config.mysql.option_file.clone(),
            ],
            not_ours_to_keep: vec![config.maintenance_file(), config.mysql.frozen_file.clone()],
            backups: config.state_dir.join("config"),
        };
        let maintenance = Maintenance {
            mysqld_file: config.maintenance_file(),
            option_file: config.mysql.option_file.clone(),
            unit_file: config.unit_drop_in(),
            hold: config.hold_file(),
        };
        Self {
            state_dir: config.state_dir.clone(),
            options,
            maintenance,
            snapshots: Snapshots::new(&config.snapshot_dir, &config.state_dir),
            snapshot_dir: config.snapshot_dir.clone(),
            server,
            storage: Mutex::new(None),
        }
    }

    fn remembered(&self) -> PathBuf {
        self.state_dir.join("server-paths.json")
    }

    /// Where the server keeps its files: its own word while it can be asked, else what it said last.
    async fn paths(&self) -> HostResult<ServerPaths> {
        let file = self.remembered();
        match self.server.paths().await {
            Ok(paths) => {
                disk::make_private_dir(&self.state_dir)?;
                paths::remember(&file, &paths)?;
                Ok(paths)
            }
            Err(away) => paths::recall(&file)?.ok_or_else(|| {
                HostError::ServerAway(format!(
                    "where the server keeps its files has never been seen, and it can't be asked: {away}"
                ))
            }),
        }
    }

    async fn persisted(&self) -> HostResult<Persisted> {
        let datadir = paths::datadir(&self.paths().await?)?;
        Ok(Persisted::new(&datadir, &self.state_dir))
    }

    fn dirty_marker(&self, snapshot: &str) -> HostResult<PathBuf> {
        let name = plain_name(snapshot)?;
        Ok(self.state_dir.join(format!("dirty-{name}")))
    }

    fn recent_storage(&self) -> Option<StorageFacts> {
        let storage = self
            .storage
            .lock()
            .expect("no code panics while it holds this lock");
        storage
            .as_ref()
            .filter(|(at, _)| at.elapsed() < SIZES_HOLD)
            .map(|(_, facts)| facts.clone())
    }
}

/// What a snapshot would take. Blocking.
fn look_at_storage(
    snapshots: &Snapshots,
    snapshot_dir: &Path,
    paths: &ServerPaths,
) -> HostResult<StorageFacts> {
    let mounts = Mounts::read()?;
    let items = paths::items(paths)?;
    let mut facts = StorageFacts {
        paths: Vec::new(),
        snapshot_method: SnapshotMethod::Copy,
        snapshot_needs_bytes: 0,
        snapshot_free_bytes: 0,
        data_free_bytes: tree::free_bytes(&paths::datadir(paths)?)?,
    };
    for (number, item) in items.iter().enumerate() {
        let outlook = snapshots.outlook(item, &mounts)?;
        if number == 0 {
            facts.snapshot_method = outlook.method;
        }
        facts.snapshot_needs_bytes += outlook.needs();
        facts.paths.push(DataPath {
            role: item.role,
            path: item.path.display().to_string(),
            bytes: outlook.occupied,
            filesystem: outlook.filesystem,
        });
    }
    facts.snapshot_free_bytes = tree::free_bytes(snapshot_dir)?;
    Ok(facts)
}

#[async_trait]
impl Files for HostFiles {
    async fn config_digest(&self) -> HostResult<Digest> {
        let (options, persisted) = (self.options.clone(), self.persisted().await?);
        blocking(move || options.digest(&persisted)).await
    }

    async fn config_files(&self) -> HostResult<ConfigFiles> {
        let (options, persisted) = (self.options.clone(), self.persisted().await?);
        blocking(move || options.config(&persisted)).await
    }

    async fn back_up_config(&self, name: &str) -> HostResult<()> {
        let (options, persisted) = (self.options.clone(), self.persisted().await?);
        let name = plain_name(name)?.to_owned();
        blocking(move || options.back_up(&name, &persisted)).await
    }

    async fn has_config_backup(&self, name: &str) -> HostResult<bool> {
        self.options.has_backup(name)
    }

    async fn restore_config(&self, name: &str) -> HostResult<()> {
        let (options, persisted) = (self.options.clone(), self.persisted().await?);
        let name = plain_name(name)?.to_owned();
        blocking(move || options.restore(&name, &persisted)).await
    }

    async fn option_tree(&self) -> HostResult<OptionTree> {
        let options = self.options.clone();
        blocking(move || options.tree()).await
    }

    async fn option_file(&self, path: &str) -> HostResult<Option<Vec<u8>>> {
        let (options, path) = (self.options.clone(), PathBuf::from(path));
        blocking(move || options.content(&path)).await
    }

    async fn kept_option_file(&self, name: &str, path: &str) -> HostResult<Option<Vec<u8>>> {
        let (options, path) = (self.options.clone(), PathBuf::from(path));
        let name = plain_name(name)?.to_owned();
        blocking(move || options.kept(&name, &path)).await
    }

    async fn replace_option_file(&self, path: &str, content: &[u8]) -> HostResult<()> {
        let (options, path) = (self.options.clone(), PathBuf::from(path));
        let content = content.to_owned();
        blocking(move || options.replace(&path, &content)).await
    }

    async fn write_maintenance(&self) -> HostResult<()> {
        disk::make_private_dir(&self.state_dir)?;
        let (maintenance, persisted) = (self.maintenance.clone(), self.persisted().await?);
        blocking(move || maintenance.write(&persisted)).await
    }

    async fn remove_maintenance(&self) -> HostResult<()> {
        let (maintenance, persisted) = (self.maintenance.clone(), self.persisted().await?);
        blocking(move || maintenance.remove(&persisted)).await
    }

    async fn in_maintenance(&self) -> HostResult<bool> {
        let (maintenance, persisted) = (self.maintenance.clone(), self.persisted().await?);
        blocking(move || maintenance.is_written(&persisted)).await
    }

    async fn set_hold(&self, on: bool) -> HostResult<()> {
        let maintenance = self.maintenance.clone();
        blocking(move || maintenance.set_hold(on)).await
    }

    async fn held(&self) -> HostResult<bool> {
        self.maintenance.held()
    }

    async fn storage(&self) -> HostResult<StorageFacts> {
        let paths = self.paths().await?;
        if let Some(facts) = self.recent_storage() {
            return Ok(facts);
        }
        let (snapshots, dir) = (self.snapshots.clone(), self.snapshot_dir.clone());
        let facts = blocking(move || look_at_storage(&snapshots, &dir, &paths)).await?;
        *self
            .storage
            .lock()
            .expect("no code panics while it holds this lock") =
            Some((Instant::now(), facts.clone()));
        Ok(facts)
    }

    async fn take_snapshot(&self, name: &str, phase: &Phase) -> HostResult<SnapshotMethod> {
        let items = paths::items(&self.paths().await?)?;
        self.snapshots.take(name, items, phase).await
    }

    async fn verify_snapshot(&self, name: &str) -> HostResult<bool> {
        self.snapshots.verify(name).await
    }

    async fn restore_snapshot(&self, name: &str, phase: &Phase) -> HostResult<()> {
        self.snapshots.restore(name, phase).await
    }

    async fn drop_snapshot(&self, name: &str) -> HostResult<()> {
        let items = match paths::recall(&self.remembered())? {
            Some(paths) => paths::items(&paths)?,
            None => Vec::new(),
        };
        self.snapshots.drop_snapshot(name, &items).await?;
        disk::remove_durably(&self.dirty_marker(name)?)
    }

    async fn set_dirty(&self, snapshot: &str, dirty: bool) -> HostResult<()> {
        let marker = self.dirty_marker(snapshot)?;
        if dirty {
            disk::write_durably(&marker, b"", 0o600)
        } else {
            disk::remove_durably(&marker)
        }
    }

    async fn is_dirty(&self, snapshot: &str) -> HostResult<bool> {
        disk::exists(&self.dirty_marker(snapshot)?)
    }

    async fn error_log(&self) -> HostResult<PathBuf> {
        paths::error_log(&self.paths().await?)?.ok_or_else(|| {
            HostError::Unexpected(
                "the server writes its errors to standard error; set log_error to a file"
                    .to_owned(),
            )
        })
    }
}
