//! Whether there is room to record a rollout to its end. Asked before one begins: running out half way stops the controller.

use std::path::PathBuf;

/// Far more than the journal of any rollout.
const WANTED: u64 = 256 * 1024 * 1024;

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
        let Self::Directory(dir) = self else {
            return Ok(());
        };
        let shown = dir.display();
        let free = free_bytes(dir)
            .map_err(|error| format!("the free space of {shown} can't be read: {error}"))?;
        if free >= WANTED {
            return Ok(());
        }
        let mib = |bytes: u64| bytes / (1024 * 1024);
        Err(format!(
            "only {} MiB are free in {shown}, where the journal is; {} MiB are wanted before a rollout",
            mib(free),
            mib(WANTED)
        ))
    }
}

/// Bytes that an unprivileged process may still write.
pub(super) fn free_bytes(dir: &std::path::Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
