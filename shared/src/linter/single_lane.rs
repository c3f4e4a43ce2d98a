//! For a standalone server: it is taken down behind a gate, in the order pause and stop, snapshot, swap, start; writes are let
//! in only behind a gate that has seen it closed, and never before the pivot.

use super::{Violation, breaks, for_member, kind, position};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Action, Lane, Plan, Step};

pub(super) fn judge(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    let Some(stop) = position(lane, Kind::StopServer) else {
        return;
    };
    let at = lane.steps[stop].id;
    let guarded = stop
        .checked_sub(1)
        .is_some_and(|before| lane.steps[before].is_gate());
    if !guarded {
        breaks(
            found,
            "a gate stands directly before the server is stopped",
            Some(at),
            "none",
        );
    }
    if matches!(
        lane.steps[stop].operation(),
        Some(Operation::StopServer { drain_s: 0, .. })
    ) {
        breaks(
            found,
            "writes are paused before the only server stops",
            Some(at),
            "no time to drain",
        );
    }
    let wanted = [
        Kind::KeepWritable,
        Kind::EnterMaintenance,
        Kind::StopServer,
        Kind::SnapshotData,
        Kind::SwapPackages,
        Kind::StartServer,
        Kind::LeaveMaintenance,
        Kind::AllowWrites,
    ];
    let places: Vec<Option<usize>> = wanted
        .iter()
        .map(|k| position(lane, for_member(plan, lane, *k)))
        .collect();
    if places.iter().any(Option::is_none) || !places.is_sorted() {
        breaks(
            found,
            "a server's steps are complete and in order",
            Some(at),
            format!("{places:?} of {wanted:?}"),
        );
    }
    opening(plan, lane, found);
}

/// Both leaving maintenance and allowing writes open the server.
fn opening(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    let opens =
        |step: &Step| matches!(kind(step), Some(Kind::LeaveMaintenance | Kind::AllowWrites));
    let Some(first) = lane.steps.iter().position(opens) else {
        return;
    };
    let step = &lane.steps[first];
    let pivot = plan.pivot.as_ref().map(|pivot| pivot.step);
    if pivot != Some(step.id) {
        breaks(
            found,
            "writes are let in at the pivot",
            Some(step.id),
            "the pivot is elsewhere",
        );
    }
    let closed = |c: &Condition| {
        matches!(
            c,
            Condition::Member {
                is: Expectation::TakesWrites { on: false },
                ..
            }
        )
    };
    let seen_closed = first
        .checked_sub(1)
        .is_some_and(|before| match &lane.steps[before].action {
            Action::Gate(gate) => gate.conditions.iter().any(closed),
            Action::Operate { .. } => false,
        });
    if !seen_closed {
        breaks(
            found,
            "the server is looked at before writes are let in",
            Some(step.id),
            "no gate that has seen it closed",
        );
    }
}
