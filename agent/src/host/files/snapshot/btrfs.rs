//! btrfs subvolumes, through the `btrfs` tool.

use super::super::disk;
use super::super::mounts::Mounts;
use crate::host::HostResult;
use crate::process::Program;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// A snapshot commits the running transaction, which on a busy disk takes a while.
const DEADLINE: Duration = Duration::from_secs(300);
/// The inode number of every subvolume's root.
const ROOT_INODE: u64 = 256;

/// Is this the root of a subvolume?
pub(in super::super) fn is_subvolume(path: &Path, mounts: &Mounts) -> HostResult<bool> {
    let meta = std::fs::symlink_metadata(path).map_err(disk::error("look at", path))?;
    Ok(meta.is_dir() && meta.ino() == ROOT_INODE && mounts.of(path)?.kind == "btrfs")
}

pub(in super::super) fn is_installed() -> bool {
    [
        "/usr/bin/btrfs",
        "/usr/sbin/btrfs",
        "/bin/btrfs",
        "/sbin/btrfs",
    ]
    .iter()
    .any(|path| Path::new(path).exists())
}

pub(in super::super) async fn snapshot(from: &Path, to: &Path, read_only: bool) -> HostResult<()> {
    Program::new("btrfs", DEADLINE)
        .args(["subvolume", "snapshot"])
        .args(read_only.then_some("-r"))
        .arg("--")
        .arg(from)
        .arg(to)
        .succeed()
        .await
        .map(drop)
}

pub(in super::super) async fn delete(path: &Path) -> HostResult<()> {
    Program::new("btrfs", DEADLINE)
        .args(["subvolume", "delete", "--"])
        .arg(path)
        .succeed()
        .await
        .map(drop)
}
