//! The server's error log, as operations need it: a place behind all that was written so far, and the lines from a place on.
//!
//! Owns nothing of following files or of what lines mean: that is [`crate::errorlog`]. This is the seam where the simulated
//! world puts its own log.

use crate::errorlog::{Follower, Mark, Shutdown, last_shutdown};
use crate::host::{Files, HostError, HostResult};
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;

/// A place in the error log, to be kept and found again by a restarted agent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogPlace {
    File(Mark),
    /// Lines from the beginning, of a log that is no file.
    Line(usize),
}

/// The server's error log.
#[async_trait]
pub trait ErrorLog: Send + Sync + std::fmt::Debug {
    /// Behind everything that has been written so far.
    async fn end(&self) -> HostResult<LogPlace>;
    /// Follows from a place on.
    async fn follow(&self, from: &LogPlace) -> HostResult<Box<dyn LogLines>>;
    /// How the server's latest run ended, as far as the log tells.
    async fn last_shutdown(&self) -> HostResult<Shutdown>;
}

/// Lines as they come.
pub trait LogLines: Send {
    /// The complete lines since the last call, possibly not all of them: call again until there are none.
    fn next(&mut self) -> HostResult<Vec<String>>;
}

/// The file that the server writes.
#[derive(Debug)]
pub struct FileLog {
    files: Arc<dyn Files>,
}

impl FileLog {
    pub fn new(files: Arc<dyn Files>) -> Self {
        Self { files }
    }
}

#[async_trait]
impl ErrorLog for FileLog {
    async fn end(&self) -> HostResult<LogPlace> {
        let path = self.files.error_log().await?;
        let mark = Mark::end_of(&path).map_err(|error| failed("reading", &path, error))?;
        Ok(LogPlace::File(mark))
    }

    async fn follow(&self, from: &LogPlace) -> HostResult<Box<dyn LogLines>> {
        let LogPlace::File(mark) = from else {
            return Err(HostError::Unexpected(format!(
                "no place in a file: {from:?}"
            )));
        };
        let path = self.files.error_log().await?;
        let follower =
            Follower::from_mark(&path, *mark).map_err(|error| failed("reading", &path, error))?;
        Ok(Box::new(FileLines(path.display().to_string(), follower)))
    }

    async fn last_shutdown(&self) -> HostResult<Shutdown> {
        let path = self.files.error_log().await?;
        last_shutdown(&path).map_err(|error| failed("reading", &path, error))
    }
}

struct FileLines(String, Follower);

impl LogLines for FileLines {
    fn next(&mut self) -> HostResult<Vec<String>> {
        self.1.lines().map_err(|source| HostError::Io {
            action: "reading",
            what: self.0.clone(),
            source,
        })
    }
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> HostError {
    HostError::Io {
        action,
        what: path.display().to_string(),
        source,
    }
}
