//! Tables rebuilt by one server alone: twice, undone, cut off half-way, and refused where others would see it.

use super::rig::{CUTS, Hop, Rig};
use crate::simhost::FaultAction;
use refit_shared::operation::{Direction, Operation};
use refit_shared::receipt::FailureCode;
use refit_shared::table::TableName;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

fn tables(names: &[&str]) -> Vec<TableName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn two() -> Vec<TableName> {
    tables(&["shop.items", "shop.orders"])
}

fn rebuild() -> Operation {
    Operation::RebuildTables { tables: two() }
}

const STOP: Operation = Operation::StopReplica { drain_s: 60 };
const LEAVE: Operation = Operation::LeaveGroup { drain_s: 10 };
const START: Operation = Operation::StartReplica { catch_up_s: 60 };

/// A replica in maintenance that does not replicate.
async fn stopped_replica() -> Rig {
    let rig = Rig::replicas("m3", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.perform(&STOP).await;
    rig
}

fn rebuilt(rig: &Rig) -> BTreeSet<TableName> {
    rig.world.rebuilt(&rig.member)
}

#[tokio::test(start_paused = true)]
async fn a_replica_rebuilds_from_all_worlds() {
    let rig = stopped_replica().await;
    let before = rig.picture().await;
    rig.undo(&rebuild()).await;
    rig.undo(&rebuild()).await;
    assert_eq!(rig.picture().await, before, "never ran");
    assert!(rebuilt(&rig).is_empty());

    let notes = rig.perform(&rebuild()).await.join("; ");
    assert!(notes.contains("gtid_executed is as before"), "{notes}");
    assert!(rebuilt(&rig).iter().eq(&two()));
    assert_eq!(rig.picture().await, before, "it is as closed as before");
    let again = rig.perform(&rebuild()).await;
    assert_eq!(again, ["was already so"]);
    rig.undo(&rebuild()).await;
    rig.undo(&rebuild()).await;
    assert_eq!(rig.picture().await, before, "fully ran");

    rig.perform(&START).await;
    rig.perform(&Operation::LeaveMaintenance).await;
    assert!(rig.world.replicates(&rig.member));
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

/// The agent dies, or its host loses power, before or after each of its calls: it converges, and administrators are kept out.
#[tokio::test(start_paused = true)]
async fn whatever_cuts_it_off_it_converges() {
    for cut in CUTS {
        let mut nth = 0;
        loop {
            let rig = stopped_replica().await;
            let before = rig.picture().await;
            let met = rig.strike(nth, cut);
            rig.perform(&rebuild()).await;
            let calls = met.load(Ordering::Relaxed);
            rig.world.no_faults();
            assert!(rebuilt(&rig).iter().eq(&two()), "{cut:?} at {nth}");
            assert_eq!(rig.picture().await, before, "{cut:?} at {nth}");
            assert_eq!(
                rig.world.violations(),
                Vec::<String>::new(),
                "{cut:?} at {nth}"
            );
            nth += 1;
            if nth > calls {
                break;
            }
        }
        assert!(nth > 5, "{nth} calls are too few");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_rebuilds_while_it_serves() {
    let rig = Rig::replicas("m1", Hop::patch());
    for replica in ["m2", "m3"] {
        let replica = Rig::in_world(rig.world.clone(), replica, Hop::patch());
        replica.perform(&STOP).await;
        replica.perform(&rebuild()).await;
        replica.perform(&START).await;
    }
    let before = rig.picture().await;
    let notes = rig.perform(&rebuild()).await.join("; ");
    assert!(notes.contains("sql_log_bin was off"), "{notes}");
    rig.world.write().unwrap();
    assert!(rebuilt(&rig).iter().eq(&two()));
    assert_eq!(rig.picture().await, before);
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

/// A secondary, and the primary, each out of the group and in maintenance.
#[tokio::test(start_paused = true)]
async fn a_member_rebuilds_out_of_its_group() {
    let primary = Rig::new("m1", Hop::patch());
    let secondary = Rig::in_world(primary.world.clone(), "m3", Hop::patch());
    for rig in [&secondary, &primary] {
        let fine = Operation::InspectTables {
            tables: two(),
            secluded: false,
        };
        rig.perform(&fine).await;
        rig.perform(&Operation::EnterMaintenance).await;
        rig.perform(&LEAVE).await;
        let before = rig.picture().await;
        rig.undo(&rebuild()).await;
        assert_eq!(rig.picture().await, before, "never ran");
        let notes = rig.perform(&rebuild()).await.join("; ");
        assert!(notes.contains("gtid_executed is as before"), "{notes}");
        assert_eq!(rig.picture().await, before, "it is as closed as before");
        rig.undo(&rebuild()).await;
        assert_eq!(rig.picture().await, before, "fully ran");
        rig.perform(&Operation::JoinGroup { drain_s: 60 }).await;
        rig.perform(&Operation::LeaveMaintenance).await;
        rig.world.write().unwrap();
        assert!(rebuilt(rig).iter().eq(&two()));
        assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn where_others_would_see_it_it_is_refused() {
    let replicating = Rig::replicas("m3", Hop::patch());
    let refused = replicating.refused_clean(&rebuild()).await;
    assert!(refused.message.contains("still replicates"), "{refused}");
    let grouped = Rig::new("m2", Hop::patch());
    let refused = grouped.refused_clean(&rebuild()).await;
    assert!(refused.message.contains("member of its group"), "{refused}");
    grouped.perform(&LEAVE).await;
    let refused = grouped.refused_clean(&rebuild()).await;
    assert!(refused.message.contains("maintenance"), "{refused}");
    for rig in [replicating, grouped] {
        assert!(rebuilt(&rig).is_empty());
        assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
    }
}

/// All mistakes in a list at once; what locks writers out is one only where writers are.
#[tokio::test(start_paused = true)]
async fn a_list_with_mistakes_is_refused_as_a_whole() {
    let listed = Operation::InspectTables {
        tables: tables(&[
            "shop.items",
            "shop.report",
            "shop.archive",
            "shop.documents",
            "shopp.items",
        ]),
        secluded: false,
    };
    let rig = Rig::replicas("m1", Hop::patch());
    let said = rig.refused_clean(&listed).await.message;
    for why in [
        "shop.report is a VIEW",
        "shop.archive is of engine MyISAM",
        "shop.documents has a FULLTEXT",
        "shopp.items is not there",
    ] {
        assert!(said.contains(why), "{said}");
    }
    let replica = Rig::in_world(rig.world.clone(), "m2", Hop::patch());
    let said = replica.refused_clean(&listed).await.message;
    assert!(!said.contains("shop.documents"), "{said}");
    let unreachable = Operation::InspectTables {
        tables: tables(&["shop.documents"]),
        secluded: true,
    };
    rig.perform(&unreachable).await;
    let fine = Operation::InspectTables {
        tables: two(),
        secluded: false,
    };
    let notes = rig.perform(&fine).await;
    assert_eq!(notes, ["2 tables, 2.0 MiB in all, the largest 1.0 MiB"]);
}

/// A write on a replica that should be alone is told with its GTIDs.
#[tokio::test(start_paused = true)]
async fn a_failed_rebuild_keeps_administrators_out() {
    let rig = stopped_replica().await;
    let before = rig.picture().await;
    rig.world.faults(|_, point| match point {
        "mysql.rebuild_table" => FaultAction::FailBefore,
        _ => FaultAction::Continue,
    });
    let failure = rig.refused(Direction::Perform, &rebuild()).await;
    assert_eq!(failure.code, FailureCode::Sql, "{failure}");
    rig.world.faults(|_, _| FaultAction::Continue);
    assert_eq!(rig.picture().await, before);
}

fn offline() -> Operation {
    Operation::RebuildOffline {
        version: Hop::patch().old(),
        tables: two(),
    }
}

const CLOSE: Operation = Operation::EnterMaintenance;

fn stop() -> Operation {
    Operation::StopServer {
        version: Hop::patch().old(),
        slow: false,
        drain_s: 10,
    }
}

/// A source whose replicas have rebuilt, stopped and held down in maintenance.
async fn stopped_source() -> Rig {
    let rig = Rig::replicas("m1", Hop::patch());
    for replica in ["m2", "m3"] {
        let replica = Rig::in_world(rig.world.clone(), replica, Hop::patch());
        replica.perform(&STOP).await;
        replica.perform(&rebuild()).await;
        replica.perform(&START).await;
    }
    rig.perform(&CLOSE).await;
    rig.perform(&stop()).await;
    rig
}

/// From all worlds: never ran, fully ran, twice each; what comes behind is the source that serves.
#[tokio::test(start_paused = true)]
async fn a_stopped_source_rebuilds_where_nobody_reaches_it() {
    let rig = stopped_source().await;
    let before = rig.picture().await;
    rig.undo(&offline()).await;
    rig.undo(&offline()).await;
    assert_eq!(rig.picture().await, before, "never ran");
    assert!(rebuilt(&rig).is_empty());

    let notes = rig.perform(&offline()).await.join("; ");
    assert!(notes.contains("gtid_executed is as before"), "{notes}");
    assert!(rebuilt(&rig).iter().eq(&two()));
    let after = rig.picture().await;
    assert!(rig.world.in_maintenance(&rig.member) && !rig.world.is_writable(&rig.member));
    assert!(!rig.world.is_held_down(&rig.member));
    assert_eq!(rig.perform(&offline()).await, ["was already so"]);
    rig.undo(&offline()).await;
    rig.undo(&offline()).await;
    assert_eq!(rig.picture().await, after, "fully ran");
    rig.undo(&stop()).await;

    rig.perform(&Operation::LeaveMaintenance).await;
    rig.perform(&Operation::AllowWrites).await;
    rig.world.write().unwrap();
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

/// The agent dies, or its host loses power, before or after each of its calls, forward and then back.
#[tokio::test(start_paused = true)]
async fn whatever_cuts_an_offline_rebuild_off_it_converges_forward_and_back() {
    for cut in CUTS {
        // Each call once, forward and back by turns.
        let mut nth = 0;
        loop {
            let back = nth % 2 == 1;
            let rig = stopped_source().await;
            let met = rig.strike(nth, cut);
            rig.perform(&offline()).await;
            let calls = met.load(Ordering::Relaxed);
            rig.world.no_faults();
            let place = format!("{cut:?} at {nth}, back: {back}");
            assert!(rebuilt(&rig).iter().eq(&two()), "{place}");
            if back {
                rig.undo(&offline()).await;
                rig.undo(&stop()).await;
                rig.undo(&CLOSE).await;
            } else {
                rig.perform(&Operation::LeaveMaintenance).await;
            }
            rig.perform(&Operation::AllowWrites).await;
            rig.world.write().unwrap();
            assert_eq!(rig.world.violations(), Vec::<String>::new(), "{place}");
            nth += 1;
            if nth > calls {
                break;
            }
        }
        assert!(nth > 20, "{nth} calls are too few");
    }
}

/// Half-way, with the server where nobody reaches it: nobody is let in, and the undo brings a usual server back.
#[tokio::test(start_paused = true)]
async fn nobody_is_let_in_before_the_binary_log_is_on_again() {
    let rig = stopped_source().await;
    rig.world.faults(|_, point| match point {
        "mysql.rebuild_table" => FaultAction::FailBefore,
        _ => FaultAction::Continue,
    });
    let failure = rig.refused(Direction::Perform, &offline()).await;
    assert_eq!(failure.code, FailureCode::Sql, "{failure}");
    rig.world.faults(|_, _| FaultAction::Continue);
    for open in [Operation::LeaveMaintenance, Operation::AllowWrites] {
        let refused = rig.refused(Direction::Perform, &open).await;
        assert!(refused.message.contains("without binary log"), "{refused}");
    }
    assert!(rig.world.write().is_err());
    rig.undo(&offline()).await;
    rig.undo(&stop()).await;
    rig.undo(&CLOSE).await;
    rig.perform(&Operation::AllowWrites).await;
    rig.world.write().unwrap();
    assert!(rebuilt(&rig).is_empty());

    // Resumed once clients have written again: it is compared with what is executed now.
    rig.perform(&CLOSE).await;
    rig.perform(&stop()).await;
    rig.perform(&offline()).await;
    assert!(rebuilt(&rig).iter().eq(&two()));
    assert_eq!(rig.world.violations(), Vec::<String>::new());
}
