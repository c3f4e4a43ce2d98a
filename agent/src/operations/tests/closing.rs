//! What closes a whole cluster to writes and opens it again: a server that stands alone, and a group that is ended and begun.

use super::rig::{Hop, Rig, member};
use crate::simhost::FaultAction;
use refit_shared::operation::{Direction, Operation};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const DISSOLVE: Operation = Operation::DissolveGroup { drain_s: 10 };
const LEAVE: Operation = Operation::LeaveGroup { drain_s: 10 };

fn stop(hop: &Hop) -> Operation {
    Operation::StopServer {
        version: hop.old(),
        slow: false,
        drain_s: 5,
    }
}

#[tokio::test(start_paused = true)]
async fn writes_are_paused_and_drained_before_the_only_server_stops() {
    let rig = Rig::alone(Hop::patch());
    rig.perform(&Operation::KeepWritable).await;
    rig.perform(&Operation::EnterMaintenance).await;
    let open_until = Instant::now() + Duration::from_secs(3);
    rig.world.open_transaction(open_until);
    rig.perform(&stop(&rig.hop)).await;
    assert!(Instant::now() >= open_until);
    rig.undo(&stop(&rig.hop)).await;
    assert!(rig.world.write().is_err(), "the drop-in keeps it closed");
    rig.undo(&Operation::EnterMaintenance).await;
    for _ in 0..2 {
        rig.undo(&Operation::KeepWritable).await;
        assert!(rig.world.write().is_ok());
    }
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_write_that_does_not_end_refuses_the_stop_and_writes_go_on() {
    let rig = Rig::alone(Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.world
        .open_transaction(Instant::now() + Duration::from_secs(60));
    let failure = rig.refused_clean(&stop(&rig.hop)).await;
    assert!(failure.message.contains("let in again"), "{failure}");
    assert!(rig.world.write().is_ok());
}

#[tokio::test(start_paused = true)]
async fn writes_are_let_in_only_where_no_group_decides() {
    let rig = Rig::new("m2", Hop::patch());
    rig.perform(&LEAVE).await;
    let failure = rig.refused_clean(&Operation::AllowWrites).await;
    assert!(failure.message.contains("group decides"), "{failure}");
    assert!(!rig.world.is_writable(&rig.member));
    rig.refused_clean(&Operation::KeepWritable).await;
}

#[tokio::test(start_paused = true)]
async fn writes_are_let_in_and_kept_out_however_often_it_is_asked() {
    let rig = Rig::alone(Hop::patch());
    for _ in 0..2 {
        rig.undo(&Operation::AllowWrites).await;
        assert!(rig.world.write().is_err());
    }
    for _ in 0..2 {
        rig.perform(&Operation::AllowWrites).await;
        assert!(rig.world.write().is_ok());
    }
}

/// A group whose other members have left.
async fn last_one() -> Rig {
    let mut rig = Rig::new("m2", Hop::patch());
    rig.world.allow_full_stop();
    for name in ["m2", "m3"] {
        rig.member = member(name);
        rig.perform(&LEAVE).await;
    }
    rig.member = member("m1");
    rig
}

#[tokio::test(start_paused = true)]
async fn a_group_is_not_dissolved_under_others() {
    let rig = Rig::new("m1", Hop::patch());
    rig.world.allow_full_stop();
    let failure = rig.refused_clean(&DISSOLVE).await;
    assert!(failure.message.contains("must leave before"), "{failure}");
    assert!(rig.world.write().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_group_is_ended_and_begun_however_often_it_is_asked() {
    let rig = last_one().await;
    for _ in 0..2 {
        rig.perform(&DISSOLVE).await;
        sleep(Duration::from_secs(1)).await;
        assert!(rig.world.write().is_err());
    }
    for _ in 0..2 {
        rig.perform(&Operation::BootstrapGroup).await;
        assert!(rig.world.write().is_ok());
    }
    rig.undo(&Operation::BootstrapGroup).await;
    assert!(rig.world.write().is_err());
    for _ in 0..2 {
        rig.undo(&DISSOLVE).await;
        assert!(rig.world.write().is_ok());
    }
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

/// Whatever call fails or kills the agent: bootstrap_group is OFF afterwards, and there is one group.
#[tokio::test(start_paused = true)]
async fn bootstrap_group_is_never_left_on() {
    for point in [
        "mysql.set_super_read_only",
        "mysql.set_bootstrap_group",
        "mysql.start_group_replication",
        "mysql.pulse",
    ] {
        for action in [
            FaultAction::FailBefore,
            FaultAction::FailAfter,
            FaultAction::CrashBefore,
            FaultAction::CrashAfter,
        ] {
            for nth in 0..3 {
                let rig = last_one().await;
                rig.perform(&DISSOLVE).await;
                let calls = std::sync::atomic::AtomicUsize::new(0);
                rig.world.faults(move |_, at| {
                    let strikes = at == point
                        && calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == nth;
                    if strikes {
                        action
                    } else {
                        FaultAction::Continue
                    }
                });
                let _ = rig
                    .carry_out(Direction::Perform, &Operation::BootstrapGroup)
                    .await;
                rig.world.no_faults();
                let wrongs = rig.world.wrongs_at_rest();
                let left_on = wrongs.iter().any(|wrong| wrong.contains("left ON"));
                assert!(!left_on, "{point} {action:?} {nth}: {wrongs:?}");
                rig.perform(&Operation::BootstrapGroup).await;
                assert!(rig.world.write().is_ok(), "{point} {action:?} {nth}");
                assert_eq!(
                    rig.world.wrongs_at_rest(),
                    Vec::<String>::new(),
                    "{point} {action:?} {nth}"
                );
            }
        }
    }
}

const CLEAR: Operation = Operation::LeaveLostGroup;

/// Begun with m1, joined by m2, and then one of the two is lost.
async fn lost_one(lost: &str) -> Rig {
    let mut rig = last_one().await;
    rig.perform(&DISSOLVE).await;
    rig.perform(&Operation::BootstrapGroup).await;
    rig.member = member("m2");
    rig.perform(&Operation::JoinGroup { drain_s: 60 }).await;
    rig.world.power_off(&member(lost));
    rig.member = member(if lost == "m1" { "m2" } else { "m1" });
    rig
}

#[tokio::test(start_paused = true)]
async fn who_is_left_without_majority_leaves_and_the_group_can_be_begun_again() {
    for lost in ["m1", "m2"] {
        let rig = lost_one(lost).await;
        assert!(rig.world.write().is_err());
        for _ in 0..2 {
            rig.perform(&CLEAR).await;
            rig.undo(&CLEAR).await;
            assert!(!rig.world.is_writable(&rig.member));
        }
        assert_eq!(rig.world.violations(), Vec::<String>::new(), "{lost}");
        rig.perform(&Operation::BootstrapGroup).await;
        assert!(rig.world.write().is_ok(), "{lost}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_has_its_majority_is_not_left_as_if_it_were_lost() {
    for name in ["m1", "m2", "m3"] {
        let rig = Rig::new(name, Hop::patch());
        rig.world.allow_full_stop();
        let failure = rig.refused_clean(&CLEAR).await;
        assert!(failure.message.contains("is not lost"), "{failure}");
        assert!(rig.world.write().is_ok());
    }
    // Alone in it: a group all the same.
    let rig = last_one().await;
    rig.refused_clean(&CLEAR).await;
    assert!(rig.world.write().is_ok());
}
