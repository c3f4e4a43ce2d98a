//! A rehearsal, struck at every call: whatever happens, no clone is left and the member is as it was.

use super::rig::{CUTS, Hop, Rig};
use crate::simhost::{FaultAction, pins};
use refit_shared::operation::{Direction, Operation};
use refit_shared::receipt::Outcome;
use std::sync::atomic::Ordering;

fn rehearse(hop: &Hop) -> Operation {
    Operation::RehearseUpgrade {
        version: hop.new_version(),
        packages: pins(&hop.to),
        files: Vec::new(),
        running: true,
        copy: false,
        data_directory: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_target_does_is_found_and_kept() {
    let rig = Rig::new("m3", Hop::patch());
    let before = rig.picture().await;
    let notes = rig.perform(&rehearse(&rig.hop)).await;
    assert!(notes[0].contains("9.7.4 was ready"), "{notes:?}");
    assert_eq!(rig.picture().await, before);
    assert_eq!(rig.world.clones(&rig.member), 0);
    let kept = rig.world.rehearsals(&rig.member);
    assert!(kept.len() == 1 && kept[0].passed(), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_start_is_a_finding() {
    let rig = Rig::new("m3", Hop::series());
    let notes = rig.perform(&rehearse(&rig.hop)).await;
    assert!(notes[0].contains("would not start"), "{notes:?}");
    assert_eq!(rig.world.clones(&rig.member), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_as_it_was_seen_is_not_cloned() {
    let rig = Rig::new("m3", Hop::patch());
    let Operation::RehearseUpgrade {
        version,
        packages,
        files,
        copy,
        ..
    } = rehearse(&rig.hop)
    else {
        unreachable!("made above")
    };
    let cold = Operation::RehearseUpgrade {
        version,
        packages,
        files,
        running: false,
        copy,
        data_directory: None,
    };
    let failure = rig.refused_clean(&cold).await;
    assert!(failure.message.contains("it was down"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn struck_anywhere_nothing_is_left() {
    let failing = [FaultAction::FailBefore, FaultAction::FailAfter];
    for action in failing.into_iter().chain(CUTS) {
        for call in 0.. {
            let rig = Rig::new("m3", Hop::patch());
            let before = rig.picture().await;
            let calls = rig.strike(call, action);
            let operation = rehearse(&rig.hop);
            let outcome = rig.carry_out(Direction::Perform, &operation).await;
            let struck = calls.load(Ordering::Relaxed) > call;
            rig.world.no_faults();
            let what = format!("{action:?} at call {call}: {outcome:?}");
            if CUTS.contains(&action) {
                assert_eq!(rig.world.clones(&rig.member), 0, "{what}");
            }
            if struck && let Outcome::Failed(failure) = &outcome {
                assert!(!failure.message.is_empty(), "{what}");
            }
            // What could not be removed is removed by the next one, at the latest.
            rig.undo(&operation).await;
            assert_eq!(rig.world.clones(&rig.member), 0, "{what}");
            assert_eq!(rig.picture().await, before, "{what}");
            if !struck {
                break;
            }
        }
    }
}
