//! Who is on the other end of a connection, and what that role may ask for.
//!
//! Owns: the grammar of identities ([`Identity`]), reading one out of a peer's leaf certificate
//! ([`CertificateFacts`]), carrying it from the connection to the handlers ([`PeerInfo`],
//! [`PeerIdentity`]) and the table of who may call what ([`authorise`], [`AuthoriseLayer`]).
//! Does not own: whether the certificate is genuine. That is TLS's business (`crate::tls`), and it
//! has been settled before anything here runs.
//!
//! ```text
//!  TLS handshake        connect_info             AuthoriseLayer              handler
//!  chain + time   ──>   PeerInfo           ──>   role × service table  ──>   PeerIdentity
//!                       (SAN read once)          default: refuse
//! ```

mod authorise;
mod certificate;
mod layer;
mod name;
mod peer;
mod utc;

pub use authorise::{Refusal, Surface, authorise};
pub use certificate::{CertificateFacts, CertificateRefusal};
pub use layer::{Authorise, AuthoriseLayer};
pub use name::{DEFAULT_TRUST_DOMAIN, Identity, IdentityError, Label, Role, TrustDomain};
pub use peer::{PeerCertificate, PeerIdentity, PeerInfo};
pub use utc::UtcSeconds;
