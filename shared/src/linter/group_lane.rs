//! For members of a group: what takes one out stands behind a gate that has seen the whole group, in the order leave, stop,
//! snapshot, swap, start, join, and ends with a gate.

use super::{Violation, breaks, for_member, is_multi_primary, kind, position};
use crate::condition::Condition;
use crate::operation::OperationKind as Kind;
use crate::plan::{Action, Gate, Lane, Plan};

pub(super) fn judge(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    let Some(leave) = position(lane, Kind::LeaveGroup).or(position(lane, Kind::StopServer)) else {
        return;
    };
    let at = lane.steps[leave].id;
    guarded(plan, lane, leave, found);
    let wanted = [
        Kind::EnterMaintenance,
        Kind::LeaveGroup,
        Kind::StopServer,
        Kind::SnapshotData,
        Kind::SwapPackages,
        Kind::StartServer,
        Kind::JoinGroup,
        Kind::LeaveMaintenance,
    ];
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
    ends_whole(lane, found);
}

/// A gate directly before the step that takes the member out has seen all of the group.
pub(super) fn guarded(plan: &Plan, lane: &Lane, leave: usize, found: &mut Vec<Violation>) {
    let at = lane.steps[leave].id;
    let is_pivot = plan.pivot.as_ref().is_some_and(|pivot| pivot.step == at);
    let whole = |condition: &Condition| match condition {
        Condition::OnlineTogether { witnesses, .. } => *witnesses >= 2,
        // Whoever has fallen out may be taken on only where nothing leads back.
        Condition::OnlineTogetherOrShutOut {
            witnesses, member, ..
        } => *witnesses >= 2 && is_pivot && *member == lane.member,
        _ => false,
    };
    // A member in maintenance that is restarted does not join again: it must not wait in there.
    if let Some(enters) = position(lane, Kind::EnterMaintenance)
        && gate_before(lane, enters).is_none()
    {
        let rule = "maintenance is entered behind a gate";
        breaks(found, rule, Some(lane.steps[enters].id), "none");
    }
    let gate = gate_before(lane, leave);
    if !gate.is_some_and(|gate| gate.conditions.iter().any(whole)) {
        breaks(
            found,
            "a gate stands directly before a member is taken out",
            Some(at),
            "none that wants all ONLINE in one view seen by two",
        );
    }
    let last = plan
        .steps()
        .rfind(|step| kind(step) == Some(Kind::LeaveGroup));
    let hands_over = last.is_some_and(|step| step.id == at);
    if is_multi_primary(plan) && !hands_over {
        let other_writes = |c: &Condition| matches!(c, Condition::WritableMember { besides: Some(out) } if *out == lane.member);
        if !gate.is_some_and(|gate| gate.conditions.iter().any(other_writes)) {
            breaks(
                found,
                "somebody else takes writes before a member is taken out",
                Some(at),
                "not asked",
            );
        }
    }
}

pub(super) fn ends_whole(lane: &Lane, found: &mut Vec<Violation>) {
    match lane.steps.last().map(|step| (&step.action, step.id)) {
        Some((Action::Gate(gate), _)) if !gate.undo_conditions.is_empty() => {}
        last => breaks(
            found,
            "a member's lane ends with a gate that also guards the way back",
            last.map(|(_, id)| id),
            "missing",
        ),
    }
}

/// Nothing may come between: what it has seen is as old as that takes.
fn gate_before(lane: &Lane, leave: usize) -> Option<&Gate> {
    match &lane.steps[leave.checked_sub(1)?].action {
        Action::Gate(gate) => Some(gate),
        Action::Operate { .. } => None,
    }
}
