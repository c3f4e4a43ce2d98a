//! Every check that judges a survey or a variable: what triggers it, and what is alike and does not.

use crate::support::{change_member, change_server, configured, group, member, replicas, request};
use refit_shared::checks::{
    ALL, CHECK_TABLES, Check, CheckResult, Finding, Level, ONLY_WHEN_ASKED, PLUGIN_LIBRARIES,
    Selection, Subject, VALIDATE_CONFIG, VersionPair, candidates, manual, run, run_selected,
};
use refit_shared::observation::Fact;
use refit_shared::operation::Operation;
use refit_shared::plan::{Action, Policy};
use refit_shared::rules::releases::Date;
use refit_shared::survey::{Fate, Judged, Listing, Question, Row, Survey};
use refit_shared::topology::{Kind, Sighting};
use std::collections::{BTreeMap, BTreeSet};

fn row(schema: &str, name: &str, part: &str, detail: &str) -> Row {
    Row {
        schema: schema.to_owned(),
        name: name.to_owned(),
        part: part.to_owned(),
        detail: detail.to_owned(),
    }
}

fn listing(rows: Vec<Row>) -> Listing {
    Listing {
        total: rows.len() as u64,
        rows,
    }
}

fn answer(seen: &mut Sighting, name: &str, question: Question, fact: Fact<Listing>) {
    match seen.surveys.get_mut(&member(name)).unwrap() {
        Fact::Known(survey) => drop(survey.answers.insert(question, fact)),
        Fact::Unknown(why) => panic!("{why}"),
    }
}

/// The day on which all is judged here.
const TODAY: &str = "2026-11-28";

fn set(seen: &mut Sighting, name: &str, variable: &str, value: &str) {
    change_server(seen, name, |server| {
        let (variable, value) = (variable.to_owned(), value.to_owned());
        server.variables.insert(variable, value);
    });
}

/// A group of one version in which every member answers so.
fn world(from: &str, question: Question, answered: &Listing) -> Sighting {
    let mut seen = group(&[from; 3], &["9.7.4-2"]);
    for name in ["db1", "db2", "db3"] {
        answer(&mut seen, name, question, Fact::Known(answered.clone()));
    }
    seen
}

fn judge(seen: &Sighting, to: &str) -> Vec<CheckResult> {
    judge_on(TODAY, seen, to)
}

fn judge_on(today: &str, seen: &Sighting, to: &str) -> Vec<CheckResult> {
    let want = request(to);
    run(Subject {
        seen,
        target: want.target,
        policy: &want.policy,
        strategy: None,
        today: today.parse().unwrap(),
    })
}

/// As `refit check --check-tables`, and perhaps `--config keep`.
fn judge_with_tables(seen: &Sighting, to: &str, keep_config: bool) -> Vec<CheckResult> {
    judge_with(seen, to, |policy| policy.keep_config = keep_config)
}

fn judge_with(seen: &Sighting, to: &str, choose: impl FnOnce(&mut Policy)) -> Vec<CheckResult> {
    let mut want = request(to);
    choose(&mut want.policy);
    let subject = Subject {
        seen,
        target: want.target,
        policy: &want.policy,
        strategy: None,
        today: TODAY.parse().unwrap(),
    };
    let asked = Selection::all().with(CHECK_TABLES).with_the_target();
    run_selected(subject, &asked)
}

fn judged(seen: &mut Sighting, name: &str, judged: Option<Fact<Judged>>) {
    match seen.surveys.get_mut(&member(name)).unwrap() {
        Fact::Known(survey) => survey.judged = judged,
        Fact::Unknown(why) => panic!("{why}"),
    }
}

fn refuses(errors: &[&str]) -> Option<Fact<Judged>> {
    Some(Fact::Known(Judged {
        accepted: false,
        errors: errors.iter().map(|line| (*line).to_owned()).collect(),
        libraries: Fact::Known(BTreeMap::new()),
    }))
}

fn accepts() -> Option<Fact<Judged>> {
    becomes(&[])
}

/// Its options are accepted, and this becomes of its libraries.
fn becomes(fates: &[(&str, Fate)]) -> Option<Fact<Judged>> {
    let path = |file: &str| format!("/usr/lib/mysql/plugin/{file}");
    let fates = fates.iter().map(|(file, fate)| (path(file), fate.clone()));
    Some(Fact::Known(Judged {
        accepted: true,
        errors: Vec::new(),
        libraries: Fact::Known(fates.collect()),
    }))
}

/// As `refit check --validate-config`.
fn judge_with_target(seen: &Sighting, to: &str) -> Vec<CheckResult> {
    let want = request(to);
    let subject = Subject {
        seen,
        target: want.target,
        policy: &want.policy,
        strategy: None,
        today: TODAY.parse().unwrap(),
    };
    run_selected(subject, &Selection::all().with_the_target())
}

fn library(name: &str, file: &str, kind: &str) -> Row {
    row("/usr/lib/mysql/plugin/", name, file, kind)
}

fn goes() -> Fate {
    Fate::Goes {
        package: "mysql-server-core".to_owned(),
    }
}

/// MySQL manual, "Installing and Uninstalling Plugins"; what a start without a library says was seen on real servers.
#[test]
fn a_library_that_does_not_come_with_the_target_is_found() {
    let clone = library("clone", "mysql_clone.so", "plugin CLONE");
    let group = library(
        "group_replication",
        "group_replication.so",
        "plugin GROUP REPLICATION",
    );
    let audit = library("audit_ours", "ours.so", "plugin AUDIT");
    let sink = library("file://component_sink", "component_sink.so", "component");
    let calls = library("f, g", "lib_f.so", "function");
    let left = library("old", "old.so", "plugin");
    let ring = library(
        "component_keyring_file",
        "component_keyring_file.so",
        "keyring component",
    );
    let semi = library(
        "rpl_semi_sync_master",
        "semisync_master.so",
        "plugin REPLICATION",
    );
    let stays = |package: Option<&str>| Fate::Stays {
        package: package.map(str::to_owned),
    };
    let cases = [
        (&clone, Fate::Shipped, None, ""),
        (&clone, goes(), E, "UNINSTALL PLUGIN clone on each"),
        (&group, goes(), E, "UNINSTALL PLUGIN group_replication"),
        (&audit, goes(), W, "UNINSTALL PLUGIN audit_ours"),
        (&audit, stays(None), W, "made for MySQL 9.7.4"),
        (&calls, goes(), E, "DROP FUNCTION f; DROP FUNCTION g"),
        (&calls, stays(Some("vendor")), W, "made for MySQL 9.7.4"),
        (
            &sink,
            goes(),
            W,
            "UNINSTALL COMPONENT 'file://component_sink'",
        ),
        (&left, Fate::Absent, N, "UNINSTALL PLUGIN old"),
        (&left, stays(None), N, "made for MySQL 9.7.4"),
        (&audit, Fate::Absent, W, "UNINSTALL PLUGIN audit_ours"),
        (&ring, goes(), E, "mysql_migrate_keyring"),
        (&semi, goes(), E, "INSTALL PLUGIN rpl_semi_sync_source"),
    ];
    for (of, fate, level, fix) in cases {
        let loaded = vec![group.clone(), of.clone()];
        let mut seen = world("8.4.6", Question::LoadedLibraries, &listing(loaded));
        let fates = [
            ("group_replication.so", Fate::Shipped),
            (&of.part, fate.clone()),
        ];
        for name in ["db1", "db2", "db3"] {
            judged(&mut seen, name, becomes(&fates));
        }
        let found = of_check(&seen, PLUGIN_LIBRARIES);
        let levels: Vec<Level> = found.iter().map(|finding| finding.level).collect();
        let expected: Vec<Level> = level.into_iter().collect();
        assert_eq!(levels, expected, "{} {fate:?}: {found:#?}", of.name);
        for finding in found {
            assert_eq!(finding.object, of.part);
            assert!(finding.fix.contains(fix), "{fate:?}: {}", finding.fix);
            let said = &finding.description;
            assert!(said.contains("/usr/lib/mysql/plugin/"), "{said}");
            assert!(!said.contains("only on"), "{said}");
        }
    }

    // Outside a group nobody needs to be cloned from here, and it is said where it is not so everywhere.
    let mut seen = world("8.4.6", Question::LoadedLibraries, &listing(vec![clone]));
    judged(&mut seen, "db1", becomes(&[("mysql_clone.so", goes())]));
    for name in ["db2", "db3"] {
        judged(
            &mut seen,
            name,
            becomes(&[("mysql_clone.so", Fate::Shipped)]),
        );
    }
    let [one] = &of_check(&seen, PLUGIN_LIBRARIES)[..] else {
        panic!("one finding")
    };
    assert_eq!(one.level, Level::Warning);
    assert_eq!(
        one.description,
        "plugin clone is in /usr/lib/mysql/plugin/mysql_clone.so, which mysql-server-core has now and not of MySQL 9.7.4: the server could neither clone nor be cloned (only on db1)"
    );
}

/// Not to know is no leave.
#[test]
fn libraries_that_could_not_be_looked_for_are_told() {
    let clone = library("clone", "mysql_clone.so", "plugin CLONE");
    let mut seen = world("8.4.6", Question::LoadedLibraries, &listing(vec![clone]));
    judged(&mut seen, "db1", becomes(&[]));
    let unlooked = Fact::Unknown("connection lost".to_owned());
    let judgement = Judged {
        accepted: true,
        errors: Vec::new(),
        libraries: unlooked,
    };
    judged(&mut seen, "db2", Some(Fact::Known(judgement)));
    judged(&mut seen, "db3", None);
    let results = judge_with_target(&seen, "9.7.4");
    let told = of(&results, PLUGIN_LIBRARIES);
    assert!(told.iter().all(|finding| finding.level == Level::Error));
    for why in [
        "plugin clone: its agent has not looked for /usr/lib/mysql/plugin/mysql_clone.so",
        "is not known: connection lost",
        "is not known: its agent does not have option files judged",
    ] {
        let count = told.iter().filter(|f| f.description.contains(why)).count();
        assert_eq!(count, 1, "{why}: {told:#?}");
    }
    let own = results.iter().find(|result| result.id == PLUGIN_LIBRARIES);
    assert!(own.unwrap().is_incomplete());

    let more = Listing {
        total: 101,
        rows: Vec::new(),
    };
    let mut seen = world("8.4.6", Question::LoadedLibraries, &more);
    for name in ["db1", "db2", "db3"] {
        judged(&mut seen, name, becomes(&[]));
    }
    let [one] = &of_check(&seen, PLUGIN_LIBRARIES)[..] else {
        panic!("one finding")
    };
    assert!(one.description.starts_with("101 more libraries"), "{one:?}");
    let unasked = judge(&seen, "9.7.4");
    assert!(unasked.iter().all(|result| result.id != PLUGIN_LIBRARIES));
}

fn of_check(seen: &Sighting, id: &str) -> Vec<Finding> {
    of(&judge_with_target(seen, "9.7.4"), id)
}

/// MySQL manual, "Server Configuration Validation": mysqld's own words are told, with the place that sets what they name.
#[test]
fn what_the_targets_mysqld_refuses_is_an_error_in_its_own_words() {
    let error = |time: &str, what: &str| {
        format!("2026-11-28T{time}Z 0 [ERROR] [MY-000067] [Server] unknown variable '{what}'.")
    };
    let text = "[mysqld]\nmax_connections = 5\nno-such-option = 1\n";
    let mut seen = configured("8.4.6", text, &[]);
    for (name, time) in [("db1", "01:00:00.1"), ("db2", "01:00:07.9")] {
        let said = error(time, "no-such-option=1");
        judged(&mut seen, name, refuses(&[&said]));
    }
    judged(&mut seen, "db3", accepts());
    let [one] = &of(&judge_with_target(&seen, "9.7.4"), VALIDATE_CONFIG)[..] else {
        panic!("one finding")
    };
    assert_eq!(one.level, Level::Error);
    assert_eq!(one.object, "/etc/mysql/my.cnf:3");
    assert_eq!(
        one.description,
        "mysqld 9.7.4 would not start with the option files as they would be: \
         [ERROR] [MY-000067] [Server] unknown variable 'no-such-option=1'. (only on db1, db2)"
    );

    judged(&mut seen, "db1", refuses(&["mysqld: libx.so.1 is missing"]));
    judged(&mut seen, "db2", refuses(&[]));
    let found = of(&judge_with_target(&seen, "9.7.4"), VALIDATE_CONFIG);
    let told: Vec<_> = found
        .iter()
        .map(|f| (&*f.object, &*f.description))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (object, text) in told {
        assert_eq!(object, "option files");
        assert!(
            text.contains("libx.so.1 is missing (only on db1)")
                || text.contains("it did not say why (only on db2)"),
            "{text}"
        );
    }
    for name in ["db1", "db2"] {
        judged(&mut seen, name, accepts());
    }
    let accepted = judge_with_target(&seen, "9.7.4");
    assert!(of(&accepted, VALIDATE_CONFIG).is_empty());
    assert!(accepted.iter().any(|result| result.id == VALIDATE_CONFIG));
}

/// Not to know is as bad as what is looked for; without the flag nothing is said, but that it was not asked.
#[test]
fn a_target_that_could_not_be_asked_is_told_for_each_member() {
    let mut seen = configured("8.4.6", "[mysqld]\n", &[]);
    judged(&mut seen, "db1", accepts());
    let busy = Fact::Unknown("the agent has an order in hand".to_owned());
    judged(&mut seen, "db2", Some(busy));
    let results = judge_with_target(&seen, "9.7.4");
    let found = of(&results, VALIDATE_CONFIG);
    let told: Vec<_> = found
        .iter()
        .map(|f| (f.level, &*f.object, &*f.description))
        .collect();
    let told: Vec<_> = told
        .into_iter()
        .map(|(level, object, text)| {
            assert_eq!(level, Level::Error);
            (object, text)
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "db2",
                "mysqld 9.7.4 was not asked: the agent has an order in hand"
            ),
            (
                "db3",
                "mysqld 9.7.4 was not asked: its agent does not have option files judged: upgrade refit-agent"
            ),
        ]
    );
    let own = results.iter().find(|result| result.id == VALIDATE_CONFIG);
    assert!(own.unwrap().is_incomplete());

    let unasked = judge(&seen, "9.7.4");
    assert!(unasked.iter().all(|result| result.id != VALIDATE_CONFIG));
    let pair = |to: &str| VersionPair {
        from: "8.0.11".parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let says = |to: &str, made: &[CheckResult]| {
        manual(&[pair(to)], made).any(|check| check.id == "validateConfigFirst")
    };
    assert!(says("8.0.46", &unasked) && !says("8.0.15", &unasked));
    assert!(!says("8.0.46", &results), "it was asked");
}

/// What each agent is to have judged is what a plan would make: the common package, and the very edits.
#[test]
fn what_is_judged_is_what_a_plan_would_make() {
    let text = "[mysqld]\ninnodb_log_file_size = 64M\n";
    let seen = configured("8.4.6", text, &[]);
    let made = 1_795_900_000_000;
    let mut want = request("9.7.4");
    let candidates_of = |seen: &Sighting, want: &refit_shared::planner::Request| {
        candidates(Subject {
            seen,
            target: want.target,
            policy: &want.policy,
            strategy: None,
            today: Date::of_unix_ms(made),
        })
    };
    for keep in [false, true] {
        want.policy.keep_config = keep;
        let candidates = candidates_of(&seen, &want);
        assert_eq!(candidates.len(), 3);
        for (name, candidate) in &candidates {
            let candidate = candidate.as_ref().unwrap();
            assert_eq!(candidate.files.is_empty(), keep, "{name}");
            assert_eq!(candidate.version, want.target);
        }
        if keep {
            continue; // such a plan is refused
        }
        let (plan, _) = refit_shared::planner::plan(&want, &seen, made).unwrap();
        let steps = plan.steps().filter_map(|step| match &step.action {
            Action::Operate { order } => Some((&step.member, order)),
            Action::Gate(_) => None,
        });
        let mut planned = 0;
        for (member, order) in steps {
            if let Operation::ValidateConfig {
                packages, files, ..
            } = order
            {
                planned += 1;
                let candidate = candidates[member].as_ref().unwrap();
                assert_eq!((&candidate.packages, &candidate.files), (packages, files));
            }
        }
        assert_eq!(planned, 3);
    }

    want.policy.keep_config = false;
    let mut lacks = seen.clone();
    change_member(&mut lacks, "db2", |seen| match &mut seen.packages {
        Fact::Known(packages) => packages.available.clear(),
        Fact::Unknown(why) => panic!("{why}"),
    });
    let unread = Fact::Unknown("permission denied".to_owned());
    answer(&mut lacks, "db3", Question::OptionFiles, unread);
    let candidates = candidates_of(&lacks, &want);
    assert!(candidates[&member("db1")].is_ok(), "it has its own offer");
    for (name, why) in [("db2", "no repository"), ("db3", "permission denied")] {
        let told = candidates[&member(name)].as_ref().unwrap_err();
        assert!(told.contains(why), "{name}: {told}");
    }
    assert!(candidates_of(&seen, &request("8.0.15")).is_empty());
}

/// MySQL manual, "CHECK TABLE Statement": the message's type is its level; how far it went is told of each member.
#[test]
fn check_table_speaks_only_when_it_is_asked_for() {
    let row = |name: &str, part: &str, detail: &str| Row {
        schema: if name.is_empty() { "" } else { "shop" }.to_owned(),
        name: name.to_owned(),
        part: part.to_owned(),
        detail: detail.to_owned(),
    };
    let listing = Listing {
        total: 4,
        rows: vec![
            row("a", "error", "Table upgrade required"),
            row("b", "warning", "odd"),
            row("c", "note", "so so"),
            row("", "", "3 of 3 tables checked in 0.1 s"),
        ],
    };
    let seen = world("9.7.3", Question::CheckedTables, &listing);
    let found = of(&judge_with_tables(&seen, "9.7.4", false), CHECK_TABLES);
    let told: Vec<_> = found
        .iter()
        .map(|f| (f.object.as_str(), Some(f.level)))
        .collect();
    for expected in [
        ("shop.a", E),
        ("shop.b", W),
        ("shop.c", N),
        ("db1", N),
        ("db2", N),
        ("db3", N),
    ] {
        assert!(told.contains(&expected), "{told:?}");
    }
    assert_eq!(told.len(), 6, "{told:?}");
    assert!(
        judge(&seen, "9.7.4")
            .iter()
            .all(|result| result.id != CHECK_TABLES)
    );
}

/// What the message says decides how bad it is and what is to be done; damage is not mended by a rebuild.
#[test]
fn each_answer_of_check_table_has_its_level_and_its_fix() {
    const FORCE: &str = "ALTER TABLE `shop`.`t` FORCE";
    const DAMAGE: &str = "from another member or a backup";
    for (part, detail, level, fix) in [
        (
            "error",
            "Table rebuild required. Please do \"ALTER TABLE `t` FORCE\" or dump/reload to fix it!",
            E,
            FORCE,
        ),
        (
            "error",
            "Table upgrade required. Please do \"REPAIR TABLE `t`\" or dump/reload to fix it!",
            E,
            FORCE,
        ),
        (
            "error",
            "Table upgrade required for `shop`.`t`. Please dump/reload table to fix it!",
            E,
            "dump it and load it again",
        ),
        ("error", "Corrupt", E, DAMAGE),
        ("Error", "Table 'shop.t' doesn't exist in engine", E, DAMAGE),
        (
            "Error",
            "Tablespace is missing for table `shop`.`t`.",
            E,
            DAMAGE,
        ),
        // Nothing is known of it: that is as bad as what is looked for.
        ("status", "Operation failed", E, DAMAGE),
        ("status", "Operation need committed state", E, DAMAGE),
        (
            "Warning",
            "InnoDB: Index i is marked as corrupted",
            W,
            DAMAGE,
        ),
        ("warning", "Table is marked as crashed", W, DAMAGE),
        ("Note", "odd", N, "as the message says"),
        (
            "note",
            "The storage engine for the table doesn't support check",
            N,
            "refit rehearse",
        ),
    ] {
        let said = listing(vec![row("shop", "t", part, detail)]);
        let seen = world("9.7.3", Question::CheckedTables, &said);
        let found = of(&judge_with_tables(&seen, "9.7.4", false), CHECK_TABLES);
        assert_eq!(found.len(), 1, "{detail}: {found:?}");
        assert_eq!(
            (found[0].object.as_str(), Some(found[0].level)),
            ("shop.t", level),
            "{detail}"
        );
        assert!(found[0].fix.contains(fix), "{detail}: {}", found[0].fix);
        assert!(
            found[0].description.contains(detail),
            "{detail}: {}",
            found[0].description
        );
    }
}

/// What a server says where it could not look, or has nothing to say, is no finding about the table.
#[test]
fn odd_answers_of_check_table_are_no_findings() {
    let row = |name: &str, part: &str, detail: &str| Row {
        schema: "shop".to_owned(),
        name: name.to_owned(),
        part: part.to_owned(),
        detail: detail.to_owned(),
    };
    let read_only = "The MySQL server is running with the --super-read-only option so it cannot execute this statement";
    let locked = "Lock wait timeout exceeded; try restarting transaction";
    let listing = |rows: Vec<Row>| Listing {
        total: rows.len() as u64,
        rows,
    };
    let mut seen = world(
        "9.7.3",
        Question::CheckedTables,
        &listing(vec![
            row("a", "Error", locked),
            row("a", "status", "Operation failed"),
            row("b", "status", "Table is already up to date"),
            row("c", "Error", "Corrupt"),
            row("c", "error", "Operation failed"),
        ]),
    );
    let refused = listing(vec![
        row("a", "Error", read_only),
        row("a", "status", "Operation failed"),
    ]);
    answer(
        &mut seen,
        "db2",
        Question::CheckedTables,
        Fact::Known(refused),
    );
    let why = format!("ERROR HY000 (1290): {read_only}");
    answer(
        &mut seen,
        "db3",
        Question::CheckedTables,
        Fact::Unknown(why),
    );
    let found = of(&judge_with_tables(&seen, "9.7.4", false), CHECK_TABLES);
    let told: Vec<_> = found
        .iter()
        .map(|f| (f.object.as_str(), f.level, f.description.as_str()))
        .collect();
    for member in ["db2", "db3"] {
        let expected = (
            member,
            Level::Notice,
            "not asked, because the server is super_read_only",
        );
        assert!(told.contains(&expected), "{told:#?}");
    }
    let errors: Vec<_> = told
        .iter()
        .filter(|(_, level, _)| *level == Level::Error)
        .collect();
    assert!(
        errors.iter().all(|(object, ..)| object.contains("shop.c")),
        "{told:#?}"
    );
    assert_eq!(errors.len(), 1, "{told:#?}");
    let tables: Vec<_> = told
        .iter()
        .filter(|(object, ..)| object.contains("shop."))
        .collect();
    assert_eq!(tables.len(), 2, "{told:#?}");
    assert!(
        tables
            .iter()
            .any(|(_, level, what)| *level == Level::Notice && what.contains("not checked"))
    );
}

/// MYSQL.md §5.6: an option that is gone is fatal. Kept files are for a person; rewritten ones are mended.
#[test]
fn files_that_are_kept_block_where_the_target_would_not_start() {
    for (text, kept, rewritten) in [
        ("innodb_log_file_size=1G", E, W),
        ("slave_net_timeout=5", N, N),
    ] {
        let seen = configured("8.4.6", &format!("[mysqld]\n{text}\n"), &[]);
        for (keep, level) in [(true, kept), (false, rewritten)] {
            let found = of(&judge_with_tables(&seen, "9.7.4", keep), "sysVars");
            let levels: Vec<_> = found.iter().map(|f| Some(f.level)).collect();
            assert_eq!(levels, [level], "{text} {keep}: {found:#?}");
        }
    }
}

fn of(results: &[CheckResult], id: &str) -> Vec<Finding> {
    let result = results.iter().find(|result| result.id == id);
    result
        .unwrap_or_else(|| panic!("no check {id}"))
        .findings
        .clone()
}

/// A check's id, from, to, the question, one row, and the level it must be told at (None: passed).
type Case = (
    &'static str,
    &'static str,
    &'static str,
    Question,
    [&'static str; 4],
    Option<Level>,
);

const E: Option<Level> = Some(Level::Error);
const W: Option<Level> = Some(Level::Warning);
const N: Option<Level> = Some(Level::Notice);

/// Each row's rule is in its check's file, with its source.
const CASES: &[Case] = &[
    (
        "orphanedObjects",
        "5.7.44",
        "8.0.46",
        Question::OrphanedObjects,
        ["gone", "p", "", "procedure"],
        E,
    ),
    (
        "orphanedObjects",
        "8.0.46",
        "8.4.6",
        Question::OrphanedObjects,
        ["gone", "p", "", "procedure"],
        None,
    ),
    (
        "oldTemporal",
        "5.7.44",
        "8.0.46",
        Question::OldTemporals,
        ["shop", "t", "at", "datetime /* 5.5 binary format */"],
        E,
    ),
    (
        "oldTemporal",
        "8.0.46",
        "8.4.6",
        Question::OldTemporals,
        ["shop", "t", "at", "datetime /* 5.5 binary format */"],
        None,
    ),
    (
        "mysqlSchema",
        "5.7.44",
        "8.0.46",
        Question::DictionaryNames,
        ["mysql", "tables", "", ""],
        E,
    ),
    (
        "mysqlSchema",
        "8.0.46",
        "8.4.6",
        Question::DictionaryNames,
        ["mysql", "tables", "", ""],
        None,
    ),
    (
        "nonNativePartitioning",
        "5.7.44",
        "8.0.46",
        Question::OtherPartitions,
        ["shop", "t", "", "MyISAM"],
        E,
    ),
    (
        "nonNativePartitioning",
        "8.0.46",
        "8.4.6",
        Question::OtherPartitions,
        ["shop", "t", "", "MyISAM"],
        None,
    ),
    (
        "foreignKeyLength",
        "5.7.44",
        "8.0.46",
        Question::LongForeignKeys,
        ["shop", "long", "", "shop/t"],
        E,
    ),
    (
        "foreignKeyLength",
        "8.0.46",
        "8.4.6",
        Question::LongForeignKeys,
        ["shop", "long", "", "shop/t"],
        None,
    ),
    (
        "enumSetElementLength",
        "5.7.44",
        "8.0.46",
        Question::LongElements,
        ["shop", "t", "kind", "300"],
        E,
    ),
    (
        "enumSetElementLength",
        "8.0.46",
        "8.4.6",
        Question::LongElements,
        ["shop", "t", "kind", "300"],
        None,
    ),
    (
        "maxdbSqlModeFlags",
        "5.7.44",
        "8.0.46",
        Question::SqlModes,
        ["shop", "p", "procedure", "MAXDB,ANSI"],
        W,
    ),
    (
        "maxdbSqlModeFlags",
        "8.0.46",
        "8.4.6",
        Question::SqlModes,
        ["shop", "p", "procedure", "MAXDB,ANSI"],
        None,
    ),
    (
        "maxdbSqlModeFlags",
        "5.7.44",
        "8.0.46",
        Question::SqlModes,
        ["shop", "p", "procedure", "ORACLE"],
        None,
    ),
    (
        "obsoleteSqlModeFlags",
        "5.7.44",
        "8.0.46",
        Question::SqlModes,
        ["shop", "p", "procedure", "ORACLE"],
        N,
    ),
    (
        "obsoleteSqlModeFlags",
        "8.0.46",
        "8.4.6",
        Question::SqlModes,
        ["shop", "p", "procedure", "ORACLE"],
        None,
    ),
    (
        "obsoleteSqlModeFlags",
        "5.7.44",
        "8.0.46",
        Question::SqlModes,
        ["shop", "p", "procedure", "STRICT_TRANS_TABLES"],
        None,
    ),
    (
        "groupbyAscSyntax",
        "5.7.44",
        "8.0.46",
        Question::GroupByOrder,
        ["shop", "p", "", "procedure: desc"],
        E,
    ),
    (
        "groupbyAscSyntax",
        "8.0.46",
        "8.4.6",
        Question::GroupByOrder,
        ["shop", "p", "", "procedure: desc"],
        None,
    ),
    (
        "emptyDotTableSyntax",
        "5.7.44",
        "8.0.46",
        Question::EmptyDotNames,
        ["shop", "p", "", "procedure"],
        E,
    ),
    (
        "emptyDotTableSyntax",
        "8.0.46",
        "8.4.6",
        Question::EmptyDotNames,
        ["shop", "p", "", "procedure"],
        None,
    ),
    (
        "schemaInconsistency",
        "5.7.44",
        "8.0.46",
        Question::OrphanedTables,
        ["shop", "lost", "", ""],
        E,
    ),
    (
        "schemaInconsistency",
        "8.0.46",
        "8.4.6",
        Question::OrphanedTables,
        ["shop", "lost", "", ""],
        None,
    ),
    (
        "ftsInTablename",
        "5.7.44",
        "8.0.17",
        Question::FtsNames,
        ["shop", "GIFTS", "", ""],
        E,
    ),
    (
        "ftsInTablename",
        "8.0.46",
        "8.4.6",
        Question::FtsNames,
        ["shop", "GIFTS", "", ""],
        None,
    ),
    (
        "ftsInTablename",
        "5.7.44",
        "8.0.18",
        Question::FtsNames,
        ["shop", "GIFTS", "", ""],
        None,
    ),
    (
        "engineMixup",
        "5.7.44",
        "8.0.46",
        Question::EngineMixups,
        ["shop", "t", "", "MyISAM"],
        E,
    ),
    (
        "engineMixup",
        "8.0.46",
        "8.4.6",
        Question::EngineMixups,
        ["shop", "t", "", "MyISAM"],
        None,
    ),
    (
        "oldGeometryTypes",
        "5.7.44",
        "8.0.23",
        Question::OldGeometries,
        ["shop", "t", "g", ""],
        E,
    ),
    (
        "oldGeometryTypes",
        "8.0.46",
        "8.4.6",
        Question::OldGeometries,
        ["shop", "t", "g", ""],
        None,
    ),
    (
        "oldGeometryTypes",
        "5.7.44",
        "8.0.24",
        Question::OldGeometries,
        ["shop", "t", "g", ""],
        None,
    ),
    (
        "columnsWhichCannotHaveDefaults",
        "5.7.44",
        "8.0.46",
        Question::ImpossibleDefaults,
        ["shop", "t", "b", "blob"],
        E,
    ),
    (
        "columnsWhichCannotHaveDefaults",
        "8.0.46",
        "8.4.6",
        Question::ImpossibleDefaults,
        ["shop", "t", "b", "blob"],
        None,
    ),
    (
        "invalid57Names",
        "5.7.44",
        "8.0.46",
        Question::UndecodedNames,
        ["shop", "#mysql50#a-b", "", ""],
        E,
    ),
    (
        "invalid57Names",
        "8.0.46",
        "8.4.6",
        Question::UndecodedNames,
        ["shop", "#mysql50#a-b", "", ""],
        None,
    ),
    (
        "indexTooLarge",
        "5.7.44",
        "8.0.46",
        Question::LargeIndexes,
        ["shop", "t", "i", "1020"],
        E,
    ),
    (
        "indexTooLarge",
        "8.0.46",
        "8.4.6",
        Question::LargeIndexes,
        ["shop", "t", "i", "1020"],
        None,
    ),
    (
        "invalidEngineForeignKey",
        "5.7.44",
        "8.0.46",
        Question::ForeignKeyEngines,
        ["shop", "t", "fk", "not there"],
        E,
    ),
    (
        "invalidEngineForeignKey",
        "8.0.46",
        "8.4.6",
        Question::ForeignKeyEngines,
        ["shop", "t", "fk", "not there"],
        None,
    ),
    (
        "removedStatements",
        "8.0.46",
        "8.4.6",
        Question::OldStatements,
        ["shop", "p", "", "procedure: show slave"],
        E,
    ),
    (
        "removedStatements",
        "8.4.6",
        "9.7.4",
        Question::OldStatements,
        ["shop", "p", "", "procedure: show slave"],
        None,
    ),
    (
        "removedFunctions",
        "8.0.46",
        "8.4.6",
        Question::FunctionsInCode,
        [
            "shop",
            "p",
            "",
            "procedure: wait_until_sql_thread_after_gtids",
        ],
        E,
    ),
    (
        "removedFunctions",
        "5.7.44",
        "8.0.46",
        Question::FunctionsInViews,
        ["shop", "v", "", "view: astext"],
        E,
    ),
    (
        "removedFunctions",
        "8.0.46",
        "8.4.6",
        Question::FunctionsInViews,
        ["shop", "v", "", "view: astext"],
        None,
    ),
    (
        "encryptedTablespaces",
        "8.4.6",
        "9.7.4",
        Question::EncryptedTablespaces,
        ["", "shop/t", "", ""],
        N,
    ),
    (
        "encryptedTablespaces",
        "9.7.3",
        "9.7.4",
        Question::EncryptedTablespaces,
        ["", "shop/t", "", ""],
        None,
    ),
    (
        "certificateEnds",
        "9.7.3",
        "9.7.4",
        Question::CertificateEnds,
        ["", "certificate", "", "Dec 24 12:00:00 2026 GMT"],
        W,
    ),
    (
        "serviceLimits",
        "9.7.3",
        "9.7.4",
        Question::ServiceLimits,
        ["", "WatchdogUSec", "", "30s"],
        W,
    ),
    (
        "serviceLimits",
        "9.7.3",
        "9.7.4",
        Question::ServiceLimits,
        ["", "MemoryMax", "", "4294967296"],
        W,
    ),
    (
        "serviceLimits",
        "9.7.3",
        "9.7.4",
        Question::ServiceLimits,
        ["", "TimeoutStopUSec", "", "1min"],
        N,
    ),
    (
        "eventsFollow",
        "9.7.3",
        "9.7.4",
        Question::EnabledEvents,
        ["shop", "nightly", "", ""],
        N,
    ),
    (
        "reservedKeywords",
        "8.4.6",
        "9.7.4",
        Question::KeywordNames,
        ["shop", "library", "", "table"],
        W,
    ),
    (
        "reservedKeywords",
        "8.4.6",
        "9.7.4",
        Question::KeywordNames,
        ["external", "", "", "schema"],
        W,
    ),
    (
        "reservedKeywords",
        "8.4.6",
        "9.7.4",
        Question::KeywordColumns,
        ["shop", "books", "library", ""],
        W,
    ),
    (
        "reservedKeywords",
        "8.4.6",
        "9.7.4",
        Question::KeywordColumns,
        ["shop", "books", "rank", ""],
        None,
    ),
    (
        "reservedKeywords",
        "8.0.46",
        "8.4.6",
        Question::KeywordColumns,
        ["shop", "books", "manual", ""],
        W,
    ),
    (
        "reservedKeywords",
        "8.0.46",
        "8.4.6",
        Question::KeywordColumns,
        ["shop", "books", "library", ""],
        None,
    ),
    (
        "routineSyntax",
        "8.4.6",
        "9.7.4",
        Question::KeywordsInCode,
        ["shop", "p", "", "procedure: library"],
        E,
    ),
    (
        "routineSyntax",
        "8.4.6",
        "9.7.4",
        Question::KeywordsInCode,
        ["shop", "p", "", "procedure: rank,over"],
        None,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.7.4",
        Question::FunctionsInGeneratedColumns,
        ["shop", "t", "h", "VIRTUAL md5"],
        E,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.7.4",
        Question::FunctionsInGeneratedColumns,
        ["shop", "t", "h", "STORED sha1"],
        E,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.7.4",
        Question::FunctionsInIndexes,
        ["shop", "t", "i", "sha"],
        E,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.7.4",
        Question::FunctionsInDefaults,
        ["shop", "t", "h", "md5"],
        E,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.7.4",
        Question::FunctionsInChecks,
        ["shop", "t", "c", "md5"],
        E,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.7.4",
        Question::FunctionsInViews,
        ["shop", "v", "", "view: md5"],
        W,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.7.4",
        Question::FunctionsInCode,
        ["shop", "p", "", "procedure: md5,sha1"],
        W,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.5.0",
        Question::FunctionsInChecks,
        ["shop", "t", "c", "md5"],
        None,
    ),
    (
        "removedFunctions",
        "9.7.3",
        "9.7.4",
        Question::FunctionsInChecks,
        ["shop", "t", "c", "md5"],
        None,
    ),
    (
        "removedFunctions",
        "8.4.6",
        "9.7.4",
        Question::FunctionsInCode,
        ["shop", "p", "", "procedure: encode"],
        None,
    ),
    (
        "removedFunctions",
        "5.7.44",
        "8.0.46",
        Question::FunctionsInCode,
        ["shop", "p", "", "procedure: encode"],
        E,
    ),
    (
        "authMethodUsage",
        "8.4.6",
        "9.7.4",
        Question::OldAuthentication,
        ["", "app@%", "", "mysql_native_password"],
        E,
    ),
    (
        "authMethodUsage",
        "8.0.46",
        "8.4.6",
        Question::OldAuthentication,
        ["", "app@%", "", "mysql_native_password"],
        E,
    ),
    (
        "authMethodUsage",
        "8.4.5",
        "8.4.6",
        Question::OldAuthentication,
        ["", "app@%", "", "mysql_native_password"],
        W,
    ),
    (
        "authMethodUsage",
        "8.4.6",
        "9.7.4",
        Question::OldAuthentication,
        ["", "app@%", "", "sha256_password"],
        W,
    ),
    (
        "authMethodUsage",
        "8.0.46",
        "8.4.6",
        Question::OldAuthentication,
        ["", "app@%", "", "caching_sha2_password,authentication_fido"],
        E,
    ),
    (
        "authMethodUsage",
        "9.7.3",
        "9.7.4",
        Question::OldAuthentication,
        ["", "app@%", "", "mysql_native_password"],
        None,
    ),
    (
        "deprecatedRouterAuthMethod",
        "8.4.6",
        "9.7.4",
        Question::OldAuthentication,
        ["", "mysql_router1_x@%", "", "mysql_native_password"],
        E,
    ),
    (
        "deprecatedRouterAuthMethod",
        "8.4.6",
        "9.7.4",
        Question::OldAuthentication,
        ["", "app@%", "", "mysql_native_password"],
        None,
    ),
    (
        "invalidPrivileges",
        "8.0.46",
        "8.4.6",
        Question::RemovedPrivileges,
        ["", "app@%", "", "SET_USER_ID"],
        N,
    ),
    (
        "invalidPrivileges",
        "8.4.6",
        "9.7.4",
        Question::RemovedPrivileges,
        ["", "app@%", "", "SET_USER_ID"],
        None,
    ),
    (
        "columnDefinition",
        "8.0.46",
        "8.4.6",
        Question::FloatAutoIncrement,
        ["shop", "t", "id", "float"],
        E,
    ),
    (
        "columnDefinition",
        "8.4.6",
        "9.7.4",
        Question::FloatAutoIncrement,
        ["shop", "t", "id", "float"],
        None,
    ),
    (
        "partitionsWithPrefixKeys",
        "8.0.46",
        "9.7.4",
        Question::PrefixPartitionKeys,
        ["shop", "t", "", "name"],
        E,
    ),
    (
        "partitionsWithPrefixKeys",
        "8.4.6",
        "9.7.4",
        Question::PrefixPartitionKeys,
        ["shop", "t", "", "name"],
        None,
    ),
    (
        "foreignKeyReferences",
        "8.0.46",
        "8.4.6",
        Question::ForeignKeysWithoutUnique,
        ["shop", "c", "fk", "shop.p(a)"],
        W,
    ),
    (
        "foreignKeyReferences",
        "9.7.3",
        "9.7.4",
        Question::ForeignKeysWithoutUnique,
        ["shop", "c", "fk", "shop.p(a)"],
        None,
    ),
    (
        "spatialIndex",
        "8.4.3",
        "9.7.4",
        Question::SpatialIndexes,
        ["shop", "t", "g", "p"],
        W,
    ),
    (
        "spatialIndex",
        "8.4.6",
        "9.7.4",
        Question::SpatialIndexes,
        ["shop", "t", "g", "p"],
        None,
    ),
    (
        "utf8mb3",
        "8.4.6",
        "9.7.4",
        Question::Utf8mb3Schemas,
        ["shop", "", "", ""],
        N,
    ),
    (
        "utf8mb3",
        "8.4.6",
        "9.7.4",
        Question::Utf8mb3Columns,
        ["shop", "t", "c", ""],
        N,
    ),
    (
        "utf8mb3",
        "9.7.3",
        "9.7.4",
        Question::Utf8mb3Columns,
        ["shop", "t", "c", ""],
        None,
    ),
    (
        "dollarSignName",
        "8.0.30",
        "8.0.46",
        Question::DollarNames,
        ["shop", "$t", "", ""],
        W,
    ),
    (
        "dollarSignName",
        "8.4.6",
        "9.7.4",
        Question::DollarNames,
        ["shop", "$t", "", ""],
        None,
    ),
    (
        "deprecatedTemporalDelimiter",
        "8.0.28",
        "8.0.46",
        Question::PartitionDates,
        ["shop", "t", "p1", "'2020@01@01'"],
        E,
    ),
    (
        "deprecatedTemporalDelimiter",
        "8.0.30",
        "8.0.46",
        Question::PartitionDates,
        ["shop", "t", "p1", "'2020@01@01'"],
        None,
    ),
    (
        "changedFunctionsInGeneratedColumns",
        "8.0.27",
        "8.0.46",
        Question::CastsInGeneratedColumns,
        ["shop", "t", "g", ""],
        W,
    ),
    (
        "changedFunctionsInGeneratedColumns",
        "8.0.28",
        "8.0.46",
        Question::CastsInGeneratedColumns,
        ["shop", "t", "g", ""],
        None,
    ),
    (
        "partitionedTablesInSharedTablespaces",
        "8.0.12",
        "8.0.46",
        Question::SharedPartitions,
        ["shop", "t", "p0", "ts1"],
        E,
    ),
    (
        "partitionedTablesInSharedTablespaces",
        "8.0.13",
        "8.0.46",
        Question::SharedPartitions,
        ["shop", "t", "p0", "ts1"],
        None,
    ),
    (
        "circularDirectory",
        "8.0.16",
        "8.0.46",
        Question::CircularPaths,
        ["", "shop/t", "", "/a/../b.ibd"],
        E,
    ),
    (
        "circularDirectory",
        "8.0.17",
        "8.0.46",
        Question::CircularPaths,
        ["", "shop/t", "", "/a/../b.ibd"],
        None,
    ),
    (
        "zeroDates",
        "5.7.44",
        "8.0.46",
        Question::ZeroDateDefaults,
        ["shop", "t", "d", "0000-00-00"],
        W,
    ),
    (
        "zeroDates",
        "8.0.46",
        "8.4.6",
        Question::ZeroDateDefaults,
        ["shop", "t", "d", "0000-00-00"],
        None,
    ),
    (
        "groupPrimaryKeys",
        "9.7.3",
        "9.7.4",
        Question::NoPrimaryKey,
        ["shop", "t", "", ""],
        W,
    ),
    (
        "groupEngines",
        "9.7.3",
        "9.7.4",
        Question::OtherEngines,
        ["shop", "t", "", "MyISAM"],
        W,
    ),
    (
        "innodbRowFormat",
        "8.4.6",
        "9.7.4",
        Question::RowFormats,
        ["shop", "t", "", "COMPACT"],
        N,
    ),
    (
        "innodbRowFormat",
        "9.7.3",
        "9.7.4",
        Question::RowFormats,
        ["shop", "t", "", "COMPACT"],
        None,
    ),
    (
        "instantRowVersions",
        "8.0.30",
        "8.0.46",
        Question::RowVersions,
        ["shop", "t", "", "3"],
        E,
    ),
    (
        "instantRowVersions",
        "8.0.32",
        "8.0.46",
        Question::RowVersions,
        ["shop", "t", "", "3"],
        None,
    ),
    (
        "tablespaceStates",
        "9.7.3",
        "9.7.4",
        Question::OddTablespaces,
        ["", "shop/t", "", "discarded"],
        W,
    ),
    (
        "groupActions",
        "9.7.3",
        "9.7.4",
        Question::GroupActions,
        ["", "group", "", "stage/group_rpl/Primary Election"],
        E,
    ),
    (
        "knownBadReleases",
        "8.0.40",
        "8.0.45",
        Question::NoPrimaryKeyFulltext,
        ["shop", "t", "", ""],
        E,
    ),
    (
        "knownBadReleases",
        "8.0.40",
        "8.0.46",
        Question::NoPrimaryKeyFulltext,
        ["shop", "t", "", ""],
        None,
    ),
    (
        "clockSynchronised",
        "9.7.3",
        "9.7.4",
        Question::ClockNotSynchronised,
        ["", "clock", "", "NTPSynchronized=no"],
        W,
    ),
    (
        "automaticRestarts",
        "9.7.3",
        "9.7.4",
        Question::AutomaticRestarts,
        ["", "needrestart", "", "installed"],
        W,
    ),
];

#[test]
fn each_check_is_triggered_by_what_it_is_for_and_by_nothing_alike() {
    for (id, from, to, question, [schema, name, part, detail], expected) in CASES {
        let seen = world(
            from,
            *question,
            &listing(vec![row(schema, name, part, detail)]),
        );
        let found = of(&judge(&seen, to), id);
        let levels: BTreeSet<Level> = found.iter().map(|finding| finding.level).collect();
        let expected: BTreeSet<Level> = expected.iter().copied().collect();
        assert_eq!(levels, expected, "{id} {from} to {to} {detail}: {found:#?}");
        // The same object on every member is one finding.
        assert!(found.len() <= 1, "{id}: {found:#?}");
        assert!(
            found
                .iter()
                .all(|f| !f.fix.is_empty() && !f.object.is_empty()),
            "{id}: {found:#?}"
        );
    }
}

/// Numbers: the question, from, to, the check, a number that passes and one that does not.
#[test]
fn numbers_are_judged_by_their_limits() {
    for (question, id, from, to, fine, wrong) in [
        (
            Question::HistoryLength,
            "purgeBacklog",
            "8.4.6",
            "9.7.4",
            1_000_000,
            1_000_001,
        ),
        (
            Question::OpenFiles,
            "openFiles",
            "9.7.3",
            "9.7.4",
            10_000,
            1_024,
        ),
        (
            Question::MemoryAvailable,
            "memoryAvailable",
            "8.4.6",
            "9.7.4",
            1 << 30,
            100 << 20,
        ),
        (
            Question::Tablespaces,
            "knownBadReleases",
            "8.0.36",
            "8.0.38",
            7_999,
            8_000,
        ),
        (
            Question::ViewsAndRoutines,
            "knownBadReleases",
            "8.0.36",
            "8.0.41",
            100_000,
            100_001,
        ),
    ] {
        for (total, expected) in [(fine, 0), (wrong, 3)] {
            let mut seen = world(
                from,
                question,
                &Listing {
                    total,
                    rows: Vec::new(),
                },
            );
            for name in ["db1", "db2", "db3"] {
                change_server(&mut seen, name, |server| {
                    server.table_count = Fact::Known(500)
                });
            }
            let found = of(&judge(&seen, to), id);
            assert_eq!(found.len(), expected, "{id} {total}: {found:#?}");
        }
    }
}

#[test]
fn releases_that_were_withdrawn_are_refused_whatever_is_in_them() {
    let seen = group(&["8.0.28"; 3], &["8.0.29-1"]);
    assert_eq!(of(&judge(&seen, "8.0.29"), "knownBadReleases").len(), 1);
    assert!(of(&judge(&seen, "8.0.46"), "knownBadReleases").is_empty());
}

/// Bug 105301.
#[test]
fn tables_of_5_7_may_be_corrupted_by_8_0_27() {
    for (from, to, wanted) in [
        ("5.7.44", "8.0.27", 3),
        ("5.7.44", "8.0.28", 0),
        ("8.0.20", "8.0.27", 0),
    ] {
        let seen = group(&[from; 3], &[&format!("{to}-1")]);
        let found = of(&judge(&seen, to), "knownBadReleases");
        let told = found.iter().filter(|f| f.description.contains("105301"));
        let levels: Vec<Level> = told.map(|f| f.level).collect();
        assert_eq!(
            levels,
            vec![Level::Warning; wanted],
            "{from} to {to}: {found:#?}"
        );
        assert!(
            found
                .iter()
                .all(|f| f.level == Level::Warning || wanted == 0)
        );
    }
}

#[test]
fn plugins_policies_and_settings_are_judged_from_variables() {
    type Change = fn(&mut Sighting);
    type Variables = [(&'static str, &'static str, &'static str)];
    let cases: [(&str, &str, &str, &Variables, usize); 8] = [
        (
            "pluginUsage",
            "8.0.46",
            "8.4.6",
            &[("db1", "plugins", "daemon_memcached")],
            1,
        ),
        (
            "pluginUsage",
            "8.4.6",
            "9.7.4",
            &[("db1", "plugins", "CONNECTION_CONTROL")],
            1,
        ),
        (
            "pluginUsage",
            "8.4.6",
            "9.7.4",
            &[
                ("db1", "plugins", "clone,rpl_semi_sync_slave"),
                ("db2", "plugins", "clone"),
                ("db3", "plugins", ""),
            ],
            1,
        ),
        (
            "pluginUsage",
            "9.7.3",
            "9.7.4",
            &[("db1", "plugins", "rpl_semi_sync_slave")],
            0,
        ),
        (
            "deprecatedDefaultAuth",
            "8.4.6",
            "9.7.4",
            &[("db1", "authentication_policy", "mysql_native_password,,")],
            1,
        ),
        (
            "deprecatedDefaultAuth",
            "8.4.6",
            "9.7.4",
            &[("db1", "authentication_policy", "*,,")],
            0,
        ),
        (
            "groupSettings",
            "9.7.3",
            "9.7.4",
            &[
                ("db1", "lower_case_table_names", "0"),
                ("db2", "lower_case_table_names", "1"),
                ("db3", "lower_case_table_names", "0"),
            ],
            1,
        ),
        (
            "groupSettings",
            "9.7.3",
            "9.7.4",
            &[
                ("db1", "lower_case_table_names", "1"),
                ("db2", "lower_case_table_names", "1"),
                ("db3", "lower_case_table_names", "1"),
            ],
            0,
        ),
    ];
    for (id, from, to, variables, expected) in cases {
        let mut seen = group(&[from; 3], &["9.7.4-2"]);
        for (name, variable, value) in variables {
            set(&mut seen, name, variable, value);
        }
        let found = of(&judge(&seen, to), id);
        assert_eq!(found.len(), expected, "{id} {variables:?}: {found:#?}");
    }
    let held: Change = |seen| {
        change_member(seen, "db2", |seen| {
            let Fact::Known(packages) = &mut seen.packages else {
                panic!()
            };
            packages.held.insert("mysql-server".to_owned());
        });
    };
    let mut seen = group(&["9.7.3"; 3], &["9.7.4-2"]);
    assert!(of(&judge(&seen, "9.7.4"), "packageHolds").is_empty());
    held(&mut seen);
    assert_eq!(of(&judge(&seen, "9.7.4"), "packageHolds")[0].object, "db2");
}

/// Dates of the release notes (MYSQL.md §1.5, §10 SAFE); where only the month is known, nothing is claimed of the day.
#[test]
fn a_target_is_young_for_thirty_days() {
    for (today, from, to, told) in [
        (TODAY, "8.0.46", "8.4.1", &[(N, "among the first")][..]),
        (TODAY, "8.0.46", "8.4.6", &[]),
        (TODAY, "9.7.2", "9.7.3", &[]),
        (TODAY, "8.4.10", "9.6.1", &[(N, "among the first")]),
        (
            "2026-09-30",
            "9.7.3",
            "9.7.4",
            &[(N, "the controller's clock says 2026-09-30")],
        ),
        (
            TODAY,
            "9.7.3",
            "9.7.4",
            &[(N, "came out in 2026-10: that may be")],
        ),
        ("2026-11-15", "9.7.3", "9.7.4", &[(N, "that may be")]),
        (
            "2026-10-20",
            "9.7.3",
            "9.7.4",
            &[(W, "less than 30 days ago")],
        ),
        ("2026-11-30", "9.7.3", "9.7.4", &[]),
        (TODAY, "9.7.3", "9.7.5", &[(N, "is not known here")]),
        (
            "2026-05-20",
            "8.4.10",
            "9.7.0",
            &[(N, "among the first"), (W, "came out on 2026-04-21")],
        ),
        ("2026-05-21", "8.4.10", "9.7.0", &[(N, "among the first")]),
    ] {
        let seen = group(&[from; 3], &["9.7.4-2"]);
        let found = of(&judge_on(today, &seen, to), "targetMaturity");
        assert_eq!(found.len(), told.len(), "{today} {from} {to}: {found:#?}");
        for (finding, (level, part)) in found.iter().zip(told) {
            assert_eq!(Some(finding.level), *level, "{today} {from} {to}");
            assert!(
                finding.description.contains(part),
                "{}",
                finding.description
            );
        }
    }
}

/// Oracle's lifetime support policy (MYSQL.md §10 EOL; manual 1.3): the target's end is a warning, that of what runs a notice.
#[test]
fn ends_of_life_are_told_before_and_after() {
    for (today, from, to, told) in [
        (
            TODAY,
            "8.0.45",
            "8.0.46",
            &[(
                W,
                "8.0, the target's series, reached the end of its life on 2026-04-30",
            )][..],
        ),
        (
            "2026-04-30",
            "8.0.45",
            "8.0.46",
            &[(W, "on 2026-04-30, within 0 days")],
        ),
        ("2025-11-01", "8.0.45", "8.0.46", &[(W, "within 180 days")]),
        ("2025-10-31", "8.0.45", "8.0.46", &[]),
        (
            TODAY,
            "8.0.46",
            "8.4.13",
            &[(N, "8.0, which runs here, reached")],
        ),
        (
            TODAY,
            "8.4.10",
            "9.6.1",
            &[(W, "9.6, the target's series, reached")],
        ),
        (TODAY, "8.4.10", "9.7.4", &[]),
        (
            TODAY,
            "9.7.4",
            "26.10.0",
            &[(N, "until the next one is out")],
        ),
        (
            "2032-01-01",
            "8.4.10",
            "9.7.4",
            &[(
                N,
                "8.4, which runs here, reaches the end of its life on 2032-04-30, within 120 days",
            )],
        ),
    ] {
        let seen = group(&[from; 3], &["9.7.4-2"]);
        let found = of(&judge_on(today, &seen, to), "endOfLife");
        assert_eq!(found.len(), told.len(), "{today} {from} {to}: {found:#?}");
        for (finding, (level, part)) in found.iter().zip(told) {
            assert_eq!(Some(finding.level), *level, "{today} {from} {to}");
            assert!(
                finding.description.contains(part),
                "{}",
                finding.description
            );
        }
    }
}

#[test]
fn confinement_matters_only_with_paths_of_ones_own() {
    let confined = listing(vec![row("", "AppArmor", "", "enforce")]);
    let mut seen = world("9.7.3", Question::Confinement, &confined);
    assert!(of(&judge(&seen, "9.7.4"), "mandatoryAccess").is_empty());
    change_member(&mut seen, "db3", |seen| {
        let Fact::Known(storage) = &mut seen.storage else {
            panic!()
        };
        storage.paths[0].path = "/srv/mysql".to_owned();
    });
    let found = of(&judge(&seen, "9.7.4"), "mandatoryAccess");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].description.contains("/srv/mysql"));
}

#[test]
fn what_is_on_some_members_only_says_so_and_what_is_not_named_is_counted() {
    let mut seen = group(&["9.7.3"; 3], &["9.7.4-2"]);
    let one = Listing {
        total: 250,
        rows: vec![row("shop", "t", "", "MyISAM")],
    };
    answer(&mut seen, "db2", Question::OtherEngines, Fact::Known(one));
    let found = of(&judge(&seen, "9.7.4"), "groupEngines");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(found[0].object, "shop.t");
    assert!(
        found[0].description.ends_with("(only on db2)"),
        "{found:#?}"
    );
    assert!(found[1].description.starts_with("249 more"), "{found:#?}");
}

#[test]
fn a_channels_account_is_named_as_such() {
    let mut seen = world(
        "8.4.6",
        Question::OldAuthentication,
        &listing(vec![row("", "repl@%", "", "mysql_native_password")]),
    );
    let channel = listing(vec![row("", "group_replication_recovery", "", "repl")]);
    for name in ["db1", "db2", "db3"] {
        answer(
            &mut seen,
            name,
            Question::ChannelUsers,
            Fact::Known(channel.clone()),
        );
    }
    let found = of(&judge(&seen, "9.7.4"), "authMethodUsage");
    assert!(
        found[0]
            .description
            .contains("group_replication_recovery connects as it"),
        "{found:#?}"
    );
}

#[test]
fn a_question_without_an_answer_is_told_at_the_checks_own_level() {
    let of_groups = |check: &&Check| check.kinds.contains(&Kind::SinglePrimaryGroup);
    for check in ALL
        .iter()
        .filter(of_groups)
        .filter(|check| !check.needs.is_empty())
    {
        let hops = [
            ("8.4.6", "9.7.4"),
            ("8.0.36", "8.4.6"),
            ("5.7.44", "8.0.46"),
            ("5.7.44", "8.0.17"),
            ("8.0.30", "8.0.46"),
            ("8.0.36", "8.0.38"),
        ];
        let applies = |(from, to): &(&str, &str)| {
            check.applies.applies(refit_shared::checks::VersionPair {
                from: from.parse().unwrap(),
                to: to.parse().unwrap(),
            })
        };
        let (from, to) = hops.into_iter().find(applies).expect(check.id);
        let mut seen = group(&[from; 3], &["9.7.4-2"]);
        seen.surveys.insert(
            member("db2"),
            Fact::Unknown("no answer within 45 s".to_owned()),
        );
        let judged = judge_with(&seen, to, |policy| {
            policy.release = vec!["explain_format".to_owned()];
        });
        let found = of(&judged, check.id);
        let told: Vec<_> = found
            .iter()
            .filter(|f| f.object == "db2" && f.description.contains("no answer within 45 s"))
            .collect();
        assert!(!told.is_empty(), "{}: {found:#?}", check.id);
        assert!(
            told.iter().all(|finding| finding.level == check.level),
            "{}",
            check.id
        );
    }
}

#[test]
fn what_does_not_apply_is_listed_as_such_and_asks_nothing() {
    let results = judge(&group(&["9.7.3"; 3], &["9.7.4-2"]), "9.7.4");
    let for_it = ALL.iter().filter(|check| {
        check
            .kinds
            .contains(&refit_shared::topology::Kind::SinglePrimaryGroup)
            && check
                .strategies
                .contains(&refit_shared::plan::Strategy::InGroupRolling)
    });
    let usual = for_it.filter(|check| !ONLY_WHEN_ASKED.contains(&check.id));
    assert_eq!(results.len(), usual.count());
    let removed = results.iter().find(|r| r.id == "removedFunctions").unwrap();
    assert!(!removed.applies && removed.findings.is_empty());
    let pair = |from: &str, to: &str| refit_shared::checks::VersionPair {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let needed = |pair| refit_shared::checks::needed(&Selection::all(), pair);
    let patch = needed(pair("9.7.3", "9.7.4"));
    assert!(
        !patch.contains(&Question::FunctionsInChecks) && patch.contains(&Question::NoPrimaryKey)
    );
    assert!(needed(pair("8.4.6", "9.7.4")).contains(&Question::FunctionsInChecks));
    let only = Selection::new(["diskSpace"], []).unwrap();
    assert!(refit_shared::checks::needed(&only, pair("8.4.6", "9.7.4")).is_empty());
    let pairs = [pair("9.7.3", "9.7.4")];
    let by_hand = manual(&pairs, &[]).map(|check| check.id);
    assert!(by_hand.eq(["verifiedBackup", "validateConfigFirst"]));
    let want = request("9.7.4");
    let seen = group(&["9.7.3"; 3], &["9.7.4-2"]);
    let subject = Subject {
        seen: &seen,
        target: want.target,
        policy: &want.policy,
        strategy: None,
        today: TODAY.parse().unwrap(),
    };
    assert_eq!(run_selected(subject, &only).len(), 1);
}

/// A person may want one check alone: then nothing is asked but what it says that it needs.
#[test]
fn each_check_needs_all_that_it_reads() {
    let offered = ["9.7.4-1"];
    for mut seen in [
        group(&["8.4.6"; 3], &offered),
        replicas(&["8.4.6"; 3], &[(2, 1), (3, 1)], &offered),
    ] {
        for check in ALL {
            for survey in seen.surveys.values_mut() {
                *survey = Fact::Known(Survey::unremarkable(check.needs.iter().copied()));
            }
            let want = request("9.7.4");
            let subject = Subject {
                seen: &seen,
                target: want.target,
                policy: &want.policy,
                strategy: None,
                today: TODAY.parse().unwrap(),
            };
            let alone = Selection::new([check.id], []).unwrap();
            for result in run_selected(subject, &alone) {
                let unread = |f: &&Finding| f.description.contains("could not be read");
                let unread: Vec<_> = result.findings.iter().filter(unread).collect();
                assert!(unread.is_empty(), "{}: {unread:#?}", check.id);
            }
        }
    }
}

/// MYSQL.md §4.1: what each value of `upgrade` does.
#[test]
fn an_option_file_that_says_how_to_upgrade_is_found_and_the_last_line_counts() {
    for (text, level) in [
        ("upgrade=NONE", E),
        ("upgrade=minimal", E),
        ("upgrade=SOMEHOW", E),
        ("upgrade=FORCE", W),
        ("upgrade=AUTO", None),
        ("upgrade=NONE\nupgrade=AUTO", None),
        ("max_connections=5", None),
        // Not for this server.
        ("[mysqld-8.0]\nupgrade=NONE", None),
        ("[mysqldump]\nupgrade=NONE", None),
        ("loose-upgrade=NONE", Some(Level::Error)),
    ] {
        let seen = configured("9.7.3", &format!("[mysqld]\n{text}\n"), &[]);
        let found = of(&judge(&seen, "9.7.4"), "upgradeOption");
        let expected = usize::from(level.is_some()) * 3;
        assert_eq!(found.len(), expected, "{text}: {found:#?}");
        assert!(found.iter().all(|f| Some(f.level) == level), "{text}");
    }
}

/// Server error MY-011087: how names are compared is laid down when a data directory is made. Somebody may have edited a file since
/// the last start.
#[test]
fn another_comparison_of_names_is_found_before_the_new_server_refuses_it() {
    let variable = "lower_case_table_names";
    for (runs, text, expected) in [
        ("0", "lower_case_table_names=1", Some(Level::Error)),
        ("1", "lower-case-table-names = 0", Some(Level::Error)),
        ("0", "loose_lower_case_table_names=2", Some(Level::Error)),
        (
            "0",
            "lower_case_table_names=0\nlower_case_table_names=1",
            Some(Level::Error),
        ),
        ("0", "lower_case_table_names", Some(Level::Error)),
        (
            "1",
            "[mysqld-9.7]\nlower_case_table_names=0",
            Some(Level::Error),
        ),
        // The line may have been taken out, or it stands on the command line.
        ("1", "max_connections=5", Some(Level::Warning)),
        (
            "1",
            "[mysqld-8.0]\nlower_case_table_names=1",
            Some(Level::Warning),
        ),
        ("1", "lower_case_table_names=1", None),
        ("0", "lower_case_table_names=00", None),
        ("0", "max_connections=5", None),
        ("0", "[mysqld-8.0]\nlower_case_table_names=1", None),
        ("0", "[mysqldump]\nlower_case_table_names=1", None),
    ] {
        let mut seen = configured("9.7.3", &format!("[mysqld]\n{text}\n"), &[]);
        for name in ["db1", "db2", "db3"] {
            set(&mut seen, name, variable, runs);
        }
        let found = of(&judge(&seen, "9.7.4"), "lowerCaseTableNames");
        let count = usize::from(expected.is_some()) * 3;
        assert_eq!(found.len(), count, "{runs} {text}: {found:#?}");
        assert!(
            found.iter().all(|f| Some(f.level) == expected),
            "{found:#?}"
        );
    }
    // What it runs with is not told: that is no agreement, whatever the files say.
    for text in ["lower_case_table_names=1", "max_connections=5"] {
        let mut seen = configured("9.7.3", &format!("[mysqld]\n{text}\n"), &[]);
        for name in ["db1", "db2", "db3"] {
            change_server(&mut seen, name, |server| {
                server.variables.remove(variable);
            });
        }
        let found = of(&judge(&seen, "9.7.4"), "lowerCaseTableNames");
        assert_eq!(found.len(), 3, "{text}");
        assert!(found.iter().all(|f| f.level == Level::Error), "{found:#?}");
    }
}

/// MYSQL.md §3.4: who may log in with caching_sha2_password to a server that was restarted.
#[test]
fn recovery_without_tls_or_key_is_refused() {
    let wrong = [
        ("group_replication_recovery_use_ssl", "OFF"),
        ("group_replication_recovery_get_public_key", "OFF"),
    ];
    let with = |more: &[(&str, &str)], old: &str| {
        let channel = listing(vec![row("", "group_replication_recovery", "", "repl")]);
        let mut seen = world("9.7.3", Question::ChannelUsers, &channel);
        for name in ["db1", "db2", "db3"] {
            let accounts = listing(vec![row("", "repl@%", "", old)]);
            answer(
                &mut seen,
                name,
                Question::OldAuthentication,
                Fact::Known(accounts),
            );
        }
        change_server(&mut seen, "db2", |server| {
            for (variable, value) in wrong.iter().chain(more) {
                drop(
                    server
                        .variables
                        .insert((*variable).to_owned(), (*value).to_owned()),
                );
            }
        });
        of(&judge(&seen, "9.7.4"), "recoveryLogin")
    };
    let found = with(&[], "sha256_password");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].level, &*found[0].object), (Level::Error, "db2"));
    assert!(with(&[("group_replication_recovery_use_ssl", "ON")], "").is_empty());
    assert!(with(&[("group_replication_recovery_get_public_key", "ON")], "").is_empty());
    assert!(
        with(
            &[("group_replication_recovery_public_key_path", "/k.pem")],
            ""
        )
        .is_empty()
    );
    assert!(with(&[], "mysql_native_password").is_empty());
}

#[test]
fn option_files_are_judged_with_file_and_line() {
    for (line, level, object) in [
        ("mysql_native_password=ON", E, "/etc/mysql/my.cnf:2"),
        ("innodb_log_file_size=1G", W, "/etc/mysql/my.cnf:2"),
        ("tls_version=TLSv1,TLSv1.2", W, "/etc/mysql/my.cnf:2"),
        ("loose_query_cache_size=0", N, "/etc/mysql/my.cnf:2"),
        ("log_slave_updates=ON", N, "/etc/mysql/my.cnf:2"),
        ("!include", E, "/etc/mysql/my.cnf:2"),
        ("!include /nowhere", W, "/etc/mysql/my.cnf:2"),
        ("max_connections=5", None, ""),
    ] {
        let seen = configured("9.7.3", &format!("[mysqld]\n{line}\n"), &[]);
        let found = of(&judge(&seen, "9.7.4"), "sysVars");
        let told: Vec<_> = found.iter().map(|f| (Some(f.level), &*f.object)).collect();
        let expected: Vec<_> = level.iter().map(|_| (level, object)).collect();
        assert_eq!(told, expected, "{line}: {found:?}");
    }
}

#[test]
fn what_is_persisted_is_judged_too() {
    let seen = configured(
        "9.7.3",
        "[mysqld]\nmax_connections=5\n",
        &[("tx_isolation", "X"), ("max_connections", "7")],
    );
    let results = judge(&seen, "9.7.4");
    let [gone] = &of(&results, "sysVars")[..] else {
        panic!("{results:?}")
    };
    assert_eq!(gone.level, Level::Warning, "mysqld ignores it silently");
    assert_eq!(gone.fix, "RESET PERSIST tx_isolation;");
    let [beats] = &of(&results, "persistedVariables")[..] else {
        panic!("{results:?}")
    };
    assert!(beats.description.contains("/etc/mysql/my.cnf:2"));
    assert!(
        of(
            &judge(&configured("9.7.3", "[mysqld]\n", &[]), "9.7.4"),
            "persistedVariables"
        )
        .is_empty()
    );
}

#[test]
fn defaults_that_change_are_told_once_for_all_members_that_take_them() {
    let mut seen = configured("8.4.6", "[mysqld]\nback_log=80\n", &[]);
    let row = row("", "caching_sha2_password_digest_rounds", "", "7000");
    answer(
        &mut seen,
        "db2",
        Question::SetAtRuntime,
        Fact::Known(listing(vec![row])),
    );
    let found = of(&judge(&seen, "9.7.4"), "sysVarsNewDefaults");
    let about =
        |name: &str| -> Vec<&Finding> { found.iter().filter(|f| f.object == name).collect() };
    assert!(about("back_log").is_empty(), "it is set");
    assert!(about("gtid_mode").is_empty(), "the command line sets it");
    let [one] = about("explain_format")[..] else {
        panic!("{found:?}")
    };
    assert_eq!(one.level, Level::Notice);
    assert!(!one.description.contains("only on"), "{}", one.description);
    let rounds = about("caching_sha2_password_digest_rounds");
    let told: Vec<_> = rounds.iter().map(|f| (f.level, &*f.description)).collect();
    assert!(
        told.iter().any(|(level, text)| *level == Level::Warning
            && text.contains("at runtime")
            && text.ends_with("(only on db2)")),
        "{told:?}"
    );
    assert!(
        of(
            &judge(&configured("9.7.3", "[mysqld]\n", &[]), "9.7.4"),
            "sysVarsNewDefaults"
        )
        .is_empty()
    );
}

#[test]
fn option_files_that_could_not_be_read_are_as_bad_as_bad_ones() {
    let mut seen = configured("9.7.3", "[mysqld]\n", &[]);
    let untold = Fact::Unknown("permission denied".to_owned());
    answer(&mut seen, "db3", Question::OptionFiles, untold);
    let [one] = &of(&judge(&seen, "9.7.4"), "sysVars")[..] else {
        panic!("one finding")
    };
    assert_eq!((one.level, &*one.object), (Level::Error, "db3"));
    assert!(one.description.contains("permission denied"));
}
