//! Following a log file from a place in it, through rotation and truncation, with bounded memory.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The most that one call reads; there may be more.
const BLOCK: u64 = 1 << 20;
/// Longer lines are cut: what follows in them is not looked at.
const LONGEST: usize = 1 << 16;

/// A place in a log: kept in a ledger, it is found again by a restarted agent, even when the file has been rotated since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// 0: there was no file.
    inode: u64,
    offset: u64,
}

/// Reads what is written behind a place in a log.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    open: Option<Open>,
    partial: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
    offset: u64,
}

impl Mark {
    /// The present end of the log.
    pub fn end_of(path: &Path) -> io::Result<Self> {
        match std::fs::metadata(path) {
            Ok(meta) => Ok(Self {
                inode: meta.ino(),
                offset: meta.len(),
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self {
                inode: 0,
                offset: 0,
            }),
            Err(e) => Err(e),
        }
    }
}

impl Follower {
    /// From a place taken earlier.
    pub fn from_mark(path: &Path, mark: Mark) -> io::Result<Self> {
        let mut follower = Self {
            path: path.to_owned(),
            open: None,
            partial: Vec::new(),
        };
        if mark.inode != 0 {
            let mut rotated = path.as_os_str().to_owned();
            rotated.push(".1");
            for candidate in [path, Path::new(&rotated)] {
                match open(candidate)? {
                    Some(open) if open.inode == mark.inode => {
                        follower.open = Some(Open {
                            offset: mark.offset,
                            ..open
                        });
                        break;
                    }
                    _ => {}
                }
            }
        }
        Ok(follower)
    }

    /// From the present end.
    pub fn from_end(path: &Path) -> io::Result<Self> {
        Self::from_mark(path, Mark::end_of(path)?)
    }

    /// Complete lines written since the last call; at most a block of them, so call again until there are none.
    pub fn lines(&mut self) -> io::Result<Vec<String>> {
        if self.open.is_none() {
            self.open = open(&self.path)?;
        }
        let Some(current) = &mut self.open else {
            return Ok(Vec::new());
        };
        let mut block = read_block(current)?;
        if block.is_empty() {
            // Nothing more in this file: has another one taken its name?
            match open(&self.path)? {
                Some(next) if next.inode != current.inode => {
                    let rest = read_block(current)?;
                    if rest.is_empty() {
                        *current = next;
                        block = read_block(current)?;
                        self.partial.clear();
                    } else {
                        block = rest;
                    }
                }
                _ => {}
            }
        }
        Ok(self.split(&block))
    }

    fn split(&mut self, block: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in block.split_inclusive(|b| *b == b'\n') {
            let room = LONGEST.saturating_sub(self.partial.len());
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            self.partial
                .extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                lines.push(String::from_utf8_lossy(&self.partial).into_owned());
                self.partial.clear();
            }
        }
        lines
    }
}

fn open(path: &Path) -> io::Result<Option<Open>> {
    match File::open(path) {
        Ok(file) => {
            let inode = file.metadata()?.ino();
            Ok(Some(Open {
                file,
                inode,
                offset: 0,
            }))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn read_block(open: &mut Open) -> io::Result<Vec<u8>> {
    if open.file.metadata()?.len() < open.offset {
        open.offset = 0; // truncated in place (logrotate's copytruncate)
    }
    open.file.seek(SeekFrom::Start(open.offset))?;
    let mut block = Vec::new();
    (&mut open.file).take(BLOCK).read_to_end(&mut block)?;
    open.offset += block.len() as u64;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn only_complete_new_lines_come() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("error.log");
        let mut none = Follower::from_end(&log).unwrap();
        assert!(none.lines().unwrap().is_empty());
        append(&log, "old\n");
        assert_eq!(none.lines().unwrap(), ["old"]);
        let mut follower = Follower::from_end(&log).unwrap();
        append(&log, "one\ntw");
        assert_eq!(follower.lines().unwrap(), ["one"]);
        append(&log, "o\n");
        assert_eq!(follower.lines().unwrap(), ["two"]);
        assert!(follower.lines().unwrap().is_empty());
    }

    #[test]
    fn rotation_loses_nothing_even_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("error.log");
        append(&log, "old\n");
        let mark = Mark::end_of(&log).unwrap();
        let mut follower = Follower::from_mark(&log, mark).unwrap();
        append(&log, "one\n");
        std::fs::rename(&log, dir.path().join("error.log.1")).unwrap();
        append(&log, "two\n");
        let mut restarted = Follower::from_mark(&log, mark).unwrap();
        for follower in [&mut follower, &mut restarted] {
            let mut seen = follower.lines().unwrap();
            seen.extend(follower.lines().unwrap());
            assert_eq!(seen, ["one", "two"]);
        }
    }

    #[test]
    fn truncation_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("error.log");
        append(&log, "a long old line\n");
        let mut follower = Follower::from_end(&log).unwrap();
        std::fs::write(&log, "new\n").unwrap();
        assert_eq!(follower.lines().unwrap(), ["new"]);
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("error.log");
        append(&log, "");
        let mut follower = Follower::from_end(&log).unwrap();
        append(&log, &"x".repeat(5 << 20));
        append(&log, "\nnext\n");
        let mut seen = Vec::new();
        for _ in 0..8 {
            seen.extend(follower.lines().unwrap());
        }
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].len(), LONGEST);
        assert_eq!(seen[1], "next");
    }
}
