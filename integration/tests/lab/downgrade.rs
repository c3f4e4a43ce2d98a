use crate::play::*;
use refit_integration::stage::Fleet;

/// Back within a long-term series along a chain: the source first, then who replicates from it, with all logs processed before.
#[test]
fn a_chain_is_downgraded_from_its_source() {
    let stage = set_as("newest", Fleet::chain);
    let before = stage.world().unwrap();
    let target = target(&stage, "older");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(&stage, &target, &["--approve-pivot", "auto"]);
    let done = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", done.stdout);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("discard_logs"), "{}", done.stdout);
    let after = assert_replicating_at(&stage, &["db2:db1", "db3:db2"], &target);
    assert_same_config(&before, &after);
    assert_nothing_lost(&load);
    println!(
        "  write pause as the client saw it, ms: {:?}",
        longest_gaps(&load)
    );
}
