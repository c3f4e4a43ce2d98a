//! The rustls configurations: one provider, TLS 1.3 only, client certificates required, nothing
//! resumed, HTTP/2 only.

use std::sync::{Arc, LazyLock};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError,
    RootCertStore, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{Clock, Material, Revoked};
use crate::identity::{CertificateFacts, Identity};

const HTTP2: &[u8] = b"h2";

/// The only crypto provider; used explicitly everywhere, so nothing depends on a process default.
pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static RING: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    &RING
}

/// For accepting: any certificate of our CA that is valid now. Which role it has is judged per call.
pub(super) fn server(material: &Material, clock: &Clock) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::clone(provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&material.roots), provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
    let verifier = Arc::new(NotRevoked {
        inner: verifier,
        revoked: Arc::clone(&material.revoked),
    });
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(clock.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(
            &material.certified,
        ))));
    config.alpn_protocols = vec![HTTP2.to_vec()];
    // A resumed session would skip the verification of the certificate.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// For dialling: the other end must be exactly `expected`.
pub(super) fn client(
    material: &Material,
    clock: &Clock,
    expected: &Identity,
) -> Result<ClientConfig, rustls::Error> {
    let verifier = ExactPeer {
        roots: Arc::clone(&material.roots),
        expected: expected.clone(),
        revoked: Arc::clone(&material.revoked),
    };
    let mut config =
        ClientConfig::builder_with_details(Arc::clone(provider()), Arc::new(clock.clone()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(
                &material.certified,
            ))));
    config.alpn_protocols = vec![HTTP2.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

/// The server presented a genuine certificate of our CA, but not the one we came for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {got}")]
pub(super) struct WrongPeer {
    pub expected: Identity,
    /// The identity found, or why there is none.
    pub got: String,
}

/// Chain, time and purpose as webpki judges them, then the identity byte for byte. DNS names are
/// not looked at: names here are given by the CA, not by a resolver.
#[derive(Debug)]
struct ExactPeer {
    roots: Arc<RootCertStore>,
    expected: Identity,
    revoked: Arc<Revoked>,
}

/// What webpki accepts and the deny list does not name.
#[derive(Debug)]
struct NotRevoked {
    inner: Arc<dyn ClientCertVerifier>,
    revoked: Arc<Revoked>,
}

impl ClientCertVerifier for NotRevoked {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, now)?;
        match self.revoked.names(end_entity) {
            None => Ok(verified),
            Some(_) => Err(CertificateError::Revoked.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ServerCertVerifier for ExactPeer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            provider().signature_verification_algorithms.all,
        )?;
        if self.revoked.names(end_entity).is_some() {
            return Err(CertificateError::Revoked.into());
        }
        let found = CertificateFacts::from_der(end_entity).and_then(|facts| facts.identity());
        let got = match found {
            Ok(identity) if identity == self.expected => {
                return Ok(ServerCertVerified::assertion());
            }
            Ok(identity) => identity.to_string(),
            Err(refusal) => refusal.one_line(),
        };
        let wrong = WrongPeer {
            expected: self.expected.clone(),
            got,
        };
        Err(CertificateError::Other(OtherError(Arc::new(wrong))).into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // The configuration does not offer TLS 1.2, so this cannot be asked.
        Err(rustls::Error::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
