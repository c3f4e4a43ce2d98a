//! What a person may do to a rollout now, and the event that it becomes.

use super::Act;
use refit_shared::saga::{Actor, End, Event, ParkReason, Rollout, Scope, UnwindCause};

/// The event of an act; `Err` says why it is not possible now. What the journal's own rules forbid is left to them.
pub(super) fn event_of(rollout: &Rollout, act: Act, by: Actor) -> Result<Event, String> {
    match act {
        Act::Pause if rollout.at_rest() => Err("it is at rest already".to_owned()),
        Act::Pause => Ok(Event::Parked {
            reason: ParkReason::Operator { by },
        }),
        Act::Resume => Ok(Event::Resumed { by }),
        Act::Approve => rollout.may_approve().map(|()| Event::PivotApproved { by }),
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
