//! The saga: what has happened to a rollout (a journal of events), and what must happen next.
//!
//! ```text
//! journal ──fold──> Rollout ──decide──> Next ──(executor acts, appends)──> journal
//! ```
//!
//! The same two functions serve the first run, every retry and recovery after a crash. Neither knows about time, networks
//! or storage.

mod again;
pub mod decide;
pub mod event;
pub mod fold;
pub mod rebuild;
mod regroup;
mod turn;

pub use decide::{Mode, Next, Task, decide};
pub use event::{Actor, End, Entry, Event, Found, ParkReason, Scope, UnwindCause};
pub use fold::{IllegalEvent, Phase, Rollout, StepRecord, StepStatus};
pub use turn::Turns;
