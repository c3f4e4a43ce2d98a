use crate::play::*;
use std::time::Duration;

/// While a member is out, its group goes on so far that it gets the member back by CLONE only. A mysqld that has cloned ends itself to be
/// started again, also while Refit has it in maintenance: the member comes back and the rollout goes on.
#[test]
fn a_member_that_its_group_clones_comes_back() {
    let stage = set("older");
    let target = target(&stage, "newest");
    for member in &stage.members {
        // Whatever a member lacks is cloned. The accounts that lead to a donor are the recovery channel's.
        let clone = "SET PERSIST group_replication_clone_threshold = 1";
        stage.lab.sql(member, clone).unwrap();
    }
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    let first = whose_step(&stage, "join_group", "done", &[]);
    let log = [
        "grep",
        "-c",
        "MY-013458\\|MY-013457\\|MY-013460",
        "/var/log/mysql/error.log",
    ];
    let cloned = stage.lab.exec(&first, &log).unwrap();
    println!("  {first}: {} lines of a clone", cloned.stdout.trim());
    assert_ne!(cloned.stdout.trim(), "0", "{first} has not been cloned");
    let ended = resumed_to_its_end(&stage, 2);
    assert_eq!(state(&ended), "upgraded", "{ended:#}");
    watching.wait().unwrap();
    assert_all_at(&stage, &target);
    std::thread::park_timeout(Duration::from_secs(1));
    assert_nothing_lost(&load);
}
