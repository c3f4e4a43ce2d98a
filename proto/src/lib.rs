//! The wire: what controller, agents and operators say to each other, and how they know who is speaking.
//!
//! ```text
//! proto/*.proto ──build.rs──> generated messages <──convert──> refit_shared's domain types
//! identity: who may say what        tls: mTLS listeners and dialers that live through a change of certificates
//! ```
//!
//! Only this crate knows the generated messages' fields; everybody else converts at the edge and works with domain types.

pub mod convert;
pub mod exchange;
pub mod identity;
pub mod journal_codec;
pub mod operator;
pub mod tls;

#[allow(clippy::all, missing_debug_implementations, rustdoc::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}

/// The agent's service: client, server and requests.
pub use generated::refit::agent::v1 as agent;
/// Messages that several services and the journal share.
pub use generated::refit::common::v1 as common;
/// What the journal stores.
pub use generated::refit::journal::v1 as journal;

/// The descriptors of every service and message, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
