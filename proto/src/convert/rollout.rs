//! Who did something to a rollout, why it was unwound or parked, and how it ended: what the journal and the operator API
//! both speak of.

use super::{FromWire, InvalidMessage, Why, field, required, travels};
use crate::common as wire;
use refit_shared::ids::{MemberName, StepId};
use refit_shared::receipt::Failure;
use refit_shared::saga::{Actor, End, ParkReason, Scope, UnwindCause};

travels! {
    wire::Actor => Actor, "actor";
    wire::UnwindCause => UnwindCause, "unwind_cause";
    wire::Scope => Scope, "scope";
    wire::ParkReason => ParkReason, "park_reason";
    wire::End => End, "end";
}

impl FromWire<wire::Actor> for Actor {
    fn from_wire(actor: wire::Actor) -> Result<Self, InvalidMessage> {
        let wire::Actor { name, reason } = actor;
        Ok(Self { name, reason })
    }
}

impl From<Actor> for wire::Actor {
    fn from(actor: Actor) -> Self {
        let Actor { name, reason } = actor;
        Self { name, reason }
    }
}

impl FromWire<wire::UnwindCause> for UnwindCause {
    fn from_wire(cause: wire::UnwindCause) -> Result<Self, InvalidMessage> {
        use wire::unwind_cause::{ByFailedStep, ByOperator, Cause};
        match cause.cause {
            Some(Cause::Operator(ByOperator { by })) => Ok(Self::Operator {
                by: required("operator.by", by)?,
            }),
            Some(Cause::StepFailed(ByFailedStep { step, failure })) => Ok(Self::StepFailed {
                step: field("step_failed.step", step)?,
                failure: required("step_failed.failure", failure)?,
            }),
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

impl From<UnwindCause> for wire::UnwindCause {
    fn from(cause: UnwindCause) -> Self {
        use wire::unwind_cause::{ByFailedStep, ByOperator, Cause};
        let cause = match cause {
            UnwindCause::Operator { by } => Cause::Operator(ByOperator {
                by: Some(by.into()),
            }),
            UnwindCause::StepFailed { step, failure } => Cause::StepFailed(ByFailedStep {
                step: step.0.into(),
                failure: Some(failure.into()),
            }),
        };
        Self { cause: Some(cause) }
    }
}

impl FromWire<wire::Scope> for Scope {
    fn from_wire(scope: wire::Scope) -> Result<Self, InvalidMessage> {
        use wire::scope::{All, Lane, Scope as Choice};
        match scope.scope {
            Some(Choice::All(All {})) => Ok(Self::All),
            Some(Choice::Lane(Lane {
                stage,
                lane,
                member,
            })) => Ok(Self::Lane {
                stage: field("lane.stage", stage)?,
                lane: field("lane.lane", lane)?,
                member: field("lane.member", member)?,
            }),
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

impl From<Scope> for wire::Scope {
    fn from(scope: Scope) -> Self {
        use wire::scope::{All, Lane, Scope as Choice};
        let scope = match scope {
            Scope::All => Choice::All(All {}),
            Scope::Lane {
                stage,
                lane,
                member,
            } => Choice::Lane(Lane {
                // A usize has at most 64 bits on every machine that Rust knows.
                stage: stage as u64,
                lane: lane as u64,
                member: member.into(),
            }),
        };
        Self { scope: Some(scope) }
    }
}

impl FromWire<wire::ParkReason> for ParkReason {
    fn from_wire(reason: wire::ParkReason) -> Result<Self, InvalidMessage> {
        use wire::park_reason::{ByOperator, OutcomeUnknown, Reason, Rebuilt};
        match reason.reason {
            Some(Reason::Operator(ByOperator { by })) => Ok(Self::Operator {
                by: required("operator.by", by)?,
            }),
            Some(Reason::StepFailed(failed)) => {
                let (step, member, failure) = field("step_failed", failed)?;
                Ok(Self::StepFailed {
                    step,
                    member,
                    failure,
                })
            }
            Some(Reason::MemberRestored(failed)) => {
                let (step, member, failure) = field("member_restored", failed)?;
                Ok(Self::MemberRestored {
                    step,
                    member,
                    failure,
                })
            }
            Some(Reason::UndoFailed(failed)) => {
                let (step, member, failure) = field("undo_failed", failed)?;
                Ok(Self::UndoFailed {
                    step,
                    member,
                    failure,
                })
            }
            Some(Reason::OutcomeUnknown(OutcomeUnknown { step, member, why })) => {
                Ok(Self::OutcomeUnknown {
                    step: field("outcome_unknown.step", step)?,
                    member: field("outcome_unknown.member", member)?,
                    why,
                })
            }
            Some(Reason::Rebuilt(Rebuilt { by, unknown })) => Ok(Self::Rebuilt {
                by: required("rebuilt.by", by)?,
                unknown,
            }),
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

impl FromWire<wire::park_reason::Failed> for (StepId, MemberName, Failure) {
    fn from_wire(failed: wire::park_reason::Failed) -> Result<Self, InvalidMessage> {
        let wire::park_reason::Failed {
            step,
            member,
            failure,
        } = failed;
        Ok((
            field("step", step)?,
            field("member", member)?,
            required("failure", failure)?,
        ))
    }
}

impl From<ParkReason> for wire::ParkReason {
    fn from(reason: ParkReason) -> Self {
        use wire::park_reason::{ByOperator, Failed, OutcomeUnknown, Reason, Rebuilt};
        let failed = |step: StepId, member: MemberName, failure: Failure| Failed {
            step: step.0.into(),
            member: member.into(),
            failure: Some(failure.into()),
        };
        let reason = match reason {
            ParkReason::Operator { by } => Reason::Operator(ByOperator {
                by: Some(by.into()),
            }),
            ParkReason::StepFailed {
                step,
                member,
                failure,
            } => Reason::StepFailed(failed(step, member, failure)),
            ParkReason::MemberRestored {
                step,
                member,
                failure,
            } => Reason::MemberRestored(failed(step, member, failure)),
            ParkReason::UndoFailed {
                step,
                member,
                failure,
            } => Reason::UndoFailed(failed(step, member, failure)),
            ParkReason::OutcomeUnknown { step, member, why } => {
                Reason::OutcomeUnknown(OutcomeUnknown {
                    step: step.0.into(),
                    member: member.into(),
                    why,
                })
            }
            ParkReason::Rebuilt { by, unknown } => Reason::Rebuilt(Rebuilt {
                by: Some(by.into()),
                unknown,
            }),
        };
        Self {
            reason: Some(reason),
        }
    }
}

impl FromWire<wire::End> for End {
    fn from_wire(end: wire::End) -> Result<Self, InvalidMessage> {
        use wire::end::{Abandoned, End as Choice, Restored, Upgraded};
        match end.end {
            Some(Choice::Upgraded(Upgraded {})) => Ok(Self::Upgraded),
            Some(Choice::Restored(Restored {})) => Ok(Self::Restored),
            Some(Choice::Abandoned(Abandoned { by })) => Ok(Self::Abandoned {
                by: required("abandoned.by", by)?,
            }),
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

impl From<End> for wire::End {
    fn from(end: End) -> Self {
        use wire::end::{Abandoned, End as Choice, Restored, Upgraded};
        let end = match end {
            End::Upgraded => Choice::Upgraded(Upgraded {}),
            End::Restored => Choice::Restored(Restored {}),
            End::Abandoned { by } => Choice::Abandoned(Abandoned {
                by: Some(by.into()),
            }),
        };
        Self { end: Some(end) }
    }
}
