//! The new version refuses to start.

use crate::runs::Runs;
use crate::story::{Person, Story, WhenParked};
use crate::world::{Hop, member};
use refit_shared::ids::MemberName;
use refit_shared::receipt::FailureCode;
use refit_shared::saga::{End, ParkReason};

/// The server is started behind the pivot.
fn last_is_past_pivot(hop: Hop, refuses: Option<&MemberName>) -> bool {
    match hop {
        Hop::Series => refuses == Some(&member("db1")),
        Hop::MultiSeries => refuses == Some(&member("db3")),
        Hop::SwitchPatch | Hop::SwitchSeries => refuses == Some(&member("db1")),
        Hop::Downgrade => refuses != Some(&member("db1")),
        Hop::Patch
        | Hop::MultiPatch
        | Hop::OfflinePatch
        | Hop::OfflineSeries
        | Hop::AlonePatch
        | Hop::AloneSeries
        | Hop::ReplicasPatch
        | Hop::ReplicasSeries
        | Hop::ChainSeries
        | Hop::ChainOffline
        | Hop::Rebuild
        | Hop::RestartRebuild
        | Hop::GroupRebuild
        | Hop::Statements
        | Hop::Early
        | Hop::Release => false,
    }
}

#[test]
fn a_member_whose_new_server_refuses_to_start_is_put_back() {
    let mut stories = Vec::new();
    // A rebuild starts no server, and a release none of another version.
    let starts_another = |hop: &Hop| hop.from() != hop.to();
    for hop in Hop::ALL.into_iter().filter(starts_another) {
        for member in hop.members() {
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
        let past_pivot = last_is_past_pivot(story.hop, story.refuses_to_start.as_ref());
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
