//! Looking at a CA, a bundle or a single certificate file. Changes nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use refit_proto::identity::{CertificateFacts, UtcSeconds};
use refit_proto::tls::{Clock, Material, MaterialPaths};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::authority::{Authority, AuthorityPaths};
use super::{CertificateReport, CertificateState, Inspection, KeyReport, PkiError, Problem};

/// Reports what is at `path`: the directory of a CA or of a bundle, or one PEM file.
///
/// # Errors
/// Only when there is nothing to report on; what is wrong with it is part of the report.
pub fn inspect(path: &Path, clock: &Clock) -> Result<Inspection, PkiError> {
    let now = clock.utc();
    let mut found = Inspection {
        path: path.into(),
        certificates: Vec::new(),
        key: None,
        problems: Vec::new(),
    };
    let bundle = MaterialPaths::in_dir(path);
    let authority = AuthorityPaths::in_dir(path);
    if !path.is_dir() {
        found.take_certificates(path, now)?;
    } else if bundle.cert.exists() {
        found.take_readable(&[&bundle.cert, &bundle.ca], now);
        found.key = key_report(&bundle.key);
        if let Err(error) = Material::load(&bundle) {
            let told = error.problems.iter().map(ToString::to_string);
            found.problems.extend(told);
        }
        if bundle.next_key().exists() {
            found.problems.push(format!(
                "{} is left from a renewal that was cut short; the bundle is usable, and the next `refit pki renew` tidies up",
                bundle.next_key().display()
            ));
        }
    } else if authority.cert.exists() || authority.key.exists() {
        found.take_readable(&[&authority.cert], now);
        found.key = key_report(&authority.key);
        if let Err(problems) = Authority::open(path) {
            found
                .problems
                .extend(problems.iter().map(ToString::to_string));
        }
    } else {
        return Err(PkiError::Refused(vec![Problem::Unusable {
            path: path.into(),
            why: "it holds neither cert.pem (a certificate) nor ca.pem and ca-key.pem (a CA)"
                .into(),
        }]));
    }
    found.judge_dates();
    Ok(found)
}

impl Inspection {
    fn take_certificates(&mut self, file: &Path, now: UtcSeconds) -> Result<(), PkiError> {
        let refused = |problem| PkiError::Refused(vec![problem]);
        let unusable = |why: String| {
            refused(Problem::Unusable {
                path: file.into(),
                why,
            })
        };
        let bytes = std::fs::read(file).map_err(|source| {
            refused(Problem::Unreadable {
                path: file.into(),
                source,
                fix: "give the directory of a CA or of a certificate, or a PEM file",
            })
        })?;
        let ders = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(error.to_string()))?;
        if ders.is_empty() {
            return Err(unusable("there is no certificate in it".into()));
        }
        for der in &ders {
            let facts =
                CertificateFacts::from_der(der).map_err(|refusal| unusable(refusal.one_line()))?;
            self.certificates
                .push(CertificateReport::new(file, &facts, now)?);
        }
        Ok(())
    }

    /// Takes what can be read; what cannot is told by the loader that runs next.
    fn take_readable(&mut self, files: &[&Path], now: UtcSeconds) {
        for file in files {
            if let Err(error) = self.take_certificates(file, now) {
                tracing::debug!(file = %file.display(), %error, "not shown");
            }
        }
    }

    fn judge_dates(&mut self) {
        for certificate in &self.certificates {
            let file = certificate.file.display();
            let fix = if certificate.is_ca {
                "make a new CA with `refit pki init` and issue every certificate anew"
            } else {
                "run `refit pki renew`"
            };
            match certificate.state {
                CertificateState::Valid => {}
                CertificateState::Expired => self.problems.push(format!(
                    "{file} expired at {}: {fix}",
                    certificate.not_after
                )),
                CertificateState::NotYetValid => self.problems.push(format!(
                    "{file} is valid only from {}: check this host's clock",
                    certificate.not_before
                )),
            }
        }
    }
}

fn key_report(file: &Path) -> Option<KeyReport> {
    // A missing key is told by the loader.
    let mode = std::fs::metadata(file).ok()?.mode() & 0o7777;
    Some(KeyReport {
        file: file.into(),
        mode: format!("{mode:04o}"),
        private: mode & 0o077 == 0,
    })
}
