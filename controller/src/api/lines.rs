//! Journal entries in words, one line each.

use refit_proto::operator::LineView;
use refit_shared::ids::{ClusterName, Digest, StepId};
use refit_shared::plan::Plan;
use refit_shared::receipt::Outcome;
use refit_shared::saga::{Entry, Event, Scope, UnwindCause};

/// The line of an entry. The plan gives the steps their names.
pub fn line(plan: &Plan, entry: &Entry) -> LineView {
    let (event, text, by, step) = words(plan, &entry.event);
    LineView {
        rollout: entry.rollout.to_string(),
        seq: entry.seq.0,
        epoch: entry.epoch.0,
        at_unix_ms: entry.at_unix_ms,
        event: event.to_owned(),
        text,
        by,
        step: step.map(|id| id.0),
        member: step
            .and_then(|id| plan.step(id))
            .map(|step| step.member.to_string()),
    }
}

/// What was gone against belongs to the audit trail.
fn created(plan: &Plan, cluster: &ClusterName, digest: &Digest) -> String {
    let mut text = format!("rollout of {cluster} from plan {}", digest.short());
    for one in &plan.policy.overrides {
        text += &format!("; {one}");
    }
    text
}

fn words(plan: &Plan, event: &Event) -> (&'static str, String, Option<String>, Option<StepId>) {
    let named = |id: StepId| match plan.step(id) {
        Some(step) => format!("{id} {} on {}", step.title(), step.member),
        None => id.to_string(),
    };
    match event {
        Event::RolloutCreated {
            cluster,
            plan: digest,
            by,
        } => (
            "rollout_created",
            created(plan, cluster, digest),
            Some(by.to_string()),
            None,
        ),
        Event::StepIntended { step, attempt } => (
            "step_intended",
            format!("begins {}, attempt {attempt}", named(*step)),
            None,
            Some(*step),
        ),
        Event::StepResolved {
            step,
            attempt,
            outcome,
        } => (
            "step_resolved",
            format!("{} attempt {attempt}: {}", named(*step), ended(outcome)),
            None,
            Some(*step),
        ),
        Event::UnwindDecided { cause, scope } => {
            let what = match scope {
                Scope::All => "unwinding everything".to_owned(),
                Scope::Lane { member, .. } => format!("putting {member} back"),
            };
            match cause {
                UnwindCause::Operator { by } => {
                    ("unwind_decided", what, Some(by.to_string()), None)
                }
                UnwindCause::StepFailed { step, failure } => (
                    "unwind_decided",
                    format!("{what}, because {} failed: {failure}", named(*step)),
                    None,
                    Some(*step),
                ),
            }
        }
        Event::UndoIntended { step, attempt } => (
            "undo_intended",
            format!("undoes {}, attempt {attempt}", named(*step)),
            None,
            Some(*step),
        ),
        Event::UndoResolved {
            step,
            attempt,
            outcome,
        } => (
            "undo_resolved",
            format!(
                "undoing {} attempt {attempt}: {}",
                named(*step),
                ended(outcome)
            ),
            None,
            Some(*step),
        ),
        Event::PivotApproved { by } => (
            "pivot_approved",
            "the pivot is approved".to_owned(),
            Some(by.to_string()),
            None,
        ),
        Event::Parked { reason } => ("parked", format!("parked: {reason}"), None, None),
        Event::Resumed { by } => ("resumed", "resumed".to_owned(), Some(by.to_string()), None),
        Event::RolloutClosed { end } => ("rollout_closed", format!("ended: {end}"), None, None),
        Event::FinalizeDecided { by } => (
            "finalize_decided",
            "finalizing: the way back is being deleted".to_owned(),
            Some(by.to_string()),
            None,
        ),
        Event::Finalized => ("finalized", "finalized".to_owned(), None, None),
        Event::Recovered {
            step,
            attempt,
            found,
        } => (
            "recovered",
            format!(
                "{}, attempt {attempt}, was recovered: {found}",
                named(*step)
            ),
            None,
            Some(*step),
        ),
    }
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { notes } if notes.is_empty() => "done".to_owned(),
        Outcome::Done { notes } => format!("done ({})", notes.join("; ")),
        Outcome::Failed(failure) => format!("failed: {failure}"),
    }
}
