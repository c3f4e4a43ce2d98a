//! The writing client: what an application would have seen while its servers were upgraded.
//!
//! Writers insert rows with a unique key into one table, always on the member that accepts writes, and every outcome
//! goes into a ledger: *acked*, *failed* (certainly not committed) or *unknown* (nobody can tell). Afterwards the ledger
//! is compared with the table on every member. It also measures the write gap: the time between two successive
//! commits over all writers together.
//!
//! ```text
//!  writer 0 ─┐                                        ┌─> ledger file    (append, fsync at the end)
//!  writer 1 ─┼─ outcome ─> bounded channel ─> recorder┤
//!  writer n ─┘                                        └─> status file    (every 250 ms, atomic)
//!      ▲ one connection each
//!      └── primary <── finder (one probe a host, only while somebody searches)
//! ```
//!
//! It knows nothing of plans and rollouts, and it has no opinion on what a good gap is.

pub mod finder;
pub mod gaps;
pub mod ledger;
pub mod outcome;
pub mod run;
pub mod server;
pub mod status;
pub mod verify;
