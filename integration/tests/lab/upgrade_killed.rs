use crate::play::*;
use anyhow::bail;
use refit_integration::stage::{Stage, wait_for};
use std::time::Duration;

/// mysqld is killed while it upgrades its system tables, between MY-013381 "started" and "completed". The snapshot saves the member:
/// it is put back by itself, and is upgraded when a person says so.
#[test]
fn a_server_killed_in_the_middle_of_its_own_upgrade_is_put_back() {
    let stage = set("older");
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(&stage, &target, &[]);
    let mut watching = apply(&stage, &file);
    let first = whose_step(&stage, "stop_server", "running", &[]);
    upgrades_at_every_start(&stage, &first);
    wait_until_it_upgrades(&stage, &first);
    stage.lab.kill_unit(&first, "mysql").unwrap();

    let parked = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&parked), "parked", "{parked:#}");
    watching.wait().unwrap();
    let why = parked["why"]
        .as_str()
        .expect("a parked rollout says why")
        .to_owned();
    println!("  {why}");
    assert!(why.contains("has been put back"), "{why}");
    let world = stage.world().unwrap();
    world.assert_whole();
    assert_eq!(before.versions(), world.versions());

    upgrades_when_needed(&stage, &first);
    let id = rollout_id(&stage);
    let resumed = stage.refit().run(&["resume", &id, "--yes"]).unwrap();
    assert_eq!(resumed.code, 0, "{}{}", resumed.stdout, resumed.stderr);
    let rollout = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&rollout), "upgraded", "{rollout:#}");
    let after = assert_all_at(&stage, &target);
    assert_same_config(&before, &after);
    assert_nothing_lost(&load);
}

/// The error log is renamed on one member and truncated on another while Refit follows it to the new server's verdict.
#[test]
fn an_error_log_rotated_while_it_is_followed_is_followed_on() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(&stage, &target, &[]);
    let mut watching = apply(&stage, &file);
    let log = "/var/log/mysql/error.log";
    let old = format!("{log}.1");
    let rotations: [&[&str]; 2] = [&["mv", log, &old], &["truncate", "--size=0", log]];
    let mut done = Vec::new();
    for rotation in rotations {
        let member = whose_step(&stage, "stop_server", "running", &done);
        upgrades_at_every_start(&stage, &member);
        wait_until_it_upgrades(&stage, &member);
        let rotated = stage.lab.exec(&member, rotation).unwrap();
        rotated.ok("rotate").unwrap();
        println!("  {member}: {}", rotation[0]);
        wait_for_step(&stage, &member, "start_server", "done");
        done.push(member);
    }
    let rollout = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&rollout), "upgraded", "{rollout:#}");
    watching.wait().unwrap();
    assert_all_at(&stage, &target);
    assert_nothing_lost(&load);
}

const DROP_IN: &str = "/etc/systemd/system/mysql.service.d/upgrade.conf";

/// The lab's releases have one dictionary: its upgrade is asked for.
fn upgrades_at_every_start(stage: &Stage, member: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("upgrade.conf");
    let text = "[Service]\nExecStart=\nExecStart=/usr/sbin/mysqld --upgrade=FORCE\n";
    std::fs::write(&file, text).unwrap();
    let to = ["mkdir", "-p", "/etc/systemd/system/mysql.service.d"];
    stage.lab.exec(member, &to).unwrap().ok("mkdir").unwrap();
    let from = file.to_str().expect("a path of letters");
    let put = stage.lab.call(["put", member, from, DROP_IN]).unwrap();
    put.ok("put").unwrap();
    reload(stage, member);
}

fn upgrades_when_needed(stage: &Stage, member: &str) {
    let gone = stage.lab.exec(member, &["rm", DROP_IN]).unwrap();
    gone.ok("rm").unwrap();
    reload(stage, member);
}

fn reload(stage: &Stage, member: &str) {
    let reload = ["systemctl", "daemon-reload"];
    let reloaded = stage.lab.exec(member, &reload).unwrap();
    reloaded.ok("daemon-reload").unwrap();
}

/// Until the upgrade has begun, and not ended.
fn wait_until_it_upgrades(stage: &Stage, member: &str) {
    wait_for(
        "the server to upgrade its system tables",
        Duration::from_secs(120),
        || {
            let log = ["grep", "MY-013381", "/var/log/mysql/error.log"];
            let said = stage.lab.exec(member, &log)?.stdout;
            match said.lines().last() {
                Some(line) if line.contains("started") => Ok(()),
                other => bail!("the log says {other:?}"),
            }
        },
    )
    .unwrap();
}
