use super::Judge;
use crate::play::*;
use anyhow::ensure;
use refit_integration::stage::{Fleet, Stage, World, wait_for};
use std::time::Duration;

fn group_of(members: usize) -> Stage {
    set_with("older", |version| Fleet {
        members,
        ..Fleet::of_three(version)
    })
}

/// The real server keeps as a secondary what the simulated one keeps. Afterwards the group is as it was, and both have what was
/// written meanwhile.
#[test]
fn a_real_secondary_keeps_the_contract() {
    let stage = group_of(2);
    let judge = Judge::on(&stage);
    let before = stage.world().unwrap();
    assert_eq!(before.primary(), Some("db1"));
    let there = stage.lab.ip("db1").unwrap();
    judge.asks("db2", &["--place", "secondary", "--there", &there], 5);
    judge.assert_equal("db1", "db2");
    assert_eq!(stage.world().unwrap(), before, "the group is as it was");
}

/// The same for a group of one, which nobody is in when its promises begin. Not a transaction is written.
#[test]
fn a_real_group_of_one_keeps_the_contract() {
    let stage = group_of(1);
    let judge = Judge::on(&stage);
    let state = || (judge.executed("db1"), judge.rows("db1"));
    let (group, data) = (stage.world().unwrap(), state());
    judge.run(
        "db1",
        "SET GLOBAL super_read_only = ON; STOP GROUP_REPLICATION",
    );
    let outside = stage.world().unwrap();
    judge.asks("db1", &["--place", "outside-its-group"], 6);
    assert_eq!(stage.world().unwrap(), outside, "it is outside, as it was");
    judge.run(
        "db1",
        "SET GLOBAL group_replication_bootstrap_group = ON; START GROUP_REPLICATION; \
         SET GLOBAL group_replication_bootstrap_group = OFF",
    );
    until(&stage, &group);
    assert_eq!(state(), data, "transactions and rows");
}

fn until(stage: &Stage, wanted: &World) {
    wait_for("the group as it was", Duration::from_secs(30), || {
        let world = stage.world()?;
        ensure!(world == *wanted, "{world:#?}");
        Ok(())
    })
    .unwrap();
}
