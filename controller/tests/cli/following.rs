//! `refit` against a served API: exit codes, following to the end, restarts, Ctrl-C.

use crate::samples;
use crate::server::{Server, outcome, wait_until};
use refit_proto::operator::{ErrorCode, Refusal, RolloutView, State, StepState};
use std::process::{Child, Stdio};

fn to(state: State) -> impl FnOnce(&mut RolloutView) {
    move |view| {
        view.summary.state = state;
        view.next = samples::next(&["approve", "unwind"]);
    }
}

/// Runs `refit` in the background; `Command` of assert_cmd can't.
fn spawn(server: &Server, arguments: &[&str]) -> Child {
    std::process::Command::new(env!("CARGO_BIN_EXE_refit"))
        .env_clear()
        .env("XDG_CONFIG_HOME", server.dir.path())
        .env(
            "REFIT_CONTROLLER",
            format!("localhost:{}", server.address.port()),
        )
        .env("REFIT_IDENTITY", server.path("ann"))
        .current_dir(server.dir.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What little is printed here fits into the pipes, so the program can end before they are read.
fn end(mut child: Child) -> (i32, String, String) {
    wait_until("the program to end", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

fn with_plan() -> Server {
    let server = Server::start();
    std::fs::write(server.path("plan.json"), server.desk.plan_file()).unwrap();
    server
}

#[test]
fn apply_follows_to_the_end_and_sums_up() {
    let server = with_plan();
    let status = r#"{"acked": 8123, "current_gap_ms": 4.2, "max_gap_ms": 311.5, "rate": 300.0}"#;
    std::fs::write(server.path("status.json"), status).unwrap();
    let apply = spawn(
        &server,
        &[
            "apply",
            "plan.json",
            "--yes",
            "--reason",
            "change 4711",
            "--writer-status",
            "status.json",
        ],
    );
    wait_until("apply to watch", || server.desk.watchers() > 0);
    server
        .desk
        .moves("step_resolved", "s01 gate on db3 attempt 1: done", |view| {
            view.steps[1].status = StepState::Done;
        });
    server
        .desk
        .moves("rollout_closed", "ended: Upgraded", |view| {
            let next_seq = view.next_seq;
            *view = samples::upgraded();
            view.next_seq = next_seq;
        });
    let (code, stdout, stderr) = end(apply);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(server.desk.done(), ["apply by ann (change 4711)"]);
    for words in [
        "rollout of shop",
        "s01 gate on db3",
        "ended: Upgraded",
        "UPGRADED",
        "8.4.6",
        "312 ms",
        "8123 writes acknowledged",
        "refit finalize",
    ] {
        assert!(stdout.contains(words), "{words:?} is missing in: {stdout}");
    }
    assert!(
        !stdout.contains('\x1b'),
        "escape codes although this is no terminal: {stdout}"
    );
}

#[test]
fn states_of_rest_have_their_exit_codes() {
    for (state, code, word) in [
        (State::Parked, 3, "PARKED"),
        (State::AwaitingApproval, 3, "refit approve"),
        (State::Restored, 4, "RESTORED"),
    ] {
        let server = with_plan();
        let apply = spawn(&server, &["apply", "plan.json", "--yes"]);
        wait_until("apply to watch", || server.desk.watchers() > 0);
        server.desk.moves("parked", "at rest", to(state));
        let (found, stdout, stderr) = end(apply);
        assert_eq!(found, code, "{state:?}: {stdout}{stderr}");
        assert!(stdout.contains(word), "{state:?}: {stdout}");
    }
}

#[test]
fn what_is_refused_exits_with_5_and_changes_nothing() {
    let server = with_plan();
    let stale = Refusal::new(ErrorCode::PlanStale, "the plan is stale: shop has changed")
        .reasons(["db2: option files have changed"])
        .safe("Nothing was changed.")
        .next("refit plan shop --target VERSION");
    server.desk.refuse(stale);
    let (code, stdout, stderr) = outcome(server.refit(&["apply", "plan.json", "--yes"]));
    assert_eq!((code, stdout.as_str()), (5, ""));
    for words in [
        "plan.stale",
        "db2: option files",
        "safe:",
        "refit plan shop --target 9.7.4",
    ] {
        assert!(stderr.contains(words), "{words:?} is missing in: {stderr}");
    }

    // Edited: found before anything is sent.
    let edited = server
        .desk
        .plan_file()
        .replace("\"soak_s\": 2", "\"soak_s\": 0");
    std::fs::write(server.path("edited.json"), edited).unwrap();
    let (code, _, stderr) = outcome(server.refit(&["apply", "edited.json", "--yes"]));
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("has been edited"), "{stderr}");

    // Not asked, so not done: there is no terminal here.
    let (code, _, stderr) = outcome(server.refit(&["apply", "plan.json"]));
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("--yes"), "{stderr}");
    assert!(server.desk.done().is_empty());
}

#[test]
fn a_refusal_is_json_too() {
    let server = with_plan();
    server
        .desk
        .refuse(Refusal::new(ErrorCode::RolloutActive, "shop is occupied"));
    let (code, stdout, stderr) = outcome(server.refit(&["apply", "plan.json", "--yes", "--json"]));
    assert_eq!((code, stdout.as_str()), (5, ""));
    let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(error["error"]["code"], "rollout.active");
}

#[test]
fn a_dry_run_begins_nothing() {
    let server = with_plan();
    let (code, stdout, stderr) = outcome(server.refit(&["apply", "plan.json", "--dry-run"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("would begin") && stdout.contains("Nothing was changed"),
        "{stdout}"
    );
    assert!(server.desk.done().is_empty());
}

#[test]
fn the_controllers_restart_is_lived_through() {
    let mut server = with_plan();
    let apply = spawn(&server, &["apply", "plan.json", "--yes"]);
    wait_until("apply to watch", || server.desk.watchers() > 0);
    server.stop();
    wait_until("the watch to end", || server.desk.watchers() == 0);
    server
        .desk
        .moves("step_intended", "begun while nobody looked", |_| {});
    server.restart();
    wait_until("apply to watch again", || server.desk.watchers() > 0);
    server
        .desk
        .moves("rollout_closed", "ended: Upgraded", to(State::Upgraded));
    let (code, stdout, stderr) = end(apply);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stderr.contains("can't be reached, trying again"),
        "{stderr}"
    );
    let times = |text: &str| stdout.matches(text).count();
    assert_eq!(times("rollout of shop"), 1, "{stdout}");
    assert_eq!(times("begun while nobody looked"), 1, "{stdout}");
}

#[test]
fn a_crash_of_the_controller_is_lived_through() {
    let mut server = with_plan();
    let apply = spawn(&server, &["apply", "plan.json", "--yes"]);
    wait_until("apply to watch", || server.desk.watchers() > 0);
    server.crash();
    wait_until("the watch to end", || server.desk.watchers() == 0);
    server.restart();
    wait_until("apply to watch again", || server.desk.watchers() > 0);
    server
        .desk
        .moves("rollout_closed", "ended: Upgraded", to(State::Upgraded));
    let (code, stdout, stderr) = end(apply);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(stdout.matches("rollout of shop").count(), 1, "{stdout}");
}

#[test]
fn ctrl_c_only_detaches() {
    let server = with_plan();
    let apply = spawn(&server, &["apply", "plan.json", "--yes"]);
    wait_until("apply to watch", || server.desk.watchers() > 0);
    let pid = rustix::process::Pid::from_child(&apply);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let (code, _, stderr) = end(apply);
    assert_eq!(code, 130, "{stderr}");
    assert!(stderr.contains("goes on without this command"), "{stderr}");
    assert_eq!(server.desk.done(), ["apply by ann"]);
}

#[test]
fn unwind_waits_for_its_own_end_not_for_the_rest_before_it() {
    let server = with_plan();
    server
        .desk
        .moves("rollout_created", "rollout of shop", |_| {});
    server.desk.moves("parked", "parked", to(State::Parked));
    // Enough of the id's beginning is enough.
    let short = &samples::ROLLOUT[..8];
    let unwind = spawn(
        &server,
        &["unwind", short, "--yes", "--wait", "--reason", "a bug"],
    );
    wait_until("unwind to watch", || server.desk.watchers() > 0);
    server
        .desk
        .moves("rollout_closed", "ended: Restored", to(State::Restored));
    let (code, stdout, stderr) = end(unwind);
    assert_eq!(code, 4, "{stdout}{stderr}");
    assert_eq!(server.desk.done(), ["Unwind by ann (a bug)"]);
    assert!(stdout.contains("RESTORED"), "{stdout}");
}

#[test]
fn unwinding_behind_the_pivot_is_refused() {
    let server = with_plan();
    server.desk.moves("rollout_closed", "ended", |view| {
        *view = samples::upgraded()
    });
    let (code, _, stderr) = outcome(server.refit(&["unwind", samples::ROLLOUT, "--yes"]));
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("pivot"), "{stderr}");
    assert!(server.desk.done().is_empty());
}

#[test]
fn looking_prints_text_or_json() {
    let server = with_plan();
    let (code, stdout, _) = outcome(server.refit(&["list"]));
    assert_eq!((code, stdout.as_str()), (0, "There are no rollouts.\n"));
    server
        .desk
        .moves("rollout_created", "rollout of shop", |_| {});
    let json = |arguments: &[&str]| {
        let (code, stdout, stderr) = outcome(server.refit(arguments));
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str::<serde_json::Value>(&stdout).unwrap()
    };
    assert_eq!(json(&["list", "--json"])[0]["id"], samples::ROLLOUT);
    let shown = json(&["show", samples::ROLLOUT, "--json"]);
    assert_eq!(shown["state"], "running");
    assert_eq!(shown["steps"][0]["status"], "pending");
    assert_eq!(json(&["audit", "--json"])[0]["event"], "rollout_created");
    assert_eq!(
        json(&["fleet", "--json"])[0]["members"][0]["state"],
        "ONLINE"
    );
    let (code, _, stderr) = outcome(server.refit(&["fleet", "shoq"]));
    assert_eq!(code, 5);
    assert!(
        stderr.contains("shoq") && stderr.contains("known clusters: shop"),
        "{stderr}"
    );
    let (code, stdout, _) = outcome(server.refit(&["health"]));
    assert_eq!(code, 0, "{stdout}");
}

#[test]
fn check_has_three_exit_codes_and_mysql_shells_shape() {
    let server = Server::start();
    let check = |more: &[&str]| {
        let mut arguments = vec!["check", "shop", "--target", "9.7.4"];
        arguments.extend(more);
        outcome(server.refit(&arguments))
    };
    let (code, stdout, _) = check(&[]);
    assert_eq!(code, 2, "{stdout}");
    assert!(
        stdout.contains("ERROR") && stdout.contains("--accept-no-spare"),
        "{stdout}"
    );
    let (code, stdout, _) = check(&["--accept-no-spare", "--json"]);
    assert_eq!(code, 1, "{stdout}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["targetVersion"], "9.7.4");
    assert_eq!(report["errorCount"], 0);
    let problems = report["checksPerformed"].as_array().unwrap().iter();
    let problems = problems.flat_map(|check| check["detectedProblems"].as_array().unwrap());
    assert!(
        problems
            .clone()
            .any(|problem| problem["level"] == "Warning"),
        "{report}"
    );
    let (code, _, stderr) = outcome(server.refit(&["check", "shop", "--target", "9.7"]));
    assert_eq!(code, 5, "{stderr}");
}

#[test]
fn checks_are_listed_chosen_and_written_as_a_page() {
    let server = Server::start();
    let (code, stdout, _) = outcome(server.refit(&["check", "--list", "--json"]));
    assert_eq!(code, 0, "{stdout}");
    let list: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        list.as_array().unwrap().len(),
        refit_shared::checks::ALL.len()
    );

    let check = |more: &[&str]| {
        let mut arguments = vec!["check", "shop", "--target", "9.7.4", "--accept-no-spare"];
        arguments.extend(more);
        outcome(server.refit(&arguments))
    };
    let ids = |stdout: &str| -> Vec<String> {
        let report: serde_json::Value = serde_json::from_str(stdout).unwrap();
        let checks = report["checksPerformed"].as_array().unwrap().iter();
        checks
            .map(|check| check["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (code, stdout, _) = check(&["--include", "diskSpace,preparedXa", "--json"]);
    assert_eq!(code, 0, "nothing is found: {stdout}");
    assert_eq!(ids(&stdout), ["diskSpace", "preparedXa"]);
    let (_, stdout, _) = check(&["--exclude", "diskSpace", "--json"]);
    assert!(!ids(&stdout).contains(&"diskSpace".to_owned()));
    let (code, _, stderr) = check(&["--include", "diskSpaec"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stderr.contains("diskSpaec") && stderr.contains("--list"),
        "{stderr}"
    );

    let page = server.path("page.html");
    let (code, _, stderr) = check(&["--html", page.to_str().unwrap()]);
    assert_eq!(code, 1, "{stderr}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("<title>Upgrade check: shop to 9.7.4</title>"),
        "{page}"
    );
    assert!(
        !page.contains("<script") && !page.contains(" src="),
        "{page}"
    );
}

#[test]
fn the_targets_mysqld_is_asked_only_where_that_is_wanted() {
    let server = Server::start();
    let check = |more: &[&str]| {
        let mut arguments = vec!["check", "shop", "--target", "9.7.4", "--accept-no-spare"];
        arguments.extend(more);
        outcome(server.refit(&arguments))
    };
    let (code, stdout, _) = check(&[]);
    assert_eq!(code, 1, "{stdout}");
    assert!(!stdout.contains("MY-000067"), "{stdout}");
    let (code, stdout, _) = check(&["--validate-config", "--json"]);
    assert_eq!(code, 2, "{stdout}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let checks = report["checksPerformed"].as_array().unwrap().iter();
    let own = checks.clone().find(|check| check["id"] == "validateConfig");
    let own = own.unwrap();
    assert_eq!(own["status"], "ERROR", "one could not be asked: {own}");
    assert_eq!(
        own["detectedProblems"].as_array().unwrap().len(),
        2,
        "{own}"
    );
    let only = ["--validate-config", "--include", "validateConfig"];
    let (code, stdout, _) = check(&only);
    assert_eq!(code, 2, "{stdout}");
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("check-validate-config", stdout);
    });
}

#[test]
fn what_a_host_says_is_text_on_the_page() {
    use refit_controller::cli::render::check_html;
    use refit_shared::checks::{CheckResult, Finding, Level};
    let finding = Finding {
        check: "x".to_owned(),
        level: Level::Error,
        object: "<script>alert(1)</script>".to_owned(),
        description: "a & b \" onload='x'".to_owned(),
        fix: "\u{1b}[2J".to_owned(),
    };
    let judged = refit_proto::operator::Judgement {
        cluster: "shop".to_owned(),
        target: "9.7.4".to_owned(),
        server_address: String::new(),
        server_version: String::new(),
        checks: vec![CheckResult {
            id: "x".to_owned(),
            title: "t".to_owned(),
            description: "d".to_owned(),
            link: Some("javascript:alert(1)".to_owned()),
            applies: true,
            may_override: true,
            findings: vec![finding],
        }],
        manual: Vec::new(),
    };
    let page = check_html::page(&judged);
    assert!(
        !page.contains("<script") && !page.contains("javascript:"),
        "{page}"
    );
    assert!(
        page.contains("&lt;script&gt;") && page.contains("&quot; onload=&#39;"),
        "{page}"
    );
    assert!(!page.contains('\u{1b}'), "{page}");
}

#[test]
fn a_plan_is_written_once() {
    let server = Server::start();
    let plan = |more: &[&str]| {
        let mut arguments = vec!["plan", "shop", "--target", "9.7.4", "--out", "p.json"];
        arguments.extend(more);
        outcome(server.refit(&arguments))
    };
    let (code, stdout, stderr) = plan(&["--dry-run"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("No file was written"), "{stdout}");
    assert!(!server.path("p.json").exists());
    assert_eq!(plan(&[]).0, 0);
    assert_eq!(
        std::fs::read_to_string(server.path("p.json")).unwrap(),
        server.desk.plan_file()
    );
    let (code, _, stderr) = plan(&[]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("--force"), "{stderr}");
    assert_eq!(plan(&["--force"]).0, 0);
    server.desk.refuse(
        Refusal::new(
            ErrorCode::TargetUnavailable,
            "1 finding(s) block the upgrade of shop",
        )
        .reasons(["db1: no repository offers 9.7.99"]),
    );
    let (code, _, stderr) = plan(&["--force"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("no repository offers 9.7.99"), "{stderr}");
}

/// No table is advised: that is said, no file is written, and it is no failure.
#[test]
fn nothing_advised_is_no_plan_and_no_failure() {
    let server = Server::start();
    server.desk.advises_nothing();
    let ask = |more: &[&str]| {
        let tables = ["--strategy", "rebuild-tables", "--tables", "advised"];
        let arguments = ["plan", "shop", "--target", "8.4.4", "--out", "p.json"];
        outcome(server.refit(&[&arguments[..], &tables, more].concat()))
    };
    let (code, stdout, stderr) = ask(&["--advised-for", "9.7.4"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        stdout,
        "No table of shop is advised to be rebuilt for 9.7.4: there is nothing to plan.\n  \
         checkTableCommand: db2: 0 of 3 tables checked in 0.1 s; 3 not asked, because the server is read-only \
         (super_read_only), which refuses FOR UPGRADE\n\
         The servers themselves were not asked (CHECK TABLE … FOR UPGRADE): --check-tables does.\n\
         No file was written. Nothing has been changed on any host.\n"
    );
    assert!(!server.path("p.json").exists());
    let (code, stdout, _) = ask(&["--check-tables", "--json"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("\"advised\": []"), "{stdout}");
    let (code, _, stderr) = outcome(server.refit(&[
        "plan",
        "shop",
        "--target",
        "8.4.4",
        "--strategy",
        "rebuild-tables",
        "--tables",
        "advised,shop.items",
    ]));
    assert_eq!(code, 5, "{stderr}");
}

#[test]
fn pins_are_listed_and_released_without_a_target() {
    let server = Server::start();
    let (code, stdout, stderr) = outcome(server.refit(&["config", "shop", "--pins"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("caching") || stdout.contains("needs a restart"),
        "{stdout}"
    );
    assert!(stdout.contains("refit plan shop --release"), "{stdout}");
    let (code, stdout, stderr) = outcome(server.refit(&["config", "shop", "--pins", "--json"]));
    assert_eq!(code, 0, "{stderr}");
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["members"][1]["pins"].as_array().unwrap().len(), 3);

    let plan = ["plan", "shop", "--dry-run", "--release"];
    let names = "explain_format,back-log";
    let (code, _, stderr) = outcome(server.refit(&[&plan[..], &[names]].concat()));
    assert_eq!(code, 0, "{stderr}");
    // The version that the members run.
    assert_eq!(
        server.desk.done(),
        ["planned to 9.7.3, releasing explain_format, back-log"]
    );
    let (code, _, stderr) = outcome(server.refit(&[&plan[..], &["a b,c;d,gtid_mode"]].concat()));
    assert_eq!(code, 5, "{stderr}");
    for wrong in ["name 1: \"a b\"", "name 2: \"c;d\""] {
        assert!(stderr.contains(wrong), "{stderr}");
    }
    for arguments in [
        &["plan", "shop"][..],
        &["config", "shop"],
        &["config", "shop", "--pins", "--target", "9.7.4"],
    ] {
        assert_eq!(outcome(server.refit(arguments)).0, 5, "{arguments:?}");
    }
}

/// `script` gives the program a terminal.
#[test]
fn on_a_terminal_a_block_is_redrawn_and_taken_away() {
    let server = with_plan();
    let typed = format!("{} apply plan.json --yes", env!("CARGO_BIN_EXE_refit"));
    let port = server.address.port();
    let apply = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &typed, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TERM", "xterm")
        .env("XDG_CONFIG_HOME", server.dir.path())
        .env("REFIT_CONTROLLER", format!("localhost:{port}"))
        .env("REFIT_IDENTITY", server.path("ann"))
        .current_dir(server.dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("apply to watch", || server.desk.watchers() > 0);
    server.desk.moves("step_resolved", "half way", |view| {
        let next_seq = view.next_seq;
        *view = samples::half_way();
        view.next_seq = next_seq;
    });
    server
        .desk
        .moves("rollout_closed", "ended: Upgraded", |view| {
            let next_seq = view.next_seq;
            *view = samples::upgraded();
            view.next_seq = next_seq;
        });
    let (code, screen, _) = end(apply);
    assert_eq!(code, 0, "{screen}");
    for words in [
        "db3        ",
        "overall    ",
        "writes     possible",
        "UPGRADED",
    ] {
        assert!(screen.contains(words), "{words:?} is missing in: {screen}");
    }
    assert!(
        screen.contains("A\r\x1b[J"),
        "nothing was redrawn: {screen:?}"
    );
    // The summary stands alone: the block has been taken away before it.
    let after = screen.rsplit_once("\x1b[J").unwrap().1;
    assert!(
        after.contains("UPGRADED") && !after.contains("overall"),
        "{after}"
    );
}
