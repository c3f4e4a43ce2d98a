//! Whether a certificate was issued by a CA, apart from whether it is valid today.

use std::time::Duration;

use rustls::RootCertStore;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::config::provider;
use crate::identity::UtcSeconds;

/// The chain (leaf first) holds at `moment`, which is one of the leaf's life: at another, expiry
/// would hide the answer.
pub(super) fn chains_to(
    roots: &RootCertStore,
    chain: &[CertificateDer<'_>],
    moment: UtcSeconds,
) -> Result<(), String> {
    let (leaf, intermediates) = chain.split_first().ok_or("no certificate")?;
    let moment = u64::try_from(moment.0).map_err(|_| "it ended before 1970")?;
    let leaf = ParsedCertificate::try_from(leaf).map_err(|error| error.to_string())?;
    rustls::client::verify_server_cert_signed_by_trust_anchor(
        &leaf,
        roots,
        intermediates,
        UnixTime::since_unix_epoch(Duration::from_secs(moment)),
        provider().signature_verification_algorithms.all,
    )
    .map_err(|error| error.to_string())
}

/// Whether `leaf` was issued by the CA certificate `authority`; the reason if not.
pub fn issued_by(
    leaf: &CertificateDer<'_>,
    not_after: UtcSeconds,
    authority: &CertificateDer<'_>,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(authority.clone().into_owned())
        .map_err(|error| error.to_string())?;
    chains_to(&roots, std::slice::from_ref(leaf), not_after)
}
