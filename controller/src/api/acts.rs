//! What a person may do to a rollout, and what a dry run says of it.
//!
//! Whether an act fits is decided by the rollout's owner when it is done; the judgement here is for dry runs only, made from
//! the same state that the operator is shown.

use refit_proto::operator::{ErrorCode, Refusal, RolloutView, State, StepState};
use refit_shared::ids::Turn;
use refit_shared::plan::Reversibility;

pub use crate::executor::Act;

/// The act's name, as the command line and the log have it.
pub fn name(act: Act) -> &'static str {
    match act {
        Act::Pause => "pause",
        Act::Resume => "resume",
        Act::Approve => "approve",
        Act::Unwind => "unwind",
        Act::Cancel => "cancel",
        Act::Finalize => "finalize",
    }
}

/// What the act would do to the rollout as it is now, if this is the turn that the caller saw.
pub fn would(act: Act, seen: Turn, rollout: &RolloutView) -> Result<Vec<String>, Refusal> {
    let now = Turn(rollout.turn);
    if seen != now {
        let id = &rollout.summary.id;
        let what = format!(
            "rollout {id} has moved on: it is at turn {now}, and this was meant for turn {seen}"
        );
        return Err(super::views::moved(id, what));
    }
    let summary = &rollout.summary;
    let state = summary.state;
    let ended = matches!(
        state,
        State::Upgraded | State::Restored | State::Abandoned | State::Finalizing
    );
    let no = |why: String| Err(refuse(rollout, why));
    match act {
            Act::Pause if state == State::Parked || ended => {
                no(format!("it is {} and can't be paused", state.as_str()))
            }
            Act::Pause => Ok(vec![
                "would begin no further step; steps that agents are working on are finished".into(),
            ]),
            Act::Resume if state != State::Parked => {
                no(format!("it is {}, not parked", state.as_str()))
            }
            Act::Resume => Ok(vec!["would go on, judging anew what was judged before".into()]),
            Act::Approve => match &rollout.pivot {
                None => no("its plan has no pivot: every step can be undone".into()),
                Some(_) if ended => no(format!("it is {}", state.as_str())),
                Some(pivot) if pivot.approved_by.is_some() => no("the pivot is approved already".into()),
                Some(pivot) => Ok(vec![format!(
                    "would allow step s{:02}, after which there is no way back: {}",
                    pivot.step, pivot.why
                )]),
            },
            Act::Unwind => match &rollout.no_way_back {
                Some(why) => Err(Refusal::new(
                    ErrorCode::RolloutNoWayBack,
                    format!("rollout {} can't be unwound: {why}", summary.id),
                )
                .safe("Nothing was changed.")),
                None => Ok(owed(rollout)),
            },
            Act::Cancel if ended => no(format!("it is {} already", state.as_str())),
            Act::Cancel => Ok(vec![
                "would give the rollout up and leave every host as it is now; nothing is undone".into(),
            ]),
            Act::Finalize if summary.finalized || state == State::Finalizing => {
                no("it has been finalized already".into())
            }
            Act::Finalize if !ended => {
                no("only a rollout that has ended can be finalized".into())
            }
            Act::Finalize => Ok(vec![
                "would delete the snapshots, saved configuration and cached packages: no way back after it".into(),
            ]),
        }
}

/// The steps that unwinding would undo, last first.
fn owed(rollout: &RolloutView) -> Vec<String> {
    let owed: Vec<String> = rollout
        .steps
        .iter()
        .rev()
        .filter(|step| step.reversibility == Reversibility::Undoable)
        .filter(|step| !matches!(step.status, StepState::Pending | StepState::Undone))
        .map(|step| {
            format!(
                "would undo s{:02} {} on {}",
                step.id, step.title, step.member
            )
        })
        .collect();
    if owed.is_empty() {
        vec!["nothing has been done that must be undone; the rollout would end as Restored".into()]
    } else {
        owed
    }
}

fn refuse(rollout: &RolloutView, why: String) -> Refusal {
    let id = &rollout.summary.id;
    Refusal::new(ErrorCode::RolloutState, format!("rollout {id}: {why}"))
        .safe("Nothing was changed.")
        .next(format!("refit show {id}"))
}
