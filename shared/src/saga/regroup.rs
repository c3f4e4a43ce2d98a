//! A group that was begun anew and does not stand any more is begun again.
//!
//! A group of one or two does not survive the sudden loss of one: nobody in it can commit, and nobody can join it. When a person has
//! resumed, the gate that asks whether the group stands is asked once more. Where it fails, everybody leaves what is left of
//! the group (an agent refuses that while its group has its majority), and the group is begun again behind the very same proof as the
//! first time. Whoever had joined joins once more.
//!
//! ```text
//! join_group (failed, resumed) ──> gate (stands?) ─yes──────────────────────────────────────────────> join_group
//!                                        └no─> leave_lost_group of all ─ gate (proof) ─ bootstrap_group ─ gate (stands) ─┘
//! way back: the same with dissolve_group undone, behind the gate that is undone before it
//! ```
//!
//! Nothing here is decided over what was seen: only over which of these steps have ended, and how. Each once a resume.

use super::decide::{Mode, Task};
use super::fold::{Phase, Rollout, StepRecord, StepStatus};
use crate::condition::Condition;
use crate::ids::{Epoch, StepId};
use crate::operation::{Direction, OperationKind as Kind};
use crate::plan::{Action, Plan, Step};

/// What comes before everything else.
#[derive(Debug)]
pub(super) enum Due {
    Run(Vec<Task>),
    /// This step has failed, and nothing goes on without it.
    Failed(StepId),
}

/// The steps by which a group is begun in one direction.
struct Steps<'a> {
    direction: Direction,
    /// Begins it.
    begin: &'a Step,
    /// Proves that there is none, directly before it.
    proof: &'a Step,
    /// Asks whether it stands, directly behind it.
    stands: &'a Step,
    clears: Vec<&'a Step>,
}

impl<'a> Steps<'a> {
    fn of(plan: &'a Plan, direction: Direction) -> Option<Self> {
        let clears: Vec<&Step> = plan
            .steps()
            .filter(|s| is(s, Kind::LeaveLostGroup))
            .collect();
        let (wanted, before, behind) = match direction {
            Direction::Perform => (Kind::BootstrapGroup, -1, 1),
            Direction::Undo => (Kind::DissolveGroup, 1, -1),
        };
        let begin = plan.steps().find(|step| is(step, wanted))?;
        let place = plan.place(begin.id)?;
        let lane = plan.stages.get(place.stage)?.lanes.get(place.lane)?;
        let gate = |from: isize| {
            let at = place.index.checked_add_signed(from)?;
            lane.steps.get(at).filter(|step| step.is_gate())
        };
        let proof = gate(before)?;
        let stands = match direction {
            Direction::Perform => gate(behind)?,
            // The gate of the way there is between them.
            Direction::Undo => lane.steps.iter().find(|step| asks_when_undone(step))?,
        };
        (!clears.is_empty()).then_some(Self {
            direction,
            begin,
            proof,
            stands,
            clears,
        })
    }

    fn is_done(&self, record: &StepRecord) -> bool {
        match self.direction {
            Direction::Perform => matches!(record.status, StepStatus::Done { .. }),
            Direction::Undo => record.status == StepStatus::Pending && record.undone,
        }
    }

    fn task(&self, rollout: &Rollout, step: &Step) -> Task {
        let record = rollout.record(step.id);
        let mode = if is_open(record) {
            Mode::Reconcile
        } else {
            Mode::Begin
        };
        Task {
            step: step.id,
            direction: self.direction,
            attempt: match mode {
                Mode::Begin => record.attempt.next(),
                Mode::Reconcile => record.attempt,
            },
            mode,
        }
    }

    /// Once the rollout was resumed behind the group's beginning.
    fn next(&self, rollout: &Rollout, epoch: Epoch) -> Option<Due> {
        let record = |step: &Step| rollout.record(step.id);
        let now = |step: &Step| record(step).ended_in == rollout.generation;
        let failed = |step: &Step| now(step) && failure_of(record(step));
        let run = |steps: &[&Step]| {
            let tasks = steps.iter().map(|step| self.task(rollout, step));
            Some(Due::Run(tasks.collect()))
        };
        if is_open(record(self.stands)) || !now(self.stands) {
            return run(&[self.stands]);
        }
        if !failed(self.stands) {
            return None;
        }
        if is_open(record(self.begin)) {
            return run(&[self.begin]);
        }
        if now(self.begin) {
            let begun_since = record(self.begin).ended > record(self.stands).ended;
            let begun = self.is_done(record(self.begin));
            return if begun && begun_since {
                run(&[self.stands])
            } else {
                None
            };
        }
        let due: Vec<&Step> = self.clears.iter().copied().filter(|s| !now(s)).collect();
        let open: Vec<&Step> = self
            .clears
            .iter()
            .copied()
            .filter(|s| is_open(record(s)))
            .collect();
        if let Some(clear) = self.clears.iter().find(|step| failed(step)) {
            return match open.as_slice() {
                [] => Some(Due::Failed(clear.id)),
                open => run(open),
            };
        }
        if !due.is_empty() || !open.is_empty() {
            let mut steps = due;
            steps.extend(open);
            steps.sort_by_key(|step| step.id);
            steps.dedup_by_key(|step| step.id);
            return run(&steps);
        }
        if !is_open(record(self.proof)) && failed(self.proof) && self.is_after(rollout) {
            return Some(Due::Failed(self.proof.id));
        }
        // What another incarnation has seen counts for nothing.
        let counts = match (self.direction, &record(self.proof).status) {
            (Direction::Perform, StepStatus::Done { epoch: of, .. }) => *of == epoch,
            (Direction::Perform, _) => false,
            (Direction::Undo, _) => self.is_done(record(self.proof)),
        };
        if counts && now(self.proof) && self.is_after(rollout) {
            run(&[self.begin])
        } else {
            run(&[self.proof])
        }
    }

    /// The proof was asked once everybody had left.
    fn is_after(&self, rollout: &Rollout) -> bool {
        let proof = rollout.record(self.proof.id).ended;
        let left = |step: &&Step| rollout.record(step.id).ended < proof;
        self.clears.iter().all(left)
    }
}

/// On the way there.
pub(super) fn first(rollout: &Rollout, epoch: Epoch) -> Option<Due> {
    if rollout.phase != Phase::Forward || rollout.stopped_at.is_none() {
        return None;
    }
    let steps = Steps::of(&rollout.plan, Direction::Perform)?;
    if rollout.record(steps.begin.id).attempt.0 == 0 || !may_regroup(rollout, &steps) {
        return None;
    }
    steps.next(rollout, epoch)
}

/// The group was begun, or is being begun again; and nobody joins it by itself.
fn may_regroup(rollout: &Rollout, steps: &Steps<'_>) -> bool {
    let begin = rollout.record(steps.begin.id);
    let begun = begin.was_done;
    let leaves = |step: &Step| is(step, Kind::LeaveMaintenance);
    let left = |step: &Step| leaves(step) && rollout.record(step.id).attempt.0 > 0;
    let failed = matches!(begin.status, StepStatus::Failed { .. });
    begun && !failed && !rollout.plan.steps().any(left)
}

/// On the way back, once something has failed behind the group's beginning.
pub(super) fn first_undone(rollout: &Rollout, epoch: Epoch) -> Option<Due> {
    let steps = Steps::of(&rollout.plan, Direction::Undo)?;
    let begin = rollout.record(steps.begin.id);
    // By what is below; where it is undone for the first time, nobody has asked whether it stands.
    let stands = rollout.record(steps.stands.id);
    let at_work = begin.status == StepStatus::UndoIntended
        && stands.ended_in == rollout.generation
        && failure_of(stands);
    let due = begin.status != StepStatus::Pending && !at_work;
    let somebody_left = || {
        let mut leaves = rollout.plan.steps().filter(|s| is(s, Kind::LeaveGroup));
        leaves.any(|step| rollout.record(step.id).attempt.0 > 0)
    };
    // Every generation but the first began with a resume.
    if due
        || rollout.generation == 0
        || !stopped_on_the_way_back(rollout, &steps)
        || !somebody_left()
    {
        return None;
    }
    steps.next(rollout, epoch)
}

/// An undo failed before the last resume, behind the group's beginning or at one of the steps here.
fn stopped_on_the_way_back(rollout: &Rollout, steps: &Steps<'_>) -> bool {
    let plan = &rollout.plan;
    let of = |step: &Step| plan.place(step.id).map(|at| (at.stage, at.lane, at.index));
    let begin = of(steps.begin);
    let failed = |step: &Step| match rollout.record(step.id).status {
        StepStatus::UndoFailed { generation, .. } => generation < rollout.generation,
        _ => false,
    };
    let asked = |step: &Step| {
        let record = rollout.record(step.id);
        rollout.generation == record.ended_in && record.attempt.0 > 0 || is_open(record)
    };
    plan.steps()
        .any(|step| failed(step) && of(step) < begin || step.id == steps.stands.id && asked(step))
}

/// What was proved and cleared for a group that has been begun since is not due by itself any more: asked again, it would only say that
/// there is a group now.
pub(super) fn is_past(rollout: &Rollout, step: &Step, direction: Direction) -> bool {
    let Some(steps) = Steps::of(&rollout.plan, direction) else {
        return false;
    };
    let one_of_them = steps.proof.id == step.id || steps.clears.iter().any(|s| s.id == step.id);
    one_of_them && steps.is_done(rollout.record(steps.begin.id))
}

/// It had to leave a group that was lost, and is to join the one that was begun again.
pub(super) fn joins_again(rollout: &Rollout, step: &Step, direction: Direction) -> bool {
    let joins = match direction {
        Direction::Perform => is(step, Kind::JoinGroup),
        Direction::Undo => is(step, Kind::LeaveGroup),
    };
    let plan = &rollout.plan;
    let since = |clear: &Step| {
        let record = rollout.record(clear.id);
        let done = match direction {
            Direction::Perform => matches!(record.status, StepStatus::Done { .. }),
            Direction::Undo => record.undone,
        };
        done && record.ended > rollout.record(step.id).ended
    };
    let mut clears = plan.steps().filter(|s| is(s, Kind::LeaveLostGroup));
    joins && clears.any(|clear| clear.member == step.member && since(clear))
}

fn is(step: &Step, kind: Kind) -> bool {
    step.operation().is_some_and(|order| order.kind() == kind)
}

fn is_open(record: &StepRecord) -> bool {
    matches!(
        record.status,
        StepStatus::Intended | StepStatus::UndoIntended
    )
}

fn failure_of(record: &StepRecord) -> bool {
    matches!(
        record.status,
        StepStatus::Failed { .. } | StepStatus::UndoFailed { .. }
    )
}

fn asks_when_undone(step: &Step) -> bool {
    match &step.action {
        Action::Gate(gate) => gate.undo_conditions.contains(&Condition::GroupStands),
        Action::Operate { .. } => false,
    }
}
