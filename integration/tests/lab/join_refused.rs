use crate::play::*;
use anyhow::bail;
use refit_integration::stage::wait_for;
use std::time::Duration;

/// While db3 is out, somebody writes on it. The group refuses it then (MY-011526), and mysqld leaves such a server open for writes:
/// Refit closes it, puts it back as far as it goes, and parks with what is in the way. A person mends it, and the rollout goes on.
#[test]
fn a_member_that_its_group_refuses_is_kept_closed() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    wait_for_step(&stage, "db3", "leave_group", "running");
    // Its agent goes on; what follows waits until somebody has written there.
    stage
        .lab
        .signal_unit("ctl", "refit-controller", "SIGSTOP")
        .unwrap();
    wait_for(
        "db3 to have left",
        Duration::from_secs(60),
        || match stage
            .lab
            .sql("db3", "SELECT member_state FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid")?
            .trim()
        {
            "OFFLINE" => Ok(()),
            other => bail!("it is {other}"),
        },
    )
    .unwrap();
    let write =
        "SET GLOBAL super_read_only = OFF; CREATE DATABASE stray; SET GLOBAL super_read_only = ON";
    stage.lab.sql("db3", write).unwrap();
    stage
        .lab
        .signal_unit("ctl", "refit-controller", "SIGCONT")
        .unwrap();

    let parked = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&parked), "parked", "{parked:#}");
    watching.wait().unwrap();
    let why = parked["why"].as_str().expect("a parked rollout says why");
    println!("  {why}");
    assert!(why.contains("db3"), "{why}");
    let closed = stage
        .lab
        .sql("db3", "SELECT @@GLOBAL.super_read_only")
        .unwrap();
    assert_eq!(closed.trim(), "1", "db3 takes writes outside its group");
    assert_eq!(stage.world().unwrap().writable(), ["db1"]);

    // What a person does: the stray transaction is undone there, and known to all as an empty one.
    let stray = "SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '@group')";
    let group = stage
        .lab
        .sql("db1", "SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')")
        .unwrap();
    let stray = stage
        .lab
        .sql("db3", &stray.replace("@group", group.trim()))
        .unwrap();
    println!("  stray: {}", stray.trim());
    let undone = "SET GLOBAL super_read_only = OFF; SET sql_log_bin = 0; DROP DATABASE IF EXISTS stray; SET GLOBAL super_read_only = ON";
    stage.lab.sql("db3", undone).unwrap();
    let known = format!(
        "SET gtid_next = '{}'; BEGIN; COMMIT; SET gtid_next = 'AUTOMATIC'",
        stray.trim()
    );
    stage.lab.sql("db1", &known).unwrap();
    let id = rollout_id(&stage);
    for _ in 0..2 {
        let resumed = stage.refit().run(&["resume", &id, "--yes"]).unwrap();
        println!("{}", resumed.stdout);
        assert_eq!(resumed.code, 0, "{}{}", resumed.stdout, resumed.stderr);
        let ended = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
        println!("  {} {}", ended["state"], ended["why"]);
        if state(&ended) != "parked" {
            break;
        }
    }
    assert_eq!(state(&rollout(&stage).unwrap()), "upgraded");
    assert_all_at(&stage, &target);
    assert_nothing_lost(&load);
}
