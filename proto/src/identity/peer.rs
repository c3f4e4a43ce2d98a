//! The peer of a connection, on its way from the TLS stream to the handlers.
//!
//! [`PeerInfo`] is what tonic carries for a connection: the reading of the peer's certificate, good
//! or bad. [`PeerIdentity`] is what handlers see: it exists only on requests that
//! [`super::AuthoriseLayer`] has let through.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use tonic::Status;

use super::{CertificateFacts, CertificateRefusal, Identity, UtcSeconds};

/// The parts of a peer's certificate that outlive the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    pub identity: Arc<Identity>,
    pub not_after: UtcSeconds,
    pub serial: String,
}

/// What is known about one connection's peer; cheap to clone, read from the certificate once.
#[derive(Debug, Clone)]
pub struct PeerInfo(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificate: Result<PeerCertificate, CertificateRefusal>,
    remote: Option<SocketAddr>,
}

impl PeerInfo {
    /// Reads the leaf of a chain that TLS has already verified.
    pub fn from_chain(chain: Option<&[CertificateDer<'_>]>, remote: Option<SocketAddr>) -> Self {
        let certificate = chain
            .and_then(<[_]>::first)
            .ok_or_else(|| CertificateRefusal::Unreadable {
                detail: "none was presented".into(),
            })
            .and_then(|leaf| {
                let facts = CertificateFacts::from_der(leaf)?;
                Ok(PeerCertificate {
                    identity: Arc::new(facts.identity()?),
                    not_after: facts.not_after,
                    serial: facts.serial,
                })
            });
        PeerInfo(Arc::new(Inner {
            certificate,
            remote,
        }))
    }

    pub fn certificate(&self) -> Result<&PeerCertificate, &CertificateRefusal> {
        self.0.certificate.as_ref()
    }

    pub fn remote(&self) -> Option<SocketAddr> {
        self.0.remote
    }
}

/// Who is calling, authorised for the call at hand. Found in a request's extensions.
#[derive(Debug, Clone)]
pub struct PeerIdentity {
    pub identity: Arc<Identity>,
    pub remote: Option<SocketAddr>,
}

impl PeerIdentity {
    /// The caller of a tonic request. Fails only if the service is served without the layer, which
    /// must never be mistaken for an anonymous caller.
    // A Status is what a handler returns; boxing it here would only be undone there.
    #[allow(clippy::result_large_err)]
    pub fn of<T>(request: &tonic::Request<T>) -> Result<PeerIdentity, Status> {
        request
            .extensions()
            .get::<PeerIdentity>()
            .cloned()
            .ok_or_else(|| Status::internal("the service is served without authorisation"))
    }
}
