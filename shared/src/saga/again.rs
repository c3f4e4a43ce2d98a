//! What is done once again before a step at which the rollout stopped is tried anew.
//!
//! A member in maintenance is not restarted by its service manager, and neither does a gate start it: its drop-ins keep a
//! server from coming back half way. So when a person has resumed, what was done to such a member last is done once again, which
//! starts a server that has died and has it as it was left; where it has not died, its agent finds it so already.
//!
//! ```text
//! enter_maintenance ─ leave_group ─ gate (failed, resumed) ──>  leave_group once again ─ gate
//! way back:   stop_server undone ─ gate's undo (failed, resumed) ──>  stop_server's undo once again ─ gate's undo
//! ```

use super::decide::{Mode, Task};
use super::fold::{Phase, Rollout, StepStatus};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::{MemberName, StepId};
use crate::operation::{Direction, OperationKind as Kind};
use crate::plan::Reversibility::NothingToUndo;
use crate::plan::{Action, Plan, Stage, Step};
use std::collections::{BTreeMap, BTreeSet};

/// Before a step of this stage: at most one task a lane, all of one stage. None where the step was not what the rollout stopped at.
pub(super) fn first(rollout: &Rollout, stage: &Stage, step: &Step) -> Vec<Task> {
    let stopped_here = match &rollout.record(step.id).status {
        // An operation that is tried again sees to its own server.
        StepStatus::Failed { .. } => step.is_gate(),
        StepStatus::Pending => rollout.stopped_at == Some(step.id),
        // Asked once more, since it was what follows that could not be begun.
        StepStatus::Done { .. } => rollout
            .stopped_at
            .and_then(|id| rollout.plan.gate_before(id))
            .is_some_and(|gate| gate.id == step.id),
        StepStatus::Intended | StepStatus::UndoIntended | StepStatus::UndoFailed { .. } => false,
    };
    if !stopped_here || rollout.phase != Phase::Forward {
        return Vec::new();
    }
    // Whoever has a lane of its own beside this one is under way there.
    let beside: BTreeSet<&MemberName> = stage
        .lanes
        .iter()
        .filter(|lane| !lane.steps.iter().any(|other| other.id == step.id))
        .flat_map(|lane| lane.steps.iter().map(|step| &step.member))
        .collect();
    let due = members(&rollout.plan)
        .into_iter()
        .filter(|(member, _)| !beside.contains(member))
        .filter_map(|(_, steps)| last_done(rollout, &steps));
    let mut first = tasks(rollout, Direction::Perform, due);
    if first.is_empty() {
        first = rows_again(rollout, step);
    }
    first
}

/// A source that has restarted by itself logs again as its option file says. Before a gate that asks for rows is asked again, it is made
/// to log them once again; and what it logged meanwhile every replica has to be past, as the first time.
fn rows_again(rollout: &Rollout, gate: &Step) -> Vec<Task> {
    let plan = &rollout.plan;
    let asked = |member: &MemberName| {
        let of = |c: &Condition| matches!(c, Condition::Member { member: of, is: Expectation::LogFormat { .. } } if of == member);
        match &gate.action {
            Action::Gate(gate) => gate.conditions.iter().any(of),
            Action::Operate { .. } => false,
        }
    };
    let switches = |step: &&Step| step.operation().is_some_and(|o| o.kind() == Kind::LogRows);
    let of_gate = |step: &&Step| {
        let done = matches!(rollout.record(step.id).status, StepStatus::Done { .. });
        done && asked(&step.member)
    };
    let switched: Vec<&Step> = plan.steps().filter(switches).filter(of_gate).collect();
    let Some(last) = switched.last() else {
        return Vec::new();
    };
    let passed = plan
        .steps()
        .find(|step| step.id > last.id && step.is_gate());
    let rows = tasks(rollout, Direction::Perform, switched.into_iter());
    match passed {
        Some(passed) if rows.is_empty() && passed.id < gate.id => {
            tasks(rollout, Direction::Perform, [passed].into_iter())
        }
        _ => rows,
    }
}

/// The same on the way back, of everything.
pub(super) fn first_undone(rollout: &Rollout, step: &Step) -> Vec<Task> {
    let due = members(&rollout.plan)
        .into_iter()
        .filter(|(member, _)| step.is_gate() || **member != step.member)
        .filter_map(|(_, steps)| last_undone(rollout, &steps));
    tasks(rollout, Direction::Undo, due)
}

/// Something behind it has been begun already, or it was done before: what rests on it is not undone because it fails now.
pub(super) fn is_done_again(rollout: &Rollout, step: &Step) -> bool {
    let behind = || {
        let plan = &rollout.plan;
        let at = plan.place(step.id);
        plan.steps().filter(|other| !other.is_gate()).any(|other| {
            plan.place(other.id)
                .zip(at)
                .is_some_and(|(other, at)| other.stage > at.stage)
                && rollout.record(other.id).is_owed()
        })
    };
    !step.is_gate() && (rollout.record(step.id).was_done || behind())
}

/// The member has left maintenance, or begun to, since it entered it last.
pub(super) fn is_back(rollout: &Rollout, member: &MemberName) -> bool {
    let steps = members(&rollout.plan).remove(member).unwrap_or_default();
    let latest = steps.iter().rev().find_map(|step| {
        let kind = step.operation()?.kind();
        let turns = matches!(kind, Kind::EnterMaintenance | Kind::LeaveMaintenance);
        (turns && rollout.record(step.id).is_owed()).then_some(kind)
    });
    latest != Some(Kind::EnterMaintenance)
}

/// The operations of each member, in the plan's order.
fn members(plan: &Plan) -> BTreeMap<&MemberName, Vec<&Step>> {
    let mut members: BTreeMap<&MemberName, Vec<&Step>> = BTreeMap::new();
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    for step in lanes.flat_map(|lane| &lane.steps) {
        if !step.is_gate() {
            members.entry(&step.member).or_default().push(step);
        }
    }
    members
}

/// What was done last to a member in maintenance, where that may be done again. One with a step that is under way, or that failed,
/// has that to be done.
fn last_done<'a>(rollout: &Rollout, steps: &[&'a Step]) -> Option<&'a Step> {
    let mut last = None;
    for step in steps {
        let kind = step.operation()?.kind();
        match (&rollout.record(step.id).status, kind) {
            (StepStatus::Pending, _) | (StepStatus::Done { .. }, Kind::LeaveLostGroup) => {}
            (_, Kind::LeaveMaintenance) => last = None,
            (StepStatus::Done { .. }, Kind::EnterMaintenance) => last = Some(*step),
            (StepStatus::Done { .. }, _) => last = last.map(|_| *step),
            (
                StepStatus::Intended
                | StepStatus::Failed { .. }
                | StepStatus::UndoIntended
                | StepStatus::UndoFailed { .. },
                _,
            ) => return None,
        }
    }
    last.filter(|step| may_be_done_again(step))
}

/// What is behind the last step of a member in maintenance that is still to be undone: where that is the stop of its server, undoing
/// it, once more or although it never ran, has that server running.
fn last_undone<'a>(rollout: &Rollout, steps: &[&'a Step]) -> Option<&'a Step> {
    let owed = steps.iter().rposition(|step| {
        step.reversibility != NothingToUndo && rollout.record(step.id).is_owed()
    })?;
    let entered = steps[..=owed].iter().rev().find_map(|step| {
        let kind = step.operation()?.kind();
        matches!(kind, Kind::EnterMaintenance | Kind::LeaveMaintenance).then_some(kind)
    });
    let behind = steps.get(owed + 1)?;
    let stops = behind.operation()?.kind() == Kind::StopServer;
    (entered == Some(Kind::EnterMaintenance) && stops).then_some(*behind)
}

/// Whether its server is to run behind it, and doing it twice does no more than once. A group is not begun again without the gate
/// that proves that there is none ([`super::regroup`]); a pause of writes is not renewed without what is proved under it.
fn may_be_done_again(step: &Step) -> bool {
    let Some(operation) = step.operation() else {
        return false;
    };
    match operation.kind() {
        Kind::EnterMaintenance
        | Kind::LeaveGroup
        | Kind::DissolveGroup
        | Kind::StartServer
        | Kind::UpgradeSystemTables
        | Kind::JoinGroup
        | Kind::StopReplica
        | Kind::StartReplica
        | Kind::KeepReplica
        | Kind::DemoteSource
        | Kind::FollowSource
        | Kind::RebuildTables
        | Kind::RebuildOffline => true,
        Kind::FetchPackages
        | Kind::BackUpConfig
        | Kind::ValidateConfig
        | Kind::StopServer
        | Kind::SnapshotData
        | Kind::RewriteConfig
        | Kind::SwapPackages
        | Kind::LeaveMaintenance
        | Kind::AppointPrimary
        | Kind::KeepPrimary
        | Kind::BootstrapGroup
        | Kind::LeaveLostGroup
        | Kind::KeepWritable
        | Kind::AllowWrites
        | Kind::PauseWrites
        | Kind::PromoteReplica
        | Kind::DiscardLogs
        | Kind::LogRows
        | Kind::InspectTables
        | Kind::ReleaseArtifacts
        | Kind::RehearseUpgrade => false,
    }
}

/// Each once a generation. Earlier stages come first: there what is done again is waited for.
fn tasks<'a>(
    rollout: &Rollout,
    direction: Direction,
    due: impl Iterator<Item = &'a Step>,
) -> Vec<Task> {
    let mut lanes: BTreeMap<(usize, usize), StepId> = BTreeMap::new();
    for step in due.filter(|step| rollout.record(step.id).ended_in < rollout.generation) {
        let place = rollout.plan.place(step.id);
        let place = place.expect("the step comes from the plan");
        lanes.entry((place.stage, place.lane)).or_insert(step.id);
    }
    let stage = match direction {
        Direction::Perform => lanes.keys().next(),
        Direction::Undo => lanes.keys().next_back(),
    };
    let stage = stage.map(|(stage, _)| *stage);
    lanes
        .into_iter()
        .filter(|((of, _), _)| Some(*of) == stage)
        .map(|(_, step)| Task {
            step,
            direction,
            attempt: rollout.record(step).attempt.next(),
            mode: Mode::Begin,
        })
        .collect()
}
