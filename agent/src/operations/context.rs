//! What an operation is given beside the host's ports: the order, its deadline, and what this rollout keeps on this host.

use super::log::ErrorLog;
use crate::lease::Lease;
use crate::ledger::Memory;
use crate::progress::Phase;
use refit_shared::operation::Order;
use refit_shared::receipt::{Failure, FailureCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// One order in hand.
#[derive(Debug, Clone)]
pub struct OpContext {
    pub order: Order,
    /// When waiting ends. What has begun is brought to a safe state even after it.
    pub deadline: Instant,
    pub phase: Phase,
    pub log: Arc<dyn ErrorLog>,
    /// What this rollout has to remember on this host, durably.
    pub memory: Memory,
    /// This host's pause of writes.
    pub lease: Lease,
}

impl OpContext {
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub fn expired(&self) -> bool {
        self.left().is_zero()
    }

    /// The name of this rollout's copy of the option files.
    pub fn config_backup(&self) -> &str {
        self.order.id.rollout.as_str()
    }

    /// The name of this rollout's own snapshot: one of another rollout, though called alike in its plan, never counts.
    pub fn snapshot(&self, name: &str) -> String {
        format!("{}-{name}", self.order.id.rollout)
    }

    /// For a loop that asks again and again: until `until` or the order's deadline, whichever is first.
    pub fn patience(&self, every: Duration, until: Instant) -> Patience {
        Patience {
            every,
            until: until.min(self.deadline),
        }
    }

    /// The failure of an order whose time is up.
    pub fn out_of_time(&self, waiting_for: &str) -> Failure {
        let seconds = self.order.deadline_s;
        Failure::partial(
            FailureCode::Deadline,
            format!("{waiting_for} did not come within {seconds} s"),
        )
    }
}

/// How often to ask again, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    every: Duration,
    until: Instant,
}

impl Patience {
    /// Pauses before the next question; `false` at once when the time is up. Ask before the first pause: what is so already
    /// needs no time.
    pub async fn more(&self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(self.every.min(left)).await;
        true
    }
}

/// A refusal: the world is not what the operation needs, and nothing was changed.
pub fn refuse(why: impl Into<String>) -> Failure {
    Failure::clean(FailureCode::Precondition, why)
}
