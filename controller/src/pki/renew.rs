//! Renewing a bundle in place: same identity, new key, loadable at every instant.
//!
//! ```text
//!   stage   write key.pem.new         old certificate, old key
//!   commit  rename over cert.pem      new certificate, key.pem.new   <- the one moment of change
//!   finish  rename key.pem.new        new certificate, new key
//! ```
//! A renewal that was cut short is first brought to one side or the other by the next one.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use refit_proto::identity::{Identity, UtcSeconds};
use refit_proto::tls::{Clock, Material, MaterialPaths, issued_by};
use rustls::pki_types::CertificateDer;

use super::authority::{Authority, belongs, keep, open_into, read_certificate};
use super::files::{self, PRIVATE, PUBLIC};
use super::sign::{self, Span};
use super::{BundleReport, PkiError, Problem};

/// Renews the bundle in `dir` with the CA that issued it. Without `validity` the new certificate
/// lives as long as the old one did. The files keep their owners.
///
/// # Errors
/// [`PkiError::Refused`] with every mistake, before anything is written.
pub fn renew(
    dir: &Path,
    ca_dir: &Path,
    validity: Option<Duration>,
    clock: &Clock,
) -> Result<BundleReport, PkiError> {
    let renewal = Renewal::prepare(dir, ca_dir, validity, clock)?;
    for step in Renewal::STEPS {
        step(&renewal)?;
    }
    let material = Material::load(&renewal.paths).map_err(PkiError::Unverified)?;
    BundleReport::new(&renewal.paths, &material, clock.utc())
}

pub(super) type Step = fn(&Renewal) -> Result<(), PkiError>;

/// A renewal with everything decided and signed, and nothing written yet.
pub(super) struct Renewal {
    pub paths: MaterialPaths,
    old_cert: CertificateDer<'static>,
    key: String,
    cert: String,
    /// Held until the renewal is over: two at once would mix their files.
    _lock: File,
}

impl Renewal {
    /// What [`renew`] does, in order; it may be cut short between any two.
    pub const STEPS: &[Step] = &[Self::tidy, Self::stage, Self::commit, Self::finish];

    pub fn prepare(
        dir: &Path,
        ca_dir: &Path,
        validity: Option<Duration>,
        clock: &Clock,
    ) -> Result<Renewal, PkiError> {
        let now = clock.utc();
        let paths = MaterialPaths::in_dir(dir);
        let fix = "give a directory that `refit pki issue` has filled";
        let lock = lock(dir, fix).map_err(|problem| PkiError::Refused(vec![problem]))?;
        let mut problems = Vec::new();
        let old = keep(&mut problems, read_certificate(&paths.cert, fix));
        let old = old.and_then(|(_, der, facts)| {
            let identity = facts.identity().map_err(|refusal| Problem::Unusable {
                path: paths.cert.clone(),
                why: refusal.one_line(),
            });
            Some((der, keep(&mut problems, identity)?, facts))
        });
        for path in [&paths.ca, &paths.key] {
            if let Err(source) = File::open(path) {
                problems.push(Problem::Unreadable {
                    path: path.clone(),
                    source,
                    fix,
                });
            }
        }
        let validity = validity.or_else(|| {
            let (_, _, facts) = old.as_ref()?;
            // What was asked for then: the backdating is not part of it.
            let lived = facts.not_before.until(facts.not_after);
            Some(lived.saturating_sub(sign::BACKDATED))
        });
        let span = validity.and_then(|v| keep(&mut problems, Span::from_now(now, v)));
        let authority = open_into(&mut problems, ca_dir);
        if let (Some(authority), Some((der, identity, facts))) = (&authority, &old) {
            keep(
                &mut problems,
                same_ca(authority, &paths, identity, der, facts.not_after),
            );
        }
        if let (Some(authority), Some(span)) = (&authority, span) {
            keep(&mut problems, authority.permits(span, now));
        }
        let (Some((old_cert, identity, facts)), Some(span), Some(authority), true) =
            (old, span, authority, problems.is_empty())
        else {
            return Err(PkiError::Refused(problems));
        };

        let key = sign::new_key()?;
        let params = sign::leaf(&identity, &facts.dns, &facts.ips, span)?;
        let cert = authority.sign(params, &key)?;
        Ok(Renewal {
            paths,
            old_cert,
            key: key.serialize_pem(),
            cert,
            _lock: lock,
        })
    }

    /// Ends an earlier renewal that was cut short: forward if its certificate is in place, else back.
    fn tidy(&self) -> Result<(), PkiError> {
        let next = self.paths.next_key();
        if !files::exists(&next) {
            return Ok(());
        }
        let pem = std::fs::read_to_string(&next).map_err(files::failed("read", &next))?;
        if belongs(&self.old_cert, &pem) {
            files::rename(&next, &self.paths.key)
        } else {
            files::remove(&next)
        }
    }

    fn stage(&self) -> Result<(), PkiError> {
        files::replace(&self.paths.next_key(), &self.key, PRIVATE, &self.paths.key)
    }

    fn commit(&self) -> Result<(), PkiError> {
        files::replace(&self.paths.cert, &self.cert, PUBLIC, &self.paths.cert)
    }

    fn finish(&self) -> Result<(), PkiError> {
        files::rename(&self.paths.next_key(), &self.paths.key)
    }
}

/// Keeps other renewals of the same bundle out; the kernel lets go of it if we die.
fn lock(dir: &Path, fix: &'static str) -> Result<File, Problem> {
    let unreadable = |source| Problem::Unreadable {
        path: dir.into(),
        source,
        fix,
    };
    let file = File::open(dir).map_err(unreadable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Problem::Busy { path: dir.into() }),
        Err(TryLockError::Error(source)) => Err(unreadable(source)),
    }
}

/// The CA at hand is the one that issued the certificate, and the one that the bundle trusts.
fn same_ca(
    authority: &Authority,
    paths: &MaterialPaths,
    identity: &Identity,
    der: &CertificateDer<'static>,
    not_after: UtcSeconds,
) -> Result<(), Problem> {
    let other = |detail| Problem::OtherCa {
        cert: paths.cert.clone(),
        ca: authority.paths.cert.clone(),
        detail,
    };
    if identity.trust_domain != authority.trust_domain {
        let domains = (&identity.trust_domain, &authority.trust_domain);
        return Err(other(format!(
            "trust domain {}, not {}",
            domains.0, domains.1
        )));
    }
    issued_by(der, not_after, &authority.der).map_err(other)
}
