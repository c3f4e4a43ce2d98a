//! How an attempt ended: the agent's durable record, and what the controller journals of it.

use crate::ids::Digest;
use crate::operation::AttemptId;
use serde::{Deserialize, Serialize};

/// The agent's durable answer to an [`crate::operation::Order`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub id: AttemptId,
    /// [`crate::operation::Order::content_digest`] of what was asked.
    pub content: Digest,
    pub began_unix_ms: i64,
    pub ended_unix_ms: i64,
    pub outcome: Outcome,
}

/// Done, or definitively not. "Don't know" is not an outcome: the attempt stays open until it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// `notes`: what a person would want in the record, for example the hash that was verified or "was already so".
    Done {
        notes: Vec<String>,
    },
    Failed(Failure),
}

/// Why an attempt failed. Printed to a person as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} [{code}]")]
pub struct Failure {
    pub code: FailureCode,
    pub message: String,
    /// Something of the operation may have happened.
    pub partial: bool,
}

impl Failure {
    /// A refusal or failure before anything was changed.
    pub fn clean(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            partial: false,
        }
    }
    /// A failure that may have left something half done.
    pub fn partial(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            partial: true,
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        /// Stable codes for automation; the texts never change once released.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FailureCode { $($(#[$doc])* #[serde(rename = $text)] $variant),* }
        impl FailureCode {
            pub const ALL: &'static [FailureCode] = &[$(Self::$variant),*];
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),* } }
            pub fn parse(text: &str) -> Option<Self> { Self::ALL.iter().copied().find(|code| code.as_str() == text) }
        }
        impl std::fmt::Display for FailureCode {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }
    };
}

codes! {
    /// The world was not what the operation needs; nothing was changed.
    Precondition = "precondition",
    /// The order is for another cluster, member, or by an older controller.
    Fenced = "fenced",
    /// The attempt is known with other content, or a later attempt at the step has been seen.
    Superseded = "superseded",
    /// A package is in no repository, or its hash is not the pinned one.
    PackageUnavailable = "package_unavailable",
    PackageHashMismatch = "package_hash_mismatch",
    PackageInstall = "package_install",
    /// Not enough room for a snapshot or for packages.
    DiskSpace = "disk_space",
    /// mysqld refused its data directory, an option or an upgrade path; the message has the MY- code and its meaning.
    ServerRefused = "server_refused",
    /// mysqld ended without saying why.
    ServerDied = "server_died",
    /// No proof of a clean shutdown.
    UncleanShutdown = "unclean_shutdown",
    /// A snapshot is missing, incomplete or does not match its manifest.
    Snapshot = "snapshot",
    /// START GROUP_REPLICATION was refused or the member did not become ONLINE.
    GroupJoin = "group_join",
    GroupLeave = "group_leave",
    GroupPrimary = "group_primary",
    /// A replica does not connect, does not apply, or can't be stopped with everything applied.
    Replication = "replication",
    /// A gate's condition did not hold within its time.
    Gate = "gate",
    /// After an operation the world is not as the plan expects.
    Expectation = "expectation",
    Deadline = "deadline",
    /// A file, a system call or the service manager failed.
    Host = "host",
    /// The local MySQL connection or a statement failed.
    Sql = "sql",
}

/// What an agent finds when it looks whether an operation has been done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Nothing of it.
    NotDone,
    /// Something of it, or it can't be excluded; performing converges.
    Partial(String),
    Done,
}

/// What an agent says while it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// For people: "apt: unpacking mysql-server-core", "MY-013381 upgrading system tables".
    pub phase: String,
    /// 0 to 100 where it is known.
    pub percent: Option<u8>,
}
