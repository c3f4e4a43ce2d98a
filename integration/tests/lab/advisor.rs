use crate::check_fixtures::{ASKED, Dirt, Fixture, GROUP, OUT, TOPOLOGY};
use crate::play::*;
use refit_integration::stage::{Fleet, Stage, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// What each check says of dirt made for it, on real hosts, and that it said nothing of it before. What can't be made here is
/// listed with the reason in `check_fixtures`.
#[test]
fn checks_find_what_a_real_group_holds() {
    let stage = set("previous-series");
    let target = target(&stage, "newest");
    assert_eq!(stage.world().unwrap().primary(), Some("db1"));
    let plain = ["--target", &target, "--accept-no-spare"];
    let clean = check(&stage, &plain);
    assert_eq!(clean["errorCount"], 0, "{clean:#}");
    assert_eq!(
        unread(&clean),
        BTreeSet::new(),
        "facts that could not be read"
    );

    for (id, arguments, expected) in ASKED {
        let arguments: Vec<&str> = arguments
            .iter()
            .map(|argument| {
                if *argument == "{newest}" {
                    &target
                } else {
                    *argument
                }
            })
            .collect();
        let report = check(&stage, &arguments);
        let now = &levels(&report, id) - &levels(&clean, id);
        let now: BTreeSet<String> = now.into_iter().map(|(object, _)| object).collect();
        assert_eq!(now, set_of(expected), "{id} {arguments:?}");
    }

    soil(&stage, GROUP);
    let dirty = check_soiled(&stage, &plain, GROUP);
    assert_told(GROUP, &clean, &dirty);
    assert_eq!(
        unread(&dirty),
        BTreeSet::new(),
        "facts that could not be read"
    );

    // What is not wanted is not asked.
    let chosen = check(
        &stage,
        &[&plain[..], &["--include", "groupEngines,innodbRowFormat"]].concat(),
    );
    let ids: Vec<&str> = list(&chosen)
        .iter()
        .filter_map(|c| c["id"].as_str())
        .collect();
    assert_eq!(ids, ["innodbRowFormat", "groupEngines"]);

    soil(&stage, OUT);
    assert_told(OUT, &clean, &check_soiled(&stage, &plain, OUT));
}

#[test]
fn checks_find_what_a_real_topology_holds() {
    let stage = set_as("older", Fleet::source_with_two_replicas);
    let target = target(&stage, "newest");
    let plain = ["--target", &target, "--accept-no-spare"];
    let clean = check(&stage, &plain);
    assert_eq!(clean["errorCount"], 0, "{clean:#}");
    soil(&stage, TOPOLOGY);
    let dirty = check_soiled(&stage, &plain, TOPOLOGY);
    assert_told(TOPOLOGY, &clean, &dirty);
}

/// A replica names itself as nobody can reach it: that is found before it is promoted. However often that is asked, no server counts it
/// towards max_connect_errors, which would block the others' hosts.
#[test]
fn addresses_that_lead_nowhere_are_found_and_nobody_is_blocked() {
    let stage = set_as("older", Fleet::source_with_two_replicas);
    let (version, target) = (target(&stage, "older"), target(&stage, "newest"));
    let links = ["db2:db1", "db3:db1"];
    let look = |strategy: &str| {
        let only = ["--include", "addressesReachable", "--strategy", strategy];
        let asks = ["--target", &target, "--accept-no-spare"];
        let report = check(&stage, &[&asks[..], &only[..]].concat());
        (levels(&report, "addressesReachable"), report.to_string())
    };
    let (found, said) = look("switchover");
    assert_eq!(found, BTreeSet::new(), "{said}");

    const FILE: &str = "/etc/mysql/mysql.conf.d/zz-production.cnf";
    let restart = |host: &str, edit: &str| {
        for argv in [
            &["sed", "-i", edit, FILE][..],
            &["systemctl", "restart", "mysql"],
        ] {
            stage.lab.exec(host, argv).unwrap().ok(edit).unwrap();
        }
    };
    // Errors are counted by host only where names are looked up.
    let hosts = ["db1", "db2", "db3", "ctl"].map(|host| {
        let address = stage.lab.ip(host).unwrap();
        format!("{address} {host}\n")
    });
    let known = format!("127.0.0.1 localhost\n{}", hosts.concat());
    put(&stage, "db2", "/etc/hosts", &known).unwrap();
    restart("db2", "/^skip_name_resolve/d");
    restart("db3", "s/^report_host.*/report_host = db3.nowhere.invalid/");
    assert_replicating_at(&stage, &links, &version);

    for (strategy, level) in [
        ("switchover", "Error"),
        ("replicas-first", "Warning"),
        ("switchover", "Error"),
    ] {
        let (found, said) = look(strategy);
        let expected = BTreeSet::from([("db3".to_owned(), level.to_owned())]);
        assert_eq!(found, expected, "{said}");
        for text in [
            "db1, db2 can not reach db3 at db3.nowhere.invalid:3306",
            "set report_host in the option files of db3",
        ] {
            assert!(said.contains(text), "{text}: {said}");
        }
    }
    let counted = "SELECT ip, sum_connect_errors, count_handshake_errors, \
         count_authentication_errors + count_auth_plugin_errors FROM performance_schema.host_cache ORDER BY ip";
    let rows = stage.lab.sql("db2", counted).unwrap();
    println!("{rows}");
    for host in ["db1", "db3"] {
        // Refused three times, and not once in the way of a handshake.
        let row = format!("{}\t0\t0\t3", stage.lab.ip(host).unwrap());
        assert!(rows.lines().any(|line| line == row), "{host}: {rows}");
    }
    assert_replicating_at(&stage, &links, &version);
}

/// Some facts are looked at every few seconds only, and a replica takes its time to give up.
fn check_soiled(stage: &Stage, arguments: &[&str], fixtures: &[Fixture]) -> Value {
    wait_for("every check to speak", Duration::from_secs(30), || {
        let dirty = check(stage, arguments);
        let silent = |fixture: &&Fixture| objects(&dirty, fixture.check).is_empty();
        let missing: Vec<&str> = fixtures.iter().filter(silent).map(|f| f.check).collect();
        if missing.is_empty() {
            Ok(dirty)
        } else {
            anyhow::bail!("{missing:?} say nothing")
        }
    })
    .unwrap()
}

fn soil(stage: &Stage, fixtures: &[Fixture]) {
    for fixture in fixtures {
        let made = match fixture.dirt {
            Dirt::There => continue,
            Dirt::Sql(host, statements) => stage.lab.sql(host, statements).map(drop),
            Dirt::Run(host, argv) => stage
                .lab
                .exec(host, argv)
                .and_then(|output| output.ok(fixture.check))
                .map(drop),
            Dirt::File(host, path, text) => put(stage, host, path, text),
        };
        made.unwrap_or_else(|why| panic!("{}: {why:#}", fixture.check));
    }
    for member in &stage.members {
        let reload = stage.lab.exec(member, &["systemctl", "daemon-reload"]);
        reload.unwrap().ok("daemon-reload").unwrap();
    }
}

fn put(stage: &Stage, host: &str, path: &str, text: &str) -> anyhow::Result<()> {
    let file = stage.workshop.join("dirt");
    std::fs::write(&file, text)?;
    let directory = Path::new(path).parent().and_then(Path::to_str);
    let directory = directory.expect("fixtures have absolute paths");
    stage
        .lab
        .exec(host, &["mkdir", "--parents", directory])?
        .ok("mkdir")?;
    stage.lab.put(host, &file, path)
}

/// Every difference at once, so that one run shows all.
fn assert_told(fixtures: &[Fixture], clean: &Value, dirty: &Value) {
    let mut wrong = BTreeMap::new();
    for fixture in fixtures {
        let before = objects(clean, fixture.check);
        let expected = set_of(fixture.objects);
        let now: BTreeSet<String> = &objects(dirty, fixture.check) - &before;
        if now != expected || !before.is_disjoint(&expected) {
            wrong.insert(fixture.check, (before, now, expected));
        }
    }
    assert!(wrong.is_empty(), "before, now, expected: {wrong:#?}");
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn check(stage: &Stage, more: &[&str]) -> Value {
    let mut arguments = vec!["check", "shop", "--json"];
    arguments.extend(more);
    let reply = stage.refit().run(&arguments).unwrap();
    assert!(reply.code <= 2, "{}{}", reply.stdout, reply.stderr);
    serde_json::from_str(&reply.stdout).unwrap()
}

fn list(report: &Value) -> &[Value] {
    report["checksPerformed"].as_array().unwrap()
}

fn problems(report: &Value) -> impl Iterator<Item = (&str, &Value)> {
    list(report).iter().flat_map(|check| {
        let id = check["id"].as_str().unwrap();
        let problems = check["detectedProblems"].as_array().unwrap();
        problems.iter().map(move |problem| (id, problem))
    })
}

/// Objects with the level at which they are told.
fn levels(report: &Value, id: &str) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    problems(report)
        .filter(|(check, _)| *check == id)
        .map(|(_, problem)| (text(&problem["dbObject"]), text(&problem["level"])))
        .collect()
}

fn objects(report: &Value, id: &str) -> BTreeSet<String> {
    problems(report)
        .filter(|(check, _)| *check == id)
        .map(|(_, problem)| problem["dbObject"].as_str().unwrap().to_owned())
        .collect()
}

/// Checks that were told that a fact is missing. The clock of a host in a container is nobody's.
fn unread(report: &Value) -> BTreeSet<String> {
    problems(report)
        .filter(|(id, _)| *id != "clockSynchronised")
        .filter(|(_, problem)| {
            problem["description"]
                .as_str()
                .unwrap()
                .contains("could not be read")
        })
        .map(|(id, problem)| format!("{id}: {}", problem["description"]))
        .collect()
}
