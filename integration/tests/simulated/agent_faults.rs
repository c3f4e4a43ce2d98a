//! Every call of every operation to its host: the agent is killed before and after it, it fails, its answer is lost, the host
//! loses its power, the network is cut.

use crate::runs::Runs;
use crate::story::{Moment, Person, Story, Told, WhenParked};
use crate::world::Hop;
use crate::world::faults::{Break, Point};
use refit_shared::ids::StepId;
use refit_shared::saga::{End, ParkReason};

/// Every point of a story broken in every way.
fn broken_everywhere(story: &Story, name: &str, breaks: &[Break]) -> Vec<(String, Story)> {
    let points = story.run().met;
    let mut stories = Vec::new();
    for point in points {
        for how in breaks {
            if !tells_something_new(&point, *how) {
                continue;
            }
            let story = Story {
                breaks: vec![(point.clone(), *how)],
                ..story.clone()
            };
            stories.push((format!("{name}, {how:?} at {point}"), story));
        }
    }
    stories
}

/// Dying after a look is dying before what follows it; a look whose answer is lost is a look that failed.
fn tells_something_new(point: &Point, how: Break) -> bool {
    match how {
        Break::KillBefore | Break::Fail | Break::PowerOffBefore => true,
        Break::Cut | Break::KillAfter | Break::LoseAnswer | Break::PowerOffAfter => {
            point.changes_something()
        }
    }
}

/// What must be true of every run in which one thing broke.
fn ends(told: &Told, wanted: &[End]) -> Vec<String> {
    let mut wrongs = Vec::new();
    if told.broken.is_empty() {
        wrongs.push("nothing broke: the point was not met again".to_owned());
    }
    if !told.end.as_ref().is_some_and(|end| wanted.contains(end)) {
        wrongs.push("it did not come to the right end".to_owned());
    }
    if told.parks.len() > 1 {
        wrongs.push(format!(
            "it parked {} times for one fault",
            told.parks.len()
        ));
    }
    for park in &told.parks {
        if let ParkReason::UndoFailed { .. } | ParkReason::OutcomeUnknown { .. } = park {
            wrongs.push("a fault that passes should not need a person this much".to_owned());
        }
    }
    wrongs
}

fn on_the_way_forward(title: &'static str, breaks: &[Break], most: usize) {
    let mut stories = Vec::new();
    for hop in Hop::ALL {
        stories.extend(broken_everywhere(
            &Story::of(hop),
            &format!("{hop:?}"),
            breaks,
        ));
    }
    stories.retain(|(_, story)| {
        !moves_the_role_once_it_was_given(story) && !breaks_a_small_group(story)
    });
    Runs::sample(title, stories, most).each(|_, told| ends(told, &[End::Upgraded]));
}

#[test]
fn an_agent_that_is_killed_at_any_call_goes_on() {
    on_the_way_forward(
        "agent killed at every call",
        &[Break::KillBefore, Break::KillAfter],
        100,
    );
}

#[test]
fn a_call_that_fails_puts_the_member_back_and_resuming_upgrades() {
    on_the_way_forward(
        "every call fails once",
        &[Break::Fail, Break::LoseAnswer],
        100,
    );
}

#[test]
fn a_host_that_loses_power_at_any_call_goes_on() {
    on_the_way_forward(
        "power lost at every call",
        &[Break::PowerOffBefore, Break::PowerOffAfter],
        100,
    );
}

/// A group that is ended or begun has one member, and then two, for a while, and then it does not survive the loss of one: MySQL
/// wants a person (to begin it again, or group_replication_force_members), and so does the plan.
fn breaks_a_small_group(story: &Story) -> bool {
    let offline = matches!(story.hop, Hop::OfflinePatch | Hop::OfflineSeries);
    offline
        && story.breaks.iter().any(|(point, how)| {
            let undo = point.during.ends_with("undo");
            // The first member is alone when it begins the group, and one of two when it leaves maintenance behind.
            let one_of_two =
                point.member.as_str() != "db1" || point.during.contains("enter_maintenance");
            matches!(how, Break::PowerOffBefore | Break::PowerOffAfter)
                && (one_of_two && (undo || point.during.contains("join_group"))
                    || point.during.contains("bootstrap_group"))
        })
}

/// The role had been given back and that was on record when the host that got it lost its power: where the role is then is the
/// group's own choice, after the plan's last step.
fn moves_the_role_once_it_was_given(story: &Story) -> bool {
    story.breaks.iter().any(|(point, how)| {
        *how == Break::PowerOffAfter && point.during.contains("appoint_primary")
    })
}

/// Nothing is lost and the server's own words are told, but a person has to finish the upgrade of that member by hand: there
/// is no command yet that goes on from a pivot that came about by itself.
/// The last member of the old series loses its power just before the pivot. The group goes on with members of the new series
/// only and does not let the old version join again (MY-011521): the pivot has come about by itself, and the way is forward.
#[test]
fn the_last_old_member_lost_before_the_pivot_is_taken_on_once_a_person_approves() {
    let breaks = [Break::PowerOffBefore, Break::PowerOffAfter];
    let mut stories = broken_everywhere(&Story::of(Hop::Series), "Series", &breaks);
    stories.retain(|(_, story)| {
        story.breaks.iter().any(|(point, _)| {
            point.member.as_str() == "db1" && point.during.contains("enter_maintenance")
        })
    });
    Runs::sample("the last old member lost", stories, 20).each(|_, told| {
        let mut wrongs = ends(told, &[End::Upgraded]);
        if !told.parks.is_empty() {
            wrongs.push("it parked, though only an approval is needed".to_owned());
        }
        wrongs
    });
}

#[test]
fn a_network_that_is_cut_at_any_call_only_delays() {
    on_the_way_forward("network cut at every change", &[Break::Cut], 40);
}

#[test]
fn a_call_that_fails_and_a_person_who_unwinds() {
    let mut stories = Vec::new();
    for hop in Hop::ALL {
        let story = Story {
            person: Person {
                when_parked: WhenParked::Unwinds,
                ..Person::default()
            },
            ..Story::of(hop)
        };
        let name = format!("{hop:?}");
        stories.extend(broken_everywhere(
            &story,
            &name,
            &[Break::Fail, Break::LoseAnswer],
        ));
    }
    Runs::sample("every call fails once, then unwound", stories, 80).each(|_, told| {
        let end = match (told.parks.is_empty(), &told.refused) {
            (false, None) => End::Restored,
            (true, _) | (false, Some(_)) => End::Upgraded,
        };
        ends(told, &[end])
    });
}

#[test]
fn an_unwind_in_which_any_call_breaks_still_restores() {
    let mut stories = Vec::new();
    for (hop, step) in [
        (Hop::Patch, 39),
        (Hop::Series, 28),
        (Hop::OfflinePatch, 30),
        (Hop::OfflineSeries, 24),
        (Hop::MultiPatch, 38),
        (Hop::MultiSeries, 27),
        (Hop::AlonePatch, 11),
        (Hop::AloneSeries, 10),
        (Hop::ReplicasPatch, 38),
        (Hop::ChainSeries, 39),
        (Hop::ChainOffline, 33),
        (Hop::SwitchPatch, 37),
        (Hop::SwitchSeries, 35),
        (Hop::Downgrade, 21),
        (Hop::Rebuild, 16),
        (Hop::RestartRebuild, 23),
        (Hop::GroupRebuild, 20),
        (Hop::Statements, 20),
        (Hop::Early, 38),
        (Hop::Release, 37),
    ] {
        let story = Story {
            person: Person {
                unwinds_at: Some(Moment::Resolved(StepId(step))),
                ..Person::default()
            },
            ..Story::of(hop)
        };
        let all = broken_everywhere(&story, &format!("{hop:?} unwound"), &Break::ALL);
        let undo = all.into_iter().filter(|(_, story)| {
            story
                .breaks
                .iter()
                .any(|(point, _)| point.during.ends_with("undo"))
        });
        stories.extend(undo.filter(|(_, story)| !breaks_a_small_group(story)));
    }
    Runs::sample("an unwind in which every call breaks", stories, 100).each(|_, told| {
        // An undo that fails parks, and resuming tries it again.
        let mut wrongs = ends(told, &[End::Restored]);
        wrongs.retain(|wrong| !wrong.contains("need a person"));
        wrongs
    });
}
