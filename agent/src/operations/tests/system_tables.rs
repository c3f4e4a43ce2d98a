//! mysql_upgrade by a server's own program: twice, undone, cut off half-way, and refused where others would see it.

use super::rig::{CUTS, Hop, Rig};
use crate::simhost::{FaultAction, pins};
use refit_shared::operation::{Direction, Operation};
use refit_shared::receipt::FailureCode;
use std::sync::atomic::Ordering;

fn upgrade(hop: &Hop) -> Operation {
    Operation::UpgradeSystemTables {
        version: hop.new_version(),
    }
}

const STOP: Operation = Operation::StopReplica { drain_s: 60 };
const START: Operation = Operation::StartReplica { catch_up_s: 60 };

/// A replica in maintenance whose new server has just been started for the first time.
async fn started() -> Rig {
    let rig = Rig::replicas("m3", Hop::early());
    for operation in lane(&rig.hop) {
        rig.perform(&operation).await;
    }
    rig
}

fn lane(hop: &Hop) -> [Operation; 8] {
    [
        Operation::FetchPackages {
            target: pins(&hop.to),
            rollback: pins(&hop.from),
        },
        Operation::BackUpConfig,
        Operation::EnterMaintenance,
        STOP,
        Operation::StopServer {
            version: hop.old(),
            slow: false,
            drain_s: 0,
        },
        Operation::SnapshotData {
            name: "before".to_owned(),
        },
        Operation::SwapPackages {
            from: pins(&hop.from),
            to: pins(&hop.to),
        },
        Operation::StartServer {
            version: hop.new_version(),
            snapshot: "before".to_owned(),
        },
    ]
}

#[tokio::test(start_paused = true)]
async fn from_all_worlds_and_back() {
    let rig = started().await;
    let order = upgrade(&rig.hop);
    let before = rig.picture().await;
    rig.undo(&order).await;
    rig.undo(&order).await;
    assert_eq!(rig.picture().await, before, "never ran");

    let notes = rig.perform(&order).await.join("; ");
    assert!(notes.contains("no GTID was written"), "{notes}");
    assert!(notes.contains("restarted"), "{notes}");
    assert_eq!(rig.picture().await, before, "it is as closed as before");
    assert_eq!(rig.perform(&order).await, ["was already so"]);

    rig.perform(&START).await;
    rig.undo(&START).await;
    rig.undo(&order).await;
    rig.undo(&order).await;
    for operation in lane(&rig.hop).iter().rev() {
        rig.undo(operation).await;
    }
    assert_eq!(rig.world.data_version(&rig.member), rig.hop.old());

    // The snapshot has brought the tables of before back: what was done to the others counts no more.
    for operation in lane(&rig.hop) {
        rig.perform(&operation).await;
    }
    let notes = rig.perform(&order).await.join("; ");
    assert!(notes.contains("mysql_upgrade took"), "{notes}");
    rig.perform(&START).await;
    assert_eq!(rig.world.violations(), Vec::<String>::new());
    rig.perform(&Operation::LeaveMaintenance).await;
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

/// The simulated host calls it a violation when a server replicates without.
#[tokio::test(start_paused = true)]
async fn what_replicates_without_it_is_seen() {
    let rig = started().await;
    rig.perform(&START).await;
    let wrongs = rig.world.violations().join("; ");
    assert!(
        wrongs.contains("replicates with system tables of 8.0.11"),
        "{wrongs}"
    );
}

/// The agent dies, or its host loses power, before or after each of its calls: it converges, and administrators are kept out.
#[tokio::test(start_paused = true)]
async fn whatever_cuts_it_off_it_converges() {
    for cut in CUTS {
        let mut nth = 0;
        loop {
            let rig = started().await;
            let before = rig.picture().await;
            let met = rig.strike(nth, cut);
            rig.perform(&upgrade(&rig.hop)).await;
            let calls = met.load(Ordering::Relaxed);
            rig.world.no_faults();
            assert_eq!(rig.picture().await, before, "{cut:?} at {nth}");
            rig.perform(&START).await;
            rig.perform(&Operation::LeaveMaintenance).await;
            assert_eq!(
                rig.world.wrongs_at_rest(),
                Vec::<String>::new(),
                "{cut:?} at {nth}"
            );
            nth += 1;
            // Behind the restart it only waits for the server.
            if nth > calls || nth > 40 {
                break;
            }
        }
        assert!(nth > 15, "{nth} calls are too few");
    }
}

#[tokio::test(start_paused = true)]
async fn where_others_would_see_it_it_is_refused() {
    let rig = Rig::replicas("m3", Hop::early());
    let order = Operation::UpgradeSystemTables {
        version: rig.hop.old(),
    };
    let said = rig.refused_clean(&order).await.message;
    assert!(said.contains("maintenance"), "{said}");
    rig.perform(&Operation::EnterMaintenance).await;
    let said = rig.refused_clean(&order).await.message;
    assert!(said.contains("replicates"), "{said}");
    let said = rig.refused_clean(&upgrade(&rig.hop)).await.message;
    assert!(said.contains("not 8.0.15"), "{said}");

    let source = Rig::in_world(rig.world.clone(), "m1", Hop::early());
    source.perform(&Operation::EnterMaintenance).await;
    let said = source.refused_clean(&order).await.message;
    assert!(said.contains("takes writes"), "{said}");

    let grouped = Rig::new("m2", Hop::early());
    grouped.perform(&Operation::EnterMaintenance).await;
    let said = grouped.refused_clean(&order).await.message;
    assert!(said.contains("member of its group"), "{said}");
    for rig in [rig, grouped] {
        assert_eq!(rig.world.violations(), Vec::<String>::new());
    }
}

/// The proof compares with what was executed before the first try, also where that try was cut off.
#[tokio::test(start_paused = true)]
async fn what_was_logged_meanwhile_is_a_failure_with_its_gtids() {
    let rig = started().await;
    let (world, member) = (rig.world.clone(), rig.member.clone());
    rig.world.faults(move |_, point| match point {
        "mysql.upgrade_system_tables" => {
            world.write_astray(&member);
            FaultAction::CrashAfter
        }
        _ => FaultAction::Continue,
    });
    assert!(
        rig.once(Direction::Perform, &upgrade(&rig.hop))
            .await
            .is_none()
    );
    rig.world.faults(|_, _| FaultAction::Continue);
    let failure = rig.refused(Direction::Perform, &upgrade(&rig.hop)).await;
    assert_eq!(failure.code, FailureCode::Replication, "{failure}");
    assert!(failure.message.contains("has grown by"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_fails_leaves_administrators_out() {
    let rig = started().await;
    let before = rig.picture().await;
    rig.world.faults(|_, point| match point {
        "mysql.upgrade_system_tables" => FaultAction::FailBefore,
        _ => FaultAction::Continue,
    });
    rig.refused(Direction::Perform, &upgrade(&rig.hop)).await;
    rig.world.faults(|_, _| FaultAction::Continue);
    assert_eq!(rig.picture().await, before);
    rig.perform(&upgrade(&rig.hop)).await;
    rig.perform(&START).await;
    assert_eq!(rig.world.violations(), Vec::<String>::new());
}
