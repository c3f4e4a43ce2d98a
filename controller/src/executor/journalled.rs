//! The form in which things get into the journal and the log. What hosts and agents say is journalled, but no host decides how
//! large an entry gets.

use refit_shared::ids::Seq;
use refit_shared::receipt::{Failure, Outcome};
use refit_shared::saga::Event;

const LONGEST_TEXT: usize = 2_000;
const MOST_NOTES: usize = 20;

/// An outcome as it is journalled, with a note of our own.
pub(super) fn bounded(outcome: Outcome, note: Option<String>) -> Outcome {
    match outcome {
        Outcome::Done { mut notes } => {
            notes.truncate(MOST_NOTES);
            notes.iter_mut().for_each(clip);
            notes.extend(note);
            Outcome::Done { notes }
        }
        Outcome::Failed(failure) => Outcome::Failed(clipped(failure)),
    }
}

pub(super) fn clip(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(at);
        text.push('…');
    }
}

pub(super) fn clipped(mut failure: Failure) -> Failure {
    clip(&mut failure.message);
    failure
}

/// One line for each entry that has become durable.
pub(super) fn log(seq: Seq, event: &Event) {
    match event {
        Event::Parked { reason } => tracing::warn!(%seq, %reason, "parked"),
        Event::StepResolved {
            step,
            outcome: Outcome::Failed(failure),
            ..
        }
        | Event::UndoResolved {
            step,
            outcome: Outcome::Failed(failure),
            ..
        } => tracing::warn!(%seq, %step, %failure, "step failed"),
        event => tracing::info!(%seq, ?event, "journalled"),
    }
}
