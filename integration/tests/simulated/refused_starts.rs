//! The new version refuses to start.

use crate::runs::Runs;
use crate::story::{Person, Story, WhenParked};
use crate::world::{Hop, members};
use refit_shared::receipt::FailureCode;
use refit_shared::saga::{End, ParkReason};

#[test]
fn a_member_whose_new_server_refuses_to_start_is_put_back() {
    let mut stories = Vec::new();
    for hop in Hop::BOTH {
        for member in members() {
            for when_parked in [WhenParked::Resumes, WhenParked::Unwinds] {
                let story = Story {
                    refuses_to_start: Some(member.clone()),
                    person: Person {
                        when_parked,
                        ..Person::default()
                    },
                    ..Story::of(hop)
                };
                stories.push((
                    format!("{hop:?}, {member} refuses, the person {when_parked:?}"),
                    story,
                ));
            }
        }
    }
    Runs::all("new server refuses to start", stories).each(|story, told| {
        let past_pivot =
            story.hop == Hop::Series && story.refuses_to_start == members().into_iter().next();
        let unwinds = story.person.when_parked == WhenParked::Unwinds;
        let mut wrongs = Vec::new();
        match told.parks.as_slice() {
            [
                ParkReason::MemberRestored {
                    failure, member, ..
                },
            ] if !past_pivot => {
                if failure.code != FailureCode::ServerRefused
                    || Some(member) != story.refuses_to_start.as_ref()
                {
                    wrongs.push("it does not say what happened to whom".to_owned());
                }
            }
            [ParkReason::StepFailed { failure, .. }] if past_pivot => {
                if failure.code != FailureCode::ServerRefused {
                    wrongs.push("it does not say what happened".to_owned());
                }
            }
            _ => wrongs.push("it should have parked once, with the member put back".to_owned()),
        }
        let end = if unwinds && !past_pivot {
            End::Restored
        } else {
            End::Upgraded
        };
        if told.end.as_ref() != Some(&end) {
            wrongs.push(format!("it should have ended {end}"));
        }
        wrongs
    });
}
