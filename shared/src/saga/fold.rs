//! From a journal to the state of a rollout. An event that can't follow is an error: the journal is then not trusted.

use super::event::{Actor, End, Entry, Event, Found, ParkReason, Scope, UnwindCause};
use super::turn::Turns;
use crate::ids::{Attempt, Digest, Epoch, MemberName, RolloutId, Seq, StepId};
use crate::plan::{Plan, Step};
use crate::receipt::{Failure, Outcome};
use std::sync::Arc;

/// Where one step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepStatus {
    /// Never begun, or undone again.
    Pending,
    /// Durable intent, outcome not known.
    Intended,
    Done {
        epoch: Epoch,
        generation: u32,
    },
    Failed {
        failure: Failure,
        generation: u32,
    },
    UndoIntended,
    UndoFailed {
        failure: Failure,
        generation: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    pub status: StepStatus,
    /// The latest try, forward or back; 0 when there was none.
    pub attempt: Attempt,
    pub intended_unix_ms: Option<i64>,
    pub resolved_unix_ms: Option<i64>,
    pub undone: bool,
    /// A try has ended that may have left something of the step in the world, and nothing has undone it since. What the step
    /// expects before it is first begun can't be asked for then.
    pub half_done: bool,
    /// It has been done, and not been undone since.
    pub was_done: bool,
    /// The generation in which the latest try ended.
    pub ended_in: u32,
    /// The entry that says how the latest try ended: which of two steps ended later.
    pub ended: Seq,
}

/// Which way a rollout is going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    Forward,
    Unwinding { scope: Scope, cause: UnwindCause },
    Closed { end: End },
    Finalizing { end: End },
    Finalized { end: End },
}

/// The state of a rollout, all of it read from its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub id: RolloutId,
    /// Shared: a rollout is copied before every entry.
    pub plan: Arc<Plan>,
    /// [`Plan::digest`], which costs too much to be reckoned at every look.
    pub plan_digest: Digest,
    pub created_by: Actor,
    pub created_unix_ms: i64,
    pub next_seq: Seq,
    pub phase: Phase,
    pub parked: Option<ParkReason>,
    pub pivot_approved: Option<Actor>,
    pub pivot_crossed: bool,
    /// The gate that is asked again although it has been passed, since a person has approved in the meantime.
    pub gate_due: Option<StepId>,
    /// Counts resumptions: what was judged before one is judged again after it.
    pub generation: u32,
    /// The step that could not be ended, or not even be begun, when a person last resumed.
    pub stopped_at: Option<StepId>,
    pub last_unix_ms: i64,
    pub turns: Turns,
    steps: Vec<StepRecord>,
    /// Nothing but what was recovered has followed the creation.
    recovering: bool,
}

/// A journal entry that can't follow what came before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal of rollout {rollout}, entry {seq}: {why}")]
pub struct IllegalEvent {
    pub rollout: RolloutId,
    pub seq: Seq,
    pub why: String,
}

impl Rollout {
    /// Begins from the first entry, which must be [`Event::RolloutCreated`] for exactly this plan.
    pub fn begin(plan: Plan, entry: &Entry) -> Result<Self, IllegalEvent> {
        let wrong = |why: String| IllegalEvent {
            rollout: entry.rollout.clone(),
            seq: entry.seq,
            why,
        };
        let Event::RolloutCreated {
            cluster,
            plan: digest,
            by,
        } = &entry.event
        else {
            return Err(wrong("a journal begins with RolloutCreated".to_owned()));
        };
        let actual: Digest = plan.digest();
        if actual != *digest {
            return Err(wrong(format!(
                "made from plan {digest}, but the stored plan is {actual}"
            )));
        }
        if plan.cluster != *cluster || entry.seq != Seq(0) {
            return Err(wrong("the first entry does not fit its plan".to_owned()));
        }
        let fresh = StepRecord {
            status: StepStatus::Pending,
            attempt: Attempt(0),
            intended_unix_ms: None,
            resolved_unix_ms: None,
            undone: false,
            half_done: false,
            was_done: false,
            ended_in: 0,
            ended: Seq(0),
        };
        let steps = vec![fresh; plan.steps().count()];
        Ok(Self {
            id: entry.rollout.clone(),
            plan: Arc::new(plan),
            plan_digest: actual,
            created_by: by.clone(),
            created_unix_ms: entry.at_unix_ms,
            next_seq: Seq(1),
            phase: Phase::Forward,
            parked: None,
            pivot_approved: None,
            pivot_crossed: false,
            gate_due: None,
            generation: 0,
            stopped_at: None,
            last_unix_ms: entry.at_unix_ms,
            turns: Turns::created(),
            steps,
            recovering: true,
        })
    }

    /// Folds a whole journal.
    pub fn fold(plan: Plan, entries: &[Entry]) -> Result<Self, IllegalEvent> {
        let first = entries.first().ok_or_else(|| IllegalEvent {
            rollout: RolloutId::new("none").expect("a literal that fits the grammar"),
            seq: Seq(0),
            why: "the journal is empty".to_owned(),
        })?;
        entries[1..]
            .iter()
            .try_fold(Self::begin(plan, first)?, |mut rollout, entry| {
                rollout.apply(entry)?;
                Ok(rollout)
            })
    }

    pub fn record(&self, id: StepId) -> &StepRecord {
        &self.steps[usize::from(id.0)]
    }

    /// When the gate that was passed last was begun, milliseconds since 1970; the creation, when none was.
    pub fn last_gate_unix_ms(&self) -> i64 {
        let gates = self.plan.steps().filter(|step| step.is_gate());
        gates
            .map(|gate| self.record(gate.id))
            .filter(|record| matches!(record.status, StepStatus::Done { .. }))
            .filter_map(|record| record.intended_unix_ms)
            .max()
            .unwrap_or(self.created_unix_ms)
    }

    pub fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// At rest: nothing more happens unless a person acts.
    pub fn at_rest(&self) -> bool {
        self.is_parked() || matches!(self.phase, Phase::Closed { .. } | Phase::Finalized { .. })
    }

    pub fn is_closed(&self) -> bool {
        matches!(
            self.phase,
            Phase::Closed { .. } | Phase::Finalizing { .. } | Phase::Finalized { .. }
        )
    }

    pub fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Closed { end } | Phase::Finalizing { end } | Phase::Finalized { end } => {
                Some(end)
            }
            Phase::Forward | Phase::Unwinding { .. } => None,
        }
    }

    /// Whether going back is possible now; `Err` says why not.
    pub fn may_unwind(&self) -> Result<(), String> {
        if self.pivot_crossed {
            let why = self
                .plan
                .pivot
                .as_ref()
                .map_or("", |pivot| pivot.why.as_str());
            return Err(format!("the pivot has been crossed: {why}"));
        }
        match &self.phase {
            Phase::Forward
            | Phase::Unwinding {
                scope: Scope::Lane { .. },
                ..
            } => Ok(()),
            Phase::Closed { end: End::Upgraded } => Ok(()),
            Phase::Unwinding {
                scope: Scope::All, ..
            } => Err("it is being unwound already".to_owned()),
            Phase::Closed { end } => Err(format!("it has ended: {end}")),
            Phase::Finalizing { .. } | Phase::Finalized { .. } => {
                Err("it has been finalized: the snapshots are gone".to_owned())
            }
        }
    }

    /// Takes the next entry. The one place where a rollout changes.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), IllegalEvent> {
        let wrong = |why: String| IllegalEvent {
            rollout: entry.rollout.clone(),
            seq: entry.seq,
            why,
        };
        if entry.rollout != self.id || entry.seq != self.next_seq {
            return Err(wrong(format!(
                "expected entry {} of {}",
                self.next_seq, self.id
            )));
        }
        let before = self.choices();
        self.take(&entry.event, entry.epoch, entry.at_unix_ms)
            .map_err(wrong)?;
        let changed = self.choices() != before;
        self.turns.take(entry, changed);
        self.recovering &= matches!(entry.event, Event::Recovered { .. });
        self.next_seq = self.next_seq.next();
        self.last_unix_ms = entry.at_unix_ms;
        Ok(())
    }

    fn take(&mut self, event: &Event, epoch: Epoch, at: i64) -> Result<(), String> {
        match event {
            Event::RolloutCreated { .. } => return Err("a rollout is created once".to_owned()),
            Event::StepIntended { step, attempt } => {
                if self.is_parked()
                    || !matches!(self.phase, Phase::Forward | Phase::Finalizing { .. })
                {
                    return Err(format!(
                        "{step} is intended while the rollout is not going forward"
                    ));
                }
                let pivot = self.plan.pivot.as_ref();
                let is_pivot = pivot.is_some_and(|pivot| pivot.step == *step);
                let is_asked = pivot.is_some_and(|pivot| pivot.asked_at() == *step);
                if (is_pivot || is_asked) && self.pivot_approved.is_none() {
                    return Err(format!("{step} is the pivot and has not been approved"));
                }
                self.change(*step, *attempt, StepChange::Intended, at)?;
                self.gate_due = self.gate_due.filter(|gate| gate != step);
                self.pivot_crossed |= is_pivot;
            }
            Event::StepResolved {
                step,
                attempt,
                outcome,
            } => {
                let generation = self.generation;
                let change = match outcome {
                    Outcome::Done { .. } => {
                        StepChange::Done(StepStatus::Done { epoch, generation })
                    }
                    Outcome::Failed(failure) => StepChange::Failed(StepStatus::Failed {
                        failure: failure.clone(),
                        generation,
                    }),
                };
                self.change(*step, *attempt, change, at)?;
            }
            Event::UnwindDecided { cause, scope } => {
                self.may_unwind()?;
                self.phase = Phase::Unwinding {
                    scope: scope.clone(),
                    cause: cause.clone(),
                };
                self.parked = None;
            }
            Event::UndoIntended { step, attempt } => {
                if self.is_parked() || !matches!(self.phase, Phase::Unwinding { .. }) {
                    return Err(format!(
                        "{step} is to be undone while the rollout is not unwinding"
                    ));
                }
                self.change(*step, *attempt, StepChange::UndoIntended, at)?;
            }
            Event::UndoResolved {
                step,
                attempt,
                outcome,
            } => {
                let change = match outcome {
                    Outcome::Done { .. } => StepChange::Undone,
                    Outcome::Failed(failure) => StepChange::UndoFailed(StepStatus::UndoFailed {
                        failure: failure.clone(),
                        generation: self.generation,
                    }),
                };
                self.change(*step, *attempt, change, at)?;
            }
            Event::PivotApproved { by } => {
                let Some(pivot) = &self.plan.pivot else {
                    return Err("the plan has no pivot".to_owned());
                };
                // What the gate saw was seen before the person thought about it, hours ago perhaps.
                self.gate_due = self.plan.gate_before(pivot.asked_at()).map(|gate| gate.id);
                self.pivot_approved = Some(by.clone());
            }
            Event::Parked { reason } => {
                if self.is_parked()
                    || matches!(self.phase, Phase::Closed { .. } | Phase::Finalized { .. })
                {
                    return Err("it is at rest already".to_owned());
                }
                if matches!(reason, ParkReason::MemberRestored { .. }) {
                    if !matches!(
                        self.phase,
                        Phase::Unwinding {
                            scope: Scope::Lane { .. },
                            ..
                        }
                    ) {
                        return Err("no member was being put back".to_owned());
                    }
                    self.phase = Phase::Forward;
                }
                self.parked = Some(reason.clone());
            }
            Event::Resumed { .. } => {
                let Some(reason) = self.parked.take() else {
                    return Err("it is not parked".to_owned());
                };
                self.stopped_at = match reason {
                    ParkReason::StepFailed { step, .. } => Some(step),
                    ParkReason::Operator { .. }
                    | ParkReason::MemberRestored { .. }
                    | ParkReason::UndoFailed { .. }
                    | ParkReason::OutcomeUnknown { .. }
                    | ParkReason::Rebuilt { .. } => None,
                };
                self.generation += 1;
            }
            Event::RolloutClosed { end } => {
                let fits = match (&self.phase, end) {
                    (Phase::Forward, End::Upgraded) => !self.is_parked(),
                    (
                        Phase::Unwinding {
                            scope: Scope::All, ..
                        },
                        End::Restored,
                    ) => !self.is_parked(),
                    (Phase::Forward | Phase::Unwinding { .. }, End::Abandoned { .. }) => true,
                    _ => false,
                };
                if !fits {
                    return Err(format!("it can't end as {end} now"));
                }
                self.parked = None;
                self.phase = Phase::Closed { end: end.clone() };
            }
            Event::FinalizeDecided { .. } => match &self.phase {
                Phase::Closed { end } => self.phase = Phase::Finalizing { end: end.clone() },
                _ => return Err("only a rollout that has ended can be finalized".to_owned()),
            },
            Event::Finalized => match &self.phase {
                Phase::Finalizing { end } => self.phase = Phase::Finalized { end: end.clone() },
                _ => return Err("it was not being finalized".to_owned()),
            },
            Event::Recovered {
                step,
                attempt,
                found,
            } => self.recover(*step, *attempt, found, at)?,
        }
        Ok(())
    }

    /// Puts a step where its agent remembers it. What was passed or judged before the journal was lost counts for no
    /// incarnation, so it is judged again.
    fn recover(
        &mut self,
        id: StepId,
        attempt: Attempt,
        found: &Found,
        at: i64,
    ) -> Result<(), String> {
        if !self.recovering {
            return Err(format!(
                "{id} is recovered where the rollout has gone on already"
            ));
        }
        let finalizes = self
            .plan
            .finalize
            .lanes
            .iter()
            .flat_map(|lane| &lane.steps)
            .any(|step| step.id == id);
        if finalizes && !matches!(self.phase, Phase::Finalizing { .. }) {
            let end = self.end_before_finalizing();
            self.phase = Phase::Finalizing { end };
        }
        let record = self
            .steps
            .get_mut(usize::from(id.0))
            .ok_or_else(|| format!("the plan has no step {id}"))?;
        if record.attempt != Attempt(0) || attempt == Attempt(0) {
            return Err(format!(
                "{id} is recovered with attempt {attempt} behind {}",
                record.attempt
            ));
        }
        let (epoch, generation) = (Epoch(0), 0);
        let (status, half_done) = match found {
            Found::Open => (StepStatus::Intended, true),
            Found::Done => (StepStatus::Done { epoch, generation }, true),
            Found::Failed(failure) => (
                StepStatus::Failed {
                    failure: failure.clone(),
                    generation,
                },
                failure.partial,
            ),
            Found::UndoOpen => (StepStatus::UndoIntended, true),
            Found::Undone => (StepStatus::Pending, false),
            Found::UndoFailed(failure) => (
                StepStatus::UndoFailed {
                    failure: failure.clone(),
                    generation,
                },
                true,
            ),
        };
        *record = StepRecord {
            undone: *found == Found::Undone,
            status,
            attempt,
            intended_unix_ms: Some(at),
            resolved_unix_ms: None,
            half_done,
            was_done: *found == Found::Done,
            ended_in: generation,
            ended: self.next_seq,
        };
        let is_pivot = self
            .plan
            .pivot
            .as_ref()
            .is_some_and(|pivot| pivot.step == id);
        if is_pivot {
            self.pivot_crossed = true;
            self.pivot_approved = Some(Actor::policy("the agent remembers that it was begun"));
        }
        Ok(())
    }

    /// How a rollout that was being finalized had ended, as far as its steps tell.
    fn end_before_finalizing(&self) -> End {
        let stages = self.plan.stages.iter();
        let mut operations = stages
            .flat_map(|stage| &stage.lanes)
            .flat_map(|lane| &lane.steps)
            .filter(|step| step.operation().is_some())
            .map(|step| &self.record(step.id).status)
            .peekable();
        if operations
            .clone()
            .all(|status| matches!(status, StepStatus::Done { .. }))
            && operations.peek().is_some()
        {
            End::Upgraded
        } else if operations.all(|status| *status == StepStatus::Pending) {
            End::Restored
        } else {
            let by = Actor {
                name: "unknown".to_owned(),
                reason: "the journal was lost".to_owned(),
            };
            End::Abandoned { by }
        }
    }

    fn change(
        &mut self,
        id: StepId,
        attempt: Attempt,
        change: StepChange,
        at: i64,
    ) -> Result<(), String> {
        let record = self
            .steps
            .get_mut(usize::from(id.0))
            .ok_or_else(|| format!("the plan has no step {id}"))?;
        let opens = matches!(change, StepChange::Intended | StepChange::UndoIntended);
        let expected = if opens {
            record.attempt.next()
        } else {
            record.attempt
        };
        if attempt != expected {
            return Err(format!("{id}: attempt {attempt} where {expected} is due"));
        }
        let undone = matches!(change, StepChange::Undone);
        match &change {
            StepChange::Done(_) => {
                record.half_done = true;
                record.was_done = true;
            }
            StepChange::Failed(StepStatus::Failed { failure, .. }) => {
                record.half_done |= failure.partial;
            }
            StepChange::Undone => {
                record.half_done = false;
                record.was_done = false;
            }
            StepChange::Failed(_)
            | StepChange::Intended
            | StepChange::UndoIntended
            | StepChange::UndoFailed(_) => {}
        }
        record.status =
            next_status(&record.status, change).map_err(|why| format!("{id}: {why}"))?;
        record.attempt = attempt;
        record.undone = undone || (record.undone && !opens);
        if opens {
            record.intended_unix_ms = Some(at);
            record.resolved_unix_ms = None;
        } else {
            record.resolved_unix_ms = Some(at);
            record.ended_in = self.generation;
            record.ended = self.next_seq;
        }
        Ok(())
    }
}

/// What an event does to one step.
#[derive(Debug)]
enum StepChange {
    Intended,
    Done(StepStatus),
    Failed(StepStatus),
    UndoIntended,
    Undone,
    UndoFailed(StepStatus),
}

/// The transition function of a step: every legal change, and nothing else.
fn next_status(now: &StepStatus, change: StepChange) -> Result<StepStatus, String> {
    use StepStatus as S;
    match (now, change) {
        (S::Pending | S::Failed { .. }, StepChange::Intended) => Ok(S::Intended),
        // A gate is asked again after a crash or a pause, and what was done last may be done once again ([`super::again`]).
        (S::Done { .. }, StepChange::Intended) => Ok(S::Intended),
        (S::Intended, StepChange::Done(done)) => Ok(done),
        (S::Intended, StepChange::Failed(failed)) => Ok(failed),
        (
            // What never ran, or was undone, may be undone once again: every undo copes with that.
            S::Pending | S::Intended | S::Done { .. } | S::Failed { .. } | S::UndoFailed { .. },
            StepChange::UndoIntended,
        ) => Ok(S::UndoIntended),
        (S::UndoIntended, StepChange::Undone) => Ok(S::Pending),
        (S::UndoIntended, StepChange::UndoFailed(failed)) => Ok(failed),
        (now, change) => Err(format!("{change:?} can't follow {now:?}")),
    }
}

impl StepRecord {
    /// Something of the step may be in the world.
    pub fn is_owed(&self) -> bool {
        !matches!(self.status, StepStatus::Pending)
    }
    /// How long the latest try took, in milliseconds, where it has ended.
    pub fn took_ms(&self) -> Option<i64> {
        Some(self.resolved_unix_ms? - self.intended_unix_ms?)
    }
}

/// The member of a step, for messages.
pub(super) fn member_of(plan: &Plan, id: StepId) -> MemberName {
    let step: &Step = plan.step(id).expect("ids of records come from the plan");
    step.member.clone()
}
