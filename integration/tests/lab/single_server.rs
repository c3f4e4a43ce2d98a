use crate::play::*;
use refit_integration::stage::{Fleet, Stage};

fn ask(stage: &Stage, statement: &str) -> String {
    stage.lab.sql("db1", statement).unwrap()
}

const WRITABLE: &str =
    "SELECT @@GLOBAL.super_read_only + @@GLOBAL.read_only + @@GLOBAL.offline_mode = 0";

/// A server that stands alone, under load: unwound while it waits for approval, then upgraded. Nothing is lost either way.
#[test]
fn a_standalone_server_is_unwound_and_upgraded() {
    let stage = set_as("older", Fleet::standalone);
    let before = ask(&stage, "SELECT VERSION()");
    let target = target(&stage, "newest");
    let fleet = stage.refit().run(&["fleet"]).unwrap();
    println!("{}", fleet.stdout);
    assert!(
        fleet.stdout.contains("standalone server"),
        "{}",
        fleet.stdout
    );
    assert!(!fleet.stdout.contains("no primary"), "{}", fleet.stdout);
    let load = stage.load().unwrap();
    load.start(4, "50").unwrap();

    let file = plan(&stage, &target, &[]);
    let applied = apply(&stage, &file);
    wait_for_state(&stage, &["awaiting_approval"]);
    assert!(ask(&stage, "SELECT VERSION()").starts_with(&target));
    assert_eq!(ask(&stage, WRITABLE), "0", "it waits read-only");
    unwind(&stage);
    drop(applied);
    assert_eq!(ask(&stage, "SELECT VERSION()"), before);
    assert_eq!(ask(&stage, WRITABLE), "1", "it serves as before");

    let file = plan(
        &stage,
        &target,
        &["--strategy", "single-server", "--approve-pivot", "auto"],
    );
    let reply = stage.refit().run(&["apply", &file, "--yes"]).unwrap();
    println!("{}", reply.stdout);
    assert_eq!(reply.code, 0, "{}{}", reply.stdout, reply.stderr);
    assert!(
        reply.stdout.contains("planned downtime"),
        "{}",
        reply.stdout
    );
    assert!(ask(&stage, "SELECT VERSION()").starts_with(&target));
    assert_eq!(ask(&stage, WRITABLE), "1");
    assert_nothing_lost(&load);
    println!(
        "  downtime as the client saw it, ms: {:?}",
        longest_gaps(&load)
    );

    // What the option files say is as before: a restart lets writes in.
    let restart = ["systemctl", "restart", "mysql"];
    stage
        .lab
        .exec("db1", &restart)
        .unwrap()
        .ok("restart")
        .unwrap();
    assert_eq!(ask(&stage, WRITABLE), "1");
}
