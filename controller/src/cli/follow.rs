//! Staying with a rollout until it comes to rest, through restarts of the controller.
//!
//! ```text
//!  pump task: Watch stream, reconnect, resume by sequence number ──(8)──> here ──> screen (terminal) or lines
//!                                                   Ctrl-C ────────────────┘ detaches, nothing else
//! ```

mod pump;
mod screen;

use super::Exit;
use super::connection::Connection;
use super::failure::Failure;
use super::output::Output;
use super::render::ticket::{self, Ticket};
use super::writer::WriterStatus;
use pump::Event;
use refit_proto::operator::{RolloutView, State};
use screen::Screen;
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How often a terminal is redrawn when nothing new has come: clocks run on.
const REDRAW: Duration = Duration::from_millis(200);
/// Events on their way from the pump; it waits when the terminal is slow, and the controller then sends only the latest.
const EVENTS: usize = 8;

/// Where to begin.
#[derive(Debug, Clone, Copy)]
pub struct From {
    /// The first journal entry to be told.
    pub seq: u64,
    /// A state of rest counts only once something has been journalled.
    pub needs_a_line: bool,
}

/// Follows a rollout to its next rest and prints the summary. Ctrl-C only detaches.
pub async fn follow(
    to: &Connection,
    output: &Output,
    id: &str,
    from: From,
    writer: Option<&Path>,
) -> Result<Exit, Failure> {
    // One for the whole time: a signal that comes while something is being drawn must not be lost.
    let mut interrupts = signal(SignalKind::interrupt()).map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot listen for Ctrl-C: {error}"))
    })?;
    let (tx, mut events) = mpsc::channel(EVENTS);
    let pump = tokio::spawn(pump::pump(to.clone(), id.to_owned(), from.seq, tx));
    let mut screen = Screen::new(*output);
    let mut moved = !from.needs_a_line;
    let mut redraw = tokio::time::interval(REDRAW);
    let mut latest: Option<RolloutView> = None;
    let rest = loop {
        tokio::select! {
            _ = interrupts.recv() => {
                screen.clear();
                break None;
            }
            _ = redraw.tick(), if output.is_terminal() => {
                screen.redraw(writer.map(WriterStatus::read).as_ref());
            }
            event = events.recv() => match event {
                Some(Event::Update { lines, rollout }) => {
                    moved |= !lines.is_empty();
                    for line in &lines {
                        screen.line(line, &rollout);
                    }
                    let rests = moved && rollout.summary.state.waits_for_a_person();
                    latest = Some((*rollout).clone());
                    screen.update(*rollout);
                    if rests {
                        break latest;
                    }
                }
                Some(Event::Lost(failure)) => screen.lost(&failure),
                Some(Event::Failed(failure)) => {
                    screen.clear();
                    pump.abort();
                    return Err(failure.next(format!("refit watch {id}")));
                }
                // The rollout can change no more, so what was told last is how it stays.
                Some(Event::Ended) | None => break latest,
            },
        }
    };
    pump.abort();
    screen.clear();
    let Some(rollout) = rest else {
        output.remark(&format!(
            "\nDetached. Rollout {id} goes on without this command.\n  refit watch {id}    to follow it again\n  refit pause {id}    to stop it safely"
        ));
        return Ok(Exit::Detached);
    };
    let writer = writer.map(WriterStatus::read);
    let fleet = to.fleet(Some(&rollout.summary.cluster)).await;
    let fleet = fleet.map_err(|failure| failure.what);
    let ticket = Ticket::of(&rollout, fleet.as_deref(), writer.as_ref());
    if output.json {
        // One document a line, like those before it.
        let line = serde_json::json!({ "summary": ticket });
        output.print(&format!("{line}\n"));
    } else {
        output.print(&ticket::text(&ticket, output.style));
    }
    Ok(exit(&rollout))
}

fn exit(rollout: &RolloutView) -> Exit {
    match rollout.summary.state {
        State::Upgraded => Exit::Done,
        // Finalizing what was restored is that command's success.
        State::Restored | State::Abandoned if rollout.summary.finalized => Exit::Done,
        State::Restored => Exit::Restored,
        State::Parked | State::AwaitingApproval => Exit::Waiting,
        State::Abandoned | State::Running | State::Unwinding | State::Finalizing => Exit::Failed,
    }
}
