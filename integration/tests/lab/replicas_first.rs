use crate::play::*;
use anyhow::bail;
use refit_integration::stage::{Fleet, Stage, wait_for};
use std::time::Duration;

fn acknowledged(stage: &Stage) -> u64 {
    let load = stage.load().unwrap();
    load.status().unwrap()["acked"].as_u64().expect("a count")
}

/// A source with two replicas under load. The replicas are upgraded while everybody writes; a person approves; the source is
/// restarted in place, and its clients wait for as long.
#[test]
fn a_source_with_two_replicas_is_upgraded_and_the_source_restarted() {
    let stage = set_as("older", Fleet::source_with_two_replicas);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(&stage, &target, &[]);
    let waiting = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", waiting.stdout);
    assert_eq!(waiting.code, 3, "{}{}", waiting.stdout, waiting.stderr);

    // Everybody serves while it waits.
    let world = stage.world().unwrap();
    assert_eq!(world.writable(), ["db1"], "{world:#?}");
    let upgraded = world
        .versions()
        .iter()
        .filter(|v| mysql_version(v) == target)
        .count();
    assert_eq!(upgraded, 2, "{world:#?}");
    let was = acknowledged(&stage);
    wait_for(
        "writes to go on while a person is asked",
        Duration::from_secs(20),
        || {
            let now = acknowledged(&stage);
            if now > was {
                Ok(())
            } else {
                bail!("still {now} acknowledged")
            }
        },
    )
    .unwrap();

    // Nobody is kept from breaking the freeze, but it is told, without the password.
    stage
        .lab
        .sql(
            "db1",
            "CREATE DATABASE thaw; CREATE USER slush@localhost IDENTIFIED BY 'n0tToBeTold'",
        )
        .unwrap();
    let id = rollout_id(&stage);
    let done = stage.refit().run(&["approve", &id, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    wait_for_state(&stage, &["upgraded"]);
    let shown = stage.refit().run(&["show", &id]).unwrap().stdout;
    println!("{shown}");
    for told in [
        "schemas and accounts of db1 are to be left alone",
        "CREATE SCHEMA `thaw`",
        "CREATE USER `slush`",
    ] {
        assert!(shown.contains(told), "{told} is not shown");
    }
    assert!(!shown.contains("n0tToBeTold"));
    let after = assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &target);
    assert_same_config(&before, &after);
    assert_nothing_lost(&load);
    println!(
        "  write pause as the client saw it, ms: {:?}",
        longest_gaps(&load)
    );
}

/// A chain across series: each server after those below it, the source last.
#[test]
fn a_chain_is_upgraded_from_its_end() {
    let stage = set_as("previous-series", Fleet::chain);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(&stage, &target, &["--approve-pivot", "auto"]);
    let done = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let after = assert_replicating_at(&stage, &["db2:db1", "db3:db2"], &target);
    assert_rewritten_config(&before, &after);
    assert_nothing_lost(&load);
    println!(
        "  write pause as the client saw it, ms: {:?}",
        longest_gaps(&load)
    );
}

/// A replica of two sources, each with a client of its own: the replica first, then one source after the other.
#[test]
fn a_replica_of_two_sources_is_upgraded_before_both() {
    let stage = set_as("older", Fleet::multi_source);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let loads = [
        stage.load_on("db1", &["db3"]).unwrap(),
        stage.load_on("db2", &["db3"]).unwrap(),
    ];
    for load in &loads {
        load.start(2, "50").unwrap();
    }
    let file = plan(&stage, &target, &["--approve-pivot", "auto"]);
    let done = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let after = assert_replicating_at(&stage, &["db3:db1,db2"], &target);
    assert_same_config(&before, &after);
    for load in &loads {
        assert_nothing_lost(load);
    }
}

/// The first replica has been upgraded across series when a person wants everything back.
#[test]
fn unwind_after_the_first_replica() {
    let stage = set_as("previous-series", Fleet::source_with_two_replicas);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(&stage, &target, &[]);
    let applied = apply(&stage, &file);
    wait_for_step(&stage, "db3", "stop_server", "running");
    let world = stage.world();
    println!(
        "  while it is unwound: {:?}",
        world.map(|w| w.versions().join(", ")).ok()
    );
    unwind(&stage);
    drop(applied);
    assert_restored(&before, &stage.world().unwrap());
    assert_nothing_lost(&load);
}

/// Right after its upgrade a replica is cut from its source and from nobody else: its threads say ON for a minute, and with few
/// writes it is never far behind. The gate sees that nothing arrives, says so, and goes on once it does.
#[test]
fn a_replica_that_only_says_that_it_follows_is_waited_for() {
    let stage = set_as("older", Fleet::source_with_two_replicas);
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(1, "10").unwrap();
    let file = plan(&stage, &target, &["--approve-pivot", "auto"]);
    let mut watching = apply(&stage, &file);
    // The gate holds for three seconds behind this.
    wait_for_step(&stage, "db2", "start_replica", "done");
    stage.lab.cut_between("db2", "db1").unwrap();
    wait_for(
        "the gate to see that nothing arrives",
        Duration::from_secs(50),
        || {
            let waiting = rollout(&stage)?["waiting_for"].to_string();
            if waiting.contains("have not arrived at db2") {
                println!("  {waiting}");
                Ok(())
            } else {
                bail!("it waits for {waiting}")
            }
        },
    )
    .unwrap();
    let on =
        "SELECT GROUP_CONCAT(service_state) FROM performance_schema.replication_connection_status";
    assert!(stage.lab.sql("db2", on).unwrap().contains("ON"));
    stage.lab.heal_between("db2", "db1").unwrap();
    let rollout = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&rollout), "upgraded", "{rollout:#}");
    watching.wait().unwrap();
    assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &target);
    assert_nothing_lost(&load);
}
