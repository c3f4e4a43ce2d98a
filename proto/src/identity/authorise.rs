//! Who may call what: one table, and a refusal that says who called and what is needed.
//!
//! Everything not in the table is refused, including services that a daemon happens to serve but
//! that nobody thought about here.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tonic::{Code, Status};

use super::{CertificateRefusal, Identity, PeerInfo, Role, TrustDomain};

/// The groups of gRPC methods that are authorised alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Surface {
    /// `refit.agent.v1.Agent`: operations on a database host.
    Agent,
    /// `refit.operator.v1.Operator`: the controller's API.
    Operator,
    /// `grpc.health.v1.Health`, on both daemons.
    Health,
    /// gRPC server reflection, both of its versions.
    Reflection,
}

impl Surface {
    pub const ALL: [Surface; 4] = [
        Surface::Agent,
        Surface::Operator,
        Surface::Health,
        Surface::Reflection,
    ];

    /// The surface of a request path `/<package>.<Service>/<Method>`; the service must match whole.
    pub fn of_path(path: &str) -> Option<Surface> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        if method.is_empty() || method.contains('/') {
            return None;
        }
        match service {
            "refit.agent.v1.Agent" => Some(Surface::Agent),
            "refit.operator.v1.Operator" => Some(Surface::Operator),
            "grpc.health.v1.Health" => Some(Surface::Health),
            "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => {
                Some(Surface::Reflection)
            }
            _ => None,
        }
    }

    /// The table. Roles that are not listed are refused.
    pub fn allowed_roles(self) -> &'static [Role] {
        match self {
            Surface::Agent => &[Role::Controller],
            Surface::Operator => &[Role::Operator],
            Surface::Health => &[Role::Controller, Role::Agent, Role::Operator],
            Surface::Reflection => &[Role::Operator],
        }
    }
}

/// Decides on one call. `ours` is the trust domain of the daemon itself.
pub fn authorise<'a>(
    ours: &TrustDomain,
    path: &str,
    peer: Option<&'a PeerInfo>,
) -> Result<&'a Arc<Identity>, Refusal> {
    let peer = peer.ok_or_else(|| Refusal::NoPeer { path: path.into() })?;
    let caller = match peer.certificate() {
        Ok(certificate) => &certificate.identity,
        Err(cause) => {
            return Err(Refusal::Unidentified {
                path: path.into(),
                remote: peer.remote(),
                cause: cause.clone(),
            });
        }
    };
    if caller.trust_domain != *ours {
        return Err(Refusal::ForeignDomain {
            caller: Identity::clone(caller),
            ours: ours.clone(),
        });
    }
    let surface = Surface::of_path(path).ok_or_else(|| Refusal::UnknownService {
        caller: Identity::clone(caller),
        path: path.into(),
    })?;
    if surface.allowed_roles().contains(&caller.role) {
        Ok(caller)
    } else {
        Err(Refusal::WrongRole {
            caller: Identity::clone(caller),
            path: path.into(),
            needed: surface.allowed_roles(),
        })
    }
}

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{path} was called over a connection without a client certificate")]
    NoPeer { path: String },
    #[error("{path} was called from {} by somebody unknown: {}", from(remote), cause.one_line())]
    Unidentified {
        path: String,
        remote: Option<SocketAddr>,
        cause: CertificateRefusal,
    },
    #[error(
        "{caller} belongs to another trust domain; this daemon's is {ours}: \
         use a certificate that this fleet's CA issued"
    )]
    ForeignDomain { caller: Identity, ours: TrustDomain },
    #[error("{caller} called {path}, which Refit does not serve")]
    UnknownService { caller: Identity, path: String },
    #[error(
        "{caller} may not call {path}: that needs a certificate of role {}, this one is of role {}",
        RoleList(needed), caller.role
    )]
    WrongRole {
        caller: Identity,
        path: String,
        needed: &'static [Role],
    },
}

impl Refusal {
    /// UNAUTHENTICATED when we cannot say who called, PERMISSION_DENIED when we can.
    pub fn code(&self) -> Code {
        match self {
            Refusal::NoPeer { .. } | Refusal::Unidentified { .. } => Code::Unauthenticated,
            Refusal::ForeignDomain { .. }
            | Refusal::UnknownService { .. }
            | Refusal::WrongRole { .. } => Code::PermissionDenied,
        }
    }
}

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Status {
        Status::new(refusal.code(), refusal.to_string())
    }
}

fn from(remote: &Option<SocketAddr>) -> String {
    remote.map_or_else(|| "an unknown address".to_owned(), |a| a.to_string())
}

struct RoleList<'a>(&'a [Role]);

impl fmt::Display for RoleList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, role) in self.0.iter().enumerate() {
            write!(f, "{}{role}", if i == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn peer(uri: &str) -> PeerInfo {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let cert = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        PeerInfo::from_chain(Some(&[cert.der().clone()]), None)
    }

    fn ours() -> TrustDomain {
        TrustDomain::parse("refit.local").unwrap()
    }

    /// The whole table, written out: a change of one cell must change a line here.
    #[test]
    fn the_table() {
        #[rustfmt::skip]
        let table = [
            // path                                                     controller agent  operator
            ("/refit.agent.v1.Agent/Perform",                           [true,     false, false]),
            ("/refit.agent.v1.Agent/Observe",                           [true,     false, false]),
            ("/refit.operator.v1.Operator/Apply",                       [false,    false, true]),
            ("/grpc.health.v1.Health/Check",                            [true,     true,  true]),
            ("/grpc.health.v1.Health/Watch",                            [true,     true,  true]),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",      [false, false, true]),
            ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", [false, false, true]),
            // nothing but whole service names counts
            ("/refit.agent.v1.Agent2/Perform",                          [false,    false, false]),
            ("/refit.agent.v1.Agent",                                   [false,    false, false]),
            ("/refit.agent.v1.Agent/",                                  [false,    false, false]),
            ("/refit.agent.v1.Agent/a/b",                               [false,    false, false]),
            ("refit.agent.v1.Agent/Perform",                            [false,    false, false]),
            ("//refit.agent.v1.Agent/Perform",                          [false,    false, false]),
            ("/REFIT.agent.v1.Agent/Perform",                           [false,    false, false]),
            ("/",                                                       [false,    false, false]),
            ("",                                                        [false,    false, false]),
        ];
        for (path, expected) in table {
            for (role, allowed) in Role::ALL.into_iter().zip(expected) {
                let peer = peer(&format!("spiffe://refit.local/{role}/x"));
                let verdict = authorise(&ours(), path, Some(&peer));
                assert_eq!(verdict.is_ok(), allowed, "{role} {path}: {verdict:?}");
                if let Err(refusal) = verdict {
                    assert_eq!(refusal.code(), Code::PermissionDenied);
                    assert!(refusal.to_string().contains(path), "{refusal}");
                }
            }
        }
    }

    #[test]
    fn a_refusal_says_who_and_what_is_needed() {
        let agent = peer("spiffe://refit.local/agent/m1");
        let path = "/refit.operator.v1.Operator/Apply";
        let refusal = authorise(&ours(), path, Some(&agent)).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "spiffe://refit.local/agent/m1 may not call /refit.operator.v1.Operator/Apply: \
             that needs a certificate of role operator, this one is of role agent"
        );
    }

    #[test]
    fn strangers() {
        let path = "/grpc.health.v1.Health/Check";
        let foreign = peer("spiffe://other/controller/x");
        let nobody = peer("https://m1");
        assert!(matches!(
            authorise(&ours(), path, Some(&foreign)),
            Err(Refusal::ForeignDomain { .. })
        ));
        let unidentified = authorise(&ours(), path, Some(&nobody)).unwrap_err();
        assert_eq!(unidentified.code(), Code::Unauthenticated);
        assert!(unidentified.to_string().contains("https://m1"));
        let none = authorise(&ours(), path, None).unwrap_err();
        assert_eq!(none.code(), Code::Unauthenticated);
        let empty = PeerInfo::from_chain(None, None);
        assert_eq!(
            authorise(&ours(), path, Some(&empty)).unwrap_err().code(),
            Code::Unauthenticated
        );
    }
}
