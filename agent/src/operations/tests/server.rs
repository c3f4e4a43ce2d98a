//! The server's life: stopping with proof, snapshots, packages, first starts and their refusals, releasing.

use super::rig::{CUTS, Hop, Rig};
use crate::simhost::FaultAction;
use crate::simhost::OPTION_FILE;
use crate::simhost::pins;
use refit_shared::observation::ServiceState;
use refit_shared::operation::{Direction, Operation};
use refit_shared::receipt::{FailureCode, Outcome};
use refit_shared::survey::Fate;
use refit_shared::version::PackageVersion;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep;

const VALIDATE: usize = 2;
const STOP: usize = 5;
const SNAPSHOT: usize = 6;
const REWRITE: usize = 7;
const SWAP: usize = 8;
const START: usize = 9;

#[tokio::test(start_paused = true)]
async fn a_member_is_not_stopped() {
    let rig = Rig::new("m3", Hop::patch());
    rig.perform(&Operation::EnterMaintenance).await;
    rig.refused_clean(&rig.hop.lane()[STOP]).await;
    assert_eq!(rig.world.service_state(&rig.member), ServiceState::Active);
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_version_is_not_stopped() {
    let rig = Rig::new("m3", Hop::patch());
    rig.up_to(STOP).await;
    let failure = rig
        .refused_clean(&Operation::StopServer {
            version: rig.hop.new_version(),
            slow: false,
            drain_s: 0,
        })
        .await;
    assert!(failure.message.contains("9.7.3"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn without_maintenance_nothing_is_stopped() {
    let rig = Rig::new("m3", Hop::patch());
    rig.perform(&Operation::LeaveGroup { drain_s: 10 }).await;
    rig.refused_clean(&rig.hop.lane()[STOP]).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_proof_fails_and_can_be_undone() {
    let rig = Rig::new("m3", Hop::patch());
    rig.up_to(STOP).await;
    let before = rig.picture().await;
    rig.world.crash_at_shutdown(&rig.member);
    let stop = rig.hop.lane()[STOP].clone();
    let failure = rig.refused(Direction::Perform, &stop).await;
    assert_eq!(
        (failure.code, failure.partial),
        (FailureCode::UncleanShutdown, true)
    );
    rig.undo(&stop).await;
    assert_eq!(rig.picture().await, before);
    rig.perform(&stop).await;
    assert_eq!(rig.world.violations(), Vec::<String>::new());
}

/// Past the pivot nothing can be undone: the way on must be open.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_found_down_without_proof_recovers_and_is_stopped_again() {
    for hop in [Hop::patch(), Hop::series()] {
        let rig = Rig::new("m3", hop);
        rig.up_to(STOP).await;
        let stop = rig.hop.lane()[STOP].clone();
        rig.world.crash_at_shutdown(&rig.member);
        rig.refused(Direction::Perform, &stop).await;
        rig.perform(&stop).await;
        // The host lost its power when the server had just been told to stop.
        rig.undo(&stop).await;
        rig.world.faults(|_, point| match point {
            "service.begin_stop" => FaultAction::PowerCutAfter,
            _ => FaultAction::Continue,
        });
        assert!(rig.once(Direction::Perform, &stop).await.is_none());
        rig.world.no_faults();
        rig.world.power_on(&rig.member);
        rig.perform(&stop).await;
        assert!(rig.world.is_held_down(&rig.member));
        for operation in &rig.hop.lane()[STOP + 1..] {
            rig.perform(operation).await;
        }
        assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_server_stays_down_across_a_reboot() {
    let rig = Rig::new("m3", Hop::patch());
    rig.up_to(STOP + 1).await;
    rig.world.power_off(&rig.member);
    rig.world.power_on(&rig.member);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(rig.world.service_state(&rig.member), ServiceState::Inactive);
    let notes = rig.perform(&rig.hop.lane()[STOP]).await;
    assert_eq!(notes, ["was already so"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_series_is_preceded_by_a_slow_shutdown() {
    for (hop, slow) in [(Hop::patch(), false), (Hop::series(), true)] {
        let rig = Rig::new("m3", hop);
        rig.up_to(STOP).await;
        let began = tokio::time::Instant::now();
        rig.perform(&rig.hop.lane()[STOP]).await;
        assert_eq!(began.elapsed() > Duration::from_secs(5), slow);
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_server_is_neither_copied_nor_swapped() {
    let rig = Rig::new("m3", Hop::patch());
    rig.up_to(STOP).await;
    rig.refused_clean(&rig.hop.lane()[SNAPSHOT]).await;
    rig.refused_clean(&rig.hop.lane()[SWAP]).await;
    assert_eq!(rig.world.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_another_rollout_or_of_the_past_does_not_count() {
    let rig = Rig::new("m3", Hop::patch());
    let lane = rig.hop.lane();
    rig.up_to(SNAPSHOT + 1).await;
    // Unwound: the old version runs, and takes part in what the group writes.
    for operation in lane[3..=SNAPSHOT].iter().rev() {
        rig.undo(operation).await;
    }
    let tx = rig.world.write().unwrap();
    for operation in &lane[3..] {
        rig.perform(operation).await;
    }
    assert_eq!(rig.world.violations(), Vec::<String>::new());
    for operation in lane[3..].iter().rev() {
        rig.undo(operation).await;
    }
    assert!(rig.world.transactions(&rig.member).contains(&tx));
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn no_new_version_is_started_without_its_snapshot() {
    let rig = Rig::new("m3", Hop::patch());
    let lane = rig.hop.lane();
    rig.up_to(SNAPSHOT).await;
    rig.perform(&lane[SWAP]).await;
    let failure = rig.refused(Direction::Perform, &lane[START]).await;
    assert_eq!(
        (failure.code, failure.partial),
        (FailureCode::Snapshot, false)
    );
    assert_eq!(rig.world.service_state(&rig.member), ServiceState::Inactive);
    assert!(rig.world.is_held_down(&rig.member));
}

#[tokio::test(start_paused = true)]
async fn only_the_planned_version_is_started() {
    let rig = Rig::new("m3", Hop::patch());
    rig.up_to(SWAP).await;
    rig.refused_clean(&rig.hop.lane()[START]).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_start_says_why_is_held_down_and_is_undone() {
    let rig = Rig::new("m3", Hop::series());
    rig.up_to(START).await;
    let before = rig.picture().await;
    rig.world
        .refuse_start(&rig.member, rig.hop.new_version(), 13235);
    let start = rig.hop.lane()[START].clone();
    let failure = rig.refused(Direction::Perform, &start).await;
    assert_eq!(
        (failure.code, failure.partial),
        (FailureCode::ServerRefused, true)
    );
    assert!(failure.message.contains("MY-013235"), "{failure}");
    sleep(Duration::from_secs(10)).await;
    assert!(rig.world.is_held_down(&rig.member));
    assert!(matches!(
        rig.world.service_state(&rig.member),
        ServiceState::Inactive | ServiceState::Failed
    ));
    for _ in 0..2 {
        rig.undo(&start).await;
    }
    let mut after = rig.picture().await;
    after.forget_failed_state();
    assert_eq!(after, before);
    for operation in rig.hop.lane()[..START].iter().rev() {
        rig.undo(operation).await;
    }
    assert_eq!(rig.world.running_version(&rig.member), Some(rig.hop.old()));
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_not_interrupted_by_its_deadline() {
    let mut rig = Rig::new("m3", Hop::series());
    rig.up_to(START).await;
    rig.deadline_s = 3;
    rig.perform(&rig.hop.lane()[START]).await;
    assert_eq!(
        rig.world.running_version(&rig.member),
        Some(rig.hop.new_version())
    );
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_not_interrupted_by_its_undo() {
    let rig = Rig::new("m3", Hop::series());
    rig.up_to(START).await;
    let start = rig.hop.lane()[START].clone();
    tokio::select! {
        outcome = rig.once(Direction::Perform, &start) => panic!("{outcome:?}"),
        () = sleep(Duration::from_secs(4)) => rig.world.kill_agent(&rig.member),
    }
    rig.undo(&start).await;
    assert_eq!(rig.world.data_version(&rig.member), rig.hop.old());
    assert_eq!(rig.world.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_packages_and_servers_are_left_alone() {
    let rig = Rig::new("m3", Hop::patch());
    rig.up_to(SWAP).await;
    let other = PackageVersion::new("9.7.2-1").unwrap();
    let swap = Operation::SwapPackages {
        from: pins(&other),
        to: pins(&rig.hop.to),
    };
    let failure = rig.refused_clean(&swap).await;
    assert!(failure.message.contains("9.7.3-1"), "{failure}");
    // A server that this rollout did not start is not stopped by the undo of a start.
    let rig = Rig::new("m3", Hop::patch());
    let failure = rig
        .refused(Direction::Undo, &rig.hop.lane()[START].clone())
        .await;
    assert_eq!(failure.code, FailureCode::Precondition);
    assert_eq!(rig.world.service_state(&rig.member), ServiceState::Active);
}

/// Right behind dpkg all packages are there, and where a person had held them before, held: what keeps the unit from starting is, too.
#[tokio::test(start_paused = true)]
async fn a_swap_of_held_packages_that_was_cut_short_is_finished() {
    for cut in CUTS {
        let rig = Rig::new("m3", Hop::patch());
        let names: Vec<String> = pins(&rig.hop.from).into_iter().map(|p| p.name).collect();
        let host = rig.world.ports(&rig.member).host();
        host.packages.set_held(&names, true).await.unwrap();
        rig.up_to(SWAP).await;
        let struck = AtomicBool::new(false);
        rig.world.faults(move |_, point| {
            if point == "packages.install/finish" && !struck.swap(true, Ordering::Relaxed) {
                cut
            } else {
                FaultAction::Continue
            }
        });
        rig.perform(&rig.hop.lane()[SWAP].clone()).await;
        rig.world.no_faults();
        assert!(!rig.world.is_frozen(&rig.member), "{cut:?}");
        rig.perform(&rig.hop.lane()[START].clone()).await;
        assert_eq!(
            rig.world.running_version(&rig.member),
            Some(rig.hop.new_version())
        );
    }
}

/// Nobody could fill the cache by hand without leaving the plan, and the server is down.
#[tokio::test(start_paused = true)]
async fn a_cache_that_was_damaged_since_is_filled_again() {
    for back in [false, true] {
        let rig = Rig::new("m3", Hop::patch());
        let swap = rig.hop.lane()[SWAP].clone();
        rig.up_to(if back { SWAP + 1 } else { SWAP }).await;
        rig.world.damage_packages(&rig.member, true);
        let direction = if back {
            Direction::Undo
        } else {
            Direction::Perform
        };
        let failure = rig.refused(direction, &swap).await;
        assert_eq!(failure.code, FailureCode::PackageHashMismatch, "{failure}");
        rig.world.damage_packages(&rig.member, false);
        let outcome = rig.once(direction, &swap).await;
        assert!(matches!(outcome, Some(Outcome::Done { .. })), "{outcome:?}");
        assert_eq!(rig.world.violations(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_version_is_not_started_on_new_data() {
    let rig = Rig::new("m3", Hop::series());
    let lane = rig.hop.lane();
    rig.up_to(START + 1).await;
    rig.world.power_off(&rig.member);
    let (stop, swap) = (lane[STOP].clone(), lane[SWAP].clone());
    rig.world.power_on(&rig.member);
    // Out of order: the start was not undone.
    let failure = rig.refused(Direction::Undo, &swap).await;
    assert_eq!(failure.code, FailureCode::Precondition, "{failure}");
    let failure = rig.refused(Direction::Undo, &stop).await;
    assert!(!failure.partial, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn packages_that_cannot_be_had_stop_everything_before_anything_is_touched() {
    let rig = Rig::new("m3", Hop::patch());
    let missing = PackageVersion::new("9.7.9-1").unwrap();
    let fetch = Operation::FetchPackages {
        target: pins(&missing),
        rollback: pins(&rig.hop.from),
    };
    let failure = rig.refused(Direction::Perform, &fetch).await;
    assert_eq!(
        (failure.code, failure.partial),
        (FailureCode::PackageUnavailable, false)
    );
    let mut wrong = pins(&rig.hop.to);
    wrong[0].sha256 = "0".repeat(64);
    let fetch = Operation::FetchPackages {
        target: wrong,
        rollback: Vec::new(),
    };
    let failure = rig.refused(Direction::Perform, &fetch).await;
    assert_eq!(failure.code, FailureCode::PackageHashMismatch);
}

#[tokio::test(start_paused = true)]
async fn option_files_come_back_byte_for_byte() {
    let rig = Rig::new("m3", Hop::patch());
    let before = rig.world.config(&rig.member);
    rig.perform(&Operation::BackUpConfig).await;
    rig.world
        .edit_config(&rig.member, OPTION_FILE, "[mysqld]\nnew=1\n");
    rig.world
        .edit_config(&rig.member, "extra.cnf", "[mysqld]\n");
    for _ in 0..2 {
        rig.undo(&Operation::BackUpConfig).await;
        assert_eq!(rig.world.config(&rig.member), before);
    }
}

#[tokio::test(start_paused = true)]
async fn option_files_are_rewritten_as_reviewed_and_come_back() {
    let rig = Rig::new("m3", Hop::series());
    let before = rig.world.config(&rig.member);
    let rewrite = rig.hop.lane()[REWRITE].clone();
    // A server that runs, or that anybody may start, is left alone.
    rig.perform(&Operation::BackUpConfig).await;
    rig.refused_clean(&rewrite).await;
    rig.up_to(REWRITE).await;
    for _ in 0..2 {
        rig.perform(&rewrite).await;
        let text = rig.world.config(&rig.member)[0].1.clone();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "[mysqld]\nmax_connections=500\ninnodb_redo_log_capacity = 2147483648\nexplain_format = TRADITIONAL\n"
        );
    }
    for _ in 0..2 {
        rig.undo(&rewrite).await;
        assert_eq!(rig.world.config(&rig.member), before);
    }
}

#[tokio::test(start_paused = true)]
async fn an_option_file_that_somebody_has_changed_is_not_touched() {
    let theirs = "[mysqld]\nmax_connections=9\n";
    // Since the plan was made: seen before anything is stopped, and once more.
    let rig = Rig::new("m3", Hop::series());
    let rewrite = rig.hop.lane()[REWRITE].clone();
    rig.world.edit_config(&rig.member, OPTION_FILE, theirs);
    rig.up_to(VALIDATE).await;
    rig.refused_clean(&rig.hop.lane()[VALIDATE]).await;
    for operation in &rig.hop.lane()[VALIDATE + 1..REWRITE] {
        rig.perform(operation).await;
    }
    rig.refused_clean(&rewrite).await;
    rig.undo(&rewrite).await;
    assert_eq!(rig.world.config(&rig.member)[0].1, theirs.as_bytes());
    // Since it was kept.
    let rig = Rig::new("m3", Hop::series());
    rig.up_to(REWRITE).await;
    rig.world.edit_config(&rig.member, OPTION_FILE, theirs);
    rig.refused_clean(&rewrite).await;
    // Since it was rewritten: undoing would throw their change away.
    let rig = Rig::new("m3", Hop::series());
    rig.up_to(REWRITE + 1).await;
    rig.world.edit_config(&rig.member, OPTION_FILE, theirs);
    let failure = rig.refused(Direction::Undo, &rewrite).await;
    assert!(failure.message.contains(OPTION_FILE), "{failure}");
    assert_eq!(rig.world.config(&rig.member)[0].1, theirs.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn the_target_judges_the_option_files_as_they_will_be() {
    let rig = Rig::new("m3", Hop::series());
    rig.up_to(VALIDATE).await;
    rig.perform(&rig.hop.lane()[VALIDATE]).await;
    // Without the changes it would not start with them.
    let Operation::ValidateConfig {
        version, packages, ..
    } = rig.hop.lane()[VALIDATE].clone()
    else {
        panic!("another operation")
    };
    let unchanged = Operation::ValidateConfig {
        version,
        packages,
        files: Vec::new(),
    };
    let failure = rig.refused(Direction::Perform, &unchanged).await;
    assert_eq!(
        (failure.code, failure.partial),
        (FailureCode::ServerRefused, false)
    );
    assert!(
        failure.message.contains("innodb_log_file_size"),
        "{failure}"
    );
    assert_eq!(rig.world.running_version(&rig.member), Some(rig.hop.old()));
}

/// Nothing is amiss with the option files, and its service manager restarts it within seconds.
#[tokio::test(start_paused = true)]
async fn a_server_that_dies_while_the_options_are_judged_is_waited_for() {
    let rig = Rig::new("m3", Hop::series());
    rig.up_to(VALIDATE).await;
    let validate = rig.hop.lane()[VALIDATE].clone();
    rig.world.kill_mysqld(&rig.member);
    assert_eq!(rig.world.running_version(&rig.member), None);
    rig.perform(&validate).await;
    assert_eq!(rig.world.running_version(&rig.member), Some(rig.hop.old()));
}

/// mysqld would start without it, and nobody would notice before data, writes or logins are missed.
#[tokio::test(start_paused = true)]
async fn a_library_that_may_not_be_missed_stops_the_member_before_it_is_stopped() {
    let goes = || Fate::Goes {
        package: "mysql-server-core".to_owned(),
    };
    let stays = || Fate::Stays { package: None };
    let auth = "plugin AUTHENTICATION";
    for (kind, fate, refused) in [
        (auth, goes(), true),
        (auth, Fate::Absent, true),
        (auth, stays(), false),
        (auth, Fate::Shipped, false),
        ("plugin AUDIT", goes(), false),
        ("plugin", Fate::Absent, false),
    ] {
        let rig = Rig::new("m3", Hop::series());
        rig.up_to(VALIDATE).await;
        let validate = rig.hop.lane()[VALIDATE].clone();
        let told = format!("{kind} {fate:?}");
        rig.world.loads(&rig.member, "ours", "ours.so", kind, fate);
        if !refused {
            rig.perform(&validate).await;
            continue;
        }
        let failure = rig.refused(Direction::Perform, &validate).await;
        let code = (failure.code, failure.partial);
        assert_eq!(code, (FailureCode::ServerRefused, false), "{told}");
        let said = "plugin ours (/usr/lib/mysql/plugin/ours.so): accounts that log in with it";
        assert!(failure.message.contains(said), "{told}: {failure}");
        assert_eq!(rig.world.running_version(&rig.member), Some(rig.hop.old()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_version_does_not_start_with_options_that_it_does_not_know() {
    let rig = Rig::new("m3", Hop::series());
    rig.up_to(REWRITE).await;
    rig.perform(&rig.hop.lane()[SWAP]).await;
    let failure = rig
        .refused(Direction::Perform, &rig.hop.lane()[START])
        .await;
    assert!(failure.message.contains("MY-000067"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn artifacts_are_released_only_from_a_member_that_runs() {
    let rig = Rig::new("m3", Hop::patch());
    let release = Operation::ReleaseArtifacts {
        snapshot: "before".to_owned(),
    };
    rig.up_to(START).await;
    rig.refused_clean(&release).await;
    for operation in &rig.hop.lane()[START..] {
        rig.perform(operation).await;
    }
    assert_eq!(rig.world.snapshots(&rig.member).len(), 1);
    for _ in 0..2 {
        rig.perform(&release).await;
    }
    assert!(rig.world.snapshots(&rig.member).is_empty());
    let undone = rig.carry_out(Direction::Undo, &release).await;
    assert!(matches!(undone, Outcome::Failed(_)));
    assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn maintenance_of_somebody_else_is_not_taken_over() {
    let rig = Rig::new("m3", Hop::patch());
    rig.world.leave_drop_ins_behind(&rig.member);
    rig.refused_clean(&Operation::EnterMaintenance).await;
}

#[tokio::test(start_paused = true)]
async fn start_on_boot_is_put_back_as_it_was() {
    for before in [true, false] {
        let rig = Rig::new("m3", Hop::patch());
        rig.world.set_start_on_boot(&rig.member, before);
        rig.perform(&Operation::EnterMaintenance).await;
        assert!(!rig.world.starts_on_boot(&rig.member));
        rig.perform(&Operation::LeaveMaintenance).await;
        assert_eq!(rig.world.starts_on_boot(&rig.member), before);
    }
}
