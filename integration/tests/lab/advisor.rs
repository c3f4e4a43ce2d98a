use crate::play::*;
use refit_integration::stage::Stage;
use serde_json::Value;
use std::collections::BTreeSet;

/// What each check says of a schema made for it, on a real mysqld. What 9.7's own parser or storage refuses (MD5() in a generated
/// column, FLOAT AUTO_INCREMENT, native-password accounts, bare reserved words) can't be made here: those are tested on facts.
#[test]
fn checks_find_what_a_real_server_holds() {
    let stage = set("previous-series");
    let target = target(&stage, "newest");
    let world = stage.world().unwrap();
    let primary = world.primary().unwrap().to_owned();
    let clean = check(&stage, &target, &[]);
    assert_eq!(clean["errorCount"], 0, "{clean:#}");
    let silent =
        |report: &Value, id: &str| assert!(objects(report, id).is_empty(), "{id}: {report:#}");
    for (id, _) in EXPECTED {
        silent(&clean, id);
    }
    assert_eq!(
        unread(&clean),
        BTreeSet::new(),
        "facts that could not be read"
    );

    stage.lab.sql(&primary, DIRT).unwrap();
    let dirty = check(&stage, &target, &[]);
    for (id, expected) in EXPECTED {
        let expected: BTreeSet<String> = expected.iter().map(|o| (*o).to_owned()).collect();
        assert_eq!(objects(&dirty, id), expected, "{id}: {dirty:#}");
    }
    assert_eq!(
        unread(&dirty),
        BTreeSet::new(),
        "facts that could not be read"
    );
    // What was found is on every member, so that no finding names some.
    assert!(!dirty.to_string().contains("(only on"), "{dirty:#}");

    // The same objects bother nobody within a series; and what is not wanted is not asked.
    let chosen = check(
        &stage,
        &target,
        &["--include", "groupEngines,innodbRowFormat"],
    );
    let ids: Vec<&str> = list(&chosen)
        .iter()
        .filter_map(|c| c["id"].as_str())
        .collect();
    assert_eq!(ids, ["innodbRowFormat", "groupEngines"]);
}

const DIRT: &str = "CREATE DATABASE dirt; USE dirt; SET SESSION restrict_fk_on_non_standard_key = OFF;
    CREATE TABLE fine (id INT PRIMARY KEY, name VARCHAR(20)) CHARACTER SET utf8mb4;
    CREATE TABLE `library` (id INT PRIMARY KEY, `external` INT, `rank` INT);
    CREATE TABLE bare (a INT);
    CREATE TABLE isam (id INT PRIMARY KEY) ENGINE = MyISAM;
    CREATE TABLE compact (id INT PRIMARY KEY) ROW_FORMAT = COMPACT;
    CREATE TABLE narrow (id INT PRIMARY KEY, t VARCHAR(9) CHARACTER SET utf8mb3);
    CREATE TABLE parent (id INT PRIMARY KEY, a INT, b INT, KEY (a), UNIQUE KEY (a, b));
    CREATE TABLE child (id INT PRIMARY KEY, a INT, CONSTRAINT to_part FOREIGN KEY (a) REFERENCES parent (a));
    CREATE TABLE tidy (id INT PRIMARY KEY, p INT, CONSTRAINT to_key FOREIGN KEY (p) REFERENCES parent (id));
    CREATE PROCEDURE hashes() SELECT MD5('x') /* sha1(y) */;
    CREATE PROCEDURE innocent() SELECT 'md5(x)', 1 -- MD5(z)
    ;
    CREATE USER old@localhost IDENTIFIED WITH sha256_password BY 'x'";

/// By check: everything that it must name, and nothing else.
const EXPECTED: &[(&str, &[&str])] = &[
    (
        "reservedKeywords",
        &["dirt.library", "dirt.library.external"],
    ),
    ("removedFunctions", &["dirt.hashes"]),
    ("groupPrimaryKeys", &["dirt.bare"]),
    ("groupEngines", &["dirt.isam"]),
    ("innodbRowFormat", &["dirt.compact"]),
    ("utf8mb3", &["dirt.narrow.t"]),
    ("foreignKeyReferences", &["dirt.child.to_part"]),
    ("authMethodUsage", &["old@localhost"]),
];

fn check(stage: &Stage, target: &str, more: &[&str]) -> Value {
    let mut arguments = vec![
        "check",
        "shop",
        "--target",
        target,
        "--accept-no-spare",
        "--json",
    ];
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
