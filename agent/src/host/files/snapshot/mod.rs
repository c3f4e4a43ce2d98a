//! Snapshots of the data directory and of every path outside it, as one unit.
//!
//! ```text
//! <snapshot_dir>/.<name>.partial/   while it is being taken
//! <snapshot_dir>/<name>/            complete: renamed only when everything is on disk
//!     manifest.json                 what it holds, with sizes, owners and modes (and hashes of full copies)
//!     0-data_dir/ 1-binary_logs/    a read-only subvolume, or a tree of reflinked or copied files
//! ```
//!
//! Taking and judging is here, putting back in [`restore`].

pub(super) mod btrfs;
mod manifest;
mod restore;
pub(super) mod tree;

use super::disk;
use super::mounts::Mounts;
use super::paths::Item;
use crate::host::{HostError, HostResult, Phase};
use manifest::{Manifest, Part};
use refit_shared::observation::{PathRole, SnapshotMethod};
use std::path::{Path, PathBuf};
use tree::{How, Listing, Selection};

/// The place where a host's snapshots are.
#[derive(Debug, Clone)]
pub(super) struct Snapshots {
    dir: PathBuf,
    /// Where the progress of a restore is kept.
    state_dir: PathBuf,
}

/// How one path would be taken, and what that takes.
#[derive(Debug)]
pub(super) struct Outlook {
    pub(super) method: SnapshotMethod,
    pub(super) occupied: u64,
    pub(super) filesystem: String,
}

impl Outlook {
    pub(super) fn needs(&self) -> u64 {
        match self.method {
            SnapshotMethod::Copy => self.occupied,
            SnapshotMethod::BtrfsSubvolume | SnapshotMethod::Reflink => 0,
        }
    }
}

/// Room that must be left besides the copies: directories, the manifest.
pub(super) const SPARE: u64 = 16 << 20;

impl Snapshots {
    pub(super) fn new(dir: &Path, state_dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            state_dir: state_dir.to_owned(),
        }
    }

    fn place(&self, name: &str) -> HostResult<PathBuf> {
        Ok(self.dir.join(super::plain_name(name)?))
    }

    fn partial(&self, name: &str) -> PathBuf {
        self.dir.join(format!(".{name}.partial"))
    }

    /// The snapshots' directory right below an item's, where they are kept inside of it.
    fn inside(&self, item: &Item) -> HostResult<Option<PathBuf>> {
        let Ok(relative) = self.dir.strip_prefix(&item.path) else {
            return Ok(None);
        };
        let top = relative.components().next().map(|c| c.as_os_str());
        match top.and_then(|name| name.to_str()) {
            Some(name) if name.starts_with('.') => Ok(Some(PathBuf::from(name))),
            _ => Err(HostError::Snapshot {
                name: self.dir.display().to_string(),
                why: format!(
                    "inside {} the directory for snapshots must have a name that begins with a dot, or mysqld takes it \
                     for a schema",
                    item.path.display()
                ),
            }),
        }
    }

    pub(super) fn list(&self, item: &Item, root: &Path) -> HostResult<Listing> {
        let inside = self.inside(item)?;
        let selection = Selection {
            names: &item.names,
            data_dir: item.role == PathRole::DataDir,
            without: inside.as_deref(),
        };
        tree::list(root, &selection)
    }

    fn ready(&self) -> HostResult<()> {
        disk::make_private_dir(&self.dir)
    }

    /// How an item would be taken. Blocking.
    pub(super) fn outlook(&self, item: &Item, mounts: &Mounts) -> HostResult<Outlook> {
        self.ready()?;
        let listing = self.list(item, &item.path)?;
        self.judge(item, &listing, mounts)
    }

    fn judge(&self, item: &Item, listing: &Listing, mounts: &Mounts) -> HostResult<Outlook> {
        let whole = item.names == super::paths::Names::All;
        if whole && let Some(point) = mounts.below(&item.path).first() {
            return Err(HostError::Snapshot {
                name: item.path.display().to_string(),
                why: format!(
                    "{} is a mount inside it; it could not be restored as one",
                    point.display()
                ),
            });
        }
        let subvolume = whole
            && !listing.crosses
            && btrfs::is_installed()
            && btrfs::is_subvolume(&item.path, mounts)?
            && mounts.same_filesystem(&item.path, &self.dir)?;
        let method = if subvolume {
            SnapshotMethod::BtrfsSubvolume
        } else if tree::can_reflink(&item.path, &self.dir)? {
            SnapshotMethod::Reflink
        } else {
            SnapshotMethod::Copy
        };
        Ok(Outlook {
            method,
            occupied: listing.occupied,
            filesystem: mounts.of(&item.path)?.kind.clone(),
        })
    }

    /// Takes it, unless a complete one of that name is there.
    pub(super) async fn take(
        &self,
        name: &str,
        items: Vec<Item>,
        phase: &Phase,
    ) -> HostResult<SnapshotMethod> {
        let place = self.place(name)?;
        if let Some(manifest) = Manifest::read(&place)? {
            return Ok(manifest.method());
        }
        self.ready()?;
        remove(&place).await?;
        let partial = self.partial(name);
        remove(&partial).await?;
        disk::make_private_dir(&partial)?;

        phase.say("looking at what a snapshot must hold");
        let this = self.clone();
        let planned = super::blocking(move || this.plan(items)).await?;
        let mut parts = Vec::new();
        for (number, (item, listing, outlook)) in planned.into_iter().enumerate() {
            let stored = format!("{number}-{}", role_name(item.role));
            let to = partial.join(&stored);
            phase.say(format!("snapshot of {}", item.path.display()));
            let entries = self
                .take_item(&item, listing, outlook.method, &to, phase)
                .await?;
            parts.push(Part {
                item,
                method: outlook.method,
                stored,
                entries,
            });
        }
        refit_faults::at!("snapshot.take/half")?;
        let manifest = Manifest::new(name, jiff::Timestamp::now().as_millisecond(), parts);
        let method = manifest.method();
        phase.say("making the snapshot durable");
        let dir = self.dir.clone();
        super::blocking(move || {
            manifest.write(&partial)?;
            sync_filesystem(&partial)?;
            std::fs::rename(&partial, &place).map_err(disk::error("rename", &partial))?;
            disk::sync_file(&dir)
        })
        .await?;
        Ok(method)
    }

    /// What will be taken and how; refuses here when there is not enough room. Blocking.
    fn plan(&self, items: Vec<Item>) -> HostResult<Vec<(Item, Listing, Outlook)>> {
        let mounts = Mounts::read()?;
        let mut planned = Vec::new();
        for item in items {
            let listing = self.list(&item, &item.path)?;
            let outlook = self.judge(&item, &listing, &mounts)?;
            planned.push((item, listing, outlook));
        }
        let copies: u64 = planned.iter().map(|(_, _, outlook)| outlook.needs()).sum();
        let needed = copies + SPARE;
        let free = tree::free_bytes(&self.dir)?;
        if needed > free {
            return Err(HostError::Space {
                place: self.dir.display().to_string(),
                needed,
                free,
            });
        }
        Ok(planned)
    }

    async fn take_item(
        &self,
        item: &Item,
        listing: Listing,
        method: SnapshotMethod,
        to: &Path,
        phase: &Phase,
    ) -> HostResult<Vec<tree::Entry>> {
        let (from, to, phase) = (item.path.clone(), to.to_owned(), phase.clone());
        let how = match method {
            SnapshotMethod::BtrfsSubvolume => {
                btrfs::snapshot(&from, &to, true).await?;
                // What it really holds: it can't change any more.
                let (this, item) = (self.clone(), item.clone());
                return super::blocking(move || Ok(this.list(&item, &to)?.entries)).await;
            }
            SnapshotMethod::Reflink => How::Reflink,
            SnapshotMethod::Copy => How::Copy,
        };
        super::blocking(move || {
            let mut entries = listing.entries;
            tree::copy(&from, &to, &mut entries, how, &phase)?;
            Ok(entries)
        })
        .await
    }

    /// Complete, and as its manifest says: every entry with its size, owner and mode, and nothing else. The contents of
    /// full copies are compared with their hashes when they are put back.
    pub(super) async fn verify(&self, name: &str) -> HostResult<bool> {
        let place = self.place(name)?;
        let this = self.clone();
        super::blocking(move || {
            let Some(manifest) = Manifest::read(&place)? else {
                return Ok(false);
            };
            for part in &manifest.parts {
                let stored = place.join(&part.stored);
                if !disk::exists(&stored)? {
                    return Ok(false);
                }
                let found = this.list(&part.item, &stored)?.entries;
                let same = found.len() == part.entries.len()
                    && found.iter().zip(&part.entries).all(|(found, noted)| {
                        found.path == noted.path
                            && found.kind == noted.kind
                            && (found.mode, found.uid, found.gid)
                                == (noted.mode, noted.uid, noted.gid)
                    });
                if !same {
                    return Ok(false);
                }
            }
            Ok(manifest.name == place.file_name().unwrap_or_default().to_string_lossy())
        })
        .await
    }

    /// Deletes it, what was set aside for it, and what a cut-short attempt left.
    pub(super) async fn drop_snapshot(&self, name: &str, known: &[Item]) -> HostResult<()> {
        let place = self.place(name)?;
        let mut items = known.to_vec();
        // Deleting must work on a snapshot that can't be read, too; then the known paths have to do.
        if let Ok(Some(manifest)) = Manifest::read(&place) {
            items.extend(manifest.parts.into_iter().map(|part| part.item));
        }
        self.drop_leftovers(name, &items).await?;
        remove(&place).await?;
        remove(&self.partial(name)).await
    }
}

/// Removes a directory with the subvolumes right inside of it, or a subvolume.
pub(super) async fn remove(path: &Path) -> HostResult<()> {
    if !disk::exists(path)? {
        return Ok(());
    }
    let mounts = Mounts::read()?;
    if btrfs::is_subvolume(path, &mounts)? {
        return btrfs::delete(path).await;
    }
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(disk::error("list", path))? {
            let child = entry.map_err(disk::error("list", path))?.path();
            if btrfs::is_subvolume(&child, &mounts)? {
                btrfs::delete(&child).await?;
            }
        }
    }
    let path = path.to_owned();
    super::blocking(move || {
        disk::remove_tree(&path)?;
        disk::sync_parent(&path)
    })
    .await
}

/// Everything written to the file system so far is on disk.
fn sync_filesystem(path: &Path) -> HostResult<()> {
    let dir = std::fs::File::open(path).map_err(disk::error("open", path))?;
    rustix::fs::syncfs(&dir).map_err(|e| disk::error("sync the file system of", path)(e.into()))
}

fn role_name(role: PathRole) -> &'static str {
    match role {
        PathRole::DataDir => "data_dir",
        PathRole::BinaryLogs => "binary_logs",
        PathRole::RelayLogs => "relay_logs",
        PathRole::RedoLogs => "redo_logs",
        PathRole::UndoLogs => "undo_logs",
        PathRole::InnodbHome => "innodb_home",
        PathRole::Other => "other",
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
