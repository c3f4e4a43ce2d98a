use crate::play::*;
use anyhow::{Result, bail};
use refit_integration::stage::{Fleet, Stage, wait_for};
use std::time::Duration;

/// What `refit fleet` shows, once it shows all of `wanted`, each on a line of its own.
fn shows(stage: &Stage, wanted: &[&str]) -> String {
    wait_for("refit fleet to show it", Duration::from_secs(20), || {
        let shown = told(stage)?;
        let lines: Vec<&str> = shown.lines().map(str::trim).collect();
        match wanted.iter().find(|line| !lines.contains(line)) {
            Some(missing) => bail!("{missing:?} is missing in:\n{shown}"),
            None => Ok(shown),
        }
    })
    .unwrap()
}

fn told(stage: &Stage) -> Result<String> {
    stage.refit().run(&["fleet"])?.ok("refit fleet")
}

/// How a running replica that has applied everything is drawn.
fn level(branch: &str, member: &str, version: &str, role: &str) -> String {
    format!("{branch}{member}  {version}  {role}  level with what it has received")
}

/// A source with two replicas under load; then one of them stops applying, and the tree says so.
#[test]
fn a_source_with_two_replicas_is_drawn() {
    let stage = set_as("older", Fleet::source_with_two_replicas);
    let version = target(&stage, "older");
    let load = stage.load().unwrap();
    load.start(2, "50").unwrap();
    let shown = told(&stage).unwrap();
    println!("{shown}");
    assert!(
        shown.contains("shop: replication topology, source db1\n"),
        "{shown}"
    );
    assert_nothing_lost(&load);
    let (db1, db2, db3) = (
        format!("db1  {version}  source"),
        level("├─ ", "db2", &version, "replica"),
        level("└─ ", "db3", &version, "replica"),
    );
    shows(&stage, &[&db1, &db2, &db3]);
    assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &version);

    stage.lab.sql("db3", "STOP REPLICA SQL_THREAD").unwrap();
    let stopped = format!("└─ db3  {version}  replica  applier OFF");
    println!("{}", shows(&stage, &[&db2, &stopped]));
}

/// A chain; then the fleet file forgets the source, and what remains is no tree: both strangers are named, nothing is guessed.
#[test]
fn a_chain_is_drawn_and_strangers_are_named() {
    let stage = set_as("newest", Fleet::chain);
    let version = target(&stage, "newest");
    let (db1, db2, db3) = (
        format!("db1  {version}  source"),
        level("└─ ", "db2", &version, "intermediate source"),
        level("   └─ ", "db3", &version, "replica"),
    );
    println!("{}", shows(&stage, &[&db1, &db2, db3.trim()]));
    assert_replicating_at(&stage, &["db2:db1", "db3:db2"], &version);

    let ctl = |argv: &[&str]| stage.lab.exec("ctl", argv).unwrap().ok(argv[0]).unwrap();
    ctl(&["sed", "-i", "/name = \"db1\"/d", "/etc/refit/fleet.toml"]);
    ctl(&["systemctl", "restart", "refit-controller"]);
    let address = stage.lab.ip("db1").unwrap();
    let stranger = format!(
        "db2 replicates from {address}:3306 (channel \"\"), which is no member of this cluster"
    );
    let shown = wait_for(
        "the unknown source to be named",
        Duration::from_secs(20),
        || {
            let shown = told(&stage)?;
            if shown.contains(&stranger) {
                Ok(shown)
            } else {
                bail!("{shown}")
            }
        },
    )
    .unwrap();
    println!("{shown}");
    assert!(!shown.contains("├─") && !shown.contains("└─"), "{shown}");

    ctl(&["sed", "-i", "/name = \"db3\"/d", "/etc/refit/fleet.toml"]);
    ctl(&["systemctl", "restart", "refit-controller"]);
    let replica = format!("{}:3306 (", stage.lab.ip("db3").unwrap());
    wait_for(
        "the unknown replica to be named",
        Duration::from_secs(20),
        || {
            let shown = told(&stage)?;
            let named =
                shown.contains(&replica) && shown.contains("replicates from db2 and is no member");
            if named && shown.contains(&stranger) {
                Ok(())
            } else {
                bail!("{shown}")
            }
        },
    )
    .unwrap();
}

/// A replica of two sources, each with a writing client of its own: it is drawn below both, and has all that each was given.
#[test]
fn a_replica_of_two_sources_is_drawn_below_both() {
    let stage = set_as("older", Fleet::multi_source);
    let version = target(&stage, "older");
    let loads = [
        stage.load_on("db1", &["db3"]).unwrap(),
        stage.load_on("db2", &["db3"]).unwrap(),
    ];
    for load in &loads {
        load.start(2, "50").unwrap();
    }
    for load in &loads {
        assert_nothing_lost(load);
    }
    let channels = "db1: level with what it has received  db2: level with what it has received";
    let db3 = format!("└─ db3  {version}  replica  {channels}");
    let (db1, db2) = (
        format!("db1  {version}  source"),
        format!("db2  {version}  source"),
    );
    let shown = shows(&stage, &[&db1, &db2, &db3]);
    println!("{shown}");
    assert_eq!(shown.matches(&db3).count(), 2, "{shown}");
    assert!(
        shown.contains("shop: replication topology, source db1, db2\n"),
        "{shown}"
    );
    assert_replicating_at(&stage, &["db3:db1,db2"], &version);
}
