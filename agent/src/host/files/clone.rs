//! A throw-away clone of a data directory, for a rehearsal.
//!
//! Data in use is cloned only by one atomic snapshot: then it is what a power loss would leave, and a recovery makes it whole
//! (MYSQL.md §6.1). Data that nobody uses may be shared block by block, or copied where a person has said so.

use super::paths::{self, Item, Names};
use super::snapshot::{SPARE, btrfs, tree};
use super::{HostFiles, blocking, disk};
use crate::host::{HostError, HostResult, Phase};
use refit_shared::observation::{PathRole, SnapshotMethod};
use std::path::{Path, PathBuf};

/// Right below the snapshots, and no name of one.
const PLACE: &str = ".refit-rehearsal";

/// What is to be cloned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Original {
    /// The server's own data directory; in use or not.
    Own { in_use: bool },
    /// Another directory, that nobody may be using.
    At(PathBuf),
}

/// A clone that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clone {
    pub(crate) original: PathBuf,
    pub(crate) method: SnapshotMethod,
    /// Directories of the server that the rehearsal must not see.
    pub(crate) out_of_sight: Vec<PathBuf>,
}

impl HostFiles {
    /// Where a rehearsal has its clone and all that its servers write.
    pub(crate) fn rehearsal_place(&self) -> PathBuf {
        self.snapshot_dir.join(PLACE)
    }

    /// Removes the place with all that is in it.
    pub(crate) async fn clear_rehearsal_place(&self) -> HostResult<()> {
        super::snapshot::remove(&self.rehearsal_place()).await
    }

    /// Clones into `data` below the place, which must be there and have none.
    pub(crate) async fn clone_data(
        &self,
        original: &Original,
        copy: bool,
        phase: &Phase,
    ) -> HostResult<Clone> {
        let own = match (self.paths().await, original) {
            (Ok(own), _) => paths::items(&own)?,
            // A directory that a person named has nothing to do with a server that was never seen.
            (Err(_), Original::At(_)) => Vec::new(),
            (Err(why), Original::Own { .. }) => return Err(why),
        };
        let (item, in_use) = match original {
            Original::Own { in_use } => (whole(&own)?, *in_use),
            Original::At(path) => {
                let path = std::fs::canonicalize(path).map_err(disk::error("find", path))?;
                (data_item(path), false)
            }
        };
        if !in_use {
            not_in_use(&item.path)?;
        }
        let to = self.rehearsal_place().join("data");
        let mounts = super::mounts::Mounts::read()?;
        let outlook = self.snapshots.outlook(&item, &mounts)?;
        let refused = |why: String| HostError::Snapshot {
            name: item.path.display().to_string(),
            why,
        };
        match outlook.method {
            SnapshotMethod::BtrfsSubvolume => btrfs::snapshot(&item.path, &to, false).await?,
            method if in_use => {
                return Err(refused(format!(
                    "{method:?} is not of one instant, and a server uses these files"
                )));
            }
            SnapshotMethod::Copy if !copy => {
                return Err(refused(format!(
                    "its file system shares no blocks with {}: all {} MiB would be copied, and nobody has asked for that",
                    self.snapshot_dir.display(),
                    outlook.occupied >> 20
                )));
            }
            method => {
                let needed = outlook.needs() + SPARE;
                let free = tree::free_bytes(&self.snapshot_dir)?;
                if needed > free {
                    return Err(HostError::Space {
                        place: self.snapshot_dir.display().to_string(),
                        needed,
                        free,
                    });
                }
                let how = match method {
                    SnapshotMethod::Copy => tree::How::Copy,
                    SnapshotMethod::Reflink | SnapshotMethod::BtrfsSubvolume => tree::How::Reflink,
                };
                let (snapshots, phase) = (self.snapshots.clone(), phase.clone());
                let (item, to) = (item.clone(), to.clone());
                blocking(move || {
                    let mut entries = snapshots.list(&item, &item.path)?.entries;
                    tree::copy(&item.path, &to, &mut entries, how, &phase)
                })
                .await?;
            }
        }
        // A server of its own: nobody may take it for the member.
        disk::remove_durably(&to.join("auto.cnf"))?;
        let mut out_of_sight: Vec<PathBuf> = own.into_iter().map(|item| item.path).collect();
        if !out_of_sight.contains(&item.path) {
            out_of_sight.push(item.path.clone());
        }
        Ok(Clone {
            original: item.path,
            method: outlook.method,
            out_of_sight,
        })
    }
}

fn data_item(path: PathBuf) -> Item {
    Item {
        role: PathRole::DataDir,
        path,
        names: Names::All,
    }
}

/// The data directory, where it holds all that a server without binary and relay logs needs.
fn whole(items: &[Item]) -> HostResult<Item> {
    let logs = |role| matches!(role, PathRole::BinaryLogs | PathRole::RelayLogs);
    let mut needed = items.iter().filter(|item| !logs(item.role));
    match (needed.next(), needed.next()) {
        (Some(data), None) => Ok(data.clone()),
        (_, Some(outside)) => Err(HostError::Unexpected(format!(
            "data is kept in {}, outside the data directory: that can't be cloned for a rehearsal",
            outside.path.display()
        ))),
        (None, _) => Err(HostError::Unexpected(
            "the server has no data directory".to_owned(),
        )),
    }
}

/// mysqld locks the system tablespace of its data directory as long as it lives.
fn not_in_use(data: &Path) -> HostResult<()> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    let file = data.join("ibdata1");
    let open = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&file);
    let open = match open {
        Ok(open) => open,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(HostError::Unexpected(format!(
                "{} is no data directory of MySQL: it has no ibdata1",
                data.display()
            )));
        }
        Err(e) => return Err(disk::error("open", &file)(e)),
    };
    // Released when the file is closed, at the end of this function.
    match fcntl_lock(&open, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
            Err(HostError::Unexpected(format!(
                "{} is in use: a mysqld has locked its ibdata1",
                data.display()
            )))
        }
        Err(e) => Err(disk::error("lock", &file)(e.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_data_directory_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = not_in_use(dir.path()).unwrap_err().to_string();
        assert!(error.contains("no ibdata1"), "{error}");
        std::fs::write(dir.path().join("ibdata1"), b"x").unwrap();
        not_in_use(dir.path()).unwrap();
    }

    #[test]
    fn logs_may_be_outside_and_data_may_not() {
        let item = |role, path: &str| Item {
            role,
            path: path.into(),
            names: Names::All,
        };
        let data = item(PathRole::DataDir, "/data");
        let logs = item(PathRole::BinaryLogs, "/logs");
        assert_eq!(whole(&[data.clone(), logs]).unwrap(), data);
        let undo = item(PathRole::UndoLogs, "/undo");
        assert!(
            whole(&[data, undo])
                .unwrap_err()
                .to_string()
                .contains("/undo")
        );
    }
}
