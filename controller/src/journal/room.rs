//! Whether there is room to record a rollout to its end. Asked before one begins: running out half way stops the controller.

use std::path::PathBuf;

/// Far more than the journal of any rollout.
const WANTED: u64 = 256 * 1024 * 1024;
/// With less than this a journal that could not be written is not tried again.
const LEAST: u64 = 8 * 1024 * 1024;

/// Where the journal grows.
#[derive(Debug, Clone)]
pub enum Room {
    /// Memory, in tests and simulations.
    Unlimited,
    /// The file system of this directory.
    Directory(PathBuf),
}

impl Room {
    /// `Err` says how much is missing.
    pub fn check(&self) -> Result<(), String> {
        self.has(WANTED, "are wanted before a rollout")
    }

    /// Whether it is worth while to open the journal again after it could not be written. `Err` says how much is missing.
    pub fn may_be_tried(&self) -> Result<(), String> {
        self.has(LEAST, "are the least that it needs")
    }

    fn has(&self, wanted: u64, what: &str) -> Result<(), String> {
        let Self::Directory(dir) = self else {
            return Ok(());
        };
        let shown = dir.display();
        let free = free_bytes(dir)
            .map_err(|error| format!("the free space of {shown} can't be read: {error}"))?;
        if free >= wanted {
            return Ok(());
        }
        let mib = |bytes: u64| bytes / (1024 * 1024);
        Err(format!(
            "only {} MiB are free in {shown}, where the journal is; {} MiB {what}",
            mib(free),
            mib(wanted)
        ))
    }
}

/// Bytes that an unprivileged process may still write.
pub(super) fn free_bytes(dir: &std::path::Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
