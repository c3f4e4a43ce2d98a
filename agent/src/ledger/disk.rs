//! Small files that survive a power cut: written beside, synced, renamed into place, and the directory synced.
//!
//! Every file carries the CRC-32C of its content, so that a damaged one is never mistaken for a record.

use async_trait::async_trait;
use refit_faults::Go;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Marks the format; raised when old programs could misread a newer file.
const MAGIC: &str = "refit-1";
/// The end of the name of a file that was not renamed into place yet.
pub(super) const UNFINISHED: &str = ".unfinished";

/// Where the ledger's files are written. The simulated world puts its faults before and after each write.
#[async_trait]
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Replaces the file's content as a whole; durable when it returns.
    async fn write(&self, path: &Path, content: Vec<u8>) -> io::Result<()>;
    /// Removes the file, durably; gone already is fine.
    async fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The real disk.
#[derive(Debug, Clone, Copy)]
pub struct FileDisk {
    sync: bool,
}

impl FileDisk {
    pub fn durable() -> Arc<dyn Disk> {
        Arc::new(Self { sync: true })
    }

    /// Without fsync: for tests, where only the process may be killed.
    pub fn quick() -> Arc<dyn Disk> {
        Arc::new(Self { sync: false })
    }
}

#[async_trait]
impl Disk for FileDisk {
    async fn write(&self, path: &Path, content: Vec<u8>) -> io::Result<()> {
        if !self.sync {
            return write(path, &content, false);
        }
        let path = path.to_owned();
        blocking(move || write(&path, &content, true)).await
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        if !self.sync {
            return remove(path, false);
        }
        let path = path.to_owned();
        blocking(move || remove(&path, true)).await
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

pub(crate) fn write(path: &Path, content: &[u8], sync: bool) -> io::Result<()> {
    if refit_faults::hit!("ledger.write/before")? == Go::Drop {
        return Ok(());
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::other("a ledger file has a directory"))?;
    if !directory.exists() {
        create_directory(directory, sync)?;
    }
    let mut file = File::create(&unfinished)?;
    file.write_all(content)?;
    if sync {
        file.sync_all()?;
    }
    refit_faults::hit!("ledger.write/half")?;
    fs::rename(&unfinished, path)?;
    if sync {
        File::open(directory)?.sync_all()?;
    }
    refit_faults::hit!("ledger.write/after")?;
    Ok(())
}

pub(crate) fn remove(path: &Path, sync: bool) -> io::Result<()> {
    if refit_faults::hit!("ledger.remove/before")? == Go::Drop {
        return Ok(());
    }
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match path.parent() {
        Some(directory) if sync => File::open(directory)?.sync_all()?,
        Some(_) | None => {}
    }
    refit_faults::hit!("ledger.remove/after")?;
    Ok(())
}

/// Creates a directory and those above it, each durably.
pub(super) fn create_directory(path: &Path, sync: bool) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        create_directory(above, sync)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    match path.parent() {
        Some(above) if sync && !above.as_os_str().is_empty() => File::open(above)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

/// A value as the bytes of a file.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let body = serde_json::to_vec(value).expect("plain data with string keys always serialises");
    let mut bytes = format!("{MAGIC} {:08x}\n", crc32c::crc32c(&body)).into_bytes();
    bytes.extend(body);
    bytes
}

/// Reads such bytes back; `Err` says what is wrong with them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or("it has no head line")?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "its head line is not text")?;
    let (magic, sum) = head.split_once(' ').ok_or("its head line is not ours")?;
    if magic != MAGIC {
        return Err(format!("its format is {magic:?}, not {MAGIC:?}"));
    }
    let body = &bytes[end + 1..];
    let found = format!("{:08x}", crc32c::crc32c(body));
    if found != sum {
        return Err(format!("its checksum is {found}, it should be {sum}"));
    }
    serde_json::from_slice(body).map_err(|error| format!("its content can't be read: {error}"))
}
