//! Putting a snapshot back, so that it may be cut short anywhere and begun again.
//!
//! ```text
//! Pending ── new tree built beside the old one, durable ──> Built ── old content moved aside ──> Out ── new moved in ──> Done
//! ```
//!
//! A directory that can be renamed is swapped as a whole: its old tree becomes `<path>.refit-aside-<name>`. A mount point
//! and a directory of which only some files are the server's can't be; there the entries move, into and out of hidden
//! directories inside it. The phases are kept in a file; inside a phase, what is where says how far it got.

use super::super::disk;
use super::super::mounts::Mounts;
use super::super::paths::{Item, Names, OURS};
use super::manifest::{Manifest, Part};
use super::tree::{self, How};
use super::{Snapshots, btrfs, remove};
use crate::host::{HostError, HostResult, Phase};
use refit_shared::observation::SnapshotMethod;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// How far a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Pending,
    Built,
    Out,
    Done,
}

/// The places for one part's new and old content.
#[derive(Debug, Clone)]
struct Swap {
    item: Item,
    new: PathBuf,
    aside: PathBuf,
    /// The directory itself is renamed.
    whole: bool,
    /// Our own directory right below the item's, never moved.
    keep: Option<PathBuf>,
}

impl Snapshots {
    fn swap(&self, item: &Item, number: usize, name: &str, mounts: &Mounts) -> HostResult<Swap> {
        let keep = self.inside(item)?;
        let parent = item.path.parent().unwrap_or(Path::new("/"));
        let whole =
            item.names == Names::All && keep.is_none() && mounts.same_mount(&item.path, parent)?;
        let place = |what: &str| {
            if whole {
                let mut path = item.path.clone().into_os_string();
                path.push(format!(".refit-{what}-{name}"));
                PathBuf::from(path)
            } else {
                item.path.join(format!("{OURS}{what}-{name}-{number}"))
            }
        };
        Ok(Swap {
            item: item.clone(),
            new: place("new"),
            aside: place("aside"),
            whole,
            keep,
        })
    }

    fn steps_file(&self, name: &str) -> PathBuf {
        self.state_dir.join(format!("restore-{name}.json"))
    }

    /// Replaces the present content by the snapshot's. What was there is set aside until the snapshot is dropped.
    pub(in super::super) async fn restore(&self, name: &str, phase: &Phase) -> HostResult<()> {
        let place = self.place(name)?;
        let missing = || HostError::Snapshot {
            name: name.to_owned(),
            why: "there is no complete snapshot of that name".to_owned(),
        };
        let manifest = Manifest::read(&place)?.ok_or_else(missing)?;
        if !self.verify(name).await? {
            return Err(HostError::Snapshot {
                name: name.to_owned(),
                why: "it does not hold what its manifest says; nothing was changed".to_owned(),
            });
        }
        let mounts = Mounts::read()?;
        let file = self.steps_file(name);
        let mut steps = recall(&file, manifest.parts.len())?;
        let mut swaps = Vec::new();
        for (number, part) in manifest.parts.iter().enumerate() {
            swaps.push(self.swap(&part.item, number, name, &mounts)?);
        }
        // All new trees first: when there is no room, or a copy turns out to be damaged, nothing has been moved yet.
        for (number, (part, swap)) in manifest.parts.iter().zip(&swaps).enumerate() {
            if steps[number] == Step::Pending {
                phase.say(format!(
                    "restoring {}: copying back",
                    swap.item.path.display()
                ));
                self.build(part, swap, &place.join(&part.stored), phase)
                    .await?;
                steps[number] = Step::Built;
                remember(&file, &steps)?;
            }
        }
        for (number, swap) in swaps.iter().enumerate() {
            phase.say(format!("restoring {}: swapping", swap.item.path.display()));
            if steps[number] == Step::Built {
                swap.move_out().await?;
                steps[number] = Step::Out;
                remember(&file, &steps)?;
            }
            refit_faults::at!("snapshot.restore/half")?;
            if steps[number] == Step::Out {
                swap.move_in()?;
                steps[number] = Step::Done;
                remember(&file, &steps)?;
            }
        }
        disk::remove_durably(&file)
    }

    async fn build(
        &self,
        part: &Part,
        swap: &Swap,
        stored: &Path,
        phase: &Phase,
    ) -> HostResult<()> {
        remove(&swap.new).await?;
        if swap.whole && part.method == SnapshotMethod::BtrfsSubvolume {
            btrfs::snapshot(stored, &swap.new, false).await?;
            return disk::sync_parent(&swap.new);
        }
        let (part, swap) = (part.clone(), swap.clone());
        let (stored, phase) = (stored.to_owned(), phase.clone());
        super::super::blocking(move || {
            let mut entries = part.entries;
            let parent = swap.new.parent().unwrap_or(Path::new("/"));
            let how = match part.method {
                // A full copy is also proved by its hashes on the way back.
                SnapshotMethod::Copy => How::Copy,
                _ if tree::can_reflink(&stored, parent)? => How::Reflink,
                _ => How::Copy,
            };
            if how == How::Copy {
                let listing = tree::list(
                    &stored,
                    &tree::Selection {
                        names: &Names::All,
                        data_dir: false,
                        without: None,
                    },
                )?;
                let free = tree::free_bytes(parent)?;
                if listing.occupied > free {
                    return Err(HostError::Space {
                        place: parent.display().to_string(),
                        needed: listing.occupied,
                        free,
                    });
                }
            }
            tree::copy(&stored, &swap.new, &mut entries, how, &phase)?;
            super::sync_filesystem(&swap.new)
        })
        .await
    }

    pub(super) async fn drop_leftovers(&self, name: &str, items: &[Item]) -> HostResult<()> {
        let mounts = Mounts::read()?;
        for (number, item) in items.iter().enumerate() {
            if !disk::exists(&item.path)? {
                continue;
            }
            // Numbers differ between the manifest and what is known now, so every number is looked at.
            for number in 0..=number {
                let swap = self.swap(item, number, name, &mounts)?;
                remove(&swap.new).await?;
                remove(&swap.aside).await?;
            }
        }
        disk::remove_durably(&self.steps_file(name))
    }
}

impl Swap {
    /// The old content moves aside. One that was set aside by an earlier restore of this snapshot goes first.
    async fn move_out(&self) -> HostResult<()> {
        let path = &self.item.path;
        if self.whole {
            if disk::exists(path)? {
                remove(&self.aside).await?;
                rename(path, &self.aside)?;
            }
            return disk::sync_parent(path);
        }
        disk::make_private_dir(&self.aside)?;
        self.move_entries(path, &self.aside)
    }

    fn move_in(&self) -> HostResult<()> {
        let path = &self.item.path;
        if self.whole {
            if disk::exists(&self.new)? {
                rename(&self.new, path)?;
            }
            return disk::sync_parent(path);
        }
        if disk::exists(&self.new)? {
            self.move_entries(&self.new, path)?;
            if self.item.names == Names::All {
                tree::like(&self.new, path)?;
            }
            fs::remove_dir(&self.new).map_err(disk::error("remove", &self.new))?;
        }
        disk::sync_file(path)
    }

    fn move_entries(&self, from: &Path, to: &Path) -> HostResult<()> {
        for entry in fs::read_dir(from).map_err(disk::error("list", from))? {
            let name = entry.map_err(disk::error("list", from))?.file_name();
            let text = name.to_string_lossy();
            let ours =
                text.starts_with(OURS) || self.keep.as_deref() == Some(Path::new(text.as_ref()));
            if ours || !self.item.names.include(&text) {
                continue;
            }
            let target = to.join(&name);
            // Left by an earlier restore of this snapshot; the newer one is what counts.
            if disk::exists(&target)? {
                if target.is_dir() && !target.is_symlink() {
                    disk::remove_tree(&target)?;
                } else {
                    disk::remove_durably(&target)?;
                }
            }
            rename(&from.join(&name), &target)?;
        }
        disk::sync_file(from)?;
        disk::sync_file(to)
    }
}

fn rename(from: &Path, to: &Path) -> HostResult<()> {
    fs::rename(from, to).map_err(disk::error("rename", from))
}

fn recall(file: &Path, parts: usize) -> HostResult<Vec<Step>> {
    let fresh = vec![Step::Pending; parts];
    match fs::read(file) {
        Ok(text) => {
            let steps: Vec<Step> = serde_json::from_slice(&text)
                .map_err(|e| HostError::Unexpected(format!("{}: {e}", file.display())))?;
            // A finished run removes its file; one that says "all done" was cut right before that.
            let finished = steps.iter().all(|step| *step == Step::Done);
            Ok(if finished || steps.len() != parts {
                fresh
            } else {
                steps
            })
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(fresh),
        Err(e) => Err(disk::error("read", file)(e)),
    }
}

fn remember(file: &Path, steps: &[Step]) -> HostResult<()> {
    let text = serde_json::to_vec(steps).expect("plain data always serialises");
    disk::write_durably(file, &text, 0o600)
}
