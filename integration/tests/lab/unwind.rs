use crate::play::*;

/// Two of three members have been upgraded across series when a person wants everything back.
#[test]
fn unwind_after_two_of_three_members() {
    let stage = set("previous-series");
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "100").unwrap();
    let waiting = stage
        .refit()
        .run(&["apply", &plan(&stage, &target, &[]), "--yes"])
        .unwrap();
    assert_eq!(waiting.code, 3, "{}{}", waiting.stdout, waiting.stderr);
    let world = stage.world().unwrap();
    assert_eq!(
        world
            .versions()
            .iter()
            .filter(|v| mysql_version(v) == target)
            .count(),
        2,
        "{world:#?}"
    );

    let unwound = stage
        .refit()
        .run(&["unwind", &rollout_id(&stage), "--yes", "--wait"])
        .unwrap();
    println!("{}", unwound.stdout);
    assert_eq!(unwound.code, 4, "{}{}", unwound.stdout, unwound.stderr);
    assert_eq!(state(&rollout(&stage).unwrap()), "restored");
    assert_restored(&before, &stage.world().unwrap());
    assert_nothing_lost(&load);
}
