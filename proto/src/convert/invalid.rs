//! What is wrong with a message, and where.

use refit_shared::gtid::InvalidGtidSet;
use refit_shared::ids::{Digest, InvalidName, InvalidUuid};
use refit_shared::table::InvalidTable;
use refit_shared::version::{InvalidPackageVersion, InvalidVersion};
use std::fmt;

/// A message that says nothing sensible: the path of the field, and why.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct InvalidMessage {
    pub path: String,
    #[source]
    pub why: Why,
}

/// What is wrong with one field.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    #[error("is missing")]
    Missing,
    #[error("{number} is not a {of} that this version of Refit knows")]
    UnknownEnum { of: &'static str, number: i32 },
    #[error("{value} is out of range: {least} to {most} is expected")]
    OutOfRange { value: u64, least: u64, most: u64 },
    #[error("is there twice")]
    Twice,
    #[error("{0:?} is no question that this version of Refit knows")]
    UnknownQuestion(String),
    #[error("a digest has 32 bytes, this has {0}")]
    DigestLength(usize),
    #[error("{0:?} is not a SHA-256: 64 lower-case hexadecimal digits are expected")]
    Sha256(String),
    #[error(
        "{text:?} is not a {what}: use 1 to 128 letters, digits and {others}, beginning with a letter or digit"
    )]
    Word {
        what: &'static str,
        text: String,
        others: &'static str,
    },
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Uuid(#[from] InvalidUuid),
    #[error(transparent)]
    Version(#[from] InvalidVersion),
    #[error(transparent)]
    PackageVersion(#[from] InvalidPackageVersion),
    #[error(transparent)]
    GtidSet(#[from] InvalidGtidSet),
    #[error(transparent)]
    Table(#[from] InvalidTable),
    #[error("the document's digest is {stated}, its bytes have {actual}")]
    PlanDigest { stated: Digest, actual: Digest },
    #[error("is not a plan: {0}")]
    PlanText(#[source] serde_json::Error),
    #[error("the plan has format {found}, this version of Refit reads format {known}")]
    PlanFormat { found: u32, known: u32 },
    #[error("is not the canonical form of the plan that it holds")]
    PlanNotCanonical,
}

impl InvalidMessage {
    pub fn new(path: impl Into<String>, why: Why) -> Self {
        Self {
            path: path.into(),
            why,
        }
    }
    /// About the value itself: whoever reads the field adds its name.
    pub fn here(why: impl Into<Why>) -> Self {
        Self::new("", why.into())
    }
    /// The same, seen from one message further out.
    #[must_use]
    pub fn within(self, outer: impl fmt::Display) -> Self {
        let joint = match self.path.as_str() {
            "" => "",
            _ => ".",
        };
        Self {
            path: format!("{outer}{joint}{}", self.path),
            why: self.why,
        }
    }
    /// The same, seen from the list or map that the value is in.
    #[must_use]
    pub fn within_item(self, list: &str, index: impl fmt::Display) -> Self {
        self.within(format_args!("{list}[{index}]"))
    }
}

/// A caller who sends such a message is told so.
impl From<InvalidMessage> for tonic::Status {
    fn from(invalid: InvalidMessage) -> Self {
        tonic::Status::invalid_argument(invalid.to_string())
    }
}
