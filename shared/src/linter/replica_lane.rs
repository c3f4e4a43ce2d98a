//! For members of a replication topology: what is taken down stands behind a gate that has seen the links work, goes through all
//! of it in order, and is back in its place at the end.

use super::{Violation, breaks, for_member, kind, position};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::operation::OperationKind as Kind;
use crate::plan::{Action, Gate, Lane, Plan, Strategy};

pub(super) fn judge(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    let Some(stop) = position(lane, Kind::StopServer) else {
        return;
    };
    let at = lane.steps[stop].id;
    let Some(was) = plan.made_from.members.get(&lane.member) else {
        return; // numbering says so
    };
    let replica = !was.channels.is_empty();
    let hands_over = plan.strategy == Strategy::Switchover && !replica;
    let goes_down = plan.target.version < was.version;
    let wanted: Vec<Kind> = if replica {
        let discard = goes_down.then_some(Kind::DiscardLogs);
        [Kind::EnterMaintenance, Kind::StopReplica]
            .into_iter()
            .chain(discard)
            .chain(REPLACE)
            .chain([Kind::StartReplica, Kind::LeaveMaintenance])
            .collect()
    } else if hands_over {
        REPLACE
            .into_iter()
            .chain([Kind::FollowSource, Kind::LeaveMaintenance])
            .collect()
    } else {
        let handed = if goes_down {
            vec![Kind::PauseWrites, Kind::DemoteSource]
        } else {
            Vec::new()
        };
        [Kind::KeepWritable, Kind::EnterMaintenance]
            .into_iter()
            .chain(handed)
            .chain(REPLACE)
            .chain([Kind::LeaveMaintenance, Kind::AllowWrites])
            .collect()
    };
    let places: Vec<Option<usize>> = wanted
        .iter()
        .map(|k| position(lane, for_member(plan, lane, *k)))
        .collect();
    if places.iter().any(Option::is_none) || !places.is_sorted() {
        breaks(
            found,
            "a member's steps are complete and in order",
            Some(at),
            format!("{places:?} of {wanted:?}"),
        );
    }
    let links: usize = plan
        .made_from
        .members
        .values()
        .map(|m| m.channels.len())
        .sum();
    let closes = [
        Kind::EnterMaintenance,
        Kind::StopReplica,
        Kind::PauseWrites,
        Kind::StopServer,
    ];
    let first = lane
        .steps
        .iter()
        .position(|step| kind(step).is_some_and(|k| closes.contains(&k)));
    let guarded = first
        .and_then(|first| gate_before(lane, first))
        .is_some_and(|gate| {
            let seen = gate.conditions.iter();
            // The old source of a switchover has no link any more, nor is it one's end.
            seen.filter(|c| matches!(c, Condition::Replicates { .. }))
                .count()
                >= if hands_over { links - 1 } else { links }
        });
    if !guarded {
        breaks(
            found,
            "a gate that has seen every replica follow stands before a member is taken out",
            Some(at),
            "none",
        );
    }
    if !replica && !hands_over {
        opening(plan, lane, found);
    }
}

const REPLACE: [Kind; 4] = [
    Kind::StopServer,
    Kind::SnapshotData,
    Kind::SwapPackages,
    Kind::StartServer,
];

fn gate_before(lane: &Lane, at: usize) -> Option<&Gate> {
    match &lane.steps[at.checked_sub(1)?].action {
        Action::Gate(gate) => Some(gate),
        Action::Operate { .. } => None,
    }
}

/// A source that was restarted in place is looked at before writes are let in, and never before the pivot.
fn opening(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    let opens = |k: Option<Kind>| matches!(k, Some(Kind::LeaveMaintenance | Kind::AllowWrites));
    let Some(first) = lane.steps.iter().position(|step| opens(kind(step))) else {
        return;
    };
    let step = &lane.steps[first];
    if plan.pivot.as_ref().is_none_or(|pivot| pivot.step > step.id) {
        breaks(
            found,
            "writes are let in at the pivot or behind it",
            Some(step.id),
            "the pivot comes later",
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
    if !gate_before(lane, first).is_some_and(|gate| gate.conditions.iter().any(closed)) {
        breaks(
            found,
            "the server is looked at before writes are let in",
            Some(step.id),
            "no gate that has seen it closed",
        );
    }
}
