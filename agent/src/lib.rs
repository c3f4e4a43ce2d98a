//! The agent: the only thing that touches a database host.
//!
//! ```text
//! gRPC service ──order──> worker (one at a time) ──> operations ──> host ports ──> systemd, apt, mysqld, files
//!                            │ durable receipts
//!                          ledger
//! ```

pub mod config;
pub mod errorlog;
pub mod health;
pub mod host;
pub mod lease;
pub mod ledger;
pub mod operations;
pub mod process;
pub mod progress;
pub mod service;
#[cfg(any(test, feature = "sim"))]
pub mod simhost;
#[cfg(all(test, feature = "faults"))]
mod suites;
pub mod worker;
