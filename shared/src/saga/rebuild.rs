//! Putting a rollout together again from its plan and from what the agents remember, when the journal is lost.
//!
//! Ledgers tell which orders were accepted and how they ended. Gates are the controller's own, so they follow from that: one
//! was passed if something behind it is still in the world. Who approved what, who paused, and why, is gone; the rollout
//! therefore parks, and a person says how it goes on.

use super::event::{Event, Found};
use crate::ids::{Attempt, MemberName, StepId};
use crate::operation::{Direction, Order};
use crate::plan::{Lane, Plan, Stage, Step};
use crate::receipt::{Outcome, Receipt};
use std::collections::BTreeMap;

/// One order in an agent's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub order: Order,
    /// None: it has not ended.
    pub receipt: Option<Receipt>,
}

/// The entries that follow the creation of a rebuilt rollout: one for each step that was begun, in the plan's order.
///
/// # Errors
/// Everything that does not fit: an order that the plan does not have, a step that was begun before the one in front of it.
/// The ledgers are then not those of this rollout, or not whole.
pub fn rebuild(
    plan: &Plan,
    ledgers: &BTreeMap<MemberName, Vec<Remembered>>,
) -> Result<Vec<Event>, Vec<String>> {
    let mut wrongs = Vec::new();
    let mut tries: BTreeMap<StepId, BTreeMap<Attempt, &Remembered>> = BTreeMap::new();
    for (member, orders) in ledgers {
        for remembered in orders {
            let order = &remembered.order;
            match misfit(plan, member, order) {
                None => {
                    let of_step = tries.entry(order.id.step).or_default();
                    of_step.insert(order.id.attempt, remembered);
                }
                Some(why) => wrongs.push(format!("{member} remembers {}: {why}", order.id)),
            }
        }
    }
    // On the way back a stop that never was may be undone (see [`super::again`]): nothing follows from that.
    let performed = |remembered: &&Remembered| remembered.order.direction == Direction::Perform;
    wrongs.extend(gaps(plan, |step| {
        let of_step = tries.get(&step.id);
        of_step.is_some_and(|tries| tries.values().any(performed))
    }));
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    let found: BTreeMap<StepId, (Attempt, Found)> = tries
        .iter()
        .filter_map(|(step, tries)| Some((*step, latest(tries)?)))
        .collect();
    let recovered = |step: &Step| {
        let (attempt, found) = if step.is_gate() {
            (Attempt(1), passed(plan, step, &found)?)
        } else {
            found.get(&step.id)?.clone()
        };
        Some(Event::Recovered {
            step: step.id,
            attempt,
            found,
        })
    };
    Ok(plan.steps().filter_map(recovered).collect())
}

/// Orders that must have been given, since later ones were: before a stage is begun the ones in front of it have been, and so
/// in a lane. Only what is deleted at the very end may follow on anything.
fn gaps(plan: &Plan, known: impl Fn(&Step) -> bool) -> Vec<String> {
    let operations = |lane: &Lane| -> Vec<Step> {
        let operations = lane.steps.iter().filter(|step| !step.is_gate());
        operations.cloned().collect()
    };
    let begun = |stage: &Stage| {
        stage
            .lanes
            .iter()
            .flat_map(operations)
            .any(|step| known(&step))
    };
    let last_stage = plan.stages.iter().rposition(begun);
    let mut gaps = Vec::new();
    for (index, stage) in plan.all_stages().enumerate() {
        let is_over = last_stage.is_some_and(|last| index < last);
        for lane in &stage.lanes {
            let operations = operations(lane);
            let last = operations.iter().rposition(&known);
            let due = if is_over {
                operations.len()
            } else {
                last.unwrap_or(0)
            };
            gaps.extend(operations[..due].iter().filter(|step| !known(step)).map(|step| {
                format!(
                    "{} does not remember {} {}, though a later order was given: its ledger is not whole",
                    step.member,
                    step.id,
                    step.title()
                )
            }));
        }
    }
    gaps
}

/// Why an order can't be of this plan.
fn misfit(plan: &Plan, member: &MemberName, order: &Order) -> Option<String> {
    let Some(step) = plan.step(order.id.step) else {
        return Some("the plan has no such step".to_owned());
    };
    if order.cluster != plan.cluster {
        return Some(format!("it is for cluster {}", order.cluster));
    }
    if order.member != *member || step.member != *member {
        return Some(format!("the plan has that step on {}", step.member));
    }
    if step.operation() != Some(&order.operation) {
        return Some(format!(
            "it is {} where the plan has {}",
            order.operation.kind(),
            step.title()
        ));
    }
    None
}

/// Where the latest try stands. A failure that changed nothing itself still leaves what an earlier try left.
fn latest(tries: &BTreeMap<Attempt, &Remembered>) -> Option<(Attempt, Found)> {
    let mut left_something = false;
    let mut found = None;
    for (attempt, remembered) in tries {
        let outcome = remembered.receipt.as_ref().map(|receipt| &receipt.outcome);
        let now = match (remembered.order.direction, outcome) {
            (Direction::Perform, None) => Found::Open,
            (Direction::Perform, Some(Outcome::Done { .. })) => Found::Done,
            (Direction::Perform, Some(Outcome::Failed(failure))) => {
                let mut failure = failure.clone();
                failure.partial |= left_something;
                Found::Failed(failure)
            }
            (Direction::Undo, None) => Found::UndoOpen,
            (Direction::Undo, Some(Outcome::Done { .. })) => Found::Undone,
            (Direction::Undo, Some(Outcome::Failed(failure))) => Found::UndoFailed(failure.clone()),
        };
        left_something = match &now {
            Found::Undone => false,
            Found::Failed(failure) => failure.partial,
            Found::Open | Found::Done | Found::UndoOpen | Found::UndoFailed(_) => true,
        };
        found = Some((*attempt, now));
    }
    found
}

/// A gate was passed if something behind it, in its lane or in a later stage, is still in the world.
fn passed(plan: &Plan, gate: &Step, found: &BTreeMap<StepId, (Attempt, Found)>) -> Option<Found> {
    let at = plan.place(gate.id)?;
    let behind = |id: StepId| {
        plan.place(id).is_some_and(|place| {
            place.stage > at.stage
                || (place.stage, place.lane) == (at.stage, at.lane) && place.index > at.index
        })
    };
    found
        .iter()
        .any(|(id, (_, found))| *found != Found::Undone && behind(*id))
        .then_some(Found::Done)
}
