//! The journal is deleted in mid-rollout and made anew from what the agents remember: the rollout parks, and both ways are open.

use crate::runs::Runs;
use crate::story::{Moment, Person, Story, WhenParked};
use crate::world::Hop;
use refit_shared::saga::{End, Event, ParkReason};

/// Every moment of a rollout, forward and, from a late moment, back.
fn stories() -> Vec<(String, Story)> {
    let mut stories = Vec::new();
    for hop in [Hop::Patch, Hop::Series] {
        for when_parked in [WhenParked::Resumes, WhenParked::Unwinds] {
            for entry in Story::of(hop).run().entries {
                let moment = match entry.event {
                    Event::StepIntended { step, .. } => Moment::Intended(step),
                    Event::StepResolved { step, .. } => Moment::Resolved(step),
                    _ => continue,
                };
                let story = Story {
                    loses_journal_at: Some(moment),
                    person: Person {
                        when_parked,
                        ..Person::default()
                    },
                    ..Story::of(hop)
                };
                stories.push((
                    format!(
                        "{hop:?}, the journal is lost at {moment:?}, the person {when_parked:?}"
                    ),
                    story,
                ));
            }
        }
    }
    stories
}

#[test]
fn a_rollout_whose_journal_was_deleted_goes_on_or_back() {
    Runs::sample(
        "journal deleted at every step, rebuilt from ledgers",
        stories(),
        50,
    )
    .each(|story, told| {
        let mut wrongs = Vec::new();
        let unwinds = story.person.when_parked == WhenParked::Unwinds;
        match told.parks.as_slice() {
            // No order had been given: there was nothing to rebuild, and a new rollout was begun.
            [] => {
                if told.end != Some(End::Upgraded) {
                    wrongs.push("nothing was begun, and yet it was not simply upgraded".to_owned());
                }
                return wrongs;
            }
            [ParkReason::Rebuilt { unknown, .. }] if !unknown.is_empty() => {}
            _ => wrongs.push("it should have parked once, and said what is not known".to_owned()),
        }
        let end = if unwinds && told.refused.is_none() {
            End::Restored
        } else {
            End::Upgraded
        };
        if told.end.as_ref() != Some(&end) {
            wrongs.push(format!("it should have ended {end}"));
        }
        let crossed = told
            .plan
            .as_ref()
            .and_then(|plan| plan.pivot.as_ref())
            .is_some();
        if told.refused.is_some() && !crossed {
            wrongs.push(format!("it could not be unwound: {:?}", told.refused));
        }
        wrongs
    });
}
