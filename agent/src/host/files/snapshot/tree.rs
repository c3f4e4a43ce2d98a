//! Directory trees: listing them, and copying them with everything that counts (bytes, holes, owner, mode, times, links,
//! extended attributes), by reflink or in full, several files at once.

use super::super::disk;
use super::super::paths::{Names, OURS, is_transient};
use crate::host::{HostError, HostResult, Phase};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, FileTimes, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// One entry of a tree, as a manifest has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Entry {
    /// Relative to the tree's root; empty for the root itself.
    pub(in super::super) path: String,
    pub(in super::super) kind: Kind,
    pub(in super::super) mode: u32,
    pub(in super::super) uid: u32,
    pub(in super::super) gid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) blake3: Option<refit_shared::ids::Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Kind {
    Directory,
    File { bytes: u64 },
    Link { target: String },
}

/// What of a directory is looked at.
#[derive(Debug, Clone)]
pub(in super::super) struct Selection<'a> {
    pub(in super::super) names: &'a Names,
    /// It is a data directory: what mysqld makes anew at every start is left out.
    pub(in super::super) data_dir: bool,
    /// A directory right below the root that is ours (snapshots kept inside the data's file system).
    pub(in super::super) without: Option<&'a Path>,
}

impl Selection<'_> {
    fn includes(&self, relative: &Path) -> bool {
        let Some(top) = relative.components().next() else {
            return true;
        };
        let top = top.as_os_str().to_string_lossy();
        self.names.include(&top)
            && !top.starts_with(OURS)
            && self.without != Some(Path::new(top.as_ref()))
            && !(self.data_dir && is_transient(relative))
    }
}

/// What a listing found.
#[derive(Debug, Default)]
pub(in super::super) struct Listing {
    pub(in super::super) entries: Vec<Entry>,
    /// Occupied bytes.
    pub(in super::super) occupied: u64,
    /// A directory below the root is on another device: a nested subvolume or a mount.
    pub(in super::super) crosses: bool,
}

fn text(path: &Path) -> HostResult<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        HostError::Unexpected(format!("{} is not a name that MySQL makes", path.display()))
    })
}

fn entry(relative: &Path, full: &Path, meta: &Metadata) -> HostResult<Option<Entry>> {
    let kind = meta.file_type();
    let kind = if kind.is_dir() {
        Kind::Directory
    } else if kind.is_symlink() {
        let target = fs::read_link(full).map_err(disk::error("read the link", full))?;
        Kind::Link {
            target: text(&target)?,
        }
    } else if kind.is_file() {
        Kind::File { bytes: meta.len() }
    } else if kind.is_socket() || kind.is_fifo() {
        return Ok(None);
    } else {
        return Err(HostError::Unexpected(format!(
            "{} is a device",
            full.display()
        )));
    };
    Ok(Some(Entry {
        path: text(relative)?,
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        blake3: None,
    }))
}

/// Lists a tree in a stable order, parents first.
pub(in super::super) fn list(root: &Path, selection: &Selection<'_>) -> HostResult<Listing> {
    let mut listing = Listing::default();
    let mut device = None;
    let walk = walkdir::WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|e| {
            let relative = e.path().strip_prefix(root).unwrap_or(e.path());
            selection.includes(relative)
        });
    for found in walk {
        let found = found.map_err(|e| HostError::Io {
            action: "list",
            what: root.display().to_string(),
            source: e.into(),
        })?;
        let relative = found.path().strip_prefix(root).unwrap_or(found.path());
        let meta =
            fs::symlink_metadata(found.path()).map_err(disk::error("look at", found.path()))?;
        let first = *device.get_or_insert(meta.dev());
        listing.crosses |= meta.is_dir() && meta.dev() != first;
        listing.occupied += meta.blocks() * 512;
        listing
            .entries
            .extend(entry(relative, found.path(), &meta)?);
    }
    Ok(listing)
}

/// How file contents are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum How {
    /// Share blocks; an error where the file system can't.
    Reflink,
    /// Read and write, hashing what is read.
    Copy,
}

/// Copies the listed entries of `from` to `to`, which must not exist. With [`How::Copy`] the entries get their hashes;
/// where they had one already, it must be the same.
pub(in super::super) fn copy(
    from: &Path,
    to: &Path,
    entries: &mut [Entry],
    how: How,
    phase: &Phase,
) -> HostResult<()> {
    let full = |root: &Path, entry: &Entry| {
        if entry.path.is_empty() {
            root.to_owned()
        } else {
            root.join(&entry.path)
        }
    };
    for entry in entries.iter() {
        let target = full(to, entry);
        match &entry.kind {
            Kind::Directory => fs::create_dir(&target).map_err(disk::error("make", &target))?,
            Kind::Link { target: link } => {
                std::os::unix::fs::symlink(link, &target).map_err(disk::error("link", &target))?;
                lchown(&target, Some(entry.uid), Some(entry.gid))
                    .map_err(disk::error("set the owner of", &target))?;
            }
            Kind::File { .. } => {}
        }
    }
    let mut files: Vec<&mut Entry> = entries
        .iter_mut()
        .filter(|entry| matches!(entry.kind, Kind::File { .. }))
        .collect();
    // The largest first: the last thread then has little left to do alone.
    files.sort_by_key(|entry| match entry.kind {
        Kind::File { bytes } => std::cmp::Reverse(bytes),
        _ => std::cmp::Reverse(0),
    });
    in_parallel(files, how, phase, |entry, progress| {
        let (source, target) = (full(from, entry), full(to, entry));
        let hash = copy_file(&source, &target, how, progress)?;
        if let (Some(before), Some(now)) = (entry.blake3, hash)
            && before != now
        {
            return Err(HostError::Unexpected(format!(
                "{} does not have the content that the manifest says",
                source.display()
            )));
        }
        entry.blake3 = entry.blake3.or(hash);
        Ok(())
    })?;
    // Children first: making them changed their directory's times.
    for entry in entries.iter().rev() {
        if entry.kind == Kind::Directory {
            like(&full(from, entry), &full(to, entry))?;
        }
    }
    Ok(())
}

/// Bytes done so far, of all.
struct Progress<'a> {
    done: AtomicU64,
    all: u64,
    phase: &'a Phase,
}

impl Progress<'_> {
    fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let percent = (done.min(self.all) * 100)
            .checked_div(self.all)
            .unwrap_or(100);
        let mib = |bytes: u64| bytes >> 20;
        self.phase.at(
            format!("copying: {} of {} MiB", mib(done), mib(self.all)),
            percent as u8,
        );
    }
}

fn in_parallel(
    files: Vec<&mut Entry>,
    how: How,
    phase: &Phase,
    work: impl Fn(&mut Entry, &Progress<'_>) -> HostResult<()> + Sync,
) -> HostResult<()> {
    let all = files
        .iter()
        .map(|entry| match entry.kind {
            Kind::File { bytes } if how == How::Copy => bytes,
            _ => 0,
        })
        .sum();
    let progress = Progress {
        done: AtomicU64::new(0),
        all,
        phase,
    };
    let next = AtomicUsize::new(0);
    let files: Vec<Mutex<&mut Entry>> = files.into_iter().map(Mutex::new).collect();
    let failed: Mutex<Option<HostError>> = Mutex::new(None);
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .clamp(1, 4);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut entry = file.lock().expect("each file is one thread's");
                    if let Err(e) = work(&mut entry, &progress) {
                        next.store(files.len(), Ordering::Relaxed); // nobody begins another one
                        *failed
                            .lock()
                            .expect("no code panics while it holds this lock") = Some(e);
                        return;
                    }
                }
            });
        }
    });
    match failed.into_inner().expect("all threads have ended") {
        Some(e) => Err(e),
        None => Ok(()),
    }
}

const BLOCK: usize = 1 << 20;

fn copy_file(
    from: &Path,
    to: &Path,
    how: How,
    progress: &Progress<'_>,
) -> HostResult<Option<refit_shared::ids::Digest>> {
    let hash = match how {
        How::Reflink => {
            reflink_copy::reflink(from, to).map_err(disk::error("reflink", from))?;
            None
        }
        How::Copy => Some(copy_bytes(from, to, progress).map_err(disk::error("copy", from))?),
    };
    like(from, to)?;
    Ok(hash)
}

/// Copies and hashes. Blocks of zeros become holes, as InnoDB's own punched ones are.
fn copy_bytes(
    from: &Path,
    to: &Path,
    progress: &Progress<'_>,
) -> io::Result<refit_shared::ids::Digest> {
    let mut source = File::open(from)?;
    let mut target = File::create_new(to)?;
    let mut hash = blake3::Hasher::new();
    let mut block = vec![0; BLOCK];
    let mut length = 0;
    loop {
        let n = fill(&mut source, &mut block)?;
        if n == 0 {
            break;
        }
        let bytes = &block[..n];
        hash.update(bytes);
        if bytes.iter().all(|b| *b == 0) {
            target.seek(SeekFrom::Current(n as i64))?;
        } else {
            target.write_all(bytes)?;
        }
        length += n as u64;
        progress.add(n as u64);
    }
    target.set_len(length)?;
    target.sync_all()?;
    Ok(refit_shared::ids::Digest::from_bytes(
        *hash.finalize().as_bytes(),
    ))
}

fn fill(source: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < block.len() {
        match source.read(&mut block[n..])? {
            0 => break,
            read => n += read,
        }
    }
    Ok(n)
}

/// Gives `to` the owner, mode, times and extended attributes of `from`.
pub(in super::super) fn like(from: &Path, to: &Path) -> HostResult<()> {
    let apply = || -> io::Result<()> {
        let meta = fs::metadata(from)?;
        chown(to, Some(meta.uid()), Some(meta.gid()))?;
        fs::set_permissions(to, fs::Permissions::from_mode(meta.mode() & 0o7777))?;
        copy_attributes(from, to)?;
        let times = FileTimes::new()
            .set_accessed(meta.accessed()?)
            .set_modified(meta.modified()?);
        File::open(to)?.set_times(times)
    };
    apply().map_err(disk::error("set owner, mode and times of", to))
}

fn copy_attributes(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = vec![0u8; 1 << 16];
    let length = match rustix::fs::listxattr(from, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    for name in names[..length].split(|b| *b == 0).filter(|n| !n.is_empty()) {
        let name = std::ffi::CString::new(name)?;
        // btrfs shows its own settings as attributes; they are the file system's business.
        if name.as_bytes().starts_with(b"btrfs.") {
            continue;
        }
        let mut value = vec![0u8; 1 << 16];
        let length = rustix::fs::getxattr(from, &name, &mut value[..])?;
        rustix::fs::setxattr(to, &name, &value[..length], rustix::fs::XattrFlags::empty())?;
    }
    Ok(())
}

/// Can files of `from` be shared into `to`? Tried with the first file found, since nothing else tells for certain.
pub(in super::super) fn can_reflink(from: &Path, to: &Path) -> HostResult<bool> {
    let Some(sample) = first_file(from)? else {
        return Ok(false);
    };
    let trial = to.join(".refit-reflink-trial");
    let _ = fs::remove_file(&trial); // of a run that was cut short; what matters shows in the next call
    let can = reflink_copy::reflink(&sample, &trial).is_ok();
    match fs::remove_file(&trial) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(disk::error("remove", &trial)(e)),
        _ => Ok(can),
    }
}

fn first_file(dir: &Path) -> HostResult<Option<PathBuf>> {
    for entry in fs::read_dir(dir).map_err(disk::error("list", dir))? {
        let entry = entry.map_err(disk::error("list", dir))?;
        let meta = entry.metadata().map_err(disk::error("look at", dir))?;
        if meta.is_file() && meta.len() > 0 {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Bytes that an unprivileged writer may still use where `path` is.
pub(in super::super) fn free_bytes(path: &Path) -> HostResult<u64> {
    let stat = rustix::fs::statvfs(path)
        .map_err(|e| disk::error("ask for the space at", path)(e.into()))?;
    Ok(stat.f_bavail * stat.f_frsize)
}
