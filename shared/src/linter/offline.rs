//! For an offline upgrade of a group: everybody is out before anybody is stopped, a group is begun once, by who left it last,
//! behind proof that there is none and that nothing is missing.

use super::{Violation, breaks, for_member, kind, position};
use crate::condition::Condition;
use crate::ids::{MemberName, StepId};
use crate::operation::OperationKind as Kind;
use crate::plan::{Action, Gate, Plan, Step};
use std::collections::BTreeSet;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    let steps: Vec<&Step> = plan
        .stages
        .iter()
        .flat_map(|stage| &stage.lanes)
        .flat_map(|lane| &lane.steps)
        .collect();
    let of = |wanted: Kind| {
        steps
            .iter()
            .filter(move |step| kind(step) == Some(wanted))
            .copied()
    };
    let dissolves: Vec<&Step> = of(Kind::DissolveGroup).collect();
    let begins: Vec<&Step> = of(Kind::BootstrapGroup).collect();
    let ([dissolve], [begin]) = (dissolves.as_slice(), begins.as_slice()) else {
        return breaks(
            found,
            "a group is ended once and begun once",
            None,
            format!("{} and {} times", dissolves.len(), begins.len()),
        );
    };
    if dissolve.member != begin.member {
        breaks(
            found,
            "who left the group last begins it anew",
            Some(begin.id),
            format!("{} left last", dissolve.member),
        );
    }
    let everybody: BTreeSet<&MemberName> = plan.made_from.members.keys().collect();
    let gone: BTreeSet<&MemberName> = of(Kind::LeaveGroup)
        .filter(|step| step.id < dissolve.id)
        .map(|step| &step.member)
        .chain([&dissolve.member])
        .collect();
    let back: BTreeSet<&MemberName> = of(Kind::JoinGroup)
        .filter(|step| step.id > begin.id)
        .map(|step| &step.member)
        .chain([&begin.member])
        .collect();
    if gone != everybody || back != everybody {
        breaks(
            found,
            "everybody leaves before the last one, and joins after it",
            Some(dissolve.id),
            format!("{} leave, {} come back", gone.len(), back.len()),
        );
    }
    for step in of(Kind::StopServer).filter(|step| step.id < dissolve.id || step.id > begin.id) {
        breaks(
            found,
            "members are stopped only while there is no group",
            Some(step.id),
            step.member.as_str(),
        );
    }
    if plan.pivot.as_ref().map(|pivot| pivot.step) != Some(begin.id) {
        breaks(
            found,
            "writes are let in at the pivot",
            Some(begin.id),
            "the pivot is elsewhere",
        );
    }
    proofs(plan, dissolve.id, begin.id, found);
    begun_again(plan, dissolve.id, begin.id, found);
    lanes(plan, found);
}

/// Directly before the group is begun, forward and on the way back.
fn proofs(plan: &Plan, dissolve: StepId, begin: StepId, found: &mut Vec<Violation>) {
    let gate = |id: u16| -> Option<&Gate> {
        match &plan.step(StepId(id))?.action {
            Action::Gate(gate) => Some(gate),
            Action::Operate { .. } => None,
        }
    };
    let member = plan.step(begin).map(|step| &step.member);
    let proves = |conditions: &[Condition]| {
        let whole = |of: &BTreeSet<MemberName>| of.iter().eq(plan.made_from.members.keys());
        let nobody = conditions
            .iter()
            .any(|c| matches!(c, Condition::NobodyInGroup { members } if whole(members)));
        let everything = conditions.iter().any(
            |c| matches!(c, Condition::HasEverything { member: m, of } if Some(m) == member && whole(of)),
        );
        nobody && everything
    };
    let forward = begin.0.checked_sub(1).and_then(gate);
    if !forward.is_some_and(|gate| proves(&gate.conditions)) {
        breaks(
            found,
            "a group is begun only behind proof over all members",
            Some(begin),
            "no such gate directly before it",
        );
    }
    if !gate(dissolve.0 + 1).is_some_and(|gate| proves(&gate.undo_conditions)) {
        breaks(
            found,
            "a group is begun on the way back only behind proof over all members",
            Some(dissolve),
            "no such gate directly after it",
        );
    }
}

/// A group that has been begun may be lost before it is whole: it is asked for, and all can leave what is left of it.
fn begun_again(plan: &Plan, dissolve: StepId, begin: StepId, found: &mut Vec<Violation>) {
    let gate = |id: u16| match plan.step(StepId(id)).map(|step| &step.action) {
        Some(Action::Gate(gate)) => Some(gate),
        Some(Action::Operate { .. }) | None => None,
    };
    let stands = |conditions: &[Condition]| conditions == [Condition::GroupStands];
    if !gate(begin.0 + 1).is_some_and(|gate| stands(&gate.conditions)) {
        breaks(
            found,
            "whether the group that was begun stands is asked before anybody joins it",
            Some(begin),
            "no such gate directly behind it",
        );
    }
    let before = (0..dissolve.0).filter_map(gate);
    if before.filter(|gate| stands(&gate.undo_conditions)).count() != 1 {
        breaks(
            found,
            "whether the group that was put back stands is asked before anybody joins it",
            Some(dissolve),
            "no such gate before it",
        );
    }
    let clears = plan
        .steps()
        .filter(|step| kind(step) == Some(Kind::LeaveLostGroup))
        .filter(|step| step.id > dissolve && step.id < begin);
    let clears: Vec<&MemberName> = clears.map(|step| &step.member).collect();
    if !clears.iter().copied().eq(plan.made_from.members.keys()) {
        breaks(
            found,
            "everybody can leave a group that is lost",
            Some(begin),
            format!("{} of {} do", clears.len(), plan.made_from.members.len()),
        );
    }
}

/// What is upgraded goes through all of it, in order, in maintenance.
fn lanes(plan: &Plan, found: &mut Vec<Violation>) {
    let wanted = [
        Kind::StopServer,
        Kind::SnapshotData,
        Kind::SwapPackages,
        Kind::StartServer,
    ];
    for lane in plan.stages.iter().flat_map(|stage| &stage.lanes) {
        let places: Vec<Option<usize>> = wanted
            .iter()
            .map(|k| position(lane, for_member(plan, lane, *k)))
            .collect();
        if places.iter().all(Option::is_none) {
            continue;
        }
        let first = lane.steps.first().map(|step| step.id);
        if places.iter().any(Option::is_none) || !places.is_sorted() {
            breaks(
                found,
                "a member's steps are complete and in order",
                first,
                format!("{places:?} of {wanted:?}"),
            );
        }
        let on = |wanted: Kind, before: bool| {
            plan.steps().any(|step| {
                step.member == lane.member
                    && kind(step) == Some(wanted)
                    && (Some(step.id) < first) == before
            })
        };
        if !on(Kind::EnterMaintenance, true) || !on(Kind::LeaveMaintenance, false) {
            breaks(
                found,
                "a member is upgraded in maintenance",
                first,
                lane.member.as_str(),
            );
        }
    }
}
