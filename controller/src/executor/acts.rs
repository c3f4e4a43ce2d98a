//! What a person may do to a rollout now, and the event that it becomes.

use super::Act;
use refit_shared::saga::{
    Actor, End, Event, ParkReason, Phase, Rollout, Scope, StepStatus, UnwindCause,
};

/// The event of an act; `Err` says why it is not possible now. What the journal's own rules forbid is left to them.
pub(super) fn event_of(rollout: &Rollout, act: Act, by: Actor) -> Result<Event, String> {
    match act {
        Act::Pause if rollout.at_rest() => Err("it is at rest already".to_owned()),
        Act::Pause => Ok(Event::Parked {
            reason: ParkReason::Operator { by },
        }),
        Act::Resume => Ok(Event::Resumed { by }),
        Act::Approve => may_approve(rollout).map(|()| Event::PivotApproved { by }),
        Act::Unwind => rollout.may_unwind().map(|()| Event::UnwindDecided {
            cause: UnwindCause::Operator { by },
            scope: Scope::All,
        }),
        Act::Cancel => Ok(Event::RolloutClosed {
            end: End::Abandoned { by },
        }),
        Act::Finalize => Ok(Event::FinalizeDecided { by }),
    }
}

/// A person approves what they can see: the operations up to the pivot must have been done. Gates between here and the pivot
/// still hold it back.
fn may_approve(rollout: &Rollout) -> Result<(), String> {
    let Some(pivot) = &rollout.plan.pivot else {
        return Err("the plan has no pivot: nothing needs to be approved".to_owned());
    };
    if let Some(by) = &rollout.pivot_approved {
        return Err(format!("the pivot has been approved already, by {by}"));
    }
    if !matches!(rollout.phase, Phase::Forward) {
        return Err("it is not going forward".to_owned());
    }
    let before = rollout
        .plan
        .steps()
        .take_while(|step| step.id != pivot.asked_at());
    let mut open = before.filter(|step| {
        !step.is_gate() && !matches!(rollout.record(step.id).status, StepStatus::Done { .. })
    });
    match open.next() {
        Some(step) => Err(format!(
            "the pivot, step {}, has not been reached: {} on {} comes first",
            pivot.step, step.id, step.member
        )),
        None => Ok(()),
    }
}
