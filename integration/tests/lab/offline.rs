use crate::play::*;
use refit_integration::stage::Fleet;

/// All members of a group at once, to another series, under load: there is a downtime, and nothing is lost.
#[test]
fn a_group_is_upgraded_offline() {
    let stage = set("previous-series");
    let before = stage.world().unwrap();
    before.assert_whole();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(
        &stage,
        &target,
        &["--strategy", "offline", "--approve-pivot", "auto"],
    );
    let reply = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", reply.stdout);
    assert_eq!(reply.code, 0, "{}{}", reply.stdout, reply.stderr);
    let after = assert_all_at(&stage, &target);
    assert_eq!(before.primary(), after.primary());
    assert_rewritten_config(&before, &after);
    assert_nothing_lost(&load);
    println!(
        "  downtime as the client saw it, ms: {:?}",
        longest_gaps(&load)
    );
    for member in &stage.members {
        let left = stage
            .lab
            .sql(member, "SELECT @@GLOBAL.group_replication_bootstrap_group");
        assert_eq!(left.unwrap(), "0", "{member}");
    }
}

/// A source, its replica and that one's replica all at once, to another series, under load: writes stop until every replica has
/// everything, and go on when the source is open again.
#[test]
fn a_chain_is_upgraded_offline() {
    let stage = set_as("previous-series", Fleet::chain);
    let before = stage.world().unwrap();
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(
        &stage,
        &target,
        &["--strategy", "offline", "--approve-pivot", "auto"],
    );
    let reply = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", reply.stdout);
    assert_eq!(reply.code, 0, "{}{}", reply.stdout, reply.stderr);
    let after = assert_replicating_at(&stage, &["db2:db1", "db3:db2"], &target);
    assert_eq!(after.writable(), ["db1"], "{after:#?}");
    assert_rewritten_config(&before, &after);
    assert_nothing_lost(&load);
    println!(
        "  downtime as the client saw it, ms: {:?}",
        longest_gaps(&load)
    );
}
