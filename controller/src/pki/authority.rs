//! The CA itself: making it, and opening it to sign.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, Issuer, KeyPair};
use refit_proto::identity::{CertificateFacts, TrustDomain, UtcSeconds};
use refit_proto::tls::Clock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::files::{self, Batch, PRIVATE, PUBLIC};
use super::sign::{self, Span};
use super::{AuthorityReport, CertificateReport, PkiError, Problem};

const MAKE_ONE: &str = "make a CA there with `refit pki init`, or give the directory of yours";

/// The two files of a CA.
#[derive(Debug, Clone)]
pub struct AuthorityPaths {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl AuthorityPaths {
    pub fn in_dir(dir: &Path) -> AuthorityPaths {
        AuthorityPaths {
            cert: dir.join("ca.pem"),
            key: dir.join("ca-key.pem"),
        }
    }
}

/// Makes a new CA in `dir`, which is created if need be.
///
/// # Errors
/// [`PkiError::Refused`] with every mistake, before anything is written.
pub fn init(
    dir: &Path,
    trust_domain: &str,
    validity: Duration,
    clock: &Clock,
) -> Result<AuthorityReport, PkiError> {
    let paths = AuthorityPaths::in_dir(dir);
    let mut problems = Vec::new();
    let domain = keep(
        &mut problems,
        TrustDomain::parse(trust_domain).map_err(Problem::BadName),
    );
    let span = keep(&mut problems, Span::from_now(clock.utc(), validity));
    for path in [&paths.cert, &paths.key] {
        if files::exists(path) {
            problems.push(Problem::Exists {
                path: path.clone(),
                hint: "; every certificate of the fleet depends on its CA",
            });
        }
    }
    let (Some(domain), Some(span), true) = (domain, span, problems.is_empty()) else {
        return Err(PkiError::Refused(problems));
    };

    let key = sign::new_key()?;
    let cert = sign::authority(&domain, span)?
        .self_signed(&key)
        .map_err(sign::failed("sign the CA's certificate"))?;
    files::make_dir(dir)?;
    let mut batch = Batch::default();
    batch.create(&paths.key, &key.serialize_pem(), PRIVATE)?;
    batch.create(&paths.cert, &cert.pem(), PUBLIC)?;
    // Read back before it is called done.
    let opened = Authority::open(dir).map_err(PkiError::Refused)?;
    batch.keep();
    Ok(AuthorityReport {
        trust_domain: opened.trust_domain.to_string(),
        certificate: CertificateReport::new(&paths.cert, &opened.facts, clock.utc())?,
        key_file: paths.key,
    })
}

/// A CA that can sign.
#[derive(Debug)]
pub struct Authority {
    pub paths: AuthorityPaths,
    pub trust_domain: TrustDomain,
    pub facts: CertificateFacts,
    pub der: CertificateDer<'static>,
    pub pem: String,
    key: KeyPair,
}

impl Authority {
    /// Reads and checks both files; every problem found. Does not judge the CA's dates.
    pub fn open(dir: &Path) -> Result<Authority, Vec<Problem>> {
        let paths = AuthorityPaths::in_dir(dir);
        let mut problems = Vec::new();
        let public = keep(&mut problems, read_public(&paths.cert));
        let key = keep(&mut problems, read_key(&paths.key));
        let (Some((pem, der, facts, trust_domain)), Some(key)) = (public, key) else {
            return Err(problems);
        };
        if !belongs(&der, &key.serialize_pem()) {
            return Err(vec![Problem::CaKeyMismatch {
                ca: paths.cert,
                key: paths.key,
            }]);
        }
        Ok(Authority {
            paths,
            trust_domain,
            facts,
            der,
            pem,
            key,
        })
    }

    /// Whether a certificate of that span can be signed now.
    pub fn permits(&self, span: Span, now: UtcSeconds) -> Result<(), Problem> {
        let (not_before, not_after) = (self.facts.not_before, self.facts.not_after);
        if now < not_before || now > not_after {
            return Err(Problem::CaNotValid {
                path: self.paths.cert.clone(),
                not_before,
                not_after,
            });
        }
        // TLS libraries do not look at the dates of a root, so no leaf may outlive it.
        if span.not_after > not_after {
            return Err(Problem::OutlivesCa {
                asked: span.not_after,
                ca: not_after,
                days: now.until(not_after).as_secs() / (24 * 3600),
            });
        }
        Ok(())
    }

    /// Signs a certificate for `subject_key`; returns it as PEM.
    pub fn sign(
        &self,
        params: CertificateParams,
        subject_key: &KeyPair,
    ) -> Result<String, PkiError> {
        let issuer = Issuer::from_ca_cert_der(&self.der, &self.key)
            .map_err(sign::failed("use the CA's certificate"))?;
        let cert = params
            .signed_by(subject_key, &issuer)
            .map_err(sign::failed("sign the certificate"))?;
        Ok(cert.pem())
    }
}

/// Opens the CA for a request, adding what is wrong with it to the request's other problems.
pub fn open_into(problems: &mut Vec<Problem>, dir: &Path) -> Option<Authority> {
    match Authority::open(dir) {
        Ok(authority) => Some(authority),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

pub fn keep<T>(problems: &mut Vec<Problem>, result: Result<T, Problem>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// Reads the one certificate of a PEM file.
pub fn read_certificate(
    path: &Path,
    fix: &'static str,
) -> Result<(String, CertificateDer<'static>, CertificateFacts), Problem> {
    let unusable = |why: String| Problem::Unusable {
        path: path.into(),
        why,
    };
    let pem = std::fs::read_to_string(path).map_err(|source| Problem::Unreadable {
        path: path.into(),
        source,
        fix,
    })?;
    let ders = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    let Ok([der]) = <[CertificateDer<'static>; 1]>::try_from(ders) else {
        return Err(unusable("it must hold exactly one certificate".into()));
    };
    let facts = CertificateFacts::from_der(&der).map_err(|error| unusable(error.one_line()))?;
    Ok((pem, der, facts))
}

/// Whether a PEM key is the one that a certificate was made for.
pub fn belongs(cert: &CertificateDer<'static>, key_pem: &str) -> bool {
    let provider = rustls::crypto::ring::default_provider();
    PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
        .is_ok_and(|key| CertifiedKey::from_der(vec![cert.clone()], key, &provider).is_ok())
}

type Public = (
    String,
    CertificateDer<'static>,
    CertificateFacts,
    TrustDomain,
);

fn read_public(path: &Path) -> Result<Public, Problem> {
    let (pem, der, facts) = read_certificate(path, MAKE_ONE)?;
    let unusable = |why: String| Problem::Unusable {
        path: path.into(),
        why,
    };
    if !facts.is_ca {
        return Err(unusable("it is not the certificate of a CA".into()));
    }
    let domain = facts.trust_domain().map_err(|refusal| {
        unusable(format!(
            "not a CA of `refit pki init`: {}",
            refusal.one_line()
        ))
    })?;
    Ok((pem, der, facts, domain))
}

fn read_key(path: &Path) -> Result<KeyPair, Problem> {
    let unreadable = |source| Problem::Unreadable {
        path: path.into(),
        source,
        fix: MAKE_ONE,
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Problem::CaKeyTooOpen {
            path: path.into(),
            mode,
        });
    }
    let mut pem = String::new();
    file.read_to_string(&mut pem).map_err(unreadable)?;
    // The parser's own words may quote the key.
    KeyPair::from_pem(&pem).map_err(|_| Problem::Unusable {
        path: path.into(),
        why: "it holds no private key that can be used".into(),
    })
}
