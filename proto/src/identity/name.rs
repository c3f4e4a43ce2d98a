//! The grammar of identities: `spiffe://<trust domain>/<role>/<name>`.
//!
//! Parsing is strict and printing is its exact inverse, so two identities are equal exactly when
//! their URIs are equal byte for byte.

use std::fmt;
use std::str::FromStr;

/// The trust domain of a private CA when the operator chose none.
pub const DEFAULT_TRUST_DOMAIN: &str = "refit.local";

/// Longest trust domain or name, in bytes: what DNS allows for a host name.
const MAX_LABEL: usize = 253;

/// What a certificate's holder is. The role decides what it may call; see [`super::authorise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The controller: the only one that agents obey.
    Controller,
    /// An agent; its name is the name of its host in the fleet file.
    Agent,
    /// A person or an automation that uses the controller's API.
    Operator,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Controller, Role::Agent, Role::Operator];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Controller => "controller",
            Role::Agent => "agent",
            Role::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Role, IdentityError> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| IdentityError::UnknownRole { got: text.into() })
    }
}

/// A string of the grammar `[a-z0-9][a-z0-9.-]*`, at most 253 bytes. Safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

impl Label {
    /// `what` names the thing in the error ("name", "trust domain").
    pub fn parse(what: &'static str, text: &str) -> Result<Label, IdentityError> {
        let bad = |why: &'static str| IdentityError::BadLabel {
            what,
            got: text.into(),
            why,
        };
        let first = *text.as_bytes().first().ok_or_else(|| bad("it is empty"))?;
        if text.len() > MAX_LABEL {
            return Err(bad("it is longer than 253 bytes"));
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if !plain(first) {
            return Err(bad("it must begin with a-z or 0-9"));
        }
        if !text.bytes().all(|b| plain(b) || b == b'.' || b == b'-') {
            return Err(bad("only a-z, 0-9, '.' and '-' are allowed"));
        }
        Ok(Label(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The realm of one private CA. Identities of another domain are strangers, whoever signed them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(Label);

impl TrustDomain {
    /// Reads the domain itself, as in `refit.local`.
    pub fn parse(text: &str) -> Result<TrustDomain, IdentityError> {
        Label::parse("trust domain", text).map(TrustDomain)
    }

    /// Reads the URI that a CA certificate carries, as in `spiffe://refit.local`.
    pub fn parse_uri(uri: &str) -> Result<TrustDomain, IdentityError> {
        let rest = uri
            .strip_prefix(SCHEME)
            .ok_or_else(|| IdentityError::NotSpiffe { got: uri.into() })?;
        TrustDomain::parse(rest)
    }

    /// The URI that a CA certificate carries.
    pub fn uri(&self) -> String {
        format!("{SCHEME}{self}")
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const SCHEME: &str = "spiffe://";

/// Who somebody is: printed as, and parsed from, `spiffe://<domain>/<role>/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    pub trust_domain: TrustDomain,
    pub role: Role,
    pub name: Label,
}

impl Identity {
    pub fn new(trust_domain: TrustDomain, role: Role, name: &str) -> Result<Self, IdentityError> {
        Ok(Identity {
            trust_domain,
            role,
            name: Label::parse("name", name)?,
        })
    }

    /// The identity of the agent on host `name`, in the same trust domain as `self`.
    pub fn agent_beside(&self, name: &str) -> Result<Identity, IdentityError> {
        Identity::new(self.trust_domain.clone(), Role::Agent, name)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SCHEME}{}/{}/{}",
            self.trust_domain, self.role, self.name
        )
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Identity, IdentityError> {
        let rest = uri
            .strip_prefix(SCHEME)
            .ok_or_else(|| IdentityError::NotSpiffe { got: uri.into() })?;
        let parts: Vec<&str> = rest.split('/').collect();
        let [domain, role, name] = parts.as_slice() else {
            return Err(IdentityError::WrongShape { got: uri.into() });
        };
        Identity::new(TrustDomain::parse(domain)?, role.parse()?, name)
    }
}

/// Why a text is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("{got:?} is not an identity: it must begin with spiffe://")]
    NotSpiffe { got: String },
    #[error("{got:?} is not an identity: it must be spiffe://<trust domain>/<role>/<name>")]
    WrongShape { got: String },
    #[error("unknown role {got:?}: it must be controller, agent or operator")]
    UnknownRole { got: String },
    #[error("bad {what} {got:?}: {why}")]
    BadLabel {
        what: &'static str,
        got: String,
        why: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label() -> impl Strategy<Value = String> {
        // String regex strategies need a feature we leave off; build the same language by hand.
        let first = proptest::sample::select("abz059".chars().collect::<Vec<_>>());
        let rest = proptest::collection::vec(
            proptest::sample::select("abz059.-".chars().collect::<Vec<_>>()),
            0..30,
        );
        (first, rest).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
    }

    proptest! {
        #[test]
        fn print_then_parse_is_identity(
            domain in label(),
            role in proptest::sample::select(Role::ALL.to_vec()),
            name in label(),
        ) {
            let identity = Identity::new(TrustDomain::parse(&domain).unwrap(), role, &name).unwrap();
            prop_assert_eq!(identity.to_string().parse::<Identity>().unwrap(), identity);
        }

        #[test]
        fn what_parses_prints_the_same(
            text in proptest::collection::vec(
                proptest::sample::select(
                    vec!["spiffe://", "/", "agent", "operator", "a", "A", ".", "-", " ", "%", "é", ""],
                ),
                0..9,
            ).prop_map(|parts| parts.concat()),
        ) {
            if let Ok(identity) = text.parse::<Identity>() {
                prop_assert_eq!(identity.to_string(), text);
            }
        }
    }

    #[test]
    fn refusals_are_typed() {
        let long = "a".repeat(254);
        let bad = |what, got: &str, why| IdentityError::BadLabel {
            what,
            got: got.into(),
            why,
        };
        let chars = "only a-z, 0-9, '.' and '-' are allowed";
        let first = "it must begin with a-z or 0-9";
        let shape = |got: &str| IdentityError::WrongShape { got: got.into() };
        let role = |got: &str| IdentityError::UnknownRole { got: got.into() };
        let cases: Vec<(String, IdentityError)> = vec![
            ("".into(), IdentityError::NotSpiffe { got: "".into() }),
            (
                "SPIFFE://d/agent/n".into(),
                IdentityError::NotSpiffe {
                    got: "SPIFFE://d/agent/n".into(),
                },
            ),
            ("spiffe://d/agent".into(), shape("spiffe://d/agent")),
            ("spiffe://d/agent/n/".into(), shape("spiffe://d/agent/n/")),
            ("spiffe://d/Agent/n".into(), role("Agent")),
            ("spiffe://d//n".into(), role("")),
            (
                "spiffe:///agent/n".into(),
                bad("trust domain", "", "it is empty"),
            ),
            ("spiffe://d/agent/".into(), bad("name", "", "it is empty")),
            ("spiffe://d/agent/N".into(), bad("name", "N", first)),
            ("spiffe://d/agent/..".into(), bad("name", "..", first)),
            ("spiffe://d/agent/n_1".into(), bad("name", "n_1", chars)),
            ("spiffe://d/agent/n?q".into(), bad("name", "n?q", chars)),
            (
                "spiffe://d:1/agent/n".into(),
                bad("trust domain", "d:1", chars),
            ),
            (
                format!("spiffe://d/agent/{long}"),
                bad("name", &long, "it is longer than 253 bytes"),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Identity>(), Err(expected), "{text}");
        }
    }
}
