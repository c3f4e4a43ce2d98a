use crate::play::*;

/// The host that is being upgraded loses its power while the packages are swapped, comes back, and the rollout goes on.
#[test]
fn power_loss_of_the_host_being_upgraded() {
    let stage = set("older");
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    wait_for_step(&stage, "db3", "swap_packages", "running");
    stage.lab.crash("db3").unwrap();
    stage.lab.boot("db3").unwrap();
    let rollout = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&rollout), "upgraded", "{rollout:#}");
    watching.wait().unwrap();
    let after = assert_all_at(&stage, &target);
    assert_eq!(before.primary(), after.primary());
    assert_same_config(&before, &after);
    assert_nothing_lost(&load);
}
