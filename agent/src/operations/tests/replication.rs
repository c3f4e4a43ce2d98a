//! Replicas and sources: each operation twice, each undo twice, after never and after fully; leases; hand-overs.

use super::rig::{Hop, Rig, member};
use crate::lease::Lease;
use crate::ledger::FileDisk;
use crate::worker::Clock;
use refit_shared::ids::RolloutId;
use refit_shared::operation::{Direction, Operation, SourceAddress};
use refit_shared::receipt::FailureCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PAUSE: Operation = Operation::PauseWrites {
    drain_s: 10,
    lease_s: 60,
};

fn address(rig: &Rig, host: &str) -> SourceAddress {
    SourceAddress {
        channel: String::new(),
        host: host.to_owned(),
        port: 3306,
        uuid: rig.world.uuid(&member(host)),
        ssl: true,
        get_public_key: false,
        connect_retry_s: 60,
        retry_count: 10,
    }
}

fn nothing_wrong(rig: &Rig) {
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_replica_from_all_worlds() {
    for hop in [Hop::patch(), Hop::series()] {
        for step in 0..hop.replica_lane().len() {
            let operation = hop.replica_lane()[step].clone();
            let rig = Rig::replicas("m3", hop.clone());
            for earlier in &hop.replica_lane()[..step] {
                rig.perform(earlier).await;
            }
            let before = rig.picture().await;
            rig.undo(&operation).await;
            rig.undo(&operation).await;
            assert_eq!(rig.picture().await, before, "never ran: {operation:?}");

            rig.perform(&operation).await;
            let after = rig.picture().await;
            rig.perform(&operation).await;
            assert_eq!(rig.picture().await, after, "twice: {operation:?}");
            rig.undo(&operation).await;
            rig.undo(&operation).await;
            assert_eq!(rig.picture().await, before, "fully ran: {operation:?}");
            assert_eq!(
                rig.world.violations(),
                Vec::<String>::new(),
                "{operation:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_upgraded_and_put_back_has_everything() {
    let rig = Rig::replicas("m3", Hop::series());
    let lane = rig.hop.replica_lane();
    for operation in &lane {
        rig.perform(operation).await;
        rig.world.write().unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.world.data_version(&rig.member), rig.hop.new_version());
    nothing_wrong(&rig);
    for operation in lane.iter().rev() {
        rig.undo(operation).await;
        rig.world.write().unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.world.data_version(&rig.member), rig.hop.old());
    assert!(rig.world.replicates(&rig.member));
    assert_eq!(
        rig.world.transactions(&rig.member),
        rig.world.acknowledged()
    );
    nothing_wrong(&rig);
}

/// The host is rebooted in maintenance and comes up without replicating; leaving maintenance makes up for it.
#[tokio::test(start_paused = true)]
async fn a_replica_that_was_rebooted_in_maintenance_replicates_after_it() {
    let rig = Rig::replicas("m2", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.world.power_off(&rig.member);
    rig.world.power_on(&rig.member);
    sleep(Duration::from_secs(5)).await;
    assert!(!rig.world.replicates(&rig.member));
    rig.undo(&Operation::EnterMaintenance).await;
    assert!(rig.world.replicates(&rig.member));
}

/// A receiver that gave up while its source was away goes on; one that a person has stopped does not.
#[tokio::test(start_paused = true)]
async fn replicas_go_on_unless_a_person_has_stopped_them() {
    let rig = Rig::replicas("m2", Hop::patch());
    let source = member("m1");
    rig.world.power_off(&source);
    // Somebody looks now and then: the simulated receiver counts its tries only then.
    for _ in 0..20 {
        sleep(Duration::from_secs(60)).await;
        let _ = rig.world.replicates(&rig.member);
    }
    rig.world.power_on(&source);
    sleep(Duration::from_secs(60)).await;
    assert!(!rig.world.replicates(&rig.member), "it has given up");
    rig.perform(&Operation::KeepReplica).await;
    assert!(rig.world.replicates(&rig.member));

    rig.world
        .host(&rig.member)
        .mysql
        .stop_replica()
        .await
        .unwrap();
    let failure = rig.refused_clean(&Operation::KeepReplica).await;
    assert!(failure.message.contains("START REPLICA"), "{failure}");
    assert!(!rig.world.replicates(&rig.member));
}

#[tokio::test(start_paused = true)]
async fn writes_are_paused_and_let_in_again() {
    let rig = Rig::replicas("m1", Hop::patch());
    rig.undo(&PAUSE).await;
    rig.perform(&PAUSE).await;
    rig.perform(&PAUSE).await;
    assert!(!rig.world.is_writable(&rig.member));
    rig.perform(&Operation::DemoteSource).await;
    rig.perform(&Operation::DemoteSource).await;
    rig.undo(&Operation::DemoteSource).await;
    rig.undo(&PAUSE).await;
    assert!(rig.world.is_writable(&rig.member));
    nothing_wrong(&rig);
}

/// The pause ends by itself, whoever is gone; after that nothing may rest on it.
#[tokio::test(start_paused = true)]
async fn a_pause_is_a_lease() {
    let rig = Rig::replicas("m1", Hop::patch());
    let (host, cx) = rig.context(rig.order(Direction::Perform, &PAUSE));
    let keeper = tokio::spawn(cx.lease.clone().keep(host.clone()));
    let outcome = crate::operations::run(&host, &cx).await;
    assert!(matches!(
        outcome,
        refit_shared::receipt::Outcome::Done { .. }
    ));
    sleep(Duration::from_secs(50)).await;
    assert!(!rig.world.is_writable(&rig.member));
    sleep(Duration::from_secs(15)).await;
    assert!(rig.world.is_writable(&rig.member), "the lease has run out");
    keeper.abort();
    let failure = rig.refused_clean(&Operation::DemoteSource).await;
    assert!(failure.message.contains("has ended"), "{failure}");
}

/// The agent dies with its host; its next incarnation lets writes in, since the server came up read-only in maintenance.
#[tokio::test(start_paused = true)]
async fn a_lease_outlives_the_agent_and_its_host() {
    let rig = Rig::replicas("m1", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.perform(&PAUSE).await;
    rig.world.power_off(&rig.member);
    sleep(Duration::from_secs(5)).await;
    rig.world.power_on(&rig.member);
    sleep(Duration::from_secs(5)).await;
    assert!(!rig.world.is_writable(&rig.member));
    let (host, cx) = rig.context(rig.order(Direction::Perform, &PAUSE));
    let keeper = tokio::spawn(cx.lease.clone().keep(host));
    sleep(Duration::from_secs(60)).await;
    assert!(rig.world.is_writable(&rig.member));
    keeper.abort();
}

/// Once the pause is lasting no lease lifts it, in no incarnation.
#[tokio::test(start_paused = true)]
async fn a_demoted_source_stays_read_only() {
    let rig = Rig::replicas("m1", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.perform(&PAUSE).await;
    rig.perform(&Operation::DemoteSource).await;
    let (host, cx) = rig.context(rig.order(Direction::Perform, &PAUSE));
    let keeper = tokio::spawn(cx.lease.clone().keep(host));
    sleep(Duration::from_secs(3600)).await;
    assert!(!rig.world.is_writable(&rig.member));
    keeper.abort();
}

#[tokio::test(start_paused = true)]
async fn a_damaged_lease_is_never_rested_on() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("write-pause"), b"nonsense").unwrap();
    let world = Rig::replicas("m1", Hop::patch()).world;
    let lease = Lease::open(dir.path(), FileDisk::quick(), Arc::new(world));
    let rollout = RolloutId::new("r1").unwrap();
    assert!(lease.is_held_by(&rollout).await.is_err());
    assert!(lease.make_lasting(&rollout).await.is_err());
    lease.begin(&rollout, Duration::from_secs(1)).await.unwrap();
    assert!(lease.is_held_by(&rollout).await.unwrap());
    assert!(
        !lease
            .is_held_by(&RolloutId::new("r2").unwrap())
            .await
            .unwrap()
    );
    sleep(Duration::from_secs(2)).await;
    assert!(!lease.make_lasting(&rollout).await.unwrap());
}

#[derive(Debug)]
struct Stopped(i64);

impl Clock for Stopped {
    fn now_unix_ms(&self) -> i64 {
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_no_pause_longer() {
    const DAY: i64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    let rollout = RolloutId::new("r1").unwrap();
    let open = |now| Lease::open(dir.path(), FileDisk::quick(), Arc::new(Stopped(now)));
    let lease = open(2 * DAY);
    lease
        .begin(&rollout, Duration::from_secs(60))
        .await
        .unwrap();
    let after_restart = open(DAY);
    assert!(after_restart.is_held_by(&rollout).await.unwrap());
    sleep(Duration::from_secs(61)).await;
    assert!(!after_restart.is_held_by(&rollout).await.unwrap());
    let on_time = open(2 * DAY + 50_000);
    sleep(Duration::from_secs(11)).await;
    assert!(!on_time.is_held_by(&rollout).await.unwrap());
}

/// A whole hand-over, as the plan orders it, with writes all the while that are possible.
#[tokio::test(start_paused = true)]
async fn a_hand_over_loses_nothing() {
    let rig = Rig::replicas("m1", Hop::patch());
    let on = |name: &str| Rig::in_world(rig.world.clone(), name, rig.hop.clone());
    let (m2, m3) = (on("m2"), on("m3"));
    rig.perform(&Operation::EnterMaintenance).await;
    rig.world.write().unwrap();
    rig.perform(&PAUSE).await;
    assert!(rig.world.write().is_err());
    sleep(Duration::from_secs(1)).await;
    rig.perform(&Operation::DemoteSource).await;
    m2.perform(&Operation::PromoteReplica).await;
    m2.perform(&Operation::PromoteReplica).await;
    rig.world.write().unwrap();
    let follow = Operation::FollowSource {
        source: address(&rig, "m2"),
    };
    m3.perform(&follow).await;
    m3.perform(&follow).await;
    rig.perform(&follow).await;
    rig.perform(&Operation::LeaveMaintenance).await;
    rig.world.write().unwrap();
    sleep(Duration::from_secs(5)).await;
    for name in ["m1", "m2", "m3"] {
        let name = member(name);
        assert_eq!(
            rig.world.transactions(&name),
            rig.world.acknowledged(),
            "{name}"
        );
    }
    assert_eq!(rig.world.primary(), Some(member("m2")));
    nothing_wrong(&rig);
    // There is no way back, and none is pretended.
    let refused = m2
        .refused(Direction::Undo, &Operation::PromoteReplica)
        .await;
    assert_eq!(refused.code, FailureCode::Precondition);
}

/// A replica that lacks what it has received is not promoted, and one that follows another server than was meant is told.
#[tokio::test(start_paused = true)]
async fn what_was_not_proved_is_refused() {
    let rig = Rig::replicas("m2", Hop::patch());
    let wrong = SourceAddress {
        uuid: rig.world.uuid(&member("m3")),
        ..address(&rig, "m1")
    };
    let refused = rig
        .refused(
            Direction::Perform,
            &Operation::FollowSource { source: wrong },
        )
        .await;
    assert_eq!(refused.code, FailureCode::Replication, "{refused}");
    let alone = Rig::alone(Hop::patch());
    for operation in [
        Operation::StopReplica { drain_s: 5 },
        Operation::KeepReplica,
        Operation::DiscardLogs,
    ] {
        let failure = alone.refused_clean(&operation).await;
        assert!(
            failure.message.contains("replicates from nobody"),
            "{failure}"
        );
    }
    let began = Instant::now();
    let running = rig.refused_clean(&Operation::DiscardLogs).await;
    assert!(running.message.contains("still replicates"), "{running}");
    assert!(began.elapsed() < Duration::from_secs(5));
}
