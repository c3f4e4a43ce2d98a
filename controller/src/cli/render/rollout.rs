//! `refit list`, `refit show`, and the short answers of the commands that act.

use super::table::{Cell, Paint, Table};
use super::{Style, clean, time};
use refit_proto::operator::{RolloutView, State, StepState, StepView, SummaryView};
use refit_shared::plan::Reversibility;

pub fn list(rollouts: &[SummaryView], style: Style) -> String {
    if rollouts.is_empty() {
        return "There are no rollouts.\n".to_owned();
    }
    let mut table = Table::new(&[
        "ROLLOUT", "CLUSTER", "TARGET", "STATE", "BEGUN", "BY", "WHY",
    ]);
    for one in rollouts {
        table.row(vec![
            Cell::new(&one.id),
            Cell::new(&one.cluster),
            Cell::new(&one.target_version),
            Cell::new(state_word(one)).paint(state_paint(one.state)),
            Cell::new(time::moment(one.created_unix_ms)),
            Cell::new(&one.created_by),
            Cell::new(&one.why),
        ]);
    }
    table.text(style)
}

pub fn whole(rollout: &RolloutView, style: Style) -> String {
    let mut out = state(rollout, style);
    let summary = &rollout.summary;
    out.push_str(&format!(
        "{} by {}, last entry {}, plan {}\n",
        time::moment(summary.created_unix_ms),
        clean(&summary.created_by),
        time::moment(summary.last_unix_ms),
        rollout
            .plan_digest
            .get(..12)
            .unwrap_or(&rollout.plan_digest),
    ));
    if let Some(pivot) = &rollout.pivot {
        let approved = match &pivot.approved_by {
            Some(by) => format!("approved by {}", clean(by)),
            None => "not approved".to_owned(),
        };
        let crossed = if pivot.crossed { "crossed" } else { "ahead" };
        out.push_str(&format!(
            "pivot: step s{:02}, {crossed}, {approved}: {}\n",
            pivot.step,
            clean(&pivot.why)
        ));
    }
    out.push_str(&way_back(rollout));
    for waiting in &rollout.waiting_for {
        out.push_str(&format!("waits for: {}\n", clean(waiting)));
    }
    let mut table = Table::new(&[
        "STEP", "MEMBER", "WHAT", "STATUS", "TOOK", "ESTIMATE", "UNDO", "NOTES",
    ]);
    for step in &rollout.steps {
        table.row(step_row(step));
    }
    out.push('\n');
    out.push_str(&table.text(style));
    out.push_str(&next(rollout, style));
    out
}

/// After an act.
pub fn acted(done: &str, rollout: &RolloutView, style: Style) -> String {
    format!("{done}: {}{}", state(rollout, style), next(rollout, style))
}

pub fn dry_run(notes: &[String], style: Style) -> String {
    let mut out: String = notes
        .iter()
        .map(|note| format!("{}\n", clean(note)))
        .collect();
    out.push_str(&format!(
        "{}\n",
        style.bold("Nothing was changed (--dry-run).")
    ));
    out
}

pub fn state(rollout: &RolloutView, style: Style) -> String {
    let summary = &rollout.summary;
    let word = state_word(summary);
    let painted = match state_paint(summary.state) {
        Paint::Good => style.good(&word),
        Paint::Warn => style.warn(&word),
        Paint::Bad => style.bad(&word),
        Paint::Plain | Paint::Dim => style.bold(&word),
    };
    let why = match summary.why.as_str() {
        "" => String::new(),
        why => format!(": {}", clean(why)),
    };
    format!(
        "rollout {} of {} to {} is {painted}{why}\n",
        summary.id, summary.cluster, summary.target_version
    )
}

pub fn next(rollout: &RolloutView, style: Style) -> String {
    if rollout.next.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["", ""]).indented();
    for next in &rollout.next {
        table.row(vec![
            Cell::new(&next.command),
            Cell::new(&next.effect).paint(Paint::Dim),
        ]);
    }
    format!("\n{}\n{}", style.bold("Next"), table.text(style))
}

pub fn way_back(rollout: &RolloutView) -> String {
    match &rollout.no_way_back {
        None => "way back: open\n".to_owned(),
        Some(why) => format!("way back: closed ({})\n", clean(why)),
    }
}

pub fn state_word(summary: &SummaryView) -> String {
    let word = summary.state.as_str();
    if summary.finalized {
        format!("{word}, finalized")
    } else {
        word.to_owned()
    }
}

fn state_paint(state: State) -> Paint {
    match state {
        State::Upgraded | State::Restored => Paint::Good,
        State::AwaitingApproval | State::Unwinding | State::Abandoned => Paint::Warn,
        State::Parked => Paint::Bad,
        State::Running | State::Finalizing => Paint::Plain,
    }
}

fn step_row(step: &StepView) -> Vec<Cell> {
    let (status, paint) = match step.status {
        StepState::Pending => ("pending", Paint::Dim),
        StepState::Running => ("running", Paint::Plain),
        StepState::Done => ("done", Paint::Good),
        StepState::Failed => ("failed", Paint::Bad),
        StepState::Undoing => ("undoing", Paint::Warn),
        StepState::Undone => ("undone", Paint::Dim),
        StepState::UndoFailed => ("undo failed", Paint::Bad),
    };
    let undo = match step.reversibility {
        Reversibility::NothingToUndo => "-",
        Reversibility::Undoable => "yes",
        Reversibility::Irreversible => "no",
    };
    let took = step.took_ms.map(time::span).unwrap_or_default();
    let notes = if let Some(failure) = &step.failure {
        failure.to_string()
    } else if let Some(work) = &step.in_flight {
        phase(&work.phase, work.percent)
    } else {
        step.notes.join("; ")
    };
    vec![
        Cell::new(format!("s{:02}", step.id)),
        Cell::new(&step.member),
        Cell::new(&step.title),
        Cell::new(status).paint(paint),
        Cell::new(took).right(),
        Cell::new(time::span(step.estimate_ms))
            .right()
            .paint(Paint::Dim),
        Cell::new(undo),
        Cell::new(notes),
    ]
}

pub fn phase(phase: &str, percent: Option<u8>) -> String {
    match percent {
        Some(percent) => format!("{phase} {percent} %"),
        None => phase.to_owned(),
    }
}
