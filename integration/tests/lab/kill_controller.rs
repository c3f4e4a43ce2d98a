use crate::play::*;

/// `kill -9` of the controller in three different steps of one rollout: systemd starts it again, and it goes on.
#[test]
fn kill_the_controller_in_three_steps() {
    let stage = set("older");
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    // Which secondary is first depends on their queues; the primary is last.
    for (member, step) in [
        (ANYBODY, "stop_server"),
        (ANYBODY, "swap_packages"),
        ("db1", "join_group"),
    ] {
        wait_for_step(&stage, member, step, "running");
        stage.lab.kill_unit("ctl", "refit-controller").unwrap();
        println!("  controller killed while {step} was under way");
    }
    let rollout = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&rollout), "upgraded", "{rollout:#}");
    watching.wait().unwrap();
    let after = assert_all_at(&stage, &target);
    assert_eq!(before.primary(), after.primary());
    assert_same_config(&before, &after);
    assert_nothing_lost(&load);
}
