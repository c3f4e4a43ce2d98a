use crate::play::*;
use refit_integration::stage::Fleet;

/// A multi-primary group, member after member, under load: while versions differ only members of the lowest one take writes,
/// and somebody always does.
#[test]
fn a_multi_primary_group_rolls() {
    let stage = set_as("older", Fleet::multi_primary);
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();
    let file = plan(&stage, &target, &[]);
    let mut applied = apply(&stage, &file);
    wait_for_step(&stage, ANYBODY, "join_group", "done");
    let state = "SELECT CONCAT_WS(' ', VERSION(), @@GLOBAL.super_read_only)";
    for member in &stage.members {
        println!(
            "  {member}: {}",
            stage
                .lab
                .sql(member, state)
                .unwrap_or_else(|why| why.to_string())
        );
    }
    assert!(applied.wait().unwrap().success());
    wait_for_state(&stage, &["upgraded"]);
    for (name, member) in stage.world().unwrap().0 {
        assert_eq!(mysql_version(&member.version), target, "{name}: {member:?}");
        assert_eq!(
            (member.state.as_str(), member.online),
            ("ONLINE", 3),
            "{name}: {member:?}"
        );
        assert!(!member.super_read_only, "{name}: {member:?}");
        assert_eq!(member.leftovers, "", "{name}: {member:?}");
    }
    assert_nothing_lost(&load);
    println!("  write gaps, ms: {:?}", longest_gaps(&load));
}
