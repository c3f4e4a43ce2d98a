//! What went wrong between us and a peer, in a form to decide on and in words to act on.
//!
//! Errors of tonic, hyper, h2 and rustls arrive nested in one another and mostly say "transport
//! error". [`classify`] walks the whole chain by type, never by text. A refused certificate must not
//! be retried like a network fault, so the two are different kinds here.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use rustls_pki_types::UnixTime;

use super::config::WrongPeer;
use super::stream::PeerCertificateDenied;
use super::{Address, PeerCertificateEnded};
use crate::identity::{Identity, UtcSeconds};

/// The peer that we tried to talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub address: Address,
    pub expected: Identity,
}

/// A failed connection, with the peer that it was for. Its text is meant for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerFault {
    pub peer: Peer,
    pub kind: FaultKind,
}

/// What kind of failure it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// No connection, no answer in time, or a connection that broke. Worth trying again.
    Unreachable {
        io: io::ErrorKind,
        detail: String,
    },
    /// The peer judged our certificate and refused it.
    PeerRefusedOurCertificate {
        alert: AlertDescription,
    },
    /// A genuine certificate of our CA, but another's.
    PeerIdentityMismatch {
        expected: Identity,
        got: String,
    },
    PeerCertificateExpired {
        not_after: Option<UtcSeconds>,
    },
    PeerCertificateNotYetValid {
        not_before: Option<UtcSeconds>,
    },
    /// Our deny list names the peer's certificate.
    PeerCertificateRevoked,
    /// The peer's certificate was not issued by a CA that we trust.
    UnknownCa,
    /// The peer presented no certificate at all (seen by servers).
    NoPeerCertificate,
    /// The peer has as many connections open as one may have (seen by servers).
    TooManyConnections {
        peer: String,
    },
    /// The peer's certificate is of our CA but cannot serve, for example for its key usage.
    PeerCertificateUnusable {
        detail: String,
    },
    /// The other end does not speak TLS 1.3 as Refit does.
    NotRefit {
        detail: String,
    },
}

impl FaultKind {
    /// Whether time alone may cure it. Certificates need a person first.
    pub fn is_network(&self) -> bool {
        matches!(self, FaultKind::Unreachable { .. })
    }

    pub(super) fn of_io(error: &io::Error) -> FaultKind {
        // Only what is neither TLS nor ours: classify() has looked deeper already.
        classify(error).unwrap_or_else(|| FaultKind::Unreachable {
            io: error.kind(),
            detail: error.to_string(),
        })
    }
}

/// Finds the reason of a transport failure in an error's chain of sources.
///
/// `None` means that this is no transport failure: for a gRPC status, that the peer answered it.
pub fn classify(error: &(dyn Error + 'static)) -> Option<FaultKind> {
    let mut transport = false;
    let mut innermost_io = None;
    for link in Chain(Some(error)) {
        if let Some(fault) = link.downcast_ref::<PeerFault>() {
            return Some(fault.kind.clone());
        }
        if let Some(ended) = link.downcast_ref::<PeerCertificateEnded>() {
            return Some(FaultKind::PeerCertificateExpired {
                not_after: Some(ended.not_after),
            });
        }
        if link.is::<PeerCertificateDenied>() {
            return Some(FaultKind::PeerCertificateRevoked);
        }
        if let Some(tls) = link.downcast_ref::<rustls::Error>() {
            return Some(of_tls(tls));
        }
        if let Some(io) = link.downcast_ref::<io::Error>() {
            innermost_io = Some(FaultKind::Unreachable {
                io: io.kind(),
                detail: io.to_string(),
            });
        }
        transport |= link.is::<tonic::transport::Error>();
    }
    innermost_io.or_else(|| {
        transport.then(|| FaultKind::Unreachable {
            io: io::ErrorKind::Other,
            detail: chain_text(error),
        })
    })
}

/// An error and its sources in one line, without the repetitions that wrappers like to make.
pub(crate) fn chain_text(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for link in Chain(Some(error)) {
        let part = link.to_string();
        if text.ends_with(&part) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&part);
    }
    text
}

/// The links of an error chain. `io::Error::source` skips the error that it wraps; this does not.
struct Chain<'a>(Option<&'a (dyn Error + 'static)>);

impl<'a> Iterator for Chain<'a> {
    type Item = &'a (dyn Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let link = self.0?;
        self.0 = match link
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => link.source(),
        };
        Some(link)
    }
}

fn of_tls(error: &rustls::Error) -> FaultKind {
    let not_refit = || FaultKind::NotRefit {
        detail: error.to_string(),
    };
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::NoCertificatesPresented => FaultKind::NoPeerCertificate,
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => {
                FaultKind::PeerRefusedOurCertificate { alert: *alert }
            }
            _ => not_refit(),
        },
        _ => not_refit(),
    }
}

fn of_certificate(error: &CertificateError) -> FaultKind {
    let utc = |time: &UnixTime| i64::try_from(time.as_secs()).ok().map(UtcSeconds);
    match error {
        CertificateError::Expired => FaultKind::PeerCertificateExpired { not_after: None },
        CertificateError::ExpiredContext { not_after, .. } => FaultKind::PeerCertificateExpired {
            not_after: utc(not_after),
        },
        CertificateError::Revoked => FaultKind::PeerCertificateRevoked,
        CertificateError::NotValidYet => FaultKind::PeerCertificateNotYetValid { not_before: None },
        CertificateError::NotValidYetContext { not_before, .. } => {
            FaultKind::PeerCertificateNotYetValid {
                not_before: utc(not_before),
            }
        }
        // A CA of the same name with another key gives BadSignature: unknown all the same.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => FaultKind::UnknownCa,
        CertificateError::Other(other) => match other.0.downcast_ref::<WrongPeer>() {
            Some(wrong) => FaultKind::PeerIdentityMismatch {
                expected: wrong.expected.clone(),
                got: wrong.got.clone(),
            },
            None => unusable(error),
        },
        _ => unusable(error),
    }
}

fn unusable(error: &CertificateError) -> FaultKind {
    FaultKind::PeerCertificateUnusable {
        detail: error.to_string(),
    }
}

impl PeerFault {
    /// The transport failure in `error`, told for `peer`; `None` as for [`classify`].
    pub fn of(error: &(dyn Error + 'static), peer: &Peer) -> Option<PeerFault> {
        Some(PeerFault {
            kind: classify(error)?,
            peer: peer.clone(),
        })
    }
}

impl Error for PeerFault {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn peer() -> Peer {
        Peer {
            address: "10.77.0.21:7130".parse().unwrap(),
            expected: "spiffe://refit.local/agent/m1".parse().unwrap(),
        }
    }

    /// As many wrappers as tonic likes to make.
    fn wrapped(error: rustls::Error) -> io::Error {
        let inner = io::Error::new(io::ErrorKind::InvalidData, error);
        io::Error::other(Box::<dyn Error + Send + Sync>::from(inner))
    }

    #[test]
    fn every_kind_is_found_and_told() {
        let wrong = WrongPeer {
            expected: peer().expected,
            got: "spiffe://refit.local/agent/m2".into(),
        };
        let mismatch = CertificateError::Other(rustls::OtherError(Arc::new(wrong)));
        let alert = rustls::Error::AlertReceived;
        let cases: Vec<(io::Error, bool, &str)> = vec![
            (
                io::ErrorKind::ConnectionRefused.into(),
                true,
                "systemctl status refit-agent",
            ),
            (io::ErrorKind::TimedOut.into(), true, "firewall"),
            (
                wrapped(alert(AlertDescription::CertificateExpired)),
                false,
                "refit pki renew",
            ),
            (
                wrapped(alert(AlertDescription::UnknownCA)),
                false,
                "it trusts another CA",
            ),
            (
                wrapped(alert(AlertDescription::CertificateRequired)),
                false,
                "we presented none",
            ),
            (
                wrapped(mismatch.into()),
                false,
                "found spiffe://refit.local/agent/m2",
            ),
            (
                wrapped(CertificateError::Expired.into()),
                false,
                "has expired: run `refit pki renew` for agent m1",
            ),
            (
                wrapped(CertificateError::NotValidYet.into()),
                false,
                "check the clocks",
            ),
            (
                wrapped(CertificateError::UnknownIssuer.into()),
                false,
                "not issued by our CA",
            ),
            (
                wrapped(CertificateError::InvalidPurpose.into()),
                false,
                "cannot be used",
            ),
            (
                wrapped(alert(AlertDescription::ProtocolVersion)),
                false,
                "does not speak Refit's TLS 1.3",
            ),
        ];
        for (error, network, text) in cases {
            let fault = PeerFault::of(&error, &peer()).unwrap();
            assert_eq!(fault.kind.is_network(), network, "{fault}");
            assert!(fault.to_string().contains(text), "{fault}");
            assert!(fault.to_string().contains("10.77.0.21:7130"), "{fault}");
        }
    }

    #[test]
    fn an_answer_is_no_fault() {
        let answer = tonic::Status::permission_denied("no");
        assert_eq!(classify(&answer), None);
    }
}
