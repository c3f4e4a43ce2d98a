//! Membership: the write pause, the drain, refusals, the primary role.

use super::rig::{Hop, Rig, member};
use crate::simhost::FaultAction;
use refit_shared::observation::MemberState;
use refit_shared::operation::{Direction, Operation};
use refit_shared::receipt::{FailureCode, Outcome};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const LEAVE: Operation = Operation::LeaveGroup { drain_s: 10 };
const JOIN: Operation = Operation::JoinGroup { drain_s: 60 };

#[tokio::test(start_paused = true)]
async fn a_primary_hands_over_by_leaving() {
    let rig = Rig::new("m1", Hop::patch());
    let began = Instant::now();
    rig.perform(&LEAVE).await;
    // Between super_read_only and STOP there is no idle wait.
    assert!(began.elapsed() < Duration::from_millis(100));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.world.primary(), Some(member("m2")));
    assert!(rig.world.write().is_ok());
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn writes_in_flight_are_waited_for() {
    let rig = Rig::new("m1", Hop::patch());
    let open_until = Instant::now() + Duration::from_secs(4);
    rig.world.open_transaction(open_until);
    rig.perform(&LEAVE).await;
    assert!(Instant::now() >= open_until);
    assert!(Instant::now() < open_until + Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_does_not_end_refuses_the_leave_and_writes_go_on() {
    let rig = Rig::new("m1", Hop::patch());
    rig.world
        .open_transaction(Instant::now() + Duration::from_secs(60));
    let failure = rig.refused(Direction::Perform, &LEAVE).await;
    assert_eq!(
        (failure.code, failure.partial),
        (FailureCode::GroupLeave, false)
    );
    assert!(
        failure.message.contains("writes are allowed again"),
        "{failure}"
    );
    assert!(rig.world.write().is_ok());
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_lifts_the_pause_too() {
    let mut rig = Rig::new("m1", Hop::patch());
    rig.deadline_s = 3;
    rig.world
        .open_transaction(Instant::now() + Duration::from_secs(60));
    let began = Instant::now();
    rig.refused(Direction::Perform, &LEAVE).await;
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(rig.world.write().is_ok());
}

/// The pause must not outlive whatever goes wrong between it and the STOP.
#[tokio::test(start_paused = true)]
async fn whatever_fails_on_the_way_writes_are_possible_again() {
    for point in [
        "mysql.set_super_read_only",
        "mysql.writing_transactions",
        "mysql.stop_group_replication",
        "mysql.pulse",
    ] {
        for action in [FaultAction::FailBefore, FaultAction::FailAfter] {
            let rig = Rig::new("m1", Hop::patch());
            let strikes = std::sync::atomic::AtomicUsize::new(0);
            rig.world.faults(move |_, at| {
                let strike =
                    at == point && strikes.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
                if strike {
                    action
                } else {
                    FaultAction::Continue
                }
            });
            let outcome = rig.carry_out(Direction::Perform, &LEAVE).await;
            sleep(Duration::from_secs(2)).await;
            assert!(
                rig.world.write().is_ok(),
                "{point} {action:?} left a write pause behind: {outcome:?}"
            );
            assert_eq!(
                rig.world.wrongs_at_rest(),
                Vec::<String>::new(),
                "{point} {action:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_whose_agent_died_is_finished_or_lifted_when_it_is_back() {
    for direction in [Direction::Perform, Direction::Undo] {
        let rig = Rig::new("m1", Hop::patch());
        rig.world.faults(|_, at| match at {
            "mysql.set_super_read_only" => FaultAction::CrashAfter,
            _ => FaultAction::Continue,
        });
        assert_eq!(rig.once(Direction::Perform, &LEAVE).await, None);
        rig.world.no_faults();
        assert!(rig.world.write().is_err());
        let outcome = rig.carry_out(direction, &LEAVE).await;
        assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
        sleep(Duration::from_secs(1)).await;
        assert!(rig.world.write().is_ok(), "{direction}");
        let expected = match direction {
            Direction::Perform => member("m2"),
            Direction::Undo => member("m1"),
        };
        assert_eq!(rig.world.primary(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_member_is_made_read_only_at_once_and_says_why() {
    // The last two members went on to another series: an old one can't come back.
    let rig = Rig::new("m1", Hop::series());
    rig.perform(&LEAVE).await;
    for name in ["m2", "m3"] {
        rig.world
            .pretend_version(&member(name), rig.hop.new_version());
    }
    let began = Instant::now();
    let failure = rig.refused(Direction::Perform, &JOIN).await;
    assert_eq!(failure.code, FailureCode::GroupJoin);
    assert!(failure.message.contains("MY-011521"), "{failure}");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "tried a definitive refusal again"
    );
    assert!(!rig.world.is_writable(&rig.member));
}

/// The plugin puts back the mode from before START: what was writable then is writable again.
#[tokio::test(start_paused = true)]
async fn a_refused_member_that_somebody_had_opened_is_made_read_only() {
    let rig = Rig::new("m1", Hop::series());
    rig.perform(&LEAVE).await;
    for name in ["m2", "m3"] {
        rig.world
            .pretend_version(&member(name), rig.hop.new_version());
    }
    let (world, own) = (rig.world.clone(), rig.member.clone());
    rig.world.faults(move |_, at| {
        if at == "mysql.start_group_replication" {
            world.open_by_hand(&own);
        }
        FaultAction::Continue
    });
    let outcome = rig.carry_out(Direction::Perform, &JOIN).await;
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    assert!(!rig.world.is_writable(&rig.member));
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_the_old_incarnation_is_waited_out() {
    let rig = Rig::new("m3", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.world.power_off(&rig.member);
    rig.world.power_on(&rig.member);
    rig.perform(&JOIN).await;
    assert_eq!(
        rig.world.member_state(&rig.member),
        Some(MemberState::Online)
    );
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dies_in_maintenance_is_brought_back_by_the_undo() {
    let rig = Rig::new("m3", Hop::patch());
    let before = rig.picture().await;
    rig.perform(&Operation::EnterMaintenance).await;
    // Before it leaves: nobody restarts it, and going on is refused.
    rig.world.kill_mysqld(&rig.member);
    let failure = rig.refused(Direction::Perform, &LEAVE).await;
    assert!(!failure.partial, "{failure}");
    rig.undo(&LEAVE).await;
    assert_eq!(
        rig.world.member_state(&rig.member),
        Some(MemberState::Online)
    );
    // And when only the drop-ins are left to be undone.
    rig.world.kill_mysqld(&rig.member);
    rig.undo(&Operation::EnterMaintenance).await;
    assert_eq!(rig.picture().await, before);
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_new_server_that_dies_before_it_joins_is_put_back() {
    let rig = Rig::new("m3", Hop::series());
    let lane = rig.hop.lane();
    let before = rig.picture().await;
    rig.up_to(8).await;
    rig.world.kill_mysqld(&rig.member);
    rig.refused(Direction::Perform, &JOIN).await;
    for operation in lane[..=8].iter().rev() {
        rig.undo(operation).await;
    }
    assert_eq!(rig.picture().await, before);
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_server_neither_leaves_nor_joins() {
    let rig = Rig::new("m3", Hop::patch());
    rig.up_to(6).await;
    for operation in [LEAVE, JOIN] {
        let failure = rig.refused(Direction::Perform, &operation).await;
        assert_eq!(failure.code, FailureCode::Sql, "{failure}");
        assert!(!failure.partial);
    }
    // Nothing to leave: the undo of a join finds what it wants.
    rig.undo(&JOIN).await;
}

#[tokio::test(start_paused = true)]
async fn the_primary_role_is_given_kept_and_given_back() {
    let mut rig = Rig::new("m2", Hop::patch());
    let uuid = rig.world.uuid(&rig.member);
    let appoint = Operation::AppointPrimary { uuid: uuid.clone() };
    let keep = Operation::KeepPrimary { uuid: uuid.clone() };
    let failure = rig.refused(Direction::Perform, &keep).await;
    assert_eq!(failure.code, FailureCode::GroupPrimary);
    for _ in 0..2 {
        rig.perform(&appoint).await;
        rig.perform(&keep).await;
    }
    assert_eq!(rig.world.primary(), Some(member("m2")));
    assert!(rig.world.write().is_ok());

    // Somebody else takes it; the undo of keeping gives it back.
    let other = rig.world.uuid(&member("m1"));
    rig.member = member("m1");
    rig.perform(&Operation::AppointPrimary { uuid: other })
        .await;
    rig.member = member("m2");
    for _ in 0..2 {
        rig.undo(&keep).await;
    }
    assert_eq!(rig.world.primary(), Some(member("m2")));

    // Not the server that the plan names.
    rig.member = member("m3");
    rig.refused_clean(&appoint).await;
}

#[tokio::test(start_paused = true)]
async fn only_the_lowest_version_can_be_appointed() {
    let rig = Rig::new("m3", Hop::patch());
    for operation in rig.hop.lane() {
        rig.perform(&operation).await;
    }
    let uuid = rig.world.uuid(&rig.member);
    let failure = rig
        .refused(Direction::Perform, &Operation::AppointPrimary { uuid })
        .await;
    assert_eq!(failure.code, FailureCode::GroupPrimary);
    assert!(failure.message.contains("3910"), "{failure}");
}

/// What the running server is told once more only at its next start must not stay unsaid because one connection broke.
#[tokio::test(start_paused = true)]
async fn a_running_server_is_told_again_when_the_connection_breaks() {
    let rig = Rig::new("m2", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    assert!(!rig.world.starts_on_boot(&rig.member));
    let broken = std::sync::atomic::AtomicBool::new(false);
    rig.world.faults(move |_, point| {
        let first = point == "mysql.set_start_on_boot"
            && !broken.swap(true, std::sync::atomic::Ordering::SeqCst);
        if first {
            FaultAction::FailBefore
        } else {
            FaultAction::Continue
        }
    });
    rig.undo(&Operation::EnterMaintenance).await;
    assert!(rig.world.starts_on_boot(&rig.member));
}

/// A member that lacks what its group has purged clones: its server ends with the data in place and counts on being started again,
/// in maintenance, too; then it joins once more.
#[tokio::test(start_paused = true)]
async fn a_member_that_clones_restarts_and_joins_again() {
    let rig = Rig::new("m3", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.perform(&LEAVE).await;
    let lacking = rig.world.write().unwrap();
    rig.world.let_clone(&rig.member);
    let notes = rig.perform(&JOIN).await.join("; ");
    assert!(notes.contains("restarted 1 time"), "{notes}");
    assert_eq!(
        rig.world.member_state(&rig.member),
        Some(MemberState::Online)
    );
    assert!(rig.world.acknowledged().contains(&lacking));
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

/// Nobody starts a server again that has died while it joined: that stops the rollout.
#[tokio::test(start_paused = true)]
async fn a_member_that_dies_while_it_joins_is_not_waited_for() {
    let rig = Rig::new("m3", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.perform(&LEAVE).await;
    let (world, dies) = (rig.world.clone(), rig.member.clone());
    tokio::spawn(async move {
        sleep(Duration::from_millis(800)).await;
        world.kill_mysqld(&dies);
    });
    let began = Instant::now();
    rig.refused(Direction::Perform, &JOIN).await;
    assert!(began.elapsed() < Duration::from_secs(30));
}
