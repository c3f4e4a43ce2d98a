//! Which orders are obeyed. Pure.

use super::Workplace;
use crate::ledger::Ledger;
use refit_shared::ids::Epoch;
use refit_shared::operation::Order;
use refit_shared::receipt::{Failure, FailureCode};

/// The agent did nothing about an order, and never will under this attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Refusal {
    pub failure: Failure,
    /// The order came from an older controller than one that was obeyed: the highest epoch obeyed.
    pub highest_epoch: Option<Epoch>,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            highest_epoch: None,
        }
    }
}

/// What to do about an order that is obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obey {
    /// The ledger has it already.
    Known,
    New,
}

/// Judges an order against the agent's own names and what it has obeyed before.
pub fn judge(order: &Order, place: &Workplace, ledger: &Ledger) -> Result<Obey, Refusal> {
    let fenced = |why: String| Failure::clean(FailureCode::Fenced, why);
    let superseded = |why: String| Refusal::from(Failure::clean(FailureCode::Superseded, why));
    if order.cluster != place.cluster || order.member != place.member {
        return Err(fenced(format!(
            "this agent is {} of {}, the order is for {} of {}",
            place.member, place.cluster, order.member, order.cluster
        ))
        .into());
    }
    let highest = ledger.highest_epoch();
    if order.epoch < highest {
        return Err(Refusal {
            failure: fenced(format!(
                "the order is of epoch {}, a controller of epoch {highest} has been obeyed",
                order.epoch
            )),
            highest_epoch: Some(highest),
        });
    }
    if let Some(entry) = ledger.find(&order.id) {
        return if entry.content == order.content_digest() {
            Ok(Obey::Known)
        } else {
            Err(superseded(format!(
                "attempt {} is known with other content: {} {}",
                order.id,
                entry.order.direction,
                entry.order.operation.kind()
            )))
        };
    }
    if ledger.has_forgotten(&order.id.rollout) {
        return Err(superseded(format!(
            "rollout {} is older than all that this agent remembers: the order is late, or the controller's clock was set back",
            order.id.rollout
        )));
    }
    match ledger.latest_attempt(&order.id.rollout, order.id.step) {
        Some(latest) if latest > order.id.attempt => Err(superseded(format!(
            "attempt {} comes late: attempt {latest} at the same step has been seen",
            order.id
        ))),
        Some(_) | None => Ok(Obey::New),
    }
}
