//! The status file of a writing client: what the application itself sees of the upgrade.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// The parts of the file that are shown. Other keys are the writer's own business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriterStatus {
    /// Acknowledged commits.
    pub acked: u64,
    /// Since the last commit; none before the first.
    pub current_gap_ms: Option<f64>,
    /// The longest so far that is over.
    pub max_gap_ms: f64,
    /// When it was written, microseconds since 1970; an old one means that the writer is gone.
    #[serde(default)]
    pub updated_us: Option<u64>,
}

impl WriterStatus {
    /// `Err`: why it can't be shown.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The longest gap, the one that is going on included.
    pub fn largest_gap_ms(&self) -> f64 {
        self.current_gap_ms.unwrap_or(0.0).max(self.max_gap_ms)
    }
}
