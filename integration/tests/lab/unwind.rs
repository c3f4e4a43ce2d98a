use crate::play::*;

const FILE: &str = "/etc/mysql/mysql.conf.d/zz-production.cnf";
const COPY: &str = "/root/before.cnf";

/// Two of three members have been upgraded across series when a person wants everything back.
#[test]
fn unwind_after_two_of_three_members() {
    let stage = set("previous-series");
    let before = stage.world().unwrap();
    let copy = |argv: [&str; 3]| stage.lab.exec("db2", &argv).unwrap().code;
    assert_eq!(copy(["cp", FILE, COPY]), 0);
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
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

    // Its option file pins the defaults that change; unwinding brings the bytes back.
    assert_eq!(copy(["cmp", FILE, COPY]), 1, "the file was rewritten");

    unwind(&stage);
    assert_eq!(copy(["cmp", FILE, COPY]), 0, "byte for byte");
    assert_restored(&before, &stage.world().unwrap());
    assert_nothing_lost(&load);
}
