//! What a snapshot holds. A snapshot without a readable manifest under its final name does not count as one.

use super::super::disk;
use super::super::paths::Item;
use super::tree::Entry;
use crate::host::{HostError, HostResult};
use refit_shared::observation::SnapshotMethod;
use serde::{Deserialize, Serialize};
use std::path::Path;

pub(super) const FILE: &str = "manifest.json";
const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: u32,
    pub(super) name: String,
    pub(super) taken_unix_ms: i64,
    pub(super) parts: Vec<Part>,
}

/// One directory (or some of its files) of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) item: Item,
    pub(super) method: SnapshotMethod,
    /// The directory inside the snapshot.
    pub(super) stored: String,
    pub(super) entries: Vec<Entry>,
}

impl Manifest {
    pub(super) fn new(name: &str, taken_unix_ms: i64, parts: Vec<Part>) -> Self {
        Self {
            format: FORMAT,
            name: name.to_owned(),
            taken_unix_ms,
            parts,
        }
    }

    /// The data directory's method speaks for the snapshot.
    pub(super) fn method(&self) -> SnapshotMethod {
        self.parts
            .first()
            .map_or(SnapshotMethod::Copy, |part| part.method)
    }

    pub(super) fn write(&self, snapshot: &Path) -> HostResult<()> {
        let text = serde_json::to_vec(self).expect("plain data always serialises");
        disk::write_durably(&snapshot.join(FILE), &text, 0o600)
    }

    /// `None`: there is no manifest, so no snapshot.
    pub(super) fn read(snapshot: &Path) -> HostResult<Option<Self>> {
        let path = snapshot.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(disk::error("read", &path)(e)),
        };
        let wrong = |why: String| HostError::Snapshot {
            name: snapshot.display().to_string(),
            why,
        };
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|e| wrong(format!("its manifest: {e}")))?;
        if manifest.format != FORMAT {
            return Err(wrong(format!(
                "its manifest has format {}; this agent knows {FORMAT}",
                manifest.format
            )));
        }
        Ok(Some(manifest))
    }
}
