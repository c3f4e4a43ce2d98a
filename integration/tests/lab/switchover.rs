use crate::play::*;
use refit_integration::stage::Fleet;

/// The source hands its writes over to an upgraded replica; the other one follows that, and so does the old source once it is
/// upgraded. Clients find the server that takes writes. After restarts everything is the same.
#[test]
fn the_source_hands_over_to_a_replica() {
    let stage = set_as("older", Fleet::source_with_two_replicas);
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(&stage, &target, &["--strategy", "switchover"]);
    let waiting = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", waiting.stdout);
    assert_eq!(waiting.code, 3, "{}{}", waiting.stdout, waiting.stderr);
    let world = stage.world().unwrap();
    assert_eq!(
        world.writable(),
        ["db1"],
        "everybody serves while it waits: {world:#?}"
    );
    let id = rollout_id(&stage);
    let done = stage.refit().run(&["approve", &id, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    wait_for_state(&stage, &["upgraded"]);
    println!("{}", stage.refit().run(&["show", &id]).unwrap().stdout);
    assert_replicating_at(&stage, &["db1:db2", "db3:db2"], &target);
    assert_nothing_lost(&load);
    println!(
        "  hand-over as the client saw it, ms: {:?}",
        longest_gaps(&load)
    );

    for host in ["db1", "db2", "db3"] {
        let restart = ["systemctl", "restart", "mysql"];
        stage
            .lab
            .exec(host, &restart)
            .unwrap()
            .ok("restart")
            .unwrap();
    }
    let world = assert_replicating_at(&stage, &["db1:db2", "db3:db2"], &target);
    assert_eq!(world.writable(), ["db2"], "{world:#?}");
}
