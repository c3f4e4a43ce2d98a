//! What must happen next to a rollout. Pure: the same rollout and epoch always give the same answer.

use super::again;
use super::event::{Actor, End, Event, ParkReason, Scope, UnwindCause};
use super::fold::{Phase, Rollout, StepStatus, member_of};
use super::regroup::{self, Due};
use crate::ids::{Attempt, Epoch, StepId};
use crate::operation::{Direction, OperationKind as Kind};
use crate::plan::{Action, ApprovePivot, Lane, Reversibility, Stage, Step};

/// What the executor must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Have exactly these tasks in flight, at most one a lane; drop the wait for any other.
    Run(Vec<Task>),
    /// Journal this, then ask again.
    Append(Event),
    /// Wait for `refit approve` (or any other act of a person).
    AwaitApproval { step: StepId },
    /// At rest.
    Rest,
}

/// One try at one step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    pub step: StepId,
    pub direction: Direction,
    pub attempt: Attempt,
    pub mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Journal the intent, then act.
    Begin,
    /// The intent is durable and the outcome is not known: find out (the same attempt returns its receipt).
    Reconcile,
}

/// Decides. `epoch` is the deciding controller's own.
pub fn decide(rollout: &Rollout, epoch: Epoch) -> Next {
    if rollout.is_parked() {
        return Next::Rest;
    }
    match &rollout.phase {
        Phase::Closed { .. } | Phase::Finalized { .. } => Next::Rest,
        Phase::Forward => {
            if let Some(due) = regroup::first(rollout, epoch) {
                return first(rollout, due, Direction::Perform);
            }
            let open = rollout
                .plan
                .stages
                .iter()
                .enumerate()
                .find(|(_, stage)| !settled(rollout, stage, epoch));
            match open {
                Some((index, stage)) => forward(rollout, index, stage, epoch),
                None => Next::Append(Event::RolloutClosed { end: End::Upgraded }),
            }
        }
        Phase::Finalizing { .. } => {
            let stage = &rollout.plan.finalize;
            if settled(rollout, stage, epoch) {
                Next::Append(Event::Finalized)
            } else {
                forward(rollout, rollout.plan.stages.len(), stage, epoch)
            }
        }
        Phase::Unwinding { scope, cause } => {
            let due = match scope {
                Scope::All => regroup::first_undone(rollout, epoch),
                Scope::Lane { .. } => None,
            };
            match due {
                Some(due) => first(rollout, due, Direction::Undo),
                None => unwind(rollout, scope, cause),
            }
        }
    }
}

/// What comes before everything else.
fn first(rollout: &Rollout, due: Due, direction: Direction) -> Next {
    let step = match due {
        Due::Run(tasks) => return Next::Run(tasks),
        Due::Failed(step) => step,
    };
    let member = member_of(&rollout.plan, step);
    let reason = match (direction, &rollout.record(step).status) {
        (Direction::Perform, StepStatus::Failed { failure, .. }) => ParkReason::StepFailed {
            step,
            member,
            failure: failure.clone(),
        },
        (Direction::Undo, StepStatus::UndoFailed { failure, .. }) => ParkReason::UndoFailed {
            step,
            member,
            failure: failure.clone(),
        },
        (_, status) => unreachable!("{step} has failed, and is {status:?}"),
    };
    Next::Append(Event::Parked { reason })
}

fn settled(rollout: &Rollout, stage: &Stage, epoch: Epoch) -> bool {
    stage
        .lanes
        .iter()
        .all(|lane| next_in_lane(rollout, lane, epoch).is_none())
}

/// The first step of a lane that is not done, or a gate whose passing no longer counts.
fn next_in_lane<'a>(rollout: &Rollout, lane: &'a Lane, epoch: Epoch) -> Option<&'a Step> {
    let forward = Direction::Perform;
    let done = |step: &Step| match rollout.record(step.id).status {
        StepStatus::Done { .. } => !regroup::joins_again(rollout, step, forward),
        _ => regroup::is_past(rollout, step, forward),
    };
    let open = lane.steps.iter().position(|step| !done(step))?;
    let never_begun = rollout.record(lane.steps[open].id).status == StepStatus::Pending;
    match open.checked_sub(1).map(|before| &lane.steps[before]) {
        Some(gate) if gate.is_gate() && never_begun && !counts(rollout, gate, epoch) => Some(gate),
        _ => Some(&lane.steps[open]),
    }
}

/// A gate that has been passed counts only for the incarnation and generation that saw it.
fn counts(rollout: &Rollout, gate: &Step, now: Epoch) -> bool {
    if rollout.gate_due == Some(gate.id) {
        return false;
    }
    match rollout.record(gate.id).status {
        StepStatus::Done { epoch, generation } => epoch == now && generation == rollout.generation,
        _ => false,
    }
}

fn forward(rollout: &Rollout, index: usize, stage: &Stage, epoch: Epoch) -> Next {
    let mut running = Vec::new();
    let mut ready = Vec::new();
    let mut failed = None;
    let mut awaiting = None;
    for (lane_index, lane) in stage.lanes.iter().enumerate() {
        let Some(step) = next_in_lane(rollout, lane, epoch) else {
            continue;
        };
        let record = rollout.record(step.id);
        let begin = || Task {
            step: step.id,
            direction: Direction::Perform,
            attempt: record.attempt.next(),
            mode: Mode::Begin,
        };
        match &record.status {
            StepStatus::Intended => running.push(Task {
                step: step.id,
                direction: Direction::Perform,
                attempt: record.attempt,
                mode: Mode::Reconcile,
            }),
            StepStatus::Failed {
                failure,
                generation,
            } if *generation == rollout.generation => {
                failed = failed.or(Some((lane_index, lane, step, failure.clone())));
            }
            StepStatus::Pending | StepStatus::Failed { .. } | StepStatus::Done { .. } => {
                let is_pivot = rollout
                    .plan
                    .pivot
                    .as_ref()
                    .is_some_and(|pivot| [pivot.step, pivot.asked_at()].contains(&step.id));
                if is_pivot && rollout.pivot_approved.is_none() {
                    awaiting = Some(step.id);
                } else {
                    let mut first = again::first(rollout, stage, step);
                    if first.is_empty() {
                        first.push(begin());
                    }
                    ready.append(&mut first);
                }
            }
            // Only a unwind that a person stopped leaves these; the way forward begins with undoing what is half undone.
            StepStatus::UndoIntended | StepStatus::UndoFailed { .. } => {
                let cause = UnwindCause::Operator {
                    by: Actor::policy("an undo was left unfinished"),
                };
                return Next::Append(Event::UnwindDecided {
                    cause,
                    scope: lane_scope(index, lane_index, lane),
                });
            }
        }
    }
    match failed {
        // Let the other lanes finish what they have begun, begin nothing more.
        Some(_) if !running.is_empty() => Next::Run(running),
        Some((lane_index, lane, step, failure)) => {
            let may_go_back =
                rollout.may_unwind().is_ok() && matches!(rollout.phase, Phase::Forward);
            // A gate that fails once its member is back speaks of the cluster: taking the member out again would not mend it.
            let gate_after_return = step.is_gate() && was_taken_out(rollout, lane);
            // Others may rest on what was done before; and a group that others have left may not be able to take anybody back.
            let leave_it = gate_after_return
                || again::is_done_again(rollout, step)
                || leaves_like_others(rollout, lane);
            if may_go_back && owes_something(rollout, lane) && !leave_it {
                let cause = UnwindCause::StepFailed {
                    step: step.id,
                    failure,
                };
                Next::Append(Event::UnwindDecided {
                    cause,
                    scope: lane_scope(index, lane_index, lane),
                })
            } else {
                let reason = ParkReason::StepFailed {
                    step: step.id,
                    member: lane.member.clone(),
                    failure,
                };
                Next::Append(Event::Parked { reason })
            }
        }
        None if running.is_empty() && ready.is_empty() => {
            match (awaiting, rollout.plan.policy.approve_pivot) {
                (Some(_), ApprovePivot::Auto) => Next::Append(Event::PivotApproved {
                    by: Actor::policy("the plan approves its own pivot"),
                }),
                (Some(step), ApprovePivot::Person) => Next::AwaitApproval { step },
                (None, _) => unreachable!(
                    "a stage that is not settled has a step that is running, ready, failed or awaiting"
                ),
            }
        }
        None => {
            running.append(&mut ready);
            running.sort();
            // Two gates may both want the same to be done once again.
            running.dedup();
            Next::Run(running)
        }
    }
}

fn lane_scope(stage: usize, lane_index: usize, lane: &Lane) -> Scope {
    Scope::Lane {
        stage,
        lane: lane_index,
        member: lane.member.clone(),
    }
}

/// The lane has begun something that must be put back.
fn owes_something(rollout: &Rollout, lane: &Lane) -> bool {
    lane.steps.iter().any(|step| {
        step.reversibility == Reversibility::Undoable && rollout.record(step.id).is_owed()
    })
}

/// The lane has taken its member out of service (and may have brought it back).
fn was_taken_out(rollout: &Rollout, lane: &Lane) -> bool {
    lane.steps.iter().any(|step| {
        step.operation()
            .is_some_and(crate::operation::Operation::takes_member_out)
            && rollout.record(step.id).is_owed()
    })
}

/// Members of other lanes are out of their group and in maintenance, and this one has not come further than that.
fn leaves_like_others(rollout: &Rollout, lane: &Lane) -> bool {
    let owed = |step: &Step, kind: Kind| {
        step.operation().is_some_and(|order| order.kind() == kind)
            && rollout.record(step.id).is_owed()
    };
    let stages = rollout.plan.stages.iter();
    let mut others = stages
        .flat_map(|stage| &stage.lanes)
        .filter(|other| other.member != lane.member);
    let is_out = |other: &Lane| {
        other.steps.iter().any(|step| owed(step, Kind::LeaveGroup))
            && !again::is_back(rollout, &other.member)
    };
    let stopped = |step: &Step| owed(step, Kind::StopServer);
    others.any(is_out) && !lane.steps.iter().any(stopped)
}

fn unwind(rollout: &Rollout, scope: &Scope, cause: &UnwindCause) -> Next {
    let stages = rollout.plan.stages.iter().enumerate().rev();
    for (stage_index, stage) in stages {
        let lanes: Vec<&Lane> = match scope {
            Scope::All => stage.lanes.iter().collect(),
            Scope::Lane { stage: s, lane, .. } if *s == stage_index => {
                stage.lanes.get(*lane).into_iter().collect()
            }
            Scope::Lane { .. } => continue,
        };
        let mut tasks = Vec::new();
        for lane in lanes {
            let Some(step) = lane
                .steps
                .iter()
                .rev()
                .find(|step| owes_undo(rollout, step))
            else {
                continue;
            };
            let record = rollout.record(step.id);
            let mut first = match (&record.status, scope) {
                (StepStatus::UndoFailed { generation, .. }, Scope::All)
                    if *generation < rollout.generation =>
                {
                    again::first_undone(rollout, step)
                }
                _ => Vec::new(),
            };
            if !first.is_empty() {
                tasks.append(&mut first);
                continue;
            }
            let (attempt, mode) = match &record.status {
                StepStatus::UndoIntended => (record.attempt, Mode::Reconcile),
                StepStatus::UndoFailed {
                    failure,
                    generation,
                } if *generation == rollout.generation => {
                    let reason = ParkReason::UndoFailed {
                        step: step.id,
                        member: lane.member.clone(),
                        failure: failure.clone(),
                    };
                    return Next::Append(Event::Parked { reason });
                }
                StepStatus::Intended
                | StepStatus::Done { .. }
                | StepStatus::Failed { .. }
                | StepStatus::UndoFailed { .. }
                // It was undone, and had to leave once more since.
                | StepStatus::Pending => (record.attempt.next(), Mode::Begin),
            };
            tasks.push(Task {
                step: step.id,
                direction: Direction::Undo,
                attempt,
                mode,
            });
        }
        if !tasks.is_empty() {
            tasks.sort();
            tasks.dedup();
            return Next::Run(tasks);
        }
    }
    match (scope, cause) {
        (Scope::All, _) => Next::Append(Event::RolloutClosed { end: End::Restored }),
        (Scope::Lane { .. }, UnwindCause::StepFailed { step, failure }) => {
            Next::Append(Event::Parked {
                reason: ParkReason::MemberRestored {
                    step: *step,
                    member: member_of(&rollout.plan, *step),
                    failure: failure.clone(),
                },
            })
        }
        (
            Scope::Lane {
                stage,
                lane,
                member,
            },
            UnwindCause::Operator { by },
        ) => {
            let lane = &rollout
                .plan
                .all_stages()
                .nth(*stage)
                .expect("scopes come from the plan")
                .lanes[*lane];
            let step = lane.steps.first().expect("a lane has steps").id;
            let failure = crate::receipt::Failure::clean(
                crate::receipt::FailureCode::Precondition,
                by.to_string(),
            );
            Next::Append(Event::Parked {
                reason: ParkReason::MemberRestored {
                    step,
                    member: member.clone(),
                    failure,
                },
            })
        }
    }
}

/// Whether something is owed for a step: an operation whose intent is durable, or a gate that guards the way back.
fn owes_undo(rollout: &Rollout, step: &Step) -> bool {
    let guards = match &step.action {
        Action::Gate(gate) => !gate.undo_conditions.is_empty(),
        Action::Operate { .. } => step.reversibility != Reversibility::NothingToUndo,
    };
    let back = Direction::Undo;
    guards
        && (rollout.record(step.id).is_owed() && !regroup::is_past(rollout, step, back)
            || regroup::joins_again(rollout, step, back))
}
