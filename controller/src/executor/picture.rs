//! The picture of a rollout that people see, made from its state, its journal's notes and what is in flight.

use crate::rollouts::{
    InFlight, NextCommand, RolloutView, State, StepState, StepView, Summary, Writes,
};
use refit_shared::ids::{Epoch, StepId};
use refit_shared::plan::{Stage, Step};
use refit_shared::receipt::Outcome;
use refit_shared::saga::{Entry, Event, Next, Phase, Rollout, StepStatus, decide};
use std::collections::BTreeMap;

/// What the journal says beyond a rollout's state: notes of receipts, and the write gaps among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    notes: BTreeMap<StepId, Vec<String>>,
    gaps: BTreeMap<StepId, u64>,
    largest_gap_ms: u64,
}

const GAP_BEFORE: &str = "largest write gap ";
const GAP_BEHIND: &str = " ms";

/// The note that keeps a step's largest write gap in the journal.
pub(super) fn gap_note(ms: u64) -> String {
    format!("{GAP_BEFORE}{ms}{GAP_BEHIND}")
}

fn gap_of(note: &str) -> Option<u64> {
    note.strip_prefix(GAP_BEFORE)?
        .strip_suffix(GAP_BEHIND)?
        .parse()
        .ok()
}

impl Record {
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut record = Self::default();
        for entry in entries {
            record.take(&entry.event);
        }
        record
    }

    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::StepIntended { step, .. } | Event::UndoIntended { step, .. } => {
                self.notes.remove(step);
                self.gaps.remove(step);
            }
            Event::StepResolved { step, outcome, .. }
            | Event::UndoResolved { step, outcome, .. } => {
                let Outcome::Done { notes } = outcome else {
                    return;
                };
                let gap = notes.iter().find_map(|note| gap_of(note));
                if let Some(gap) = gap {
                    self.gap(*step, gap);
                }
                let others = notes.iter().filter(|note| gap_of(note).is_none());
                self.notes.insert(*step, others.cloned().collect());
            }
            Event::RolloutCreated { .. }
            | Event::UnwindDecided { .. }
            | Event::PivotApproved { .. }
            | Event::Parked { .. }
            | Event::Resumed { .. }
            | Event::RolloutClosed { .. }
            | Event::FinalizeDecided { .. }
            | Event::Finalized
            | Event::Recovered { .. } => {}
        }
    }

    /// Writes were watched during the step, and so long a gap was seen.
    pub(super) fn gap(&mut self, step: StepId, ms: u64) {
        if ms == 0 {
            return;
        }
        let largest = self.gaps.entry(step).or_default();
        *largest = ms.max(*largest);
        self.largest_gap_ms = self.largest_gap_ms.max(ms);
    }

    pub(super) fn gap_of(&self, step: StepId) -> Option<u64> {
        self.gaps.get(&step).copied()
    }

    pub(super) fn largest_gap_ms(&self) -> u64 {
        self.largest_gap_ms
    }
}

/// Draws the picture.
pub(crate) fn picture(
    rollout: &Rollout,
    epoch: Epoch,
    record: &Record,
    in_flight: &BTreeMap<StepId, InFlight>,
    writes: Writes,
) -> RolloutView {
    let state = state(rollout, epoch);
    let stages = rollout.plan.all_stages();
    let steps = stages.flat_map(|stage| steps(rollout, stage, record, in_flight));
    let waiting = in_flight.iter().filter(|(_, says)| says.waiting);
    let say = |(id, says): (&StepId, &InFlight)| {
        let member = rollout
            .plan
            .step(*id)
            .map_or("", |step| step.member.as_str());
        format!("{id} on {member}: {}", says.phase)
    };
    RolloutView {
        plan: rollout.plan_digest,
        strategy: rollout.plan.strategy.to_string(),
        versions_before: rollout
            .plan
            .made_from
            .members
            .iter()
            .map(|(name, member)| (name.clone(), member.version))
            .collect(),
        next_seq: rollout.next_seq,
        turn: rollout.turns.now(),
        pivot: rollout.plan.pivot.clone(),
        pivot_approved: rollout.pivot_approved.clone(),
        pivot_crossed: rollout.pivot_crossed,
        may_unwind: rollout.may_unwind(),
        steps: steps.collect(),
        writes,
        waiting_for: waiting.map(say).collect(),
        next_commands: next_commands(rollout, &state),
        estimate: rollout.plan.report.estimate,
        downtime: rollout.plan.report.downtime,
        summary: Summary {
            id: rollout.id.clone(),
            plan: rollout.plan_digest,
            cluster: rollout.plan.cluster.clone(),
            target: rollout.plan.target.version,
            state,
            created_by: rollout.created_by.clone(),
            created_unix_ms: rollout.created_unix_ms,
            last_unix_ms: rollout.last_unix_ms,
        },
    }
}

/// Where a rollout stands, as seen by a controller of this epoch.
pub(crate) fn state(rollout: &Rollout, epoch: Epoch) -> State {
    if let Some(reason) = &rollout.parked {
        return State::Parked {
            reason: reason.clone(),
        };
    }
    match &rollout.phase {
        Phase::Forward => match decide(rollout, epoch) {
            Next::AwaitApproval { step } => State::AwaitingApproval { step },
            Next::Run(_) | Next::Append(_) | Next::Rest => State::Running,
        },
        Phase::Unwinding { .. } => State::Unwinding,
        Phase::Finalizing { .. } => State::Finalizing,
        Phase::Closed { end } => State::Ended {
            end: end.clone(),
            finalized: false,
        },
        Phase::Finalized { end } => State::Ended {
            end: end.clone(),
            finalized: true,
        },
    }
}

fn steps<'a>(
    rollout: &'a Rollout,
    stage: &'a Stage,
    record: &'a Record,
    in_flight: &'a BTreeMap<StepId, InFlight>,
) -> impl Iterator<Item = StepView> + 'a {
    let all = stage.lanes.iter().flat_map(|lane| &lane.steps);
    all.map(move |step| view(rollout, stage, step, record, in_flight))
}

fn view(
    rollout: &Rollout,
    stage: &Stage,
    step: &Step,
    record: &Record,
    in_flight: &BTreeMap<StepId, InFlight>,
) -> StepView {
    let now = rollout.record(step.id);
    let status = match &now.status {
        StepStatus::Pending if now.undone => StepState::Undone,
        StepStatus::Pending => StepState::Pending,
        StepStatus::Intended => StepState::Running,
        StepStatus::Done { .. } => StepState::Done,
        StepStatus::Failed { failure, .. } => StepState::Failed(failure.clone()),
        StepStatus::UndoIntended => StepState::Undoing,
        StepStatus::UndoFailed { failure, .. } => StepState::UndoFailed(failure.clone()),
    };
    StepView {
        id: step.id,
        member: step.member.clone(),
        stage: stage.title.clone(),
        title: step.title(),
        why: step.why.clone(),
        reversibility: step.reversibility,
        estimate: step.estimate.seconds,
        status,
        attempt: now.attempt,
        in_flight: in_flight.get(&step.id).cloned(),
        intended_unix_ms: now.intended_unix_ms,
        took_ms: now.took_ms().map(|ms| u64::try_from(ms).unwrap_or(0)),
        notes: record.notes.get(&step.id).cloned().unwrap_or_default(),
        largest_write_gap_ms: record.gap_of(step.id),
    }
}

/// What is safe to type next.
fn next_commands(rollout: &Rollout, state: &State) -> Vec<NextCommand> {
    let id = &rollout.id;
    let mut commands = Vec::new();
    let mut offer = |verb: &str, effect: &str| {
        commands.push(NextCommand {
            command: format!("refit {verb} {id}"),
            effect: effect.to_owned(),
        });
    };
    let may_unwind = rollout.may_unwind().is_ok();
    let unwind = "bring every touched member back as it was";
    match state {
        State::Running | State::Unwinding | State::Finalizing => {
            offer("watch", "follow it");
            offer(
                "pause",
                "begin nothing more; what has been begun is finished",
            );
            if may_unwind {
                offer("unwind", unwind);
            }
        }
        State::AwaitingApproval { .. } => {
            offer(
                "approve",
                "go past the pivot; there is no unwind from there",
            );
            if may_unwind {
                offer("unwind", unwind);
            }
        }
        State::Parked { .. } => {
            offer("resume", "look again and go on");
            if may_unwind {
                offer("unwind", unwind);
            }
            offer(
                "cancel",
                "give the rollout up and leave every host as it is now",
            );
        }
        State::Ended {
            finalized: false, ..
        } => {
            if may_unwind {
                offer("unwind", unwind);
            }
            offer(
                "finalize",
                "delete the snapshots and caches; there is no unwind from there",
            );
        }
        State::Ended {
            finalized: true, ..
        } => {}
    }
    commands
}
