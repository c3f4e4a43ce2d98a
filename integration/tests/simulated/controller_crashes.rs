//! The controller is killed before and after every append to its journal, and goes on.

use crate::runs::Runs;
use crate::story::{Moment, Person, Story};
use crate::world::Hop;
use refit_controller::journal::faulty::Fault;
use refit_shared::ids::StepId;
use refit_shared::saga::End;

/// Every story with the controller killed at every append, once before it is durable and once after.
fn killed_at_every_append(story: &Story, name: &str) -> Vec<(String, Story)> {
    let appends = story.run().appends;
    let mut stories = Vec::new();
    for at in 0..appends {
        for fault in [Fault::CrashBefore(at), Fault::CrashAfter(at)] {
            let story = Story {
                journals: vec![fault],
                ..story.clone()
            };
            stories.push((format!("{name}, {fault:?}"), story));
        }
    }
    stories
}

#[test]
fn killed_at_every_append_it_goes_on_to_the_end() {
    let mut stories = Vec::new();
    for hop in Hop::ALL {
        stories.extend(killed_at_every_append(&Story::of(hop), &format!("{hop:?}")));
    }
    Runs::sample("controller killed at every append", stories, 80).each(|_, told| {
        let mut wrongs = Vec::new();
        if told.end != Some(End::Upgraded) || !told.parks.is_empty() {
            wrongs.push("it did not simply go on".to_owned());
        }
        if told.controllers != 2 {
            wrongs.push(format!("{} controllers lived, not 2", told.controllers));
        }
        wrongs
    });
}

#[test]
fn killed_at_every_append_of_an_unwind_it_goes_on_to_the_end() {
    let mut stories = Vec::new();
    for (hop, step) in [
        (Hop::Patch, 27),
        (Hop::Series, 22),
        (Hop::OfflinePatch, 27),
        (Hop::OfflineSeries, 22),
        (Hop::MultiPatch, 26),
        (Hop::MultiSeries, 21),
        (Hop::AlonePatch, 9),
        (Hop::AloneSeries, 10),
        (Hop::ReplicasSeries, 38),
        (Hop::ChainSeries, 37),
        (Hop::SwitchPatch, 37),
        (Hop::Downgrade, 20),
        (Hop::Rebuild, 16),
        (Hop::RestartRebuild, 23),
        (Hop::GroupRebuild, 20),
        (Hop::Statements, 20),
        (Hop::Early, 38),
        (Hop::Release, 27),
    ] {
        let story = Story {
            person: Person {
                unwinds_at: Some(Moment::Intended(StepId(step))),
                ..Person::default()
            },
            ..Story::of(hop)
        };
        stories.extend(killed_at_every_append(&story, &format!("{hop:?} unwound")));
    }
    Runs::sample(
        "controller killed at every append of an unwind",
        stories,
        80,
    )
    .each(|_, told| {
        let restored = told.end == Some(End::Restored) && told.parks.is_empty();
        if restored {
            Vec::new()
        } else {
            vec!["it was not simply restored".to_owned()]
        }
    });
}
