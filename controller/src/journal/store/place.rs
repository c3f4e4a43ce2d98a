//! The place of a journal that is to be replaced as a whole: nobody else may open it meanwhile, and what was there stays beside
//! it under another name.

use super::open::{beside, lock, parent, sync, unwritable};
use crate::ports::JournalError;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Held until it is dropped.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    new: PathBuf,
    _lock: File,
}

impl Place {
    /// # Errors
    /// Also when a controller has the journal open.
    pub fn take(dir: &Path) -> Result<Self, JournalError> {
        let lock = lock(dir)?;
        let new = beside(dir, ".rebuilt");
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unwritable("remove", &new, error));
            }
            Ok(()) | Err(_) => {}
        }
        Ok(Self {
            dir: dir.to_owned(),
            new,
            _lock: lock,
        })
    }

    /// Where the new journal is to be made, and closed again before [`Place::replace`].
    pub fn new_journal(&self) -> &Path {
        &self.new
    }

    /// Moves the new journal into place. Returns where the old one is now; `None`: there was none.
    pub fn replace(self, now_unix_ms: i64) -> Result<Option<PathBuf>, JournalError> {
        let aside = beside(&self.dir, &format!(".lost-{now_unix_ms}"));
        let kept = match fs::rename(&self.dir, &aside) {
            Ok(()) => Some(aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unwritable("rename", &self.dir, error)),
        };
        fs::rename(&self.new, &self.dir).map_err(|error| unwritable("rename", &self.new, error))?;
        for left in [".lock", ".reserve"] {
            let path = beside(&self.new, left);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unwritable("remove", &path, error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        let parent = parent(&self.dir).unwrap_or(Path::new("."));
        sync(parent).map_err(|error| unwritable("sync", parent, error))?;
        give_to_owner(&self.dir)?;
        Ok(kept)
    }
}

/// Whoever has looked at a journal as root must not leave files in it that its controller, another user, can't write.
pub(super) fn give_to_owner(dir: &Path) -> Result<(), JournalError> {
    let failed = |error: io::Error| unwritable("give to its owner", dir, error);
    let owner = fs::metadata(parent(dir).unwrap_or(Path::new("."))).map_err(failed)?;
    let mut paths = vec![
        dir.to_owned(),
        beside(dir, ".lock"),
        beside(dir, ".reserve"),
    ];
    while let Some(path) = paths.pop() {
        let own = match fs::symlink_metadata(&path) {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        if own.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed)? {
                paths.push(entry.map_err(failed)?.path());
            }
        }
        if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) {
            std::os::unix::fs::lchown(&path, Some(owner.uid()), Some(owner.gid()))
                .map_err(failed)?;
        }
    }
    Ok(())
}
