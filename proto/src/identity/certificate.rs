//! What a certificate says: read once, without judging whether it is genuine.
//!
//! An identity is taken only from a certificate whose subjectAltName holds exactly one URI. DNS
//! names and IP addresses beside it are ignored (people put them there for other tools); any other
//! kind of name is refused, because nobody here could say what it was meant to grant.

use std::fmt::Write as _;
use std::net::IpAddr;

use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Identity, IdentityError, TrustDomain, UtcSeconds};

/// Why a certificate names nobody that we can authorise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefusal {
    #[error("the certificate cannot be read: {detail}")]
    Unreadable { detail: String },
    #[error("the certificate carries no identity: its subjectAltName has no URI")]
    NoUri,
    #[error("the certificate carries {} URIs ({}) where exactly one is allowed", uris.len(), uris.join(", "))]
    SeveralUris { uris: Vec<String> },
    #[error("the certificate carries a name of an unexpected kind: {kind}")]
    UnexpectedName { kind: String },
    #[error("the certificate's URI names nobody")]
    BadIdentity(#[source] IdentityError),
}

impl CertificateRefusal {
    /// The refusal and its cause in one line, for messages that cannot carry a source.
    pub fn one_line(&self) -> String {
        match self {
            CertificateRefusal::BadIdentity(cause) => format!("{self}: {cause}"),
            other => other.to_string(),
        }
    }
}

/// The readable content of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Subject and issuer as RFC 4514-like text, for people only.
    pub subject: String,
    pub issuer: String,
    /// Hexadecimal, lower case, no separators.
    pub serial: String,
    pub not_before: UtcSeconds,
    pub not_after: UtcSeconds,
    pub is_ca: bool,
    /// Every URI of the subjectAltName, in order.
    pub uris: Vec<String>,
    pub dns: Vec<String>,
    pub ips: Vec<IpAddr>,
    /// Names that are neither URI, DNS nor IP.
    unexpected: Vec<String>,
    /// SHA-256 over the DER, hexadecimal: what `openssl x509 -fingerprint -sha256` prints.
    pub sha256: String,
}

impl CertificateFacts {
    /// Reads one DER certificate. Never panics, whatever the bytes.
    pub fn from_der(der: &[u8]) -> Result<CertificateFacts, CertificateRefusal> {
        let unreadable = |detail: String| CertificateRefusal::Unreadable { detail };
        let (rest, cert) =
            X509Certificate::from_der(der).map_err(|error| unreadable(error.to_string()))?;
        if !rest.is_empty() {
            return Err(unreadable(format!("{} bytes follow it", rest.len())));
        }
        let mut facts = CertificateFacts {
            subject: cert.subject().to_string(),
            issuer: cert.issuer().to_string(),
            serial: hex(cert.raw_serial()),
            not_before: UtcSeconds(cert.validity().not_before.timestamp()),
            not_after: UtcSeconds(cert.validity().not_after.timestamp()),
            is_ca: cert.is_ca(),
            uris: Vec::new(),
            dns: Vec::new(),
            ips: Vec::new(),
            unexpected: Vec::new(),
            sha256: sha256(der),
        };
        // An error here is a duplicated extension: two answers to "who are you" are none.
        let names = cert
            .subject_alternative_name()
            .map_err(|error| unreadable(error.to_string()))?;
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::URI(uri) => facts.uris.push((*uri).to_owned()),
                GeneralName::DNSName(dns) => facts.dns.push((*dns).to_owned()),
                GeneralName::IPAddress(bytes) => match ip(bytes) {
                    Some(ip) => facts.ips.push(ip),
                    None => facts.unexpected.push(format!("IP {}", hex(bytes))),
                },
                other => facts.unexpected.push(other.to_string()),
            }
        }
        Ok(facts)
    }

    /// The one identity that this certificate grants, or why it grants none.
    pub fn identity(&self) -> Result<Identity, CertificateRefusal> {
        self.only_uri()?
            .parse()
            .map_err(CertificateRefusal::BadIdentity)
    }

    /// The trust domain that a CA certificate of ours states in its only URI.
    pub fn trust_domain(&self) -> Result<TrustDomain, CertificateRefusal> {
        TrustDomain::parse_uri(self.only_uri()?).map_err(CertificateRefusal::BadIdentity)
    }

    fn only_uri(&self) -> Result<&str, CertificateRefusal> {
        if let Some(kind) = self.unexpected.first() {
            return Err(CertificateRefusal::UnexpectedName { kind: kind.clone() });
        }
        match self.uris.as_slice() {
            [] => Err(CertificateRefusal::NoUri),
            [uri] => Ok(uri),
            several => Err(CertificateRefusal::SeveralUris {
                uris: several.to_vec(),
            }),
        }
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 as the TLS library already has it: no further crate for one fingerprint.
fn sha256(bytes: &[u8]) -> String {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else {
        unreachable!("the suite is a TLS 1.3 one by its name and type");
    };
    hex(suite.common.hash_provider.hash(bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn der(names: Vec<SanType>) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    #[test]
    fn exactly_one_uri() {
        let good = "spiffe://refit.local/agent/m1";
        let dns = SanType::DnsName("m1".try_into().unwrap());
        let ip = SanType::IpAddress("10.0.0.1".parse().unwrap());
        let mail = SanType::Rfc822Name("root@m1".try_into().unwrap());
        let several = vec![good.to_owned(), good.to_owned()];
        let cases = vec![
            (vec![uri(good)], Ok(good.parse().unwrap())),
            (vec![dns.clone(), uri(good), ip], Ok(good.parse().unwrap())),
            (vec![], Err(CertificateRefusal::NoUri)),
            (vec![dns], Err(CertificateRefusal::NoUri)),
            (
                vec![uri(good), uri(good)],
                Err(CertificateRefusal::SeveralUris { uris: several }),
            ),
            (
                vec![uri("https://m1")],
                Err(CertificateRefusal::BadIdentity(IdentityError::NotSpiffe {
                    got: "https://m1".into(),
                })),
            ),
        ];
        for (names, expected) in cases {
            let facts = CertificateFacts::from_der(&der(names.clone())).unwrap();
            assert_eq!(facts.identity(), expected, "{names:?}");
        }
        let facts = CertificateFacts::from_der(&der(vec![uri(good), mail])).unwrap();
        assert!(matches!(
            facts.identity(),
            Err(CertificateRefusal::UnexpectedName { .. })
        ));
    }

    #[test]
    fn reads_the_rest() {
        let der = der(vec![
            uri("spiffe://refit.local"),
            SanType::IpAddress("::1".parse().unwrap()),
        ]);
        let facts = CertificateFacts::from_der(&der).unwrap();
        assert_eq!(facts.trust_domain().unwrap().as_str(), "refit.local");
        assert_eq!(facts.ips, ["::1".parse::<IpAddr>().unwrap()]);
        assert_eq!(facts.not_before.to_string(), "1975-01-01 00:00:00 UTC");
        assert_eq!(facts.sha256.len(), 64);
        let mut longer = der.clone();
        longer.push(0);
        assert!(CertificateFacts::from_der(&longer).is_err());
    }

    #[test]
    fn sha256_is_sha256() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    proptest! {
        #[test]
        fn never_panics(
            junk in proptest::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let _ = CertificateFacts::from_der(&junk);
            let mut bytes = der(vec![uri("spiffe://refit.local/agent/m1")]);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(facts) = CertificateFacts::from_der(&bytes) {
                let _ = facts.identity();
            }
        }
    }
}
