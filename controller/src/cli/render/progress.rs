//! Progress: the block that a terminal redraws, and the lines that stay.

use super::{Style, clean, rollout, time};
use crate::cli::writer::WriterStatus;
use refit_proto::operator::{LineView, RolloutView, State, StepState, StepView};
use refit_shared::plan::Reversibility;
use std::collections::BTreeMap;

/// Before the following begins.
pub fn heading(view: &RolloutView, style: Style) -> String {
    let steps = view.steps.iter().filter(|step| !step.finalize).count();
    format!(
        "{}{steps} steps, {}. Ctrl-C detaches; the rollout goes on without this command.\n",
        rollout::state(view, style),
        time::about(view.estimate_ms)
    )
}

/// A journal entry as a line of a log.
pub fn change(line: &LineView, view: &RolloutView, style: Style) -> String {
    let at = time::moment(line.at_unix_ms);
    let by = line.by.as_deref().map(|by| format!(", by {}", clean(by)));
    let step = step_of(line, view);
    let times = match (line.event.as_str(), step) {
        ("step_intended", Some(step)) => format!(", {}", time::about(step.estimate_ms)),
        ("step_resolved" | "undo_resolved", Some(step)) => match step.took_ms {
            Some(took) => format!(", took {}", time::span(took)),
            None => String::new(),
        },
        _ => String::new(),
    };
    let text = format!("{}{}{times}", clean(&line.text), by.unwrap_or_default());
    format!("{}  {}", style.dim(&at), accent(line, &text, style))
}

/// What stays on a terminal; a beginning does not, since the block shows it.
pub fn finished(line: &LineView, view: &RolloutView, style: Style) -> Option<String> {
    let step = step_of(line, view);
    match (line.event.as_str(), step) {
        ("step_intended" | "undo_intended", _) => None,
        ("step_resolved" | "undo_resolved", Some(step)) if !failed(step) => {
            let undone = line.event == "undo_resolved";
            let what = if undone {
                format!("undo {}", step.title)
            } else {
                step.title.clone()
            };
            let took = step.took_ms.map(time::span).unwrap_or_default();
            let gap = match step.largest_write_gap_ms {
                Some(gap) if gap > 0 => format!("  write gap {}", time::span(gap)),
                _ => String::new(),
            };
            Some(format!(
                "{}  {:<10} {what:<22} {took:>9}  {}{gap}",
                style.good("done"),
                step.member,
                style.dim(&format!("estimate {}", time::span(step.estimate_ms))),
            ))
        }
        _ => {
            let by = line.by.as_deref().map(|by| format!(", by {}", clean(by)));
            let text = format!("{}{}", clean(&line.text), by.unwrap_or_default());
            Some(accent(line, &text, style))
        }
    }
}

fn accent(line: &LineView, text: &str, style: Style) -> String {
    match line.event.as_str() {
        "parked" | "unwind_decided" => style.warn(text),
        "step_resolved" | "undo_resolved" if line.text.contains(": failed") => style.bad(text),
        "rollout_closed" | "finalized" => style.bold(text),
        _ => text.to_owned(),
    }
}

fn step_of<'a>(line: &LineView, view: &'a RolloutView) -> Option<&'a StepView> {
    let id = line.step?;
    view.steps.iter().find(|step| step.id == id)
}

fn failed(step: &StepView) -> bool {
    matches!(step.status, StepState::Failed | StepState::UndoFailed)
}

/// One line a member and its step, then the whole, the writes, and the client's own word.
pub fn block(
    view: &RolloutView,
    now_unix_ms: i64,
    writer: Option<&Result<WriterStatus, String>>,
    lost: Option<&str>,
    style: Style,
    width: usize,
) -> Vec<String> {
    let cut = |text: String| cut(&text, width);
    let mut lines: Vec<String> = in_order(view)
        .into_iter()
        .map(|member| cut(member_line(view, member, now_unix_ms)))
        .collect();
    lines.push(cut(overall(view, now_unix_ms)));
    for waiting in &view.waiting_for {
        lines.push(style.warn(&cut(format!("waits for: {}", clean(waiting)))));
    }
    let writes = cut(writes(view));
    lines.push(match view.writes.gap_ms {
        Some(0) => writes,
        Some(_) => style.bad(&writes),
        None => style.warn(&writes),
    });
    match writer {
        None => {}
        Some(Ok(client)) => lines.push(cut(client_line(client))),
        Some(Err(why)) => {
            lines.push(style.warn(&cut(format!("client    not known: {}", clean(why)))))
        }
    }
    if let Some(why) = lost {
        lines.push(style.warn(&cut(format!(
            "The controller can't be reached, trying again; agents go on. {}",
            clean(why)
        ))));
    }
    lines
}

/// The steps that count now: those of finalizing while that goes on, else the others.
fn relevant(view: &RolloutView) -> impl Iterator<Item = &StepView> {
    let finalizing = view.summary.state == State::Finalizing;
    view.steps
        .iter()
        .filter(move |step| step.finalize == finalizing)
}

/// The members in the order in which the plan is done with them.
fn in_order(view: &RolloutView) -> Vec<&str> {
    let mut members: Vec<&str> = view
        .members
        .iter()
        .map(|member| member.name.as_str())
        .collect();
    members.sort_by_key(|member| {
        let own = view
            .steps
            .iter()
            .filter(|step| step.member == *member && !step.finalize);
        own.map(|step| step.id).max()
    });
    members
}

fn member_line(view: &RolloutView, member: &str, now: i64) -> String {
    let own: Vec<&StepView> = relevant(view)
        .filter(|step| step.member == member)
        .collect();
    let done = own
        .iter()
        .filter(|step| step.status == StepState::Done)
        .count();
    let all = own.len();
    let at_work = own
        .iter()
        .find(|step| matches!(step.status, StepState::Running | StepState::Undoing));
    if let Some(step) = at_work {
        let elapsed = step
            .began_unix_ms
            .map_or(0, |began| time::between(began, now));
        let undoing = step.status == StepState::Undoing;
        let what = if undoing {
            format!("undo {}", step.title)
        } else {
            step.title.clone()
        };
        let phase = step.in_flight.as_ref().map(|work| {
            let waiting = if work.waiting { "waiting: " } else { "" };
            format!(
                "  {waiting}{}",
                clean(&rollout::phase(&work.phase, work.percent))
            )
        });
        return format!(
            "{member:<10} {what:<22} {:>9} of {:<14}{}",
            time::span(elapsed),
            time::about(step.estimate_ms),
            phase.unwrap_or_default()
        );
    }
    let word = if let Some(step) = own.iter().find(|step| failed(step)) {
        format!("{} failed", step.title)
    } else if own.iter().any(|step| step.status == StepState::Undone) && done == 0 {
        "put back".to_owned()
    } else if all > 0 && done == all {
        "done".to_owned()
    } else {
        "waiting".to_owned()
    };
    format!("{member:<10} {word:<22} {done} of {all} steps")
}

fn overall(view: &RolloutView, now: i64) -> String {
    let elapsed = time::between(view.summary.created_unix_ms, now);
    let done = relevant(view)
        .filter(|step| step.status == StepState::Done)
        .count();
    let all = relevant(view).count();
    let left = match view.summary.state {
        State::Unwinding => format!("{} steps to undo", owed(view)),
        State::Running | State::Finalizing => {
            format!("{} left", time::about(remaining_ms(view, now)))
        }
        state => state.as_str().to_owned(),
    };
    format!(
        "overall    {done} of {all} steps, {} elapsed, {left}",
        time::span(elapsed)
    )
}

fn owed(view: &RolloutView) -> usize {
    view.steps
        .iter()
        .filter(|step| step.reversibility == Reversibility::Undoable)
        .filter(|step| !matches!(step.status, StepState::Pending | StepState::Undone))
        .count()
}

/// Stages follow one another; within a stage the slowest member counts.
pub fn remaining_ms(view: &RolloutView, now: i64) -> u64 {
    let mut stages: Vec<(&str, BTreeMap<&str, u64>)> = Vec::new();
    for step in relevant(view) {
        if stages.last().is_none_or(|(title, _)| *title != step.stage) {
            stages.push((&step.stage, BTreeMap::new()));
        }
        let (_, members) = stages.last_mut().expect("one was pushed if there was none");
        *members.entry(&step.member).or_default() += left_of(step, now);
    }
    stages
        .iter()
        .map(|(_, members)| members.values().max().copied().unwrap_or(0))
        .sum()
}

fn left_of(step: &StepView, now: i64) -> u64 {
    match step.status {
        StepState::Done => 0,
        StepState::Running => {
            let elapsed = step
                .began_unix_ms
                .map_or(0, |began| time::between(began, now));
            step.estimate_ms.saturating_sub(elapsed)
        }
        StepState::Pending
        | StepState::Failed
        | StepState::Undoing
        | StepState::Undone
        | StepState::UndoFailed => step.estimate_ms,
    }
}

fn writes(view: &RolloutView) -> String {
    let writes = &view.writes;
    let now = match writes.gap_ms {
        Some(0) => "possible".to_owned(),
        Some(gap) => format!("NOT POSSIBLE for {}", time::span(gap)),
        None => "not known: no agent tells".to_owned(),
    };
    let quiet = match writes.quiet_ms {
        Some(quiet) if quiet >= 1_000 && writes.gap_ms == Some(0) => {
            format!(", no new transaction for {}", time::span(quiet))
        }
        _ => String::new(),
    };
    format!(
        "writes     {now}{quiet}, largest gap {}",
        time::span(writes.largest_gap_ms)
    )
}

fn client_line(client: &WriterStatus) -> String {
    let current = match client.current_gap_ms {
        Some(gap) => format!("{gap:.0} ms"),
        None => "none yet".to_owned(),
    };
    format!(
        "client     {} writes acknowledged, current gap {current}, largest {:.0} ms",
        client.acked,
        client.largest_gap_ms()
    )
}

/// At most so many columns.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.trim_end().to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}
