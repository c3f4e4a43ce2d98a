//! Journal entries.

use super::ids::digest_bytes;
use super::{FromWire, InvalidMessage, Why, field, required, travels};
use crate::journal;
use refit_shared::ids::{Attempt, StepId};
use refit_shared::receipt::Outcome;
use refit_shared::saga::{Entry, Event, Found};

travels! {
    journal::Entry => Entry, "entry";
    journal::Event => Event, "event";
}

impl FromWire<journal::Entry> for Entry {
    fn from_wire(entry: journal::Entry) -> Result<Self, InvalidMessage> {
        let journal::Entry {
            rollout,
            seq,
            epoch,
            at_unix_ms,
            event,
        } = entry;
        Ok(Self {
            rollout: field("rollout", rollout)?,
            seq: field("seq", seq)?,
            epoch: field("epoch", epoch)?,
            at_unix_ms,
            event: required("event", event)?,
        })
    }
}

impl From<Entry> for journal::Entry {
    fn from(entry: Entry) -> Self {
        let Entry {
            rollout,
            seq,
            epoch,
            at_unix_ms,
            event,
        } = entry;
        Self {
            rollout: rollout.into(),
            seq: seq.0,
            epoch: epoch.0,
            at_unix_ms,
            event: Some(event.into()),
        }
    }
}

impl FromWire<journal::Event> for Event {
    fn from_wire(event: journal::Event) -> Result<Self, InvalidMessage> {
        use journal::event::Event as Choice;
        match event
            .event
            .ok_or_else(|| InvalidMessage::here(Why::Missing))?
        {
            Choice::RolloutCreated(created) => field("rollout_created", created),
            Choice::StepIntended(intent) => {
                let Tried { step, attempt } = field("step_intended", intent)?;
                Ok(Event::StepIntended { step, attempt })
            }
            Choice::StepResolved(resolution) => {
                let (Tried { step, attempt }, outcome) = field("step_resolved", resolution)?;
                Ok(Event::StepResolved {
                    step,
                    attempt,
                    outcome,
                })
            }
            Choice::UnwindDecided(decided) => field("unwind_decided", decided),
            Choice::UndoIntended(intent) => {
                let Tried { step, attempt } = field("undo_intended", intent)?;
                Ok(Event::UndoIntended { step, attempt })
            }
            Choice::UndoResolved(resolution) => {
                let (Tried { step, attempt }, outcome) = field("undo_resolved", resolution)?;
                Ok(Event::UndoResolved {
                    step,
                    attempt,
                    outcome,
                })
            }
            Choice::PivotApproved(journal::PivotApproved { by }) => {
                let by = required("pivot_approved.by", by)?;
                Ok(Event::PivotApproved { by })
            }
            Choice::Parked(journal::Parked { reason }) => {
                let reason = required("parked.reason", reason)?;
                Ok(Event::Parked { reason })
            }
            Choice::Resumed(journal::Resumed { by }) => {
                let by = required("resumed.by", by)?;
                Ok(Event::Resumed { by })
            }
            Choice::RolloutClosed(journal::RolloutClosed { end }) => {
                let end = required("rollout_closed.end", end)?;
                Ok(Event::RolloutClosed { end })
            }
            Choice::FinalizeDecided(journal::FinalizeDecided { by }) => {
                let by = required("finalize_decided.by", by)?;
                Ok(Event::FinalizeDecided { by })
            }
            Choice::Finalized(journal::Finalized {}) => Ok(Event::Finalized),
            Choice::Recovered(recovered) => field("recovered", recovered),
        }
    }
}

impl From<Event> for journal::Event {
    fn from(event: Event) -> Self {
        use journal::event::Event as Choice;
        let choice = match event {
            Event::RolloutCreated { cluster, plan, by } => {
                Choice::RolloutCreated(journal::RolloutCreated {
                    cluster: cluster.into(),
                    plan: digest_bytes(plan),
                    by: Some(by.into()),
                })
            }
            Event::StepIntended { step, attempt } => Choice::StepIntended(intent(step, attempt)),
            Event::StepResolved {
                step,
                attempt,
                outcome,
            } => Choice::StepResolved(resolution(step, attempt, outcome)),
            Event::UnwindDecided { cause, scope } => {
                Choice::UnwindDecided(journal::UnwindDecided {
                    cause: Some(cause.into()),
                    scope: Some(scope.into()),
                })
            }
            Event::UndoIntended { step, attempt } => Choice::UndoIntended(intent(step, attempt)),
            Event::UndoResolved {
                step,
                attempt,
                outcome,
            } => Choice::UndoResolved(resolution(step, attempt, outcome)),
            Event::PivotApproved { by } => Choice::PivotApproved(journal::PivotApproved {
                by: Some(by.into()),
            }),
            Event::Parked { reason } => Choice::Parked(journal::Parked {
                reason: Some(reason.into()),
            }),
            Event::Resumed { by } => Choice::Resumed(journal::Resumed {
                by: Some(by.into()),
            }),
            Event::RolloutClosed { end } => Choice::RolloutClosed(journal::RolloutClosed {
                end: Some(end.into()),
            }),
            Event::FinalizeDecided { by } => Choice::FinalizeDecided(journal::FinalizeDecided {
                by: Some(by.into()),
            }),
            Event::Finalized => Choice::Finalized(journal::Finalized {}),
            Event::Recovered {
                step,
                attempt,
                found,
            } => Choice::Recovered(journal::Recovered {
                step: step.0.into(),
                attempt: attempt.0,
                found: Some(found.into()),
            }),
        };
        Self {
            event: Some(choice),
        }
    }
}

impl FromWire<journal::RolloutCreated> for Event {
    fn from_wire(created: journal::RolloutCreated) -> Result<Self, InvalidMessage> {
        let journal::RolloutCreated { cluster, plan, by } = created;
        Ok(Event::RolloutCreated {
            cluster: field("cluster", cluster)?,
            plan: field("plan", plan)?,
            by: required("by", by)?,
        })
    }
}

impl FromWire<journal::Recovered> for Event {
    fn from_wire(recovered: journal::Recovered) -> Result<Self, InvalidMessage> {
        use journal::recovered::{Done, Found as Choice, Open};
        let journal::Recovered {
            step,
            attempt,
            found,
        } = recovered;
        let found = match found.ok_or_else(|| InvalidMessage::here(Why::Missing))? {
            Choice::Open(Open {}) => Found::Open,
            Choice::Done(Done {}) => Found::Done,
            Choice::Failed(failure) => Found::Failed(field("failed", failure)?),
            Choice::UndoOpen(Open {}) => Found::UndoOpen,
            Choice::Undone(Done {}) => Found::Undone,
            Choice::UndoFailed(failure) => Found::UndoFailed(field("undo_failed", failure)?),
        };
        Ok(Event::Recovered {
            step: field("step", step)?,
            attempt: field("attempt", attempt)?,
            found,
        })
    }
}

impl From<Found> for journal::recovered::Found {
    fn from(found: Found) -> Self {
        use journal::recovered::{Done, Open};
        match found {
            Found::Open => Self::Open(Open {}),
            Found::Done => Self::Done(Done {}),
            Found::Failed(failure) => Self::Failed(failure.into()),
            Found::UndoOpen => Self::UndoOpen(Open {}),
            Found::Undone => Self::Undone(Done {}),
            Found::UndoFailed(failure) => Self::UndoFailed(failure.into()),
        }
    }
}

impl FromWire<journal::UnwindDecided> for Event {
    fn from_wire(decided: journal::UnwindDecided) -> Result<Self, InvalidMessage> {
        let journal::UnwindDecided { cause, scope } = decided;
        Ok(Event::UnwindDecided {
            cause: required("cause", cause)?,
            scope: required("scope", scope)?,
        })
    }
}

/// Which try at which step an intent or a resolution is about.
struct Tried {
    step: StepId,
    attempt: Attempt,
}

impl FromWire<journal::Intent> for Tried {
    fn from_wire(intent: journal::Intent) -> Result<Self, InvalidMessage> {
        let journal::Intent { step, attempt } = intent;
        Ok(Tried {
            step: field("step", step)?,
            attempt: field("attempt", attempt)?,
        })
    }
}

impl FromWire<journal::Resolution> for (Tried, Outcome) {
    fn from_wire(resolution: journal::Resolution) -> Result<Self, InvalidMessage> {
        let journal::Resolution {
            step,
            attempt,
            outcome,
        } = resolution;
        let tried = Tried::from_wire(journal::Intent { step, attempt })?;
        Ok((tried, required("outcome", outcome)?))
    }
}

fn intent(step: StepId, attempt: Attempt) -> journal::Intent {
    journal::Intent {
        step: step.0.into(),
        attempt: attempt.0,
    }
}

fn resolution(step: StepId, attempt: Attempt, outcome: Outcome) -> journal::Resolution {
    journal::Resolution {
        step: step.0.into(),
        attempt: attempt.0,
        outcome: Some(outcome.into()),
    }
}
