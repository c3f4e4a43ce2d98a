//! The agent: the only thing that touches a database host.
//!
//! ```text
//! gRPC service ──order──> worker (one at a time) ──> operations ──> host ports ──> systemd, apt, mysqld, files
//!                            │ durable receipts
//!                          ledger
//! ```

pub mod host;
pub mod progress;
