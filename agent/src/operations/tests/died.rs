//! A mysqld that dies while its member is in maintenance: nothing starts it by itself, and the way on and the way back both do.

use super::rig::{Hop, Rig};
use crate::simhost::FaultAction;
use refit_shared::ids::Attempt;
use refit_shared::observation::{MemberState, ServiceState};
use refit_shared::operation::{Direction, Operation};
use std::sync::atomic::{AtomicBool, Ordering};

/// Places of the lane's operations that need a server which is not served by it.
const IN_MAINTENANCE: [usize; 3] = [4, 10, 11];

/// That it has died stops the rollout once. A person has said since that it goes on: behind the pivot nothing else brings it back.
#[tokio::test(start_paused = true)]
async fn a_step_that_is_tried_again_starts_a_server_that_has_died() {
    for step in IN_MAINTENANCE {
        let mut rig = Rig::new("m3", Hop::patch());
        rig.up_to(step).await;
        rig.world.kill_mysqld(&rig.member);
        let operation = rig.hop.lane()[step].clone();
        let failure = rig.refused(Direction::Perform, &operation).await;
        assert!(failure.message.contains("can't be asked"), "{failure}");
        assert_eq!(rig.world.service_state(&rig.member), ServiceState::Failed);

        rig.attempt = Attempt(2);
        rig.perform(&operation).await;
        assert_eq!(rig.world.service_state(&rig.member), ServiceState::Active);
        assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new(), "{step}");
    }
}

/// What was done last is done once again before a gate is asked again (`saga/again.rs`): whatever it was, its server runs after it as
/// it did before, and one that is to be down stays down.
#[tokio::test(start_paused = true)]
async fn whatever_is_done_again_starts_a_server_that_is_to_run() {
    let maintained = 3;
    let group = Hop::patch().lane();
    let replica = Hop::patch().replica_lane();
    for (lane, rig) in [
        (group, (|| Rig::new("m3", Hop::patch())) as fn() -> Rig),
        (replica, || Rig::replicas("m3", Hop::patch())),
    ] {
        for last in maintained..lane.len() - 1 {
            let mut rig = rig();
            for operation in &lane[..=last] {
                rig.perform(operation).await;
            }
            let before = rig.picture().await;
            rig.world.kill_mysqld(&rig.member);
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;

            rig.attempt = Attempt(2);
            rig.perform(&lane[last]).await;
            let after = rig.picture().await;
            // The member that has only entered maintenance does not join again before it is to.
            match &lane[last] {
                Operation::EnterMaintenance => {
                    assert_eq!(rig.world.service_state(&rig.member), ServiceState::Active);
                }
                other => assert_eq!(before, after, "{other:?}"),
            }
            assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new(), "{last}");
        }
    }
}

/// A source that has been demoted comes up closed, and stays demoted.
#[tokio::test(start_paused = true)]
async fn a_demoted_source_that_has_died_is_started_and_stays_closed() {
    let mut rig = Rig::replicas("m1", Hop::patch());
    for operation in [
        Operation::EnterMaintenance,
        Operation::PauseWrites {
            drain_s: 10,
            lease_s: 60,
        },
        Operation::DemoteSource,
    ] {
        rig.perform(&operation).await;
    }
    rig.world.kill_mysqld(&rig.member);
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    rig.attempt = Attempt(2);
    rig.perform(&Operation::DemoteSource).await;
    assert_eq!(rig.world.service_state(&rig.member), ServiceState::Active);
    assert!(!rig.world.is_writable(&rig.member));
}

/// Whom the others, all of a newer series by then, do not take back is let out of maintenance, read-only, and that is told.
#[tokio::test(start_paused = true)]
async fn who_is_shut_out_leaves_maintenance_all_the_same() {
    let last = Rig::new("m1", Hop::series());
    for name in ["m2", "m3"] {
        let other = Rig::in_world(last.world.clone(), name, Hop::series());
        other.up_to(Hop::series().lane().len()).await;
    }
    last.perform(&Operation::EnterMaintenance).await;
    last.world.kill_mysqld(&last.member);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let notes = last.undo(&Operation::EnterMaintenance).await.join("; ");
    assert!(notes.contains("MY-011521"), "{notes}");
    assert!(!last.world.in_maintenance(&last.member));
    assert!(!last.world.is_writable(&last.member));
    assert_eq!(
        last.world.member_state(&last.member),
        Some(MemberState::Offline)
    );
    assert!(last.world.write().is_ok());
}

/// On a source everybody waits for the end of maintenance, on the way back, too: one error of the host does not stop it.
#[tokio::test(start_paused = true)]
async fn maintenance_ends_although_a_call_fails() {
    let ways = [
        (Direction::Perform, Operation::LeaveMaintenance),
        (Direction::Undo, Operation::EnterMaintenance),
    ];
    for (direction, operation) in ways {
        for point in ["files.remove_maintenance", "service.reload_units"] {
            let rig = Rig::replicas("m1", Hop::patch());
            rig.perform(&Operation::EnterMaintenance).await;
            let failed = AtomicBool::new(false);
            rig.world.faults(move |_, at| {
                if at == point && !failed.swap(true, Ordering::Relaxed) {
                    FaultAction::FailBefore
                } else {
                    FaultAction::Continue
                }
            });
            match direction {
                Direction::Perform => rig.perform(&operation).await,
                Direction::Undo => rig.undo(&operation).await,
            };
            assert!(
                !rig.world.in_maintenance(&rig.member),
                "{direction} {point}"
            );
        }
    }
}
