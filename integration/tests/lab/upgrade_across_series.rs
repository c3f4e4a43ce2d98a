use crate::play::*;

/// 8.4 → 9.7: the pivot waits for a person; the last old primary hands over by leaving; the role is given back.
#[test]
fn upgrade_across_series() {
    let stage = set("previous-series");
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();

    let file = plan(&stage, &target, &[]);
    let waiting = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    assert_eq!(waiting.code, 3, "{}{}", waiting.stdout, waiting.stderr);
    assert!(
        waiting.stdout.contains("refit approve"),
        "{}",
        waiting.stdout
    );
    let world = stage.world().unwrap();
    assert_eq!(
        world.primary(),
        before.primary(),
        "the primary has not been touched before the pivot"
    );
    assert_eq!(world.0["db1"].version, before.0["db1"].version);
    assert_eq!(mysql_version(&world.0["db2"].version), target);

    let id = rollout_id(&stage);
    let approved = stage.refit().run(&["approve", &id, "--yes"]).unwrap();
    assert_eq!(approved.code, 0, "{}{}", approved.stdout, approved.stderr);
    wait_for_state(&stage, &["upgraded"]);
    let after = assert_all_at(&stage, &target);
    assert_eq!(before.primary(), after.primary());
    assert_rewritten_config(&before, &after);
    assert_nothing_lost(&load);

    // Behind the pivot there is no way back, and it is said.
    let refused = stage.refit().run(&["unwind", &id, "--yes"]).unwrap();
    assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("pivot"), "{}", refused.stderr);
}
