use crate::older_dictionary::{date_back, put_functions};
use crate::play::*;
use refit_integration::stage::{Fleet, Stage, wait_for};
use serde_json::Value;
use std::time::Duration;

const MEMBER: &str = "db3";
const DATA: &str = "/srv/mysql/data";

/// A secondary's upgrade is rehearsed while clients write: within a series and across series. The member goes on as it was,
/// nothing of the rehearsal is left, and the plan's estimate is what was seen.
#[test]
fn an_upgrade_is_rehearsed_on_a_secondary_that_serves() {
    for role in ["older", "previous-series"] {
        let stage = set(role);
        let target = target(&stage, "newest");
        let load = stage.load().unwrap();
        load.start(4, "200").unwrap();
        let primary = stage.world().unwrap().primary().unwrap().to_owned();
        let no = rehearse(&stage, &primary, &target, &[]);
        assert_eq!(no.code, 5, "{}{}", no.stdout, no.stderr);
        assert!(no.stderr.contains("name a secondary"), "{}", no.stderr);
        let dry = rehearse(&stage, MEMBER, &target, &["--dry-run"]);
        assert_eq!(dry.code, 0, "{}{}", dry.stdout, dry.stderr);

        let before = itself(&stage);
        let said = rehearse(&stage, MEMBER, &target, &["--json"]);
        assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
        assert_eq!(
            before,
            itself(&stage),
            "the member was restarted or changed"
        );
        let found: Value = serde_json::from_str(&said.stdout).unwrap();
        println!("{found:#}");
        assert_eq!(found["target"], target.as_str());
        assert!(
            found["refused"].is_null() && found["broken"] == serde_json::json!([]),
            "{found:#}"
        );
        assert!(found["tables_opened"].as_u64().unwrap() > 30, "{found:#}");
        assert!(found["views_opened"].as_u64().unwrap() > 90, "{found:#}");
        assert!(found["recovered"].as_f64().unwrap() > 0.0, "{found:#}");
        assert!(
            found["peak_memory_bytes"].as_u64().unwrap() > 64 << 20,
            "{found:#}"
        );
        assert_nothing_left(&stage);
        assert_nothing_lost(&load);

        let text = plan_text(&stage, &target);
        let start = text
            .lines()
            .find(|line| line.contains("start_server") && line.contains(MEMBER));
        assert!(start.unwrap().contains("rehearsed on 20"), "{text}");
    }
}

/// `kill -9` of the agent at different moments of a rehearsal: when it is back nothing is left, and it says what became of it.
#[test]
fn a_rehearsal_ends_with_its_agent() {
    let stage = set("older");
    let target = target(&stage, "newest");
    let before = itself(&stage);
    for moment in [
        "/srv/mysql/snapshots/.refit-rehearsal/data",
        "/run/refit-rehearsal/mysqld.sock",
    ] {
        let mut watching = stage
            .refit()
            .spawn(&["rehearse", "shop", MEMBER, "--target", &target])
            .unwrap();
        wait_for(moment, Duration::from_secs(90), || {
            anyhow::ensure!(
                watching.try_wait()?.is_none(),
                "the rehearsal has ended before it was seen"
            );
            stage.lab.exec(MEMBER, &["test", "-e", moment])?.ok(moment)
        })
        .unwrap();
        stage.lab.kill_unit(MEMBER, "refit-agent").unwrap();
        wait_for("everything to be removed", Duration::from_secs(60), || {
            left(&stage)
        })
        .unwrap();
        let ended = watching.wait().unwrap();
        assert_eq!(ended.code(), Some(1), "killed at {moment}");
    }
    assert_eq!(
        before,
        itself(&stage),
        "the member was restarted or changed"
    );
    let again = rehearse(&stage, MEMBER, &target, &[]);
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    println!("{}", again.stdout);
    assert_nothing_left(&stage);
}

/// Data directories of real older servers: 8.4.8's dictionary is upgraded on the clone, and timed; the ones that no 9.7 takes are
/// refused in mysqld's own words. Nothing is done to any of them.
#[test]
fn old_data_directories_are_rehearsed_before_anything_is_touched() {
    const OLD: &str = "/srv/mysql/old";
    let stage = set_as("older", Fleet::standalone);
    let (member, target) = ("db1", target(&stage, "newest"));
    let fixtures = stage
        .lab
        .call(["fixtures"])
        .unwrap()
        .ok("fixtures")
        .unwrap();
    let fixtures = std::path::Path::new(fixtures.trim());
    let run = |argv: &[&str]| {
        stage
            .lab
            .exec(member, argv)
            .unwrap()
            .ok("on the host")
            .unwrap()
    };
    run(&["mkdir", "-p", OLD]);
    for name in ["8.4.8", "8.0.28-dirty", "8.0.18"] {
        let to = format!("{OLD}/{name}");
        stage.lab.put(member, &fixtures.join(name), &to).unwrap();
    }
    run(&["chown", "-R", "mysql:mysql", OLD]);
    let try_it = |name: &str, more: &[&str]| {
        let directory = format!("{OLD}/{name}");
        let mut arguments = vec!["--json", "--data-directory", &directory];
        arguments.extend(more);
        rehearse(&stage, member, &target, &arguments)
    };
    let no = try_it("8.4.8", &[]);
    assert_eq!(no.code, 1, "{}{}", no.stdout, no.stderr);
    assert!(
        no.stderr.contains("rehearsal.data_directories"),
        "{}",
        no.stderr
    );
    run(&[
        "sed",
        "-i",
        &format!("s|^\\[rehearsal\\]|[rehearsal]\\ndata_directories = [\"{OLD}\"]|"),
        "/etc/refit/agent.toml",
    ]);
    run(&["systemctl", "restart", "refit-agent"]);

    let before = digest_of(&stage, member, OLD);
    for (name, code, said) in [
        ("8.4.8", 0, None),
        ("8.0.28-dirty", 2, Some("MY-012526")),
        ("8.0.18", 2, Some("MY-014060")),
    ] {
        let reply = try_it(name, &[]);
        assert_eq!(reply.code, code, "{name}: {}{}", reply.stdout, reply.stderr);
        let found: Value = serde_json::from_str(&reply.stdout).unwrap();
        println!("{name}: {found:#}");
        match said {
            Some(said) => {
                let refused = found["refused"].as_str().unwrap();
                assert!(refused.starts_with(said), "{refused}");
            }
            None => {
                assert_eq!(found["from"], name);
                for phase in ["dictionary", "system_tables", "started"] {
                    assert!(found[phase].as_f64().unwrap() > 0.0, "{phase}: {found:#}");
                }
                assert_eq!(found["broken"], serde_json::json!([]), "{found:#}");
            }
        }
        assert_eq!(
            digest_of(&stage, member, OLD),
            before,
            "{name} was written to"
        );
    }
    nothing_on(&stage, member).unwrap();
    // The figures of another directory are none of the member's.
    assert!(!plan_text(&stage, &target).contains("rehearsed on"));
}

/// What each place that calls a removed function does to the target, as MYSQL.md §5.4 tells: the statement that makes it, and what
/// the rehearsal then finds.
const HASHES: [(&str, &str, Hashed); 6] = [
    (
        "virtual",
        "CREATE TABLE old.virtual_column (id INT PRIMARY KEY, to_md5 INT, h VARCHAR(80) AS (hex(to_md5)) VIRTUAL)",
        Hashed::Crashes,
    ),
    (
        "index",
        "CREATE TABLE old.functional_index (id INT PRIMARY KEY, to_sha INT, KEY k ((hex(to_sha))))",
        Hashed::Crashes,
    ),
    (
        "default",
        "CREATE TABLE old.default_value (id INT PRIMARY KEY, h VARCHAR(80) DEFAULT (hex('x')))",
        Hashed::Crashes,
    ),
    (
        "check",
        "CREATE TABLE old.check_clause (id INT PRIMARY KEY, to_sha INT, CONSTRAINT c CHECK (hex(to_sha) <> 'x'))",
        Hashed::Crashes,
    ),
    (
        "stored",
        "CREATE TABLE old.stored_column (id INT PRIMARY KEY, to_sha INT, h VARCHAR(80) AS (hex(to_sha)) STORED)",
        Hashed::Unreadable("old.stored_column"),
    ),
    (
        "view",
        "CREATE TABLE old.seen (id INT PRIMARY KEY, to_md5 INT); CREATE VIEW old.shown AS SELECT hex(to_md5) AS h FROM old.seen",
        Hashed::Unreadable("old.shown"),
    ),
];

#[derive(Debug, Clone, Copy)]
enum Hashed {
    Crashes,
    Unreadable(&'static str),
}

/// MD5() and SHA() where only a server before 9.6 takes them: the check finds every place, and the rehearsal sees on the target
/// itself what it would have come to, for each kind of place by itself.
#[test]
fn removed_functions_are_found_and_the_rehearsal_confirms_it() {
    const OLD: &str = "/srv/mysql/old";
    let stage = set_as("previous-series", Fleet::standalone);
    let (member, target) = ("db1", target(&stage, "newest"));
    let run = |argv: &[&str]| {
        let output = stage.lab.exec(member, argv).unwrap();
        output.ok("on the host").unwrap()
    };
    let sql = |text: &str| stage.lab.sql(member, text).unwrap();
    let clean = found_by_check(&stage, &target);
    assert!(clean.is_empty(), "{clean:?}");
    run(&["mkdir", "-p", OLD]);
    let mut all = "CREATE DATABASE old;".to_owned();
    for (name, statement, _) in HASHES {
        sql(&format!(
            "CREATE DATABASE old; {statement}; SET GLOBAL innodb_fast_shutdown = 0"
        ));
        run(&["systemctl", "stop", "mysql"]);
        let copy = format!("{OLD}/{name}");
        run(&["cp", "--archive", "--reflink=auto", DATA, &copy]);
        rewrite(&stage, member, &copy, put_functions);
        rewrite(&stage, member, &copy, |bytes| date_back(bytes, b"80406"));
        run(&["systemctl", "start", "mysql"]);
        sql("DROP DATABASE old");
        all.push_str(statement);
        all.push(';');
    }
    sql(&format!("{all} SET GLOBAL innodb_fast_shutdown = 0"));
    run(&["systemctl", "stop", "mysql"]);
    rewrite(&stage, member, DATA, put_functions);
    run(&["systemctl", "start", "mysql"]);
    let found = wait_for("the check to speak", Duration::from_secs(30), || {
        let found = found_by_check(&stage, &target);
        anyhow::ensure!(!found.is_empty(), "nothing is found");
        Ok(found)
    });
    let expected = [
        ("old.check_clause.c", "Error"),
        ("old.default_value.h", "Error"),
        ("old.functional_index.k", "Error"),
        ("old.shown", "Warning"),
        ("old.stored_column.h", "Error"),
        ("old.virtual_column.h", "Error"),
    ];
    let expected = expected.map(|(object, level)| (object.to_owned(), level.to_owned()));
    assert_eq!(found.unwrap(), expected);

    run(&[
        "sed",
        "-i",
        &format!("s|^\\[rehearsal\\]|[rehearsal]\\ndata_directories = [\"{OLD}\"]|"),
        "/etc/refit/agent.toml",
    ]);
    run(&["systemctl", "restart", "refit-agent"]);
    let crashed = |found: &Value| {
        let refused = found["refused"]
            .as_str()
            .expect("a refused rehearsal says why");
        assert!(refused.starts_with("MY-013135"), "{found:#}");
        assert!(
            found["lines"].to_string().contains("MY-014078"),
            "{found:#}"
        );
    };
    for (name, _, hashed) in HASHES {
        let directory = format!("{OLD}/{name}");
        let said = rehearse(
            &stage,
            member,
            &target,
            &["--json", "--data-directory", &directory],
        );
        assert_eq!(said.code, 2, "{name}: {}{}", said.stdout, said.stderr);
        let found: Value = serde_json::from_str(&said.stdout).unwrap();
        println!("{name}: {found:#}");
        match hashed {
            Hashed::Crashes => crashed(&found),
            Hashed::Unreadable(object) => {
                assert!(found["refused"].is_null(), "{found:#}");
                let broken = found["broken"].as_array().unwrap();
                let start = format!("{object}: error ");
                let of_it = |why: &Value| why.as_str().unwrap().starts_with(&start);
                assert!(broken.len() == 1 && of_it(&broken[0]), "{found:#}");
            }
        }
    }
    let planned = ["plan", "shop", "--target", &target, "--dry-run"];
    let refused = stage.refit().run(&planned).unwrap();
    assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
    assert!(
        refused.stderr.contains("removedFunctions"),
        "{}",
        refused.stderr
    );
    // The member's own data, once it is down.
    run(&["systemctl", "stop", "mysql"]);
    rewrite(&stage, member, DATA, |bytes| date_back(bytes, b"80406"));
    let said = rehearse(&stage, member, &target, &["--json"]);
    assert_eq!(said.code, 2, "{}{}", said.stdout, said.stderr);
    crashed(&serde_json::from_str(&said.stdout).unwrap());
    nothing_on(&stage, member).unwrap();
}

/// Changes the dictionary of a data directory that nobody uses.
fn rewrite(stage: &Stage, member: &str, directory: &str, change: impl Fn(&mut [u8]) -> usize) {
    let there = format!("{directory}/mysql.ibd");
    let here = stage.workshop.join("mysql.ibd");
    let to = here.to_str().unwrap();
    let get = stage.lab.call(["get", member, &there, to]).unwrap();
    get.ok("get").unwrap();
    let mut bytes = std::fs::read(&here).unwrap();
    assert!(change(&mut bytes) > 0, "nothing to change in {there}");
    std::fs::write(&here, bytes).unwrap();
    stage.lab.put(member, &here, &there).unwrap();
    let chown = stage.lab.exec(member, &["chown", "mysql:mysql", &there]);
    chown.unwrap().ok("chown").unwrap();
}

/// What `removedFunctions` tells: object and level.
fn found_by_check(stage: &Stage, target: &str) -> Vec<(String, String)> {
    let arguments = [
        "check",
        "shop",
        "--json",
        "--target",
        target,
        "--include",
        "removedFunctions",
    ];
    let reply = stage.refit().run(&arguments).unwrap();
    assert!(reply.code <= 2, "{}{}", reply.stdout, reply.stderr);
    let report: Value = serde_json::from_str(&reply.stdout).unwrap();
    let checks = report["checksPerformed"].as_array().unwrap();
    let problems = checks
        .iter()
        .flat_map(|check| check["detectedProblems"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = problems
        .map(|problem| (text(&problem["dbObject"]), text(&problem["level"])))
        .collect();
    found.sort();
    found
}

fn digest_of(stage: &Stage, member: &str, directory: &str) -> String {
    let argv = [
        "tar",
        "--create",
        "--sort=name",
        "--file=/root/all.tar",
        directory,
    ];
    stage.lab.exec(member, &argv).unwrap().ok("tar").unwrap();
    stage
        .lab
        .exec(member, &["sha256sum", "/root/all.tar"])
        .unwrap()
        .ok("sha256sum")
        .unwrap()
}

struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

fn rehearse(stage: &Stage, member: &str, target: &str, more: &[&str]) -> Said {
    let mut arguments = vec!["rehearse", "shop", member, "--target", target];
    arguments.extend(more);
    let reply = stage.refit().run(&arguments).unwrap();
    Said {
        code: reply.code,
        stdout: reply.stdout,
        stderr: reply.stderr,
    }
}

fn plan_text(stage: &Stage, target: &str) -> String {
    let arguments = [
        "plan",
        "shop",
        "--target",
        target,
        "--accept-no-spare",
        "--dry-run",
    ];
    stage.refit().run(&arguments).unwrap().stdout
}

/// What must be the same after a rehearsal: the process, who it is, what it is configured with, which files it has.
fn itself(stage: &Stage) -> String {
    let run = |argv: &[&str]| stage.lab.exec(MEMBER, argv).unwrap().ok("itself").unwrap();
    let process = run(&[
        "systemctl",
        "show",
        "--property=MainPID,NRestarts,ActiveEnterTimestamp",
        "mysql",
    ]);
    let files = run(&[
        "find",
        "/srv/mysql/data",
        "-name",
        "*.ibd",
        "-printf",
        "%p %i\n",
    ]);
    let mut files: Vec<&str> = files.lines().collect();
    files.sort_unstable();
    let server = stage
        .lab
        .sql(MEMBER, "SELECT @@server_uuid, @@super_read_only, (SELECT member_state FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid)")
        .unwrap();
    let config = run(&["find", "/etc/mysql", "-type", "f", "-printf", "%p %T@ %s\n"]);
    format!("{process}\n{server}\n{config}\n{}", files.join("\n"))
}

fn assert_nothing_left(stage: &Stage) {
    left(stage).unwrap();
}

fn left(stage: &Stage) -> anyhow::Result<()> {
    nothing_on(stage, MEMBER)
}

fn nothing_on(stage: &Stage, member: &str) -> anyhow::Result<()> {
    for path in [
        "/srv/mysql/snapshots/.refit-rehearsal",
        "/run/refit-rehearsal",
        "/var/lib/refit-agent-rehearsal",
    ] {
        let there = stage.lab.exec(member, &["test", "!", "-e", path])?;
        there.ok(path)?;
    }
    let units = stage.lab.exec(
        member,
        &[
            "systemctl",
            "list-units",
            "--all",
            "--plain",
            "--no-legend",
            "refit-rehearsal*",
        ],
    )?;
    anyhow::ensure!(units.stdout.trim().is_empty(), "{}", units.stdout);
    Ok(())
}
