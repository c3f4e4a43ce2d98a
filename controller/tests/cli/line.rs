//! The command line itself, and what works without a controller.

use crate::server::{outcome, refit};

fn run(dir: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = refit(dir);
    command.args(arguments);
    outcome(command)
}

#[test]
fn help_has_examples_and_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let (code, help, _) = run(dir.path(), &["--help"]);
    assert_eq!(code, 0);
    for words in [
        "Exit codes:",
        "130",
        "REFIT_CONTROLLER",
        "/etc/refit/refit.toml",
        "refit apply plan.json",
    ] {
        assert!(help.contains(words), "{words:?} is missing in: {help}");
    }
    for command in [
        "fleet",
        "check",
        "config",
        "rehearse",
        "path",
        "plan",
        "apply",
        "watch",
        "list",
        "show",
        "pause",
        "resume",
        "approve",
        "unwind",
        "cancel",
        "finalize",
        "audit",
        "journal",
        "health",
        "pki",
        "completion",
    ] {
        let (code, help, _) = run(dir.path(), &[command, "--help"]);
        assert_eq!(code, 0, "{command}");
        assert!(!help.contains('\x1b'), "{command}: {help}");
        assert!(help.contains("--json"), "{command}: {help}");
    }
}

#[test]
fn every_act_can_be_rehearsed() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        "rehearse", "plan", "apply", "pause", "resume", "approve", "unwind", "cancel", "finalize",
    ] {
        let (_, help, _) = run(dir.path(), &[command, "--help"]);
        assert!(help.contains("--dry-run"), "{command}: {help}");
    }
    for command in ["init", "issue", "renew", "revoke"] {
        let (_, help, _) = run(dir.path(), &["pki", command, "--help"]);
        assert!(help.contains("--dry-run"), "pki {command}: {help}");
    }
}

#[test]
fn bad_input_exits_with_5() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [
        &["aplly"][..],
        &["apply"],
        &["plan", "shop"],
        &["plan", "shop", "--target", "9.7.4", "--soak", "fortnight"],
        &["--color", "mauve", "list"],
        // No controller is told anywhere.
        &["list"],
    ] {
        let (code, stdout, stderr) = run(dir.path(), arguments);
        assert_eq!(code, 5, "{arguments:?}: {stdout}{stderr}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_bad_config_file_is_told_with_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("refit")).unwrap();
    let file = dir.path().join("refit/config.toml");
    std::fs::write(&file, "controller = \"ctl\"\nidentiy = \"/x\"\n").unwrap();
    let (code, _, stderr) = run(dir.path(), &["list"]);
    assert_eq!(code, 5);
    for words in ["config.toml:1:14", "no port", "config.toml:2:1", "identiy"] {
        assert!(stderr.contains(words), "{words:?} is missing in: {stderr}");
    }
}

#[test]
fn a_path_is_explained_without_a_controller() {
    let dir = tempfile::tempdir().unwrap();
    let path = |arguments: &[&str]| {
        let mut all = vec!["path"];
        all.extend(arguments);
        run(dir.path(), &all)
    };
    let (code, stdout, stderr) = path(&["5.7.44-log", "9.7.4-2"]);
    assert_eq!(code, 0, "{stderr}");
    for words in [
        "in 3 hops",
        "MY-012216",
        "1. 5.7.44 to 8.0.46",
        "3. 8.4.13 to 9.7.4",
    ] {
        assert!(stdout.contains(words), "{words:?} is missing in: {stdout}");
    }
    let (code, stdout, _) = path(&["5.7.44", "9.7.4", "--json"]);
    assert_eq!(code, 0);
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["hops"][1]["to"], "8.4.13");
    assert_eq!(document["notInOneHop"]["server_code"], "MY-012216");

    for (arguments, words) in [
        (
            &["9.7.4", "8.4.6"][..],
            &["MY-014061", "instead: restore a copy"][..],
        ),
        (
            &["nine", "9.7"],
            &["\"nine\"", "\"9.7\" is not a MySQL version"],
        ),
        (&["11.4.2-MariaDB", "9.7.4"], &["MariaDB"]),
        (&["9.7.4", "27.1.0"], &["no series 27.1", "release file"]),
        (
            &["9.7.4", "9.7.2", "--vendor", "percona"],
            &["Percona supports no downgrade"],
        ),
        (
            &["9.7.4", "27.1.0", "--releases", "none.toml"],
            &["cannot read none.toml"],
        ),
    ] {
        let (code, stdout, stderr) = path(arguments);
        assert_eq!(code, 5, "{arguments:?}: {stdout}{stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
        for word in words {
            assert!(stderr.contains(word), "{word:?} is missing in: {stderr}");
        }
    }
    let file = dir.path().join("releases.toml");
    let text = "[[series]]\nname = \"27.1\"\ntrack = \"innovation\"\nlineage = \"9.7\"\n";
    std::fs::write(&file, text).unwrap();
    let (code, _, stderr) = path(&["9.7.4", "27.1.0", "--releases", "releases.toml"]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn completion_scripts_name_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(dir.path(), &["completion", shell]);
        assert_eq!(code, 0, "{shell}");
        assert!(
            script.contains("finalize") && script.contains("writer-status"),
            "{shell}"
        );
    }
}

#[test]
fn pki_makes_issues_renews_inspects_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let pki = |arguments: &[&str]| {
        let mut all = vec!["pki"];
        all.extend(arguments);
        run(dir.path(), &all)
    };
    let issue = ["issue", "agent", "db1", "--ca", "ca", "--out", "db1"];
    assert_eq!(pki(&["init", "--ca", "ca", "--dry-run"]).0, 0);
    assert!(
        !dir.path().join("ca").exists(),
        "a dry run has made something"
    );
    assert_eq!(pki(&issue).0, 5, "there is no CA yet");
    assert_eq!(pki(&["init", "--ca", "ca"]).0, 0);
    assert_eq!(pki(&["init", "--ca", "ca"]).0, 5);
    let mut rehearsal = issue.to_vec();
    rehearsal.push("--dry-run");
    let (code, stdout, stderr) = pki(&rehearsal);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("would issue spiffe://refit.local/agent/db1"),
        "{stdout}"
    );
    assert!(
        !dir.path().join("db1").exists(),
        "a dry run has made something"
    );
    assert_eq!(pki(&issue).0, 0);
    let (code, _, stderr) = pki(&issue);
    assert_eq!(code, 5);
    assert!(stderr.contains("nothing is ever overwritten"), "{stderr}");

    let serial = || {
        let (code, stdout, stderr) = pki(&["inspect", "db1", "--json"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        report["certificates"][0]["serial"].to_string()
    };
    let before = serial();
    assert_eq!(pki(&["renew", "db1", "--ca", "ca", "--dry-run"]).0, 0);
    assert_eq!(before, serial(), "a dry run has renewed");
    assert_eq!(pki(&["renew", "db1", "--ca", "ca"]).0, 0);
    assert_ne!(before, serial());
}
