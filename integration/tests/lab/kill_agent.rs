use crate::play::*;

/// `kill -9` of an agent while it swaps packages: apt goes on or is repaired, the agent knows what it had begun.
#[test]
fn kill_an_agent_during_the_package_swap() {
    let stage = set("older");
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    wait_for_step(&stage, "db3", "swap_packages", "running");
    stage.lab.kill_unit("db3", "refit-agent").unwrap();
    let rollout = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&rollout), "upgraded", "{rollout:#}");
    watching.wait().unwrap();
    let after = assert_all_at(&stage, &target);
    assert_same_config(&before, &after);
    for member in &stage.members {
        let audit = stage.lab.exec(member, &["dpkg", "--audit"]).unwrap().stdout;
        assert_eq!(audit, "", "{member} has half-installed packages");
    }
    assert_nothing_lost(&load);
}
