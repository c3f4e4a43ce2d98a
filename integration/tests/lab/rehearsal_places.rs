//! Rehearsals where the data lies or serves otherwise: of a replica, and of a stopped member on file systems that take no snapshot.

use crate::play::*;
use refit_integration::stage::{Fleet, Stage};
use serde_json::Value;

/// A replica goes on following while its upgrade is rehearsed; its source is refused, unless a person insists.
#[test]
fn an_upgrade_is_rehearsed_on_a_replica_that_follows() {
    let stage = set_as("older", Fleet::source_with_two_replicas);
    let target = target(&stage, "newest");
    let load = stage.load().unwrap();
    load.start(4, "200").unwrap();
    let no = rehearse(&stage, "db1", &target, &[]);
    assert_eq!(no.0, 5, "{}", no.1);
    assert!(no.1.contains("--on-source"), "{}", no.1);
    let before = process(&stage, "db3");
    let found = found(rehearse(&stage, "db3", &target, &["--json"]), 0);
    assert_eq!(before, process(&stage, "db3"), "the replica was restarted");
    assert!(found["recovered"].as_f64().unwrap() > 0.0, "{found:#}");
    assert_eq!(found["broken"], serde_json::json!([]), "{found:#}");
    assert_replicating_at(&stage, &["db2:db1", "db3:db1"], &version_of(&stage));
    assert_nothing_lost(&load);
    let on_source = rehearse(&stage, "db1", &target, &["--on-source", "--dry-run"]);
    assert_eq!(on_source.0, 0, "{}", on_source.1);
}

/// xfs shares blocks, ext4 can only copy, and neither takes a snapshot of files that are being written: there a server is rehearsed
/// while it is down, and ext4's copy is made only for a person who has asked for it.
#[test]
fn a_stopped_member_is_rehearsed_where_nothing_takes_a_snapshot() {
    for (file_system, more, method) in [("xfs", "--json", "reflink"), ("ext4", "--copy", "copy")] {
        let fleet = Fleet {
            data: file_system.to_owned(),
            ..Fleet::standalone(&lab().version("older").unwrap())
        };
        let say = |line: &str| println!("  {line}");
        let stage = Stage::set(lab(), &fleet, &programs(), say).unwrap();
        let target = target(&stage, "newest");
        let no = rehearse(&stage, "db1", &target, &["--on-source", more]);
        assert_eq!(no.0, 5, "{file_system}: {}", no.1);
        assert!(no.1.contains("stop the server"), "{}", no.1);
        let run = |argv: &[&str]| stage.lab.exec("db1", argv).unwrap().ok("on db1").unwrap();
        run(&["systemctl", "stop", "mysql"]);
        let before = run(&BYTES);
        let plain = rehearse(&stage, "db1", &target, &["--json"]);
        if method == "copy" {
            assert_eq!(plain.0, 5, "{}", plain.1);
            assert!(plain.1.contains("say --copy"), "{}", plain.1);
        } else {
            assert_eq!(found(plain, 0)["method"], method);
        }
        let found = found(rehearse(&stage, "db1", &target, &["--json", "--copy"]), 0);
        assert_eq!(found["method"], method, "{found:#}");
        assert!(found["recovered"].is_null(), "{found:#}");
        assert!(found["tables_opened"].as_u64().unwrap() > 30, "{found:#}");
        assert_eq!(run(&BYTES), before, "{file_system}: data was written to");
        run(&["test", "!", "-e", "/srv/mysql/snapshots/.refit-rehearsal"]);
        run(&["systemctl", "start", "mysql"]);
        assert_eq!(
            version_of(&stage),
            mysql_version(&stage.lab.version("older").unwrap())
        );
    }
}

const BYTES: [&str; 3] = [
    "bash",
    "-c",
    "find /srv/mysql/data -type f -print0 | sort --zero-terminated | xargs --null sha256sum; find /srv/mysql/data -printf '%p %u %m %T@\\n' | sort",
];

/// Exit code and all that was said.
fn rehearse(stage: &Stage, member: &str, target: &str, more: &[&str]) -> (i32, String, String) {
    let mut arguments = vec!["rehearse", "shop", member, "--target", target];
    arguments.extend(more);
    let reply = stage.refit().run(&arguments).unwrap();
    (
        reply.code,
        format!("{}{}", reply.stdout, reply.stderr),
        reply.stdout,
    )
}

fn found((code, said, json): (i32, String, String), expected: i32) -> Value {
    assert_eq!(code, expected, "{said}");
    let found = serde_json::from_str(&json).unwrap();
    println!("{found:#}");
    found
}

fn process(stage: &Stage, member: &str) -> String {
    let argv = ["systemctl", "show", "--property=MainPID,NRestarts", "mysql"];
    stage
        .lab
        .exec(member, &argv)
        .unwrap()
        .ok("process")
        .unwrap()
}

/// The version that runs, as it says itself.
fn version_of(stage: &Stage) -> String {
    mysql_version(&stage.lab.sql("db1", "SELECT VERSION()").unwrap())
}
