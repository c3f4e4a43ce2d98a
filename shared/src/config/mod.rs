//! A server's configuration: what its option files and `mysqld-auto.cnf` say, what of that a target would not take, and the files
//! as they should be. Values in, values out: who reads and writes files is the agent.
//!
//! ```text
//! OptionFile (text, secrets masked) ──read──> settings with their places ──┐
//! mysqld-auto.cnf ────────────────persisted──> settings that beat them ────┤
//! command line, SET GLOBAL ────────────────────────────────────────────────┴─judge──> findings
//!                                                                            propose ─> edits ─> apply, diff
//! ```

pub mod edit;
pub mod judge;
pub mod mask;
pub mod names;
pub mod persisted;
pub mod pins;
pub mod propose;
pub mod read;
pub mod relocate;

use crate::ids::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One option file as an agent read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionFile {
    pub path: String,
    /// With secrets masked; line for line as it is on the host.
    pub text: String,
    /// Of the bytes on the host.
    pub digest: Digest,
    /// mysqld ignores such a file.
    pub world_writable: bool,
}

impl OptionFile {
    /// A file whose text is its content.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            path: path.into(),
            digest: Digest::of(text.as_bytes()),
            text,
            world_writable: false,
        }
    }

    /// Whether the text is the file's content byte for byte: nothing is masked, and it is UTF-8.
    pub fn is_whole(&self) -> bool {
        Digest::of(self.text.as_bytes()) == self.digest
    }
}

/// All that configures a server before it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFiles {
    /// Where mysqld begins to read, in its order; some may not exist.
    pub roots: Vec<String>,
    /// Every file that is reached from the roots, once.
    pub files: Vec<OptionFile>,
    /// `mysqld-auto.cnf`, where there is one; values of secrets are masked.
    pub persisted: Vec<persisted::PersistedSetting>,
    /// Variables that something else sets at every start, the command line say.
    #[serde(default)]
    pub elsewhere: BTreeSet<String>,
    /// Variables that were set at runtime only, with their values: the next start loses them.
    #[serde(default)]
    pub at_runtime: BTreeMap<String, String>,
}

impl ConfigFiles {
    pub fn read(&self) -> read::Reading {
        read::read(&self.roots, &self.files)
    }

    pub fn file(&self, path: &str) -> Option<&OptionFile> {
        self.files.iter().find(|file| file.path == path)
    }
}
