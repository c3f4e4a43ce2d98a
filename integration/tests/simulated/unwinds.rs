//! A person unwinds, at every step.

use crate::runs::Runs;
use crate::story::{Moment, Person, Story};
use crate::world::Hop;
use crate::world::wire::Twice;
use refit_shared::plan::Plan;
use refit_shared::saga::End;

fn plan(hop: Hop) -> Plan {
    Story::of(hop).run().plan.expect("a rollout has a plan")
}

/// The moments of a rollout, and whether it can still be unwound then.
fn moments(hop: Hop) -> Vec<(Moment, bool)> {
    let plan = plan(hop);
    let pivot = plan.pivot.as_ref().map(|pivot| pivot.step);
    let mut moments = Vec::new();
    for step in plan
        .stages
        .iter()
        .flat_map(|s| &s.lanes)
        .flat_map(|l| &l.steps)
    {
        let before = pivot.is_none_or(|pivot| step.id < pivot);
        moments.push((Moment::Intended(step.id), before));
        // Approved earlier, the pivot is begun at once when the step before it is done.
        let begun_at_once = plan
            .pivot
            .as_ref()
            .is_some_and(|pivot| pivot.asked_at() < pivot.step && step.id.0 + 1 == pivot.step.0);
        moments.push((Moment::Resolved(step.id), before && !begun_at_once));
    }
    moments.push((Moment::End, pivot.is_none()));
    moments
}

fn stories(twice: Twice) -> Vec<(String, Story)> {
    let mut stories = Vec::new();
    for hop in Hop::ALL {
        for (moment, _) in moments(hop) {
            let story = Story {
                person: Person {
                    unwinds_at: Some(moment),
                    ..Person::default()
                },
                twice,
                ..Story::of(hop)
            };
            stories.push((format!("{hop:?}, {moment:?}, {twice:?}"), story));
        }
    }
    stories
}

fn unwound_as_far_as_possible(title: &'static str, twice: Twice, most: usize) {
    let possible: Vec<_> = Hop::ALL
        .into_iter()
        .flat_map(|hop| moments(hop).into_iter().map(move |(m, p)| (hop, m, p)))
        .collect();
    Runs::sample(title, stories(twice), most).each(|story, told| {
        let at = story.person.unwinds_at;
        let may = possible
            .iter()
            .any(|(hop, moment, may)| *hop == story.hop && Some(*moment) == at && *may);
        let (end, refused) = if may {
            (End::Restored, false)
        } else {
            (End::Upgraded, true)
        };
        let mut wrongs = Vec::new();
        if told.end.as_ref() != Some(&end) || !told.parks.is_empty() {
            wrongs.push(format!("it should have ended {end}"));
        }
        if told.refused.is_some() != refused {
            wrongs.push(format!("unwinding was refused: {:?}", told.refused));
        }
        wrongs
    });
}

#[test]
fn at_every_step_the_world_is_brought_back_as_it_was() {
    unwound_as_far_as_possible("unwound at every step", Twice::No, 70);
}

#[test]
fn every_order_and_every_undo_may_come_twice() {
    unwound_as_far_as_possible(
        "unwound at every step, every order twice",
        Twice::SameAttempt,
        50,
    );
}

#[test]
fn every_step_may_be_done_twice_and_every_undo_too() {
    unwound_as_far_as_possible(
        "unwound at every step, everything done twice",
        Twice::NewAttempt,
        50,
    );
}
