//! Two controllers believe that they are the one: the older is not obeyed any more, and notices.

use crate::runs::Runs;
use crate::story::{Moment, Story};
use crate::world::Hop;
use refit_shared::saga::{End, Event};

#[test]
fn a_controller_that_wakes_up_when_another_has_taken_over_is_fenced() {
    let mut stories = Vec::new();
    for hop in Hop::ALL {
        let entries = Story::of(hop).run().entries;
        let moments = entries.iter().filter_map(|entry| match entry.event {
            Event::StepIntended { step, .. } => Some(Moment::Intended(step)),
            Event::StepResolved { step, .. } => Some(Moment::Resolved(step)),
            _ => None,
        });
        for moment in moments {
            let story = Story {
                rival_from: Some(moment),
                ..Story::of(hop)
            };
            stories.push((
                format!("{hop:?}, another controller from {moment:?}"),
                story,
            ));
        }
    }
    Runs::sample("two controllers", stories, 40).each(|_, told| {
        let mut wrongs = Vec::new();
        if told.end != Some(End::Upgraded) || !told.parks.is_empty() {
            wrongs.push("it did not simply go on under the new controller".to_owned());
        }
        if told.controllers != 2 {
            wrongs.push(format!("{} controllers lived, not 2", told.controllers));
        }
        wrongs
    });
}
