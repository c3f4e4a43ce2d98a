//! Option files, byte for byte: a digest of what the server reads, a backup of all that belongs to it, and the way back.
//!
//! The digest covers the files that mysqld reads. The backup covers more: everything below the option directory, so that
//! what a package left there (`*.dpkg-dist`) goes away again. Refit's own drop-in and FROZEN are in neither.

use super::persisted::Persisted;
use super::{disk, options};
use crate::host::beside::OptionTree;
use crate::host::{HostError, HostResult};
use refit_shared::config::{self, ConfigFiles};
use refit_shared::ids::Digest;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

/// All option files together: nobody writes so much by hand, and an answer must fit into one message.
const LARGEST: usize = 1 << 20;
const MANIFEST: &str = "manifest.json";

/// Where the option files are, and what of it is ours.
#[derive(Debug, Clone)]
pub(super) struct OptionFiles {
    pub(super) dir: PathBuf,
    /// Files where mysqld starts reading.
    pub(super) roots: Vec<PathBuf>,
    pub(super) not_ours_to_keep: Vec<PathBuf>,
    /// Where backups are.
    pub(super) backups: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    path: PathBuf,
    mode: u32,
    uid: u32,
    gid: u32,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Directory,
    Link {
        target: PathBuf,
    },
    File {
        blake3: Digest,
        /// The file in the backup.
        stored: String,
    },
}

/// One thing that is there now, with its content.
struct Found {
    saved: Saved,
    content: Vec<u8>,
}

impl OptionFiles {
    fn is_excluded(&self, path: &Path) -> bool {
        self.not_ours_to_keep.iter().any(|other| other == path)
            || path.to_string_lossy().ends_with(".refit-new")
    }

    /// The files that mysqld reads, ours left out.
    fn read_by_server(&self) -> HostResult<Vec<PathBuf>> {
        let mut all = Vec::new();
        for root in &self.roots {
            for file in options::files(root).map_err(disk::error("read", root))? {
                if !self.is_excluded(&file) && !all.contains(&file) {
                    all.push(file);
                }
            }
        }
        Ok(all)
    }

    pub(super) fn digest(&self, persisted: &Persisted) -> HostResult<Digest> {
        let mut hash = blake3::Hasher::new();
        let mut add = |path: &Path, meta: &fs::Metadata, content: &[u8]| {
            let head = format!(
                "{}\0{:o}\0{}\0{}\0{}\0",
                path.display(),
                meta.mode() & 0o7777,
                meta.uid(),
                meta.gid(),
                content.len()
            );
            hash.update(head.as_bytes());
            hash.update(content);
        };
        for file in self.read_by_server()? {
            let meta = fs::metadata(&file).map_err(disk::error("look at", &file))?;
            let content = fs::read(&file).map_err(disk::error("read", &file))?;
            add(&file, &meta, &content);
        }
        if let Some(content) = persisted.content()? {
            let file = &persisted.file;
            let meta = fs::metadata(file).map_err(disk::error("look at", file))?;
            add(file, &meta, &content);
        }
        Ok(Digest::from_bytes(*hash.finalize().as_bytes()))
    }

    /// What the files say, secrets masked.
    pub(super) fn config(&self, persisted: &Persisted) -> HostResult<ConfigFiles> {
        let settings = match persisted.content()? {
            Some(content) => config::persisted::parse(&content)
                .map_err(|e| HostError::Unexpected(e.to_string()))?,
            None => Vec::new(),
        };
        let read = options::config(&self.roots, &self.read_by_server()?, settings)
            .map_err(disk::error("read the option files below", &self.dir))?;
        let bytes: usize = read.files.iter().map(|file| file.text.len()).sum();
        if bytes > LARGEST {
            return Err(HostError::Unexpected(format!(
                "the option files have {bytes} bytes, at most {LARGEST} are read"
            )));
        }
        Ok(read)
    }

    /// Everything that a backup holds, as it is now.
    fn present(&self, persisted: &Persisted) -> HostResult<Vec<Found>> {
        let mut paths = Vec::new();
        for entry in walkdir::WalkDir::new(&self.dir).sort_by_file_name() {
            let entry = entry.map_err(|e| disk::error("list", &self.dir)(e.into()))?;
            paths.push(entry.into_path());
        }
        for file in self.read_by_server()? {
            // What a link leads to is kept, too: that is what would be rewritten.
            let real = fs::canonicalize(&file).map_err(disk::error("find", &file))?;
            for path in [file, real] {
                if !path.starts_with(&self.dir) && !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        let mut found = Vec::new();
        for path in paths {
            if !self.is_excluded(&path) {
                found.extend(look(&path, None)?);
            }
        }
        if let Some(content) = persisted.content()? {
            found.extend(look(&persisted.file, Some(content))?);
        }
        for (number, one) in found.iter_mut().enumerate() {
            if let What::File { stored, .. } = &mut one.saved.what {
                *stored = format!("{number:04}");
            }
        }
        Ok(found)
    }

    fn place(&self, name: &str) -> HostResult<PathBuf> {
        Ok(self.backups.join(super::plain_name(name)?))
    }

    fn manifest(&self, name: &str) -> HostResult<Option<Vec<Saved>>> {
        let path = self.place(name)?.join(MANIFEST);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|e| HostError::Unexpected(format!("{}: {e}", path.display()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(disk::error("read", &path)(e)),
        }
    }

    pub(super) fn has_backup(&self, name: &str) -> HostResult<bool> {
        let Some(manifest) = self.manifest(name)? else {
            return Ok(false);
        };
        let place = self.place(name)?;
        for saved in &manifest {
            if let What::File { blake3, stored } = &saved.what {
                match fs::read(place.join(stored)) {
                    Ok(content) if Digest::of(&content) == *blake3 => {}
                    Ok(_) => return Ok(false),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
                    Err(e) => return Err(disk::error("read", &place)(e)),
                }
            }
        }
        Ok(true)
    }

    pub(super) fn back_up(&self, name: &str, persisted: &Persisted) -> HostResult<()> {
        let found = self.present(persisted)?;
        let now: Vec<&Saved> = found.iter().map(|one| &one.saved).collect();
        let before = self.manifest(name)?;
        if self.has_backup(name)? && before.iter().flatten().eq(now.iter().copied()) {
            return Ok(());
        }
        let place = self.place(name)?;
        let new = self.backups.join(format!(".{name}.new"));
        disk::remove_tree(&new)?;
        disk::make_private_dir(&new)?;
        for one in &found {
            if let What::File { stored, .. } = &one.saved.what {
                disk::write_durably(&new.join(stored), &one.content, 0o600)?;
            }
        }
        let text = serde_json::to_vec_pretty(&now).expect("plain data always serialises");
        disk::write_durably(&new.join(MANIFEST), &text, 0o600)?;
        disk::remove_tree(&place)?;
        fs::rename(&new, &place).map_err(disk::error("rename", &new))?;
        disk::sync_parent(&place)
    }

    pub(super) fn restore(&self, name: &str, persisted: &Persisted) -> HostResult<()> {
        let manifest = self
            .manifest(name)?
            .filter(|_| self.has_backup(name).unwrap_or(false));
        let Some(manifest) = manifest else {
            return Err(HostError::Unexpected(format!(
                "there is no complete backup {name} of the option files"
            )));
        };
        let place = self.place(name)?;
        // In maintenance mysqld-auto.cnf has entries taken out; the restored one gets the same treatment.
        let stripped = persisted.is_stripped()? && !persisted.file_is_whole()?;
        let present = self.present(persisted)?;
        for saved in &manifest {
            let same = present.iter().any(|one| same(&one.saved, saved));
            if !same {
                put_back(saved, &place)?;
                refit_faults::hit!("config.restore/half")?;
            }
        }
        let was_there = |path: &Path| manifest.iter().any(|saved| saved.path == path);
        // Deepest first, so that directories are empty when their turn comes.
        for one in present.iter().rev() {
            if !was_there(&one.saved.path) {
                self.take_away(name, &one.saved)?;
            }
        }
        if stripped {
            persisted.forget()?;
            persisted.strip()?;
        }
        Ok(())
    }

    /// Where a file that mysqld reads really is: an alternative (`/etc/mysql/my.cnf` on Debian) is a link. Other paths are refused, so
    /// that an order can't lead anywhere else.
    fn real(&self, path: &Path) -> HostResult<Option<PathBuf>> {
        if !self.read_by_server()?.iter().any(|file| file == path) {
            if disk::exists(path)? {
                return Err(HostError::Unexpected(format!(
                    "{} is no option file that mysqld reads",
                    path.display()
                )));
            }
            return Ok(None);
        }
        let real = fs::canonicalize(path).map_err(disk::error("find", path))?;
        Ok(Some(real))
    }

    /// Every file that mysqld reads, byte for byte.
    pub(super) fn tree(&self) -> HostResult<OptionTree> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut files = Vec::new();
        for file in self.read_by_server()? {
            let content = fs::read(&file).map_err(disk::error("read", &file))?;
            files.push((text(&file), content));
        }
        Ok(OptionTree {
            roots: self.roots.iter().map(|root| text(root)).collect(),
            files,
        })
    }

    pub(super) fn content(&self, path: &Path) -> HostResult<Option<Vec<u8>>> {
        match self.real(path)? {
            Some(real) => fs::read(&real)
                .map(Some)
                .map_err(disk::error("read", &real)),
            None => Ok(None),
        }
    }

    /// The file's bytes in the backup of that name.
    pub(super) fn kept(&self, name: &str, path: &Path) -> HostResult<Option<Vec<u8>>> {
        if !self.has_backup(name)? {
            return Ok(None);
        }
        let real = self.real(path)?.unwrap_or_else(|| path.to_owned());
        let manifest = self.manifest(name)?.unwrap_or_default();
        let Some(saved) = manifest.iter().find(|saved| saved.path == real) else {
            return Ok(None);
        };
        let What::File { stored, .. } = &saved.what else {
            return Ok(None);
        };
        let stored = self.place(name)?.join(stored);
        fs::read(&stored)
            .map(Some)
            .map_err(disk::error("read", &stored))
    }

    /// Other bytes, the same owner and mode.
    pub(super) fn replace(&self, path: &Path, content: &[u8]) -> HostResult<()> {
        let real = self.real(path)?.ok_or_else(|| {
            HostError::Unexpected(format!("{} is not there any more", path.display()))
        })?;
        let meta = fs::metadata(&real).map_err(disk::error("look at", &real))?;
        write_over(
            &real,
            content,
            (meta.uid(), meta.gid()),
            meta.mode() & 0o7777,
        )
    }

    /// What was not there before goes; a copy is kept beside the backup, in case somebody misses it.
    fn take_away(&self, name: &str, saved: &Saved) -> HostResult<()> {
        let path = &saved.path;
        if saved.what == What::Directory {
            return match fs::remove_dir(path) {
                Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
                other => other.map_err(disk::error("remove", path)),
            };
        }
        if let What::File { .. } = saved.what {
            let relative = path.strip_prefix("/").unwrap_or(path);
            let kept = self.backups.join(format!("{name}.removed")).join(relative);
            if let Some(dir) = kept.parent() {
                disk::make_private_dir(dir)?;
            }
            disk::copy_file(path, &kept)?;
        }
        disk::remove_durably(path)
    }
}

/// The same but for where the backup keeps the content.
fn same(a: &Saved, b: &Saved) -> bool {
    let content = |saved: &Saved| match &saved.what {
        What::File { blake3, .. } => Some(*blake3),
        _ => None,
    };
    let kind = |saved: &Saved| match &saved.what {
        What::Directory => None,
        What::Link { target } => Some(target.clone()),
        What::File { .. } => Some(PathBuf::new()),
    };
    (&a.path, a.mode, a.uid, a.gid) == (&b.path, b.mode, b.uid, b.gid)
        && content(a) == content(b)
        && kind(a) == kind(b)
}

fn look(path: &Path, content: Option<Vec<u8>>) -> HostResult<Option<Found>> {
    let meta = fs::symlink_metadata(path).map_err(disk::error("look at", path))?;
    let mut bytes = Vec::new();
    let what = if meta.is_dir() {
        What::Directory
    } else if meta.is_symlink() {
        What::Link {
            target: fs::read_link(path).map_err(disk::error("read the link", path))?,
        }
    } else if meta.is_file() {
        bytes = match content {
            Some(content) => content,
            None => fs::read(path).map_err(disk::error("read", path))?,
        };
        What::File {
            blake3: Digest::of(&bytes),
            stored: String::new(),
        }
    } else {
        return Ok(None); // a socket or the like is no configuration
    };
    Ok(Some(Found {
        saved: Saved {
            path: path.to_owned(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            what,
        },
        content: bytes,
    }))
}

fn put_back(saved: &Saved, place: &Path) -> HostResult<()> {
    let path = &saved.path;
    let kind = match fs::symlink_metadata(path) {
        Ok(meta) => Some(meta.file_type()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(disk::error("look at", path)(e)),
    };
    let in_the_way = match (&saved.what, kind) {
        (_, None) => false,
        (What::Directory, Some(kind)) => !kind.is_dir(),
        (What::File { .. }, Some(kind)) => !kind.is_file(),
        (What::Link { .. }, Some(_)) => true,
    };
    if in_the_way {
        if kind.is_some_and(|kind| kind.is_dir()) {
            disk::remove_tree(path)?;
        } else {
            disk::remove_durably(path)?;
        }
    }
    match &saved.what {
        What::Directory => {
            fs::create_dir_all(path).map_err(disk::error("make", path))?;
        }
        What::Link { target } => {
            symlink(target, path).map_err(disk::error("link", path))?;
            lchown(path, Some(saved.uid), Some(saved.gid))
                .map_err(disk::error("set the owner of", path))?;
            return disk::sync_parent(path);
        }
        What::File { stored, .. } => {
            let stored = place.join(stored);
            let content = fs::read(&stored).map_err(disk::error("read", &stored))?;
            return write_over(path, &content, (saved.uid, saved.gid), saved.mode);
        }
    }
    chown(path, Some(saved.uid), Some(saved.gid)).map_err(disk::error("set the owner of", path))?;
    // After the owner: changing that clears special bits.
    fs::set_permissions(path, fs::Permissions::from_mode(saved.mode))
        .map_err(disk::error("set the mode of", path))?;
    disk::sync_parent(path)
}

/// Complete with its owner before it takes the name.
fn write_over(path: &Path, content: &[u8], owner: (u32, u32), mode: u32) -> HostResult<()> {
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".refit-new");
    let temporary = PathBuf::from(temporary);
    disk::write_durably(&temporary, content, mode)?;
    chown(&temporary, Some(owner.0), Some(owner.1))
        .map_err(disk::error("set the owner of", &temporary))?;
    // After the owner: changing that clears special bits.
    fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))
        .map_err(disk::error("set the mode of", &temporary))?;
    refit_faults::hit!("config.write/half")?;
    fs::rename(&temporary, path).map_err(disk::error("replace", path))?;
    disk::sync_parent(path)
}

#[cfg(test)]
#[path = "config_backup_tests.rs"]
mod tests;
