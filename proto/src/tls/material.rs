//! A program's own certificate, its key, and the CA that it trusts: read from three files.
//!
//! Loading reports every mistake at once. An expired certificate still loads: a daemon must come up
//! to be told about, and to pick up, its renewal; [`Material::validity`] says how it stands and the
//! command line refuses on it.
//!
//! ```text
//! renewal replaces two files:   write key.pem.new │ rename cert.pem │ rename key.pem.new → key.pem
//! readable at every instant:    old cert, old key │ new cert, key.pem.new │ new cert, new key
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::chain::chains_to;
use super::config::provider;
use super::revoked::{REVOKED, Revoked};
use crate::identity::{CertificateFacts, CertificateRefusal, Identity, UtcSeconds};

/// Where the three files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaterialPaths {
    /// One or more CA certificates; more than one while a CA is being replaced.
    pub ca: PathBuf,
    /// The program's own certificate.
    pub cert: PathBuf,
    /// Its private key; group and others must have no access.
    pub key: PathBuf,
}

impl MaterialPaths {
    /// The names that `refit pki issue` writes.
    pub fn in_dir(dir: &Path) -> MaterialPaths {
        MaterialPaths {
            ca: dir.join("ca.pem"),
            cert: dir.join("cert.pem"),
            key: dir.join("key.pem"),
        }
    }

    /// The deny list, beside the CA certificate.
    pub fn revoked(&self) -> PathBuf {
        self.ca.with_file_name(REVOKED)
    }

    /// Where a renewal puts the new key until the certificate has been replaced.
    pub fn next_key(&self) -> PathBuf {
        let mut name = self.key.clone().into_os_string();
        name.push(".new");
        PathBuf::from(name)
    }
}

/// One mistake in the files, with its place and what to do.
#[derive(Debug, thiserror::Error)]
pub enum MaterialProblem {
    #[error("cannot read the {what} {}: {source}", path.display())]
    Unreadable {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} holds no usable {what}: {detail}", path.display())]
    Malformed {
        what: &'static str,
        path: PathBuf,
        detail: String,
    },
    #[error("the private key {} has mode {mode:04o}, so others than its owner can use it: chmod 600 it, and renew it if it was ever exposed", path.display())]
    KeyTooOpen { path: PathBuf, mode: u32 },
    #[error("the key {} does not belong to the certificate {}: install both from one `refit pki` run", key.display(), cert.display())]
    KeyMismatch { cert: PathBuf, key: PathBuf },
    #[error("the certificate {} was not issued by the CA in {} ({detail}): install ca.pem and cert.pem of the same CA", cert.display(), ca.display())]
    NotFromThisCa {
        cert: PathBuf,
        ca: PathBuf,
        detail: String,
    },
    #[error("{}: {}: issue one with `refit pki issue`", path.display(), cause.one_line())]
    NoIdentity {
        path: PathBuf,
        cause: CertificateRefusal,
    },
    #[error("the deny list {} can't be used: {detail}", path.display())]
    DenyList { path: PathBuf, detail: String },
    #[error("{} holds a certificate that is not a CA's ({subject}): put the file ca.pem of `refit pki init` there", path.display())]
    NotACa { path: PathBuf, subject: String },
}

/// Everything that is wrong with a program's certificate files.
#[derive(Debug)]
pub struct MaterialError {
    pub problems: Vec<MaterialProblem>,
}

impl fmt::Display for MaterialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot use the certificate files")?;
        for problem in &self.problems {
            write!(f, "; {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for MaterialError {}

/// How a program's own certificate stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnValidity {
    /// Valid, for this much longer.
    Valid {
        left: Duration,
    },
    NotYet {
        not_before: UtcSeconds,
    },
    Expired {
        not_after: UtcSeconds,
    },
}

/// A verified bundle: the key fits the certificate, the CA issued it, it carries an identity.
#[derive(Clone)]
pub struct Material {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) certified: Arc<CertifiedKey>,
    identity: Identity,
    facts: CertificateFacts,
    ca: Vec<CertificateDer<'static>>,
    pub(super) revoked: Arc<Revoked>,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material")
            .field("identity", &self.identity.to_string())
            .field("serial", &self.facts.serial)
            .field("not_after", &self.facts.not_after)
            .finish_non_exhaustive()
    }
}

impl Material {
    /// Reads and checks the three files.
    ///
    /// # Errors
    /// Every problem found, not only the first.
    pub fn load(paths: &MaterialPaths) -> Result<Material, MaterialError> {
        let mut problems = Vec::new();
        let ca = keep(
            &mut problems,
            read_certificates("CA certificate", &paths.ca),
        );
        let roots = ca
            .as_ref()
            .and_then(|(ca, facts)| keep(&mut problems, anchors(&paths.ca, ca, facts)));
        let chain = keep(&mut problems, read_certificates("certificate", &paths.cert));
        let identity = chain.as_ref().and_then(|(_, facts)| {
            let identity = facts[0].identity();
            let located = identity.map_err(|cause| MaterialProblem::NoIdentity {
                path: paths.cert.clone(),
                cause,
            });
            keep(&mut problems, located)
        });
        let key = keep(&mut problems, read_key(&paths.key));
        let certified = match (&chain, key) {
            (Some((chain, _)), Some(key)) => keep(&mut problems, pair(paths, chain.clone(), key)),
            _ => None,
        };
        if let (Some(roots), Some((chain, facts))) = (&roots, &chain)
            && let Err(detail) = chains_to(roots, chain, facts[0].not_after)
        {
            problems.push(MaterialProblem::NotFromThisCa {
                cert: paths.cert.clone(),
                ca: paths.ca.clone(),
                detail,
            });
        }
        let denied = Revoked::load(&paths.revoked()).map_err(|detail| MaterialProblem::DenyList {
            path: paths.revoked(),
            detail,
        });
        let revoked = keep(&mut problems, denied);
        match (ca, roots, certified, identity, chain, revoked) {
            (
                Some((ca, _)),
                Some(roots),
                Some(certified),
                Some(identity),
                Some((_, mut facts)),
                Some(revoked),
            ) if problems.is_empty() => Ok(Material {
                roots: Arc::new(roots),
                certified: Arc::new(certified),
                identity,
                facts: facts.swap_remove(0),
                ca,
                revoked: Arc::new(revoked),
            }),
            _ => Err(MaterialError { problems }),
        }
    }

    /// Whose certificate this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it says, for reports and metrics.
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    pub fn validity(&self, now: UtcSeconds) -> OwnValidity {
        let (not_before, not_after) = (self.facts.not_before, self.facts.not_after);
        if now < not_before {
            OwnValidity::NotYet { not_before }
        } else if now > not_after {
            OwnValidity::Expired { not_after }
        } else {
            OwnValidity::Valid {
                left: now.until(not_after),
            }
        }
    }

    /// The deny list as it was read.
    pub fn revoked(&self) -> &Arc<Revoked> {
        &self.revoked
    }

    /// Same certificate and same trust, so nothing would change by swapping one for the other.
    pub(super) fn same_as(&self, other: &Material) -> bool {
        self.certified.cert == other.certified.cert
            && self.ca == other.ca
            && self.revoked == other.revoked
    }
}

type Certificates = (Vec<CertificateDer<'static>>, Vec<CertificateFacts>);

fn keep<T>(problems: &mut Vec<MaterialProblem>, result: Result<T, MaterialProblem>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// At least one certificate, all of them readable.
fn read_certificates(what: &'static str, path: &Path) -> Result<Certificates, MaterialProblem> {
    let bytes = std::fs::read(path).map_err(|source| MaterialProblem::Unreadable {
        what,
        path: path.into(),
        source,
    })?;
    let malformed = |detail: String| MaterialProblem::Malformed {
        what,
        path: path.into(),
        detail,
    };
    let ders = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, pem::Error>>()
        .map_err(|error| malformed(error.to_string()))?;
    if ders.is_empty() {
        return Err(malformed("no BEGIN CERTIFICATE in it".into()));
    }
    let facts = ders
        .iter()
        .map(|der| CertificateFacts::from_der(der))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|refusal| malformed(refusal.one_line()))?;
    Ok((ders, facts))
}

fn anchors(
    path: &Path,
    ders: &[CertificateDer<'static>],
    facts: &[CertificateFacts],
) -> Result<RootCertStore, MaterialProblem> {
    let mut roots = RootCertStore::empty();
    for (der, facts) in ders.iter().zip(facts) {
        if !facts.is_ca {
            return Err(MaterialProblem::NotACa {
                path: path.into(),
                subject: facts.subject.clone(),
            });
        }
        roots
            .add(der.clone())
            .map_err(|error| MaterialProblem::Malformed {
                what: "CA certificate",
                path: path.into(),
                detail: error.to_string(),
            })?;
    }
    Ok(roots)
}

/// Reads a private key through one descriptor, so that what was checked is what is read.
fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, MaterialProblem> {
    let unreadable = |source| MaterialProblem::Unreadable {
        what: "private key",
        path: path.into(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(MaterialProblem::KeyTooOpen {
            path: path.into(),
            mode,
        });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    // The parser's own error may quote the file: it is replaced by its kind alone.
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| MaterialProblem::Malformed {
        what: "private key",
        path: path.into(),
        detail: match error {
            pem::Error::NoItemsFound => "no BEGIN PRIVATE KEY in it".into(),
            _ => "it is not well-formed PEM".into(),
        },
    })
}

/// Joins certificate and key; in the middle of a renewal the key is still in `key.pem.new`.
fn pair(
    paths: &MaterialPaths,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, MaterialProblem> {
    let join = |key| CertifiedKey::from_der(chain.clone(), key, provider());
    let error = match join(key) {
        Ok(certified) => return Ok(certified),
        Err(error) => error,
    };
    if !matches!(error, rustls::Error::InconsistentKeys(_)) {
        return Err(MaterialProblem::Malformed {
            what: "private key",
            path: paths.key.clone(),
            detail: error.to_string(),
        });
    }
    let mismatch = || MaterialProblem::KeyMismatch {
        cert: paths.cert.clone(),
        key: paths.key.clone(),
    };
    let next = paths.next_key();
    if !next.exists() {
        return Err(mismatch());
    }
    join(read_key(&next)?).map_err(|_| mismatch())
}
