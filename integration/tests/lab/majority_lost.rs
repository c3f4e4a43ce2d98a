use crate::play::*;
use anyhow::bail;
use refit_integration::stage::wait_for;
use std::time::Duration;

/// While one member is out, the other two lose sight of each other: nobody has a majority, and no write is acknowledged. Refit touches
/// nobody else, says what it waits for, and goes on when they see each other again.
#[test]
fn a_group_that_loses_its_majority_is_waited_for() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    let out = whose_step(&stage, "snapshot_data", "done", &[]);
    let left: Vec<&str> = stage
        .members
        .iter()
        .map(String::as_str)
        .filter(|member| *member != out)
        .collect();
    let (one, other) = (left[0], left[1]);
    stage.lab.cut_between(one, other).unwrap();
    wait_for(
        "the two to see that they have no majority",
        Duration::from_secs(30),
        || {
            let unreachable = "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE member_state = 'UNREACHABLE'";
            match stage.lab.sql(one, unreachable)?.trim() {
                "1" => Ok(()),
                other => bail!("{other} are unreachable"),
            }
        },
    )
    .unwrap();
    std::thread::park_timeout(Duration::from_secs(15));
    println!(
        "  without a majority: {}",
        standing(&rollout(&stage).unwrap())
    );
    for member in left.clone() {
        let version = stage.lab.sql(member, "SELECT VERSION()").unwrap();
        assert_ne!(mysql_version(&version), target, "{member} was touched");
    }
    stage.lab.heal_between(one, other).unwrap();
    let mut ended = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    if state(&ended) == "parked" {
        let why = ended["why"].as_str().expect("a parked rollout says why");
        println!("  parked: {why}");
        assert!(why.contains(&out), "only {out} was being worked on: {why}");
        let id = rollout_id(&stage);
        let resumed = stage.refit().run(&["resume", &id, "--yes"]).unwrap();
        assert_eq!(resumed.code, 0, "{}{}", resumed.stdout, resumed.stderr);
        ended = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    }
    assert_eq!(state(&ended), "upgraded", "{ended:#}");
    watching.wait().unwrap();
    assert_all_at(&stage, &target);
    assert_nothing_lost(&load);
}
