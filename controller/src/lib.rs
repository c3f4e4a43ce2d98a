//! The controller: decides and remembers. Also the `refit` command, which is a client of its API.
//!
//! ```text
//! operator ──mTLS──> api ──> rollouts ──> executor ──ports──> agents ──mTLS──> hosts
//!                               │             │
//!                           observing      journal (sled)
//! ```
//!
//! [`ports`] are the only ways out; everything that decides is in `refit_shared`.

pub mod agents;
pub mod api;
pub mod cli;
pub mod config;
pub mod executor;
#[cfg(test)]
mod fixture;
pub mod fleet;
pub mod journal;
pub mod observing;
pub mod pki;
pub mod ports;
pub mod rebuilding;
pub mod releases_file;
pub mod rollouts;
pub mod settings_file;
pub mod standing;
