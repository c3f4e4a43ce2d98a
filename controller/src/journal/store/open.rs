//! Making and opening the directory so that no crash can leave something half made, and nobody else can open it too.
//!
//! sled 0.34 has three habits to guard against: an interrupted snapshot keeps it from opening, a damaged one makes it report
//! corruption though the log is whole, and some damage makes it panic.

use super::keys;
use super::mark::MarkFile;
use super::verify::{self, Contents, Verified};
use crate::journal::room::free_bytes;
use crate::ports::JournalError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CACHE: u64 = 32 * 1024 * 1024;
/// Pinned: a journal can be opened only with the segment size that it was made with.
const SEGMENT: usize = 512 * 1024;
/// Kept so that a full disk can be freed enough to open the journal again.
const RESERVE: u64 = 16 * 1024 * 1024;
/// sled's threads let go of a closed database's lock a little after the last handle.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// An open, verified journal.
#[derive(Debug)]
pub(super) struct Opened {
    pub db: sled::Db,
    /// For our own fdatasync: sled's flush does not survive a power cut.
    pub file: File,
    pub mark: MarkFile,
    pub contents: Contents,
    pub verified: Verified,
    /// Held as long as the journal is open. Declared last: dropped last.
    pub lock: File,
}

/// Opens the journal, making it first where there is none.
pub(super) fn open(dir: &Path) -> Result<Opened, JournalError> {
    let lock = lock(dir)?;
    if !dir
        .try_exists()
        .map_err(|error| unreadable("look for", dir, error))?
    {
        make(dir)?;
    }
    open_locked(dir, lock)
}

/// Opens a journal that must exist.
pub(super) fn existing(dir: &Path) -> Result<Opened, JournalError> {
    if !dir
        .try_exists()
        .map_err(|error| unreadable("look for", dir, error))?
    {
        return Err(JournalError::Read(format!(
            "there is none in {}",
            dir.display()
        )));
    }
    let lock = lock(dir)?;
    open_locked(dir, lock)
}

pub(super) fn unreadable(what: &str, path: &Path, error: io::Error) -> JournalError {
    JournalError::Read(format!("can't {what} {}: {error}", path.display()))
}

pub(super) fn unwritable(what: &str, path: &Path, error: io::Error) -> JournalError {
    JournalError::Write(format!("can't {what} {}: {error}", path.display()))
}

/// `<dir>` with something behind its name.
pub(super) fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes `<dir>.lock`, which outlives every rename of the directory.
pub(super) fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = beside(dir, ".lock");
    if let Some(parent) = parent(dir) {
        fs::create_dir_all(parent).map_err(|error| unwritable("make", parent, error))?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| unwritable("open", &path, error))?;
    if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        let mut owner = String::new();
        // Only to say who it is.
        let _ = file.read_to_string(&mut owner);
        let owner = owner.trim();
        return Err(JournalError::Read(format!(
            "{} is open in another process ({}): {error}",
            dir.display(),
            if owner.is_empty() { "unknown" } else { owner },
        )));
    }
    let note = || -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "pid {}", std::process::id())
    };
    let mut note = note;
    note().map_err(|error| unwritable("write", &path, error))?;
    Ok(file)
}

pub(super) fn parent(dir: &Path) -> Option<&Path> {
    dir.parent().filter(|parent| !parent.as_os_str().is_empty())
}

/// Makes an empty journal under another name and moves it into place whole.
fn make(dir: &Path) -> Result<(), JournalError> {
    let new = beside(dir, ".new");
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(unwritable("remove", &new, error));
        }
        Ok(()) | Err(_) => {}
    }
    let failed = |error: sled::Error| JournalError::Write(format!("making it failed: {error}"));
    let db = config(&new).open().map_err(failed)?;
    let meta = [(keys::FORMAT, keys::JOURNAL_FORMAT), (keys::EPOCH, 0)];
    for (key, number) in meta {
        db.insert(key, keys::seal_number(key, number))
            .map_err(failed)?;
    }
    db.flush().map_err(failed)?;
    drop(db);
    sync_tree(&new).map_err(|error| unwritable("sync", &new, error))?;
    fs::rename(&new, dir).map_err(|error| unwritable("rename", &new, error))?;
    let parent = parent(dir).unwrap_or(Path::new("."));
    sync(parent).map_err(|error| unwritable("sync", parent, error))
}

pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn sync_tree(dir: &Path) -> io::Result<()> {
    for item in fs::read_dir(dir)? {
        let item = item?;
        if item.file_type()?.is_dir() {
            sync_tree(&item.path())?;
        } else {
            sync(&item.path())?;
        }
    }
    sync(dir)
}

fn config(dir: &Path) -> sled::Config {
    sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE)
        .segment_size(SEGMENT)
        .use_compression(false)
        .flush_every_ms(None)
}

fn open_locked(dir: &Path, lock: File) -> Result<Opened, JournalError> {
    for snapshot in snapshots(dir)? {
        if snapshot.extension().is_some_and(|end| end == "generating") {
            fs::remove_file(&snapshot).map_err(|error| unwritable("remove", &snapshot, error))?;
        }
    }
    keep_reserve(dir)?;
    let db = match open_once(dir) {
        Err(JournalError::Corrupt(why)) => {
            // The log holds everything that a snapshot does.
            let aside = set_snapshots_aside(dir)?;
            if aside == 0 {
                return Err(JournalError::Corrupt(why));
            }
            tracing::warn!(
                why,
                aside,
                "the journal's snapshot was damaged and has been set aside"
            );
            open_once(dir)?
        }
        opened => opened?,
    };
    let contents = guarded(|| verify::all(&db))?;
    let mark = MarkFile::open(dir, &db, &contents)?;
    let data = dir.join("db");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&data)
        .map_err(|error| unreadable("open", &data, error))?;
    Ok(Opened {
        verified: contents.summary(),
        db,
        file,
        mark,
        contents,
        lock,
    })
}

/// sled panics on some damage; that is corruption, and no reason to die without a word.
fn guarded<T>(open: impl FnOnce() -> Result<T, JournalError>) -> Result<T, JournalError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(JournalError::Corrupt(format!(
            "the store could not read it: {}",
            said.unwrap_or("it gave up")
        )))
    })
}

fn open_once(dir: &Path) -> Result<sled::Db, JournalError> {
    let limit = Instant::now() + LOCK_PATIENCE;
    loop {
        match guarded(|| Ok(config(dir).open()))? {
            Ok(db) => return Ok(db),
            // We hold the lock beside the directory, so this is a handle of ours that is just being closed.
            Err(sled::Error::Io(error)) if is_lock(&error) && Instant::now() < limit => wait(),
            Err(error) => return Err(verify::unreadable(error)),
        }
    }
}

fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.kind() == io::ErrorKind::Other && error.to_string().contains("lock")
}

#[expect(
    clippy::disallowed_methods,
    reason = "opening blocks and runs on a blocking thread; sled tells nobody when it has let go of its lock"
)]
fn wait() {
    std::thread::sleep(Duration::from_millis(20));
}

fn snapshots(dir: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for item in fs::read_dir(dir)? {
            let path = item?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.starts_with("snap.")) {
                found.push(path);
            }
        }
        Ok(found)
    };
    list().map_err(|error| unreadable("list", dir, error))
}

fn set_snapshots_aside(dir: &Path) -> Result<usize, JournalError> {
    let found = snapshots(dir)?;
    for snapshot in &found {
        let name = snapshot.file_name().map(|name| name.to_string_lossy());
        let aside = dir.join(format!("aside.{}", name.unwrap_or_default()));
        fs::rename(snapshot, &aside).map_err(|error| unwritable("rename", snapshot, error))?;
    }
    sync(dir).map_err(|error| unwritable("sync", dir, error))?;
    Ok(found.len())
}

/// Keeps a file of some size; gives it up when the disk is so full that the journal could not be opened.
fn keep_reserve(dir: &Path) -> Result<(), JournalError> {
    let path = beside(dir, ".reserve");
    let free = free_bytes(dir).map_err(|error| unreadable("see the free space of", dir, error))?;
    let kept = path.exists();
    if free < RESERVE / 4 && kept {
        fs::remove_file(&path).map_err(|error| unwritable("remove", &path, error))?;
        tracing::warn!(
            free,
            "the disk of the journal is full; its reserve has been given up to open it"
        );
    } else if free > RESERVE * 4 && !kept {
        let reserve = || -> io::Result<()> {
            let file = File::create(&path)?;
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE)?;
            Ok(())
        };
        if let Err(error) = reserve() {
            tracing::warn!(%error, "no space could be reserved for the journal");
        }
    }
    Ok(())
}
