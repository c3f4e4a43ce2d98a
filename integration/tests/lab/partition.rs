use crate::play::*;
use anyhow::bail;
use refit_integration::stage::wait_for;
use std::time::Duration;

/// While db3 is being upgraded (it is just back), db2 is cut off until its group has expelled it. The gate holds the rollout until
/// db2 is back, and says what it waits for; no other member is touched meanwhile.
#[test]
fn a_gate_holds_while_a_secondary_is_cut_off() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    wait_for_step(&stage, "db3", "join_group", "done");
    stage.lab.cut("db2").unwrap();
    wait_for(
        "the rollout to say that it waits for db2",
        Duration::from_secs(120),
        || {
            let rollout = rollout(&stage)?;
            let waiting = rollout["waiting_for"].to_string();
            if waiting.contains("db2") {
                Ok(())
            } else {
                bail!("it waits for {waiting}")
            }
        },
    )
    .unwrap();
    wait_for("db2 to be expelled", Duration::from_secs(90), || {
        let left = "SELECT COUNT(*) FROM performance_schema.replication_group_members";
        match stage.lab.sql("db1", left)?.as_str() {
            "2" => Ok(()),
            many => bail!("db1 sees {many} members"),
        }
    })
    .unwrap();
    let world = stage.lab.sql("db1", "SELECT VERSION()").unwrap();
    assert_ne!(
        mysql_version(&world),
        target,
        "the primary was touched while a member was missing"
    );
    stage.lab.heal("db2").unwrap();
    // A member that was alone for too long has left for good; a person brings it back.
    wait_for("db2 to be a member again", Duration::from_secs(150), || {
        match stage.world()?.0["db2"].state.as_str() {
            "ONLINE" => return Ok(()),
            "OFFLINE" | "ERROR" => {}
            other => bail!("db2 is {other}"),
        }
        let again =
            "SET GLOBAL offline_mode = OFF; STOP GROUP_REPLICATION; START GROUP_REPLICATION";
        let said = stage
            .lab
            .sql("db2", again)
            .map_or_else(|why| why.to_string(), |_| "started again".to_owned());
        bail!("db2 is not ONLINE yet: {said}")
    })
    .unwrap();
    let rollout = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&rollout), "upgraded", "{rollout:#}");
    watching.wait().unwrap();
    assert_all_at(&stage, &target);
    assert_nothing_lost(&load);
}
