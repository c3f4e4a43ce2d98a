//! Small durable steps on the file system: what has been written here survives a power cut once the call returns.

use crate::host::{HostError, HostResult};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

pub(crate) fn error<'p>(
    action: &'static str,
    path: &'p Path,
) -> impl Fn(io::Error) -> HostError + 'p {
    move |source| HostError::Io {
        action,
        what: path.display().to_string(),
        source,
    }
}

pub(crate) fn sync_file(path: &Path) -> HostResult<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(error("sync", path))
}

/// Makes creations, renames and removals in the file's directory durable.
pub(crate) fn sync_parent(path: &Path) -> HostResult<()> {
    sync_file(path.parent().unwrap_or(Path::new("/")))
}

/// Replaces the file as a whole: after a crash it is the old one or the new one.
pub(crate) fn write_durably(path: &Path, content: &[u8], mode: u32) -> HostResult<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".refit-new");
    let temporary = path.with_file_name(name);
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(error("write", path))?;
    sync_parent(path)
}

/// Replaces a unit's drop-in as a whole; the directory of the unit's drop-ins need not be there.
pub(crate) fn write_drop_in(path: &Path, text: &str) -> HostResult<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(dir).map_err(error("make", dir))?;
    sync_parent(dir)?;
    write_durably(path, text.as_bytes(), 0o644)
}

/// Removes a file if it is there, durably.
pub(crate) fn remove_durably(path: &Path) -> HostResult<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(error("remove", path)(e)),
    }
}

/// A directory that only root looks into, with its parents.
pub(crate) fn make_private_dir(path: &Path) -> HostResult<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(error("make", path))?;
    sync_parent(path)
}

/// Removes a directory and all in it, if it is there.
pub(crate) fn remove_tree(path: &Path) -> HostResult<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(error("delete", path)(e)),
        _ => Ok(()),
    }
}

/// Copies a file's bytes, sharing them where the file system can.
pub(crate) fn copy_file(from: &Path, to: &Path) -> HostResult<()> {
    match fs::remove_file(to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(error("replace", to)(e)),
        _ => {}
    }
    reflink_copy::reflink_or_copy(from, to)
        .map(drop)
        .map_err(error("copy", from))
}

/// Is there anything under this name (a dangling link counts)?
pub(crate) fn exists(path: &Path) -> HostResult<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(error("look at", path)(e)),
    }
}
