//! The stage: real hosts of the lab with Refit installed on them the way its README says, a writing client, and what a
//! scenario wants to know of the world afterwards.
//!
//! Owns the order of setting up and the words for it. What a host is belongs to `integration/lab`; what is played on the
//! stage belongs to the scenarios, the demo and the benchmark.
//!
//! ```text
//! Lab (lab.sh) ── Stage::set ──> certificates, configuration, units ──> refit on ctl, agents on db1 ...
//!                                                                └────> Load: the writing client on ctl
//! ```

mod install;
mod lab;
mod load;
mod refit;
mod world;

pub use install::{Fleet, Shape, Stage};
pub use lab::{Lab, Output, wait_for};
pub use load::{Gap, Load, Verdict};
pub use refit::{Refit, Reply};
pub use world::{MemberView, World};
