//! The pure core of Refit: what MySQL allows, what the world looks like, what should happen next.
//!
//! Nothing here waits, reads a clock, opens a file or talks to anything. Every function is a value in, value out,
//! so that each decision can be tested by table and replayed from a journal.
//!
//! ```text
//! observation ─> topology ─> checks ─> planner ─> plan ─> linter
//!                    │                              │
//!                    └──> gate conditions           └──> saga: fold(events) ─> decide ─> next
//! ```

pub mod checks;
pub mod condition;
pub mod config;
pub mod expectation;
pub mod gtid;
pub mod ids;
pub mod linter;
pub mod observation;
pub mod operation;
pub mod plan;
pub mod planner;
pub mod receipt;
pub mod rehearsal;
pub mod rules;
pub mod saga;
pub mod sql_text;
pub mod survey;
pub mod table;
pub mod topology;
pub mod version;
