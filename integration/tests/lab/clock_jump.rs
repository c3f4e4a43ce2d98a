use crate::play::*;
use anyhow::bail;
use refit_integration::stage::{Fleet, Stage, wait_for};
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn with_clocks(fleet: fn(&str) -> Fleet) -> impl Fn(&str) -> Fleet {
    move |version| Fleet {
        own_clock: true,
        ..fleet(version)
    }
}

/// While a group is upgraded the wall clock of every host is stepped, forward by a day and back by hours, also the controller's. The
/// rollout goes on as if nothing had been. (How long a step took is told from the controller's clock, so from one that jumped.)
#[test]
fn clocks_that_jump_change_nothing() {
    let stage = set_with("older", with_clocks(Fleet::of_three));
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    let first = whose_step(&stage, "leave_group", "done", &[]);
    stage.lab.set_clock(&first, -2 * HOUR).unwrap();
    whose_step(&stage, "start_server", "done", &[]);
    stage.lab.set_clock("ctl", DAY).unwrap();
    stage.lab.set_clock(&first, DAY).unwrap();
    let second = whose_step(&stage, "stop_server", "done", std::slice::from_ref(&first));
    for member in &stage.members {
        if *member != first && *member != second {
            stage.lab.set_clock(member, HOUR).unwrap();
        }
    }
    whose_step(&stage, "join_group", "done", std::slice::from_ref(&first));
    stage.lab.set_clock("ctl", HOUR / 2).unwrap();
    let ended = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&ended), "upgraded", "{ended:#}");
    watching.wait().unwrap();
    let after = assert_all_at(&stage, &target);
    assert_same_config(&before, &after);
    assert_nothing_lost(&load);
}

/// The source's clock is set back by an hour while its writes are paused, its agent is killed, and the controller is gone: the pause
/// ends by itself within its lease all the same.
#[test]
fn a_clock_that_is_set_back_makes_no_pause_of_writes_longer() {
    let stage = set_with("older", with_clocks(Fleet::source_with_two_replicas));
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "20").unwrap();
    let file = plan(&stage, &target, &["--strategy", "switchover"]);
    let waiting = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    assert_eq!(waiting.code, 3, "{}{}", waiting.stdout, waiting.stderr);
    let id = rollout_id(&stage);
    // The source's disk crawls, so that there is time to freeze an agent between two steps: without it no gate is passed.
    stage.lab.slow("db1", Some(40)).unwrap();
    let mut approved = stage.refit().spawn(&["approve", &id, "--yes"]).unwrap();
    let maintained = ["running", "done"];
    wait_for_step_in(&stage, "db1", "enter_maintenance", &maintained);
    let freeze = |host, unit| stage.lab.signal_unit(host, unit, "SIGSTOP").unwrap();
    freeze("db2", "refit-agent");
    stage.lab.slow("db1", None).unwrap();
    wait_for_step(&stage, "db1", "pause_writes", "done");
    freeze("ctl", "refit-controller");
    assert!(!takes_writes(&stage, "db1"), "its writes are paused");
    stage.lab.set_clock("db1", -HOUR).unwrap();
    stage.lab.kill_unit("db1", "refit-agent").unwrap();
    let began = Instant::now();
    wait_for("writes to be let in", Duration::from_secs(90), || {
        if takes_writes(&stage, "db1") {
            return Ok(());
        }
        bail!("db1 is read-only")
    })
    .unwrap();
    println!("  the pause ended after {:?}", began.elapsed());
    for (host, unit) in [("db2", "refit-agent"), ("ctl", "refit-controller")] {
        stage.lab.signal_unit(host, unit, "SIGCONT").unwrap();
    }
    // By such a clock the certificates are of the future: nothing goes on with that host, and it is said why. A person sets it right.
    wait_for("the clock to be named", Duration::from_secs(60), || {
        let said = rollout(&stage)?.to_string();
        if said.contains("by its clock") {
            return Ok(());
        }
        bail!("{}", standing(&rollout(&stage)?))
    })
    .unwrap();
    stage.lab.set_clock("db1", 0).unwrap();
    let ended = resumed_to_its_end(&stage, 3);
    assert_eq!(state(&ended), "upgraded", "{ended:#}");
    approved.wait().unwrap();
    assert_replicating_at(&stage, &["db1:db2", "db3:db2"], &target);
    assert_nothing_lost(&load);
}

fn takes_writes(stage: &Stage, host: &str) -> bool {
    let closed = "SELECT @@GLOBAL.super_read_only + @@GLOBAL.read_only";
    stage.lab.sql(host, closed).unwrap() == "0"
}
