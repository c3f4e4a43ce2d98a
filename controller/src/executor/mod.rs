//! Carrying out a rollout: fold → decide → append → act → append. First run, retry and recovery after a crash are the same
//! code, since [`refit_shared::saga::decide`] is all that says what happens next.
//!
//! Owns: what happens between two decisions. Does not own: what may happen (`shared::saga`), which rollouts there are
//! (`crate::rollouts`), nor how an agent works.
//!
//! ```text
//!            ┌────────────────────────── Owner (one task a rollout) ──────────────────────────┐
//!  commands ─┤ decide ─ Append ──> journal                                                    │
//!            │        └ Run ─────> jobs: look before │ order to an agent │ gate │ look whether │──> watch: RolloutView
//!  beats ────┤                     it is restored; each ends with a Finding that is journalled │
//!            └────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A step is begun in this order, and each arrow is a place where a crash may fall:
//!
//! 1. look whether its `before` holds. It does not: intent and failure are journalled in one append, since nothing was sent.
//!    It can't be told within the patience: the rollout parks, saying so, without an intent.
//! 2. journal the intent; from here undo is owed.
//! 3. give the order, under the attempt's number. This is also what happens to an intent that is found after a crash: the
//!    agent answers the same attempt with the same receipt, or goes on, or begins. Unreachable agents are asked again.
//! 4. look whether its `after` holds, journal the outcome.

mod acts;
mod jobs;
mod journalled;
mod listening;
mod owner;
mod picture;
mod writes;

#[cfg(test)]
mod tests;

pub(crate) use owner::{Command, Owner};
pub(crate) use picture::{Record, picture, state};

use crate::fleet::Fleet;
use crate::observing::Observer;
use crate::ports::{Agents, Clock, Journal};
use crate::standing::Stand;
use refit_shared::ids::Epoch;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Everything outside a rollout that carrying it out needs.
pub struct World {
    pub agents: Arc<dyn Agents>,
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
    pub fleet: Arc<Fleet>,
    pub observer: Observer,
    pub stand: Stand,
    /// This controller's incarnation.
    pub epoch: Epoch,
    pub timing: Timing,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("epoch", &self.epoch)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// How long things are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For one look at one member.
    pub look_deadline: Duration,
    /// Between two looks of a gate.
    pub gate_interval: Duration,
    /// What is expected before a step must be so within this time.
    pub settle_before: Duration,
    /// What is expected after a step may take this long to show.
    pub settle_after: Duration,
    /// How long an agent may stay unreachable, beyond an order's own deadline, before the rollout parks.
    pub patience: Duration,
    /// Between two calls to an unreachable agent: from the first, doubling, to the last.
    pub redial: (Duration, Duration),
    /// Between two beats of a member while a rollout runs. Write gaps are measured no finer than this.
    pub beat_every: Duration,
    /// Watchers get a new view at least so often while something runs.
    pub publish_every: Duration,
    /// After an unwind the world must be as it was within this time.
    pub restored_within: Duration,
}

impl Timing {
    pub const STANDARD: Timing = Timing {
        look_deadline: Duration::from_secs(5),
        gate_interval: Duration::from_millis(200),
        settle_before: Duration::from_secs(2),
        settle_after: Duration::from_secs(10),
        patience: Duration::from_secs(600),
        redial: (Duration::from_millis(100), Duration::from_secs(2)),
        beat_every: Duration::from_millis(50),
        publish_every: Duration::from_millis(250),
        restored_within: Duration::from_secs(60),
    };
}

/// What a person can do to a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Begins nothing more; what the agents are doing they finish.
    Pause,
    /// Goes on after a park. What was judged before is judged again.
    Resume,
    /// Allows the pivot.
    Approve,
    /// Undoes everything, in reverse.
    Unwind,
    /// Gives the rollout up and leaves every host as it is.
    Cancel,
    /// Deletes what going back would need.
    Finalize,
}
