//! What one rollout has to remember on this host beyond its receipts: small named values, durable when put.

use super::disk::{self, Disk};
use crate::host::{HostError, HostResult};
use refit_shared::ids::RolloutId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One rollout's values: a file each.
#[derive(Debug, Clone)]
pub struct Memory {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Memory {
    /// Below the agent's state directory.
    pub fn of(state_dir: &Path, rollout: &RolloutId, disk: Arc<dyn Disk>) -> Self {
        Self {
            directory: state_dir.join("memory").join(rollout.as_str()),
            disk,
        }
    }

    /// `None`: never put. A damaged value is an error, not an absence.
    pub async fn get<T: DeserializeOwned>(&self, key: &'static str) -> HostResult<Option<T>> {
        let path = self.directory.join(key);
        match std::fs::read(&path) {
            Ok(bytes) => disk::decode(&bytes).map(Some).map_err(|why| {
                HostError::Unexpected(format!("{} is damaged: {why}", path.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("reading", key, error)),
        }
    }

    pub async fn put<T: Serialize>(&self, key: &'static str, value: &T) -> HostResult<()> {
        self.disk
            .write(&self.directory.join(key), disk::encode(value))
            .await
            .map_err(|error| self.failed("writing", key, error))
    }

    /// Forgets everything of this rollout.
    pub async fn clear(&self) -> HostResult<()> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.failed("listing", "", error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| self.failed("listing", "", error))?;
            self.disk
                .remove(&entry.path())
                .await
                .map_err(|error| self.failed("removing", "", error))?;
        }
        Ok(())
    }

    fn failed(&self, action: &'static str, key: &str, source: io::Error) -> HostError {
        HostError::Io {
            action,
            what: self.directory.join(key).display().to_string(),
            source,
        }
    }
}
