use crate::play::*;
use std::time::Duration;

/// Longer than systemd waits for a service that nobody has told it about (90 s), after which it would kill.
const STOPPED_FOR: Duration = Duration::from_secs(100);

/// mysqld takes minutes to shut down. It is waited for, nobody kills it, and its end is proved before it is snapshotted.
#[test]
fn a_shutdown_of_minutes_is_waited_for() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let mut watching = apply(&stage, &plan(&stage, &target, &[]));
    wait_for_step(&stage, "db3", "stop_server", "running");
    stage.lab.signal_unit("db3", "mysql", "SIGSTOP").unwrap();
    std::thread::park_timeout(STOPPED_FOR);
    let rollout_then = rollout(&stage).unwrap();
    let open = standing(&rollout_then);
    println!("  {open}");
    assert!(open.contains("stop_server"), "{open}");
    stage.lab.signal_unit("db3", "mysql", "SIGCONT").unwrap();
    let rollout = wait_for_state(&stage, &["upgraded", "parked", "restored"]);
    assert_eq!(state(&rollout), "upgraded", "{rollout:#}");
    watching.wait().unwrap();
    assert_all_at(&stage, &target);
    assert_nothing_lost(&load);
}
