//! Mutual TLS between the programs: TLS 1.3 only, a private CA, both ends named, no resumption.
//!
//! Owns: loading and reloading a program's own certificate ([`Material`], [`Reloading`]), accepting
//! ([`accept`]) and dialling ([`connect`]) byte streams, closing them when the peer's certificate
//! ends ([`Connection`]), and saying what went wrong ([`PeerFault`]).
//! Does not own: what a peer may do once it is known (`crate::identity`), nor making certificates
//! (the controller's `pki`).
//!
//! ```text
//!   cert.pem key.pem ca.pem ──poll──> Reloading (ArcSwap<Material>)
//!                                       │ a config per handshake, so a swap reaches the next one
//!                 ┌─────────────────────┴──────────────────────┐
//!   TcpListener ──accept task──> handshakes (bounded, 5 s)     connect() ─ lazy tonic Channel
//!                 └──> Incoming ──> serve_with_incoming        └─ dial, verify EXACT identity,
//!                                                                 wait for the server's first byte
//! ```
//!
//! What a swap does not do: connections that are already open live on under the certificates of
//! their handshake, at the longest until the peer's certificate ends or is put on the deny list
//! ([`Revoked`]).

mod address;
mod chain;
mod clock;
mod config;
mod dial;
mod explain;
mod fault;
mod listen;
mod material;
mod reloading;
mod revoked;
mod seats;
mod stream;

pub use address::{Address, AddressError};
pub use chain::issued_by;
pub use clock::Clock;
pub use dial::{CONNECT_TIMEOUT, Dial, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, Tcp, connect};
pub use dial::{REQUEST_TIMEOUT, connect_over, server_builder};
pub use fault::{FaultKind, Peer, PeerFault, classify};
pub use listen::{AcceptLimits, HandshakeRefusal, Incoming, Listener, accept, accept_with};
pub use material::{Material, MaterialError, MaterialPaths, MaterialProblem, OwnValidity};
pub use reloading::{RELOAD_INTERVAL, Reload, ReloadError, Reloading};
pub use revoked::{REVOKED, Revoked};
pub use stream::{Connection, PeerCertificateEnded};
