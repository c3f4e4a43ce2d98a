//! Names, counters and digests. Each is its own type so that a step number can never be used as an attempt number,
//! and each prints the same way everywhere.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} {text:?} is not valid: use 1 to 63 of a-z, 0-9, '-' and '.', beginning with a letter or digit"
)]
pub struct InvalidName {
    pub what: &'static str,
    pub text: String,
}

fn valid_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        && text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Parses a name; see [`InvalidName`] for the grammar.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                if valid_name(&text) { Ok(Self(text)) } else { Err(InvalidName { what: $what, text }) }
            }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> { Self::new(text) }
        }
        impl std::str::FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> { Self::new(text) }
        }
        impl From<$type> for String { fn from(name: $type) -> String { name.0 } }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0) }
        }
    };
}

name!(
    /// A cluster's name in the fleet file.
    ClusterName, "cluster name"
);
name!(
    /// A member's name in the fleet file; also the name in its agent's certificate.
    MemberName, "member name"
);
name!(
    /// One rollout: a lower-case ULID, so that rollouts sort by the time they were made.
    RolloutId, "rollout id"
);

/// Rehearsals are no rollouts; agents and their ledgers know their orders by this beginning. No ULID has it.
const REHEARSAL: &str = "rehearsal-";

impl RolloutId {
    /// The name under which a rehearsal's one order travels.
    pub fn of_rehearsal(unique: &str) -> Result<Self, InvalidName> {
        Self::new(format!("{REHEARSAL}{unique}"))
    }

    pub fn is_rehearsal(&self) -> bool {
        self.0.starts_with(REHEARSAL)
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $type:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub $inner);
        impl $type {
            /// The next value. These counters can't overflow in practice: each increment costs an fsync.
            #[must_use]
            pub fn next(self) -> Self { Self(self.0 + 1) }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    };
}

counter!(
    /// The controller's incarnation, durably bumped at start; the fencing token on every operation.
    Epoch(u64)
);
counter!(
    /// One try at a step. Forward tries and undos of one step share the counter, so a late duplicate is recognised.
    Attempt(u32)
);
counter!(
    /// The place of an entry in one rollout's journal: dense from 0.
    Seq(u64)
);
counter!(
    /// Which of a rollout's states an act speaks of; grows with every change that a person could have decided by.
    Turn(u64)
);

/// A step's number in its plan: dense from 0, in the plan's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u16);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:02}", self.0)
    }
}

/// A 256-bit BLAKE3 digest, printed as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    pub const ZERO: Digest = Digest([0; 32]);

    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// The first twelve hex digits: enough for a person to compare.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}
impl TryFrom<String> for Digest {
    type Error = InvalidDigest;
    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

/// A digest must be 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest: 64 hexadecimal digits are expected")]
pub struct InvalidDigest(String);

impl std::str::FromStr for Digest {
    type Err = InvalidDigest;
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let wrong = || InvalidDigest(text.to_owned());
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

/// A server's UUID as MySQL prints it (lower case).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUuid(String);

/// A UUID has 36 characters: hexadecimal digits in groups of 8-4-4-4-12.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a UUID")]
pub struct InvalidUuid(String);

impl ServerUuid {
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidUuid> {
        let text: String = text.into();
        let well_formed = text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            });
        if well_formed {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidUuid(text))
        }
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl TryFrom<String> for ServerUuid {
    type Error = InvalidUuid;
    fn try_from(text: String) -> Result<Self, InvalidUuid> {
        Self::new(text)
    }
}
impl From<ServerUuid> for String {
    fn from(uuid: ServerUuid) -> String {
        uuid.0
    }
}
