//! A person pauses, at every step, and resumes.

use crate::runs::Runs;
use crate::story::{Moment, Person, Story};
use crate::world::Hop;
use refit_shared::saga::{End, Event, ParkReason};

#[test]
fn a_rollout_that_was_paused_at_any_step_goes_on() {
    let mut stories = Vec::new();
    for hop in Hop::ALL {
        for entry in Story::of(hop).run().entries {
            let moment = match entry.event {
                Event::StepIntended { step, .. } => Moment::Intended(step),
                Event::StepResolved { step, .. } => Moment::Resolved(step),
                _ => continue,
            };
            let story = Story {
                person: Person {
                    pauses_at: Some(moment),
                    ..Person::default()
                },
                ..Story::of(hop)
            };
            stories.push((format!("{hop:?}, paused at {moment:?}"), story));
        }
    }
    Runs::sample("paused at every step", stories, 30).each(|_, told| {
        let mut wrongs = Vec::new();
        if told.end != Some(End::Upgraded) {
            wrongs.push("it did not go on".to_owned());
        }
        match told.parks.as_slice() {
            // The last step was already over.
            [] | [ParkReason::Operator { .. }] => {}
            _ => wrongs.push("it should have parked as it was told, and no more".to_owned()),
        }
        wrongs
    });
}
