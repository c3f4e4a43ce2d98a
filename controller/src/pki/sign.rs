//! What our certificates say: EC P-256, explicit validity, random serial, narrow purposes.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use refit_proto::identity::{Identity, TrustDomain, UtcSeconds};
use time::OffsetDateTime;

use super::{PkiError, Problem};

/// Certificates begin this long before they are made, for hosts whose clocks are behind.
pub const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// X.509 limits these parts of a subject to 64 characters; a longer name is in the SAN anyway.
const SUBJECT_PART: usize = 64;

/// From when to when a certificate shall be valid.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub not_before: UtcSeconds,
    pub not_after: UtcSeconds,
}

impl Span {
    pub fn from_now(now: UtcSeconds, validity: Duration) -> Result<Span, Problem> {
        let bad = |why: &str| Problem::BadValidity { why: why.into() };
        if validity < Duration::from_secs(1) {
            return Err(bad("it must be at least a second (365d is usual)"));
        }
        // The year 9999 is the last that X.509 can write.
        let last = 253_402_300_799;
        let not_after = i64::try_from(validity.as_secs())
            .ok()
            .and_then(|seconds| now.0.checked_add(seconds))
            .filter(|&end| end <= last)
            .ok_or_else(|| bad("it ends after the year 9999"))?;
        Ok(Span {
            not_before: now.before(BACKDATED),
            not_after: UtcSeconds(not_after),
        })
    }
}

pub fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed("make a key"))
}

pub fn failed(operation: &'static str) -> impl FnOnce(rcgen::Error) -> PkiError {
    move |source| PkiError::Sign { operation, source }
}

/// The CA's own certificate: may sign leaves and nothing else.
pub fn authority(domain: &TrustDomain, span: Span) -> Result<CertificateParams, PkiError> {
    let mut params = common(span)?;
    // The number tells two CAs of one domain apart, for people and for the search of an issuer.
    let mut number = [0; 4];
    random(&mut number)?;
    let number = u32::from_be_bytes(number);
    params.distinguished_name = subject(domain, &format!("Refit CA {number:08x}"));
    params.subject_alt_names = vec![uri(&domain.uri())?];
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// A certificate for one identity, as client and as server.
pub fn leaf(
    identity: &Identity,
    dns: &[String],
    ips: &[IpAddr],
    span: Span,
) -> Result<CertificateParams, PkiError> {
    let mut params = common(span)?;
    let name = format!("{} {}", identity.role, identity.name);
    params.distinguished_name = subject(&identity.trust_domain, &name);
    params.subject_alt_names = vec![uri(&identity.to_string())?];
    for dns in dns {
        let dns = dns.as_str().try_into();
        let dns = dns.map_err(failed("write a DNS name into a certificate"))?;
        params.subject_alt_names.push(SanType::DnsName(dns));
    }
    let ips = ips.iter().copied().map(SanType::IpAddress);
    params.subject_alt_names.extend(ips);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}

fn common(span: Span) -> Result<CertificateParams, PkiError> {
    // 16 random bytes, the first neither zero nor negative, so that all tools print it alike.
    let mut serial = [0; 16];
    random(&mut serial)?;
    serial[0] = serial[0] & 0x3f | 0x40;
    let at = |moment: UtcSeconds| {
        OffsetDateTime::from_unix_timestamp(moment.0).map_err(|_| PkiError::Sign {
            operation: "write a date into a certificate",
            source: rcgen::Error::Time,
        })
    };
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = at(span.not_before)?;
    params.not_after = at(span.not_after)?;
    Ok(params)
}

fn subject(domain: &TrustDomain, name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    if domain.as_str().len() <= SUBJECT_PART {
        subject.push(DnType::OrganizationName, domain.as_str());
    }
    if name.len() <= SUBJECT_PART {
        subject.push(DnType::CommonName, name);
    }
    subject
}

fn uri(text: &str) -> Result<SanType, PkiError> {
    let uri = text
        .try_into()
        .map_err(failed("write an identity into a certificate"))?;
    Ok(SanType::URI(uri))
}

fn random(buffer: &mut [u8]) -> Result<(), PkiError> {
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(buffer)
        .map_err(|_| PkiError::NoRandomness)
}
