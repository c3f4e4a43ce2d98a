use crate::play::*;

/// 9.7.3 → 9.7.4 under load: nothing is lost, the primary has its role again, the option files are untouched.
#[test]
fn upgrade_within_a_series() {
    let stage = set("older");
    let before = stage.world().unwrap();
    before.assert_whole();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();

    // Looking changes nothing.
    assert_eq!(
        stage
            .refit()
            .run(&["check", "shop", "--target", &target, "--accept-no-spare"])
            .unwrap()
            .code,
        1,
        "warnings only"
    );
    let file = plan(&stage, &target, &[]);
    let dry = stage.refit().run(&["apply", &file, "--dry-run"]).unwrap();
    assert_eq!(dry.code, 0, "{}{}", dry.stdout, dry.stderr);
    assert_eq!(
        before,
        stage.world().unwrap(),
        "a dry run has changed something"
    );

    let reply = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", reply.stdout);
    assert_eq!(reply.code, 0, "{}{}", reply.stdout, reply.stderr);
    let after = assert_all_at(&stage, &target);
    assert_eq!(before.primary(), after.primary());
    assert_same_config(&before, &after);
    assert_nothing_lost(&load);

    // Packages are held, so that nothing upgrades them by itself.
    for member in &stage.members {
        let held = stage
            .lab
            .exec(member, &["apt-mark", "showhold"])
            .unwrap()
            .stdout;
        assert!(
            held.lines().any(|line| line == "mysql-server-core"),
            "{member}: {held}"
        );
    }
    // Every act is in the audit trail, and a second apply of the same plan finds another world.
    let audit = stage.refit().run(&["audit", &rollout_id(&stage)]).unwrap();
    assert!(audit.stdout.contains("ann"), "{}", audit.stdout);
    let again = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    assert_eq!(again.code, 5, "{}{}", again.stdout, again.stderr);

    // The way back stays open until it is given up.
    let done = stage
        .refit()
        .run(&["finalize", &rollout_id(&stage), "--yes"])
        .unwrap();
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    for member in &stage.members {
        let left = stage
            .lab
            .exec(
                member,
                &[
                    "find",
                    "/srv/mysql/snapshots",
                    "-mindepth",
                    "1",
                    "-maxdepth",
                    "1",
                ],
            )
            .unwrap()
            .stdout;
        assert_eq!(left, "", "{member} keeps a snapshot");
    }
}
