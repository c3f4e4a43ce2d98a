//! What can be wrong with a request to the CA, with its place and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use refit_proto::identity::{IdentityError, UtcSeconds};
use refit_proto::tls::MaterialError;

/// One mistake found before anything was done.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{} exists already and nothing is ever overwritten: choose another directory{}", path.display(), hint)]
    Exists { path: PathBuf, hint: &'static str },
    #[error("{0}")]
    BadName(#[source] IdentityError),
    #[error("bad DNS name {got:?}: a plain host name is needed, without wildcards")]
    BadDnsName { got: String },
    #[error("bad validity: {why}")]
    BadValidity { why: String },
    #[error("cannot read {}: {source}: {fix}", path.display())]
    Unreadable {
        path: PathBuf,
        source: io::Error,
        fix: &'static str,
    },
    #[error("{} is not usable: {why}", path.display())]
    Unusable { path: PathBuf, why: String },
    #[error("the CA key {} has mode {mode:04o}, so others than its owner can use it: chmod 600 it, and make a new CA if it was ever exposed", path.display())]
    CaKeyTooOpen { path: PathBuf, mode: u32 },
    #[error("{} does not belong to {}: restore both from one backup", key.display(), ca.display())]
    CaKeyMismatch { ca: PathBuf, key: PathBuf },
    #[error("the CA in {} is valid from {not_before} to {not_after}, not now: check this host's clock, or make a new CA with `refit pki init`", path.display())]
    CaNotValid {
        path: PathBuf,
        not_before: UtcSeconds,
        not_after: UtcSeconds,
    },
    #[error(
        "the certificate would live until {asked}, its CA only until {ca}: ask for at most {days} days, or make a new CA with `refit pki init`"
    )]
    OutlivesCa {
        asked: UtcSeconds,
        ca: UtcSeconds,
        days: u64,
    },
    #[error("another `refit pki renew` is at work in {}: let it finish", path.display())]
    Busy { path: PathBuf },
    #[error("{} was not issued by the CA in {} ({detail}): give the directory of the CA that issued it", cert.display(), ca.display())]
    OtherCa {
        cert: PathBuf,
        ca: PathBuf,
        detail: String,
    },
}

/// Why a request to the CA failed.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// Found out beforehand; nothing was changed.
    #[error("refused, nothing was changed{}", Listed(.0))]
    Refused(Vec<Problem>),
    #[error("cannot {operation} {}", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot {operation}")]
    Sign {
        operation: &'static str,
        #[source]
        source: rcgen::Error,
    },
    #[error("this machine gives no random numbers")]
    NoRandomness,
    /// What was written does not load; it should not be installed anywhere.
    #[error("the files written do not load again: do not install them")]
    Unverified(#[source] MaterialError),
}

impl PkiError {
    /// The mistakes, one by one, when the request was refused beforehand.
    pub fn problems(&self) -> &[Problem] {
        match self {
            PkiError::Refused(problems) => problems,
            PkiError::Io { .. }
            | PkiError::Sign { .. }
            | PkiError::NoRandomness
            | PkiError::Unverified(_) => &[],
        }
    }
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "; {problem}"))
    }
}
