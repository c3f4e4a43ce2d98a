use crate::play::*;
use std::time::Duration;

/// While a member is out, its group purges the binary logs that it would need: it gets the member back by CLONE only. A mysqld that
/// has cloned ends itself to be started again, also while Refit has it in maintenance: the member comes back and the rollout goes on.
#[test]
fn a_member_that_its_group_clones_comes_back() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    let first = whose_step(&stage, "leave_group", "done", &[]);
    wait_for_step_in(&stage, &first, "swap_packages", &["running", "done"]);
    for member in stage.members.iter().filter(|member| **member != first) {
        stage.lab.sql(member, "FLUSH BINARY LOGS").unwrap();
        let logs = stage.lab.sql(member, "SHOW BINARY LOGS").unwrap();
        let newest = logs
            .lines()
            .last()
            .and_then(|line| line.split_whitespace().next());
        let purge = format!("PURGE BINARY LOGS TO '{}'", newest.expect("a binary log"));
        stage.lab.sql(member, &purge).unwrap();
    }
    whose_step(&stage, "join_group", "done", &[]);
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
