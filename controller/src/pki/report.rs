//! What the CA's functions return: plain values, printable as text or JSON.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use refit_proto::identity::{CertificateFacts, UtcSeconds};
use refit_proto::tls::{Material, MaterialPaths};
use serde::Serialize;

use super::{PkiError, Problem};

/// A new CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorityReport {
    pub trust_domain: String,
    pub certificate: CertificateReport,
    pub key_file: PathBuf,
}

/// A bundle as issued or renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleReport {
    pub identity: String,
    pub certificate: CertificateReport,
    pub key_file: PathBuf,
    pub ca_file: PathBuf,
}

/// How a certificate's dates stand at the time of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    Valid,
    NotYetValid,
    Expired,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateReport {
    pub file: PathBuf,
    pub is_ca: bool,
    /// The URIs of the subjectAltName: one, in a certificate of ours.
    pub uris: Vec<String>,
    pub dns: Vec<String>,
    pub ips: Vec<IpAddr>,
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub sha256: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub state: CertificateState,
    /// Until `not_after`; 0 when expired.
    pub seconds_left: u64,
}

/// A private key file; its content is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    pub file: PathBuf,
    /// Permission bits in octal, as `ls` and `chmod` have them ("0600").
    pub mode: String,
    pub private: bool,
}

/// What is in a directory or file, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    pub path: PathBuf,
    pub certificates: Vec<CertificateReport>,
    pub key: Option<KeyReport>,
    /// Each with its place and what to do; empty when all is well.
    pub problems: Vec<String>,
}

impl CertificateReport {
    pub(super) fn new(
        file: &Path,
        facts: &CertificateFacts,
        now: UtcSeconds,
    ) -> Result<CertificateReport, PkiError> {
        let at = |moment: UtcSeconds| {
            Timestamp::from_second(moment.0).map_err(|error| {
                PkiError::Refused(vec![Problem::Unusable {
                    path: file.into(),
                    why: format!("its dates cannot be read: {error}"),
                }])
            })
        };
        let state = if now < facts.not_before {
            CertificateState::NotYetValid
        } else if now > facts.not_after {
            CertificateState::Expired
        } else {
            CertificateState::Valid
        };
        Ok(CertificateReport {
            file: file.into(),
            is_ca: facts.is_ca,
            uris: facts.uris.clone(),
            dns: facts.dns.clone(),
            ips: facts.ips.clone(),
            subject: facts.subject.clone(),
            issuer: facts.issuer.clone(),
            serial: facts.serial.clone(),
            sha256: facts.sha256.clone(),
            not_before: at(facts.not_before)?,
            not_after: at(facts.not_after)?,
            state,
            seconds_left: now.until(facts.not_after).as_secs(),
        })
    }
}

impl BundleReport {
    pub(super) fn new(
        paths: &MaterialPaths,
        material: &Material,
        now: UtcSeconds,
    ) -> Result<BundleReport, PkiError> {
        Ok(BundleReport {
            identity: material.identity().to_string(),
            certificate: CertificateReport::new(&paths.cert, material.facts(), now)?,
            key_file: paths.key.clone(),
            ca_file: paths.ca.clone(),
        })
    }
}
