use crate::play::*;

/// A release whose mysqld refuses to start: the member is put back by itself, the rollout parks with the server's own words,
/// and `refit unwind` ends as Restored.
#[test]
fn a_new_server_that_will_not_start_is_unwound() {
    let stage = set("older");
    let before = stage.world().unwrap();
    let target = target(&stage, "broken");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let reply = stage
        .refit()
        .run(&["apply", &plan(&stage, &target, &[]), "--yes"])
        .unwrap();
    println!("{}", reply.stdout);
    assert_eq!(reply.code, 3, "{}{}", reply.stdout, reply.stderr);
    let rollout = rollout(&stage).unwrap();
    assert_eq!(state(&rollout), "parked", "{rollout:#}");
    let text = format!("{}{}", reply.stdout, reply.stderr);
    assert!(
        text.contains("start_server") || text.contains("put back"),
        "the reason is told: {text}"
    );
    assert!(
        text.contains("refit unwind"),
        "the next command is told: {text}"
    );

    // Nobody is missing: the member is back on the old version before anybody asks.
    let world = stage.world().unwrap();
    world.assert_whole();
    assert_eq!(before.versions(), world.versions());

    unwind(&stage);
    assert_restored(&before, &stage.world().unwrap());
    assert_nothing_lost(&load);
}
