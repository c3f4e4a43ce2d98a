//! The words for a failed connection: what happened, with which host, what is safe, what to do next.

use std::fmt;
use std::io;

use rustls::AlertDescription;

use super::{FaultKind, PeerFault};
use crate::identity::{Identity, Role};

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { role, name, .. } = &self.peer.expected;
        let who = format!("{role} {name} at {}", self.peer.address);
        let renew = format!("run `refit pki renew` for {role} {name} and install the files there");
        match &self.kind {
            FaultKind::Unreachable { io, detail } => {
                write!(f, "cannot reach {who}: {detail}. ")?;
                let unit = self.unit();
                match io {
                    io::ErrorKind::ConnectionRefused => write!(
                        f,
                        "Nothing listens there: on that host, see `systemctl status {unit}`"
                    ),
                    io::ErrorKind::TimedOut
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable => write!(
                        f,
                        "Check that the host is up and that the network and its firewall let the port through"
                    ),
                    _ => write!(
                        f,
                        "Check the address, the host, and there `journalctl -u {unit}`"
                    ),
                }
            }
            FaultKind::PeerRefusedOurCertificate { alert } => {
                write!(f, "{who} refused our certificate: ")?;
                match alert {
                    AlertDescription::CertificateExpired => f.write_str(
                        "by its clock ours has expired or is not valid yet. Look with `refit pki inspect`, renew with `refit pki renew`, and compare the clocks of both hosts",
                    ),
                    AlertDescription::UnknownCA | AlertDescription::DecryptError => f.write_str(
                        "it trusts another CA than the one that issued ours. Compare both ca.pem with `refit pki inspect`",
                    ),
                    AlertDescription::CertificateRequired => f.write_str(
                        "we presented none. Issue one with `refit pki issue`",
                    ),
                    AlertDescription::CertificateRevoked => f.write_str(
                        "ours is on its deny list. If that is a mistake, have it taken off; else issue another one with `refit pki issue`",
                    ),
                    other => write!(
                        f,
                        "TLS alert {other:?}. Its log says why: `journalctl -u {}`",
                        self.unit()
                    ),
                }
            }
            FaultKind::PeerIdentityMismatch { expected, got } => write!(
                f,
                "wrong peer at {}: expected {expected}, found {got}. Nothing was sent to it. Correct the address, or install the certificate of {role} {name} on that host",
                self.peer.address
            ),
            FaultKind::PeerCertificateExpired { not_after } => {
                write!(f, "the certificate of {who} has expired")?;
                if let Some(not_after) = not_after {
                    write!(f, " (on {not_after})")?;
                }
                write!(
                    f,
                    ": {renew}; if it should be valid, check this host's clock"
                )
            }
            FaultKind::PeerCertificateNotYetValid { not_before } => {
                write!(f, "the certificate of {who} is not valid yet")?;
                if let Some(not_before) = not_before {
                    write!(f, " (from {not_before})")?;
                }
                f.write_str(": check the clocks of this host and of the one that issued it")
            }
            FaultKind::PeerCertificateRevoked => write!(
                f,
                "the certificate of {who} is on this host's deny list. Nothing was sent to it. If the host is to be trusted, issue it another one with `refit pki issue {role} {name}`"
            ),
            FaultKind::UnknownCa => write!(
                f,
                "the certificate of {who} was not issued by our CA. Nothing was sent to it. Compare both ca.pem with `refit pki inspect`, then issue it again with `refit pki issue {role} {name}`"
            ),
            FaultKind::NoPeerCertificate => {
                write!(
                    f,
                    "{who} presented no certificate: it is not a Refit program"
                )
            }
            FaultKind::TooManyConnections { peer } => {
                write!(f, "{peer} has too many connections open: close some")
            }
            FaultKind::PeerCertificateUnusable { detail } => {
                write!(
                    f,
                    "the certificate of {who} cannot be used ({detail}): {renew}"
                )
            }
            FaultKind::NotRefit { detail } => write!(
                f,
                "{who} does not speak Refit's TLS 1.3 ({detail}). Check that the address and port are those of {}",
                self.unit()
            ),
        }
    }
}

impl PeerFault {
    fn unit(&self) -> &'static str {
        match self.peer.expected.role {
            Role::Agent => "refit-agent",
            Role::Controller => "refit-controller",
            Role::Operator => "its service",
        }
    }
}
