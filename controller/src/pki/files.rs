//! Writing files that are private from their first byte, never overwritten, and never half there.
//!
//! Every file is made under a temporary name in its directory (O_EXCL, mode 0600), written, synced,
//! and only then given its name; the directory is synced after that.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::PkiError;

pub const PRIVATE: u32 = 0o600;
pub const PUBLIC: u32 = 0o644;

/// Names the operation and the path in an I/O error.
pub fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PkiError {
    let path = path.to_owned();
    move |source| PkiError::Io {
        operation,
        path,
        source,
    }
}

/// Makes a directory that only its owner may enter; one that exists is left as it is.
pub fn make_dir(dir: &Path) -> Result<(), PkiError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(failed("make the directory", dir))
}

/// Anything at all under that name, a dangling symbolic link too.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Files made by one request: removed again unless the request comes to its end.
#[derive(Default)]
pub struct Batch {
    made: Vec<PathBuf>,
}

impl Batch {
    /// Writes a new file; refuses if the name was taken in the meantime.
    pub fn create(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
        let file = written(path, text, mode, None)?;
        file.persist_noclobber(path)
            .map_err(|error| failed("create", path)(error.error))?;
        self.made.push(path.to_owned());
        sync_dir(path)
    }

    pub fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for path in &self.made {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove a file of a failed request");
            }
        }
    }
}

/// Writes `text` over `path` by rename, keeping the owner of `like`.
pub fn replace(path: &Path, text: &str, mode: u32, like: &Path) -> Result<(), PkiError> {
    written(path, text, mode, Some(like))?
        .persist(path)
        .map_err(|error| failed("replace", path)(error.error))?;
    sync_dir(path)
}

/// Writes a whole file, over another one or not.
pub fn put(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    written(path, text, mode, None)?
        .persist(path)
        .map_err(|error| failed("write", path)(error.error))?;
    sync_dir(path)
}

pub fn rename(from: &Path, to: &Path) -> Result<(), PkiError> {
    std::fs::rename(from, to).map_err(failed("rename", from))?;
    sync_dir(to)
}

pub fn remove(path: &Path) -> Result<(), PkiError> {
    std::fs::remove_file(path).map_err(failed("remove", path))?;
    sync_dir(path)
}

/// A complete, synced file under a temporary name beside `path`.
fn written(
    path: &Path,
    text: &str,
    mode: u32,
    owner_of: Option<&Path>,
) -> Result<NamedTempFile, PkiError> {
    let mut file = tempfile::Builder::new()
        .prefix(".refit-pki-")
        .permissions(Permissions::from_mode(PRIVATE))
        .tempfile_in(parent(path))
        .map_err(failed("create a file beside", path))?;
    if let Some(like) = owner_of {
        let wanted = std::fs::metadata(like).map_err(failed("look at", like))?;
        let ours = file.as_file().metadata().map_err(failed("look at", path))?;
        if (wanted.uid(), wanted.gid()) != (ours.uid(), ours.gid()) {
            fchown(file.as_file(), Some(wanted.uid()), Some(wanted.gid()))
                .map_err(failed("keep the owner of", like))?;
        }
    }
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed("write", path))?;
    Ok(file)
}

fn sync_dir(path: &Path) -> Result<(), PkiError> {
    let dir = parent(path);
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(failed("sync the directory", dir))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}
