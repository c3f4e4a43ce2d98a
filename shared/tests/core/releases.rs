//! Pins that were written by an upgrade and are released: what stands in the way, and the plans.

use crate::planner::golden;
use crate::support::{alone, configured, member, replicas, request};
use refit_shared::checks::{self, Level, Subject};
use refit_shared::config::edit::apply;
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::linter;
use refit_shared::observation::Fact;
use refit_shared::operation::{Operation, OperationKind as Kind};
use refit_shared::plan::{Plan, Strategy};
use refit_shared::planner::{Refusal, Request, plan};
use refit_shared::rules::releases::Date;
use refit_shared::topology::Sighting;

const FILE: &str = "/etc/mysql/my.cnf";
const MADE: i64 = 1_797_300_000_000;

/// As Refit writes it.
fn pin(line: &str) -> String {
    format!("# Refit 2026-11-20, 8.4.6 to 9.7.4: its default is another: it matters\n{line}\n")
}

fn file(pins: &[&str]) -> String {
    let pins: String = pins.iter().map(|line| pin(line)).collect();
    format!("[mysqld]\nport = 3306\n\n[mysqld]\n{pins}")
}

fn releasing(names: &[&str]) -> Request {
    let mut request = request("9.7.4");
    request.policy.release = names.iter().map(|name| (*name).to_owned()).collect();
    request
}

/// A group of three on 9.7.4, every member with these pins.
fn group(pins: &[&str]) -> Sighting {
    configured("9.7.4", &file(pins), &[])
}

fn has(seen: &mut Sighting, name: &str, text: &str) {
    let config = ConfigFiles {
        roots: vec![FILE.to_owned()],
        files: vec![OptionFile::new(FILE, text)],
        ..ConfigFiles::default()
    };
    match seen.surveys.get_mut(&member(name)).unwrap() {
        Fact::Known(survey) => survey.config = Some(config),
        Fact::Unknown(why) => panic!("{why}"),
    }
}

fn made(request: &Request, seen: &Sighting) -> Plan {
    let (plan, _) = plan(request, seen, MADE).unwrap_or_else(|refusal| panic!("{refusal:#?}"));
    plan
}

/// What the check says, a line each.
fn said(request: &Request, seen: &Sighting) -> Vec<String> {
    let subject = Subject {
        seen,
        target: request.target,
        policy: &request.policy,
        strategy: request.strategy,
        today: Date::of_unix_ms(MADE),
    };
    let results = checks::run(subject);
    let own = results.iter().find(|result| result.id == "pinRelease");
    let found = own.expect("it is for every kind").findings.iter();
    found
        .map(|f| format!("{} {}: {} ({})", f.level, f.object, f.description, f.fix))
        .collect()
}

fn members_of(plan: &Plan, kind: Kind) -> Vec<String> {
    let steps = plan.steps();
    let own = steps.filter(|step| step.operation().map(Operation::kind) == Some(kind));
    own.map(|step| step.member.to_string()).collect()
}

#[test]
fn a_release_alone_restarts_a_group_one_by_one() {
    let seen = group(&[
        "explain_format = TRADITIONAL",
        "innodb_change_buffering = none",
    ]);
    golden("release-group", &releasing(&["explain_format"]), &seen);
    let plan = made(&releasing(&["explain_format"]), &seen);
    assert_eq!(members_of(&plan, Kind::SwapPackages), [""; 0]);
    assert_eq!(members_of(&plan, Kind::RewriteConfig).len(), 3);
    let kept = file(&["innodb_change_buffering = none"]);
    for step in plan.steps() {
        match step.operation() {
            Some(Operation::RewriteConfig { files }) => {
                let text = file(&[
                    "explain_format = TRADITIONAL",
                    "innodb_change_buffering = none",
                ]);
                let after = apply(text.as_bytes(), &files[0].edits).unwrap();
                assert_eq!(String::from_utf8(after).unwrap(), kept);
            }
            Some(Operation::FetchPackages { target, rollback }) => {
                assert!(rollback.is_empty(), "nothing is fetched twice");
                assert!(target.iter().all(|pin| pin.version.as_str() == "9.7.4-1"));
            }
            Some(Operation::StartServer { .. }) => {
                let told: Vec<String> = step.after.iter().map(ToString::to_string).collect();
                assert!(
                    told.contains(&"explain_format at its default".to_owned()),
                    "{told:?}"
                );
            }
            _ => {}
        }
    }
    assert_eq!(plan.target.package_version.as_str(), "9.7.4-1");
    assert!(plan.pivot.is_none(), "every step can be undone");
}

#[test]
fn a_release_goes_with_an_upgrade() {
    let mut seen = configured("9.7.3", &file(&["explain_format = TRADITIONAL"]), &[]);
    let plan = made(&releasing(&["explain_format"]), &seen);
    assert_eq!(members_of(&plan, Kind::SwapPackages).len(), 3);
    assert_eq!(members_of(&plan, Kind::RewriteConfig).len(), 3);
    // One without the pin is upgraded, and its files are left alone.
    has(&mut seen, "db2", "[mysqld]\nport = 3306\n");
    let plan = made(&releasing(&["explain_format"]), &seen);
    assert_eq!(members_of(&plan, Kind::SwapPackages).len(), 3);
    assert_eq!(members_of(&plan, Kind::RewriteConfig), ["db3", "db1"]);
}

#[test]
fn only_members_with_the_pin_are_restarted() {
    let mut seen = group(&["explain_format = TRADITIONAL"]);
    has(&mut seen, "db1", "[mysqld]\nport = 3306\n");
    let request = releasing(&["explain_format"]);
    assert_eq!(
        said(&request, &seen),
        [
            "NOTICE explain_format: db1 does not have the pin: only db2, db3 is changed (nothing to do)"
        ]
    );
    let mut restarted = members_of(&made(&request, &seen), Kind::StartServer);
    restarted.sort_unstable();
    assert_eq!(restarted, ["db2", "db3"]);
}

#[test]
fn standalone_servers_and_topologies_are_restarted_by_their_usual_strategy() {
    let text = file(&["explain_format = TRADITIONAL"]);
    let mut seen = alone("9.7.4", &["9.7.4-1"]);
    has(&mut seen, "db1", &text);
    golden(
        "release-single-server",
        &releasing(&["explain-format"]),
        &seen,
    );

    let mut seen = replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &["9.7.4-1"]);
    for name in ["db1", "db2", "db3"] {
        has(&mut seen, name, &text);
    }
    let request = releasing(&["explain_format"]);
    golden("release-replicas-first", &request, &seen);
    for strategy in [Strategy::Switchover, Strategy::Offline] {
        let mut other = request.clone();
        other.strategy = Some(strategy);
        let plan = made(&other, &seen);
        assert_eq!(
            members_of(&plan, Kind::RewriteConfig).len(),
            3,
            "{strategy}"
        );
        assert_eq!(members_of(&plan, Kind::SwapPackages).len(), 0, "{strategy}");
    }
    // Only a replica has it: nothing has to be one-way.
    has(&mut seen, "db1", "[mysqld]\nport = 3306\n");
    let plan = made(&request, &seen);
    assert!(plan.pivot.is_none() && plan.report.downtime.is_none());
    for strategy in [Strategy::SourceFirst, Strategy::RebuildTables] {
        let mut other = request.clone();
        other.strategy = Some(strategy);
        assert!(
            said(&other, &seen)
                .iter()
                .any(|line| line.contains("restarts no server")),
            "{strategy}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_names_is_said_all_at_once() {
    let seen = group(&["explain_format = JSON", "innodb_io_capacity = 200"]);
    let wrong = [
        "no_such_thing",
        "explain_format",
        "innodb_io_capacity",
        "innodb_io_capacity",
        "max_allowed_packet",
    ];
    let told = said(&releasing(&wrong), &seen);
    for line in [
        "ERROR --release, name 1: no_such_thing: no variable that Refit ever pins has this name (`refit config shop --pins` lists the pins)",
        "ERROR db1: /etc/mysql/my.cnf:6: explain_format is JSON, and Refit wrote TRADITIONAL: somebody has changed it since (put Refit's value back, or take the line out by hand)",
        "ERROR --release, name 4: innodb_io_capacity: is given twice (give it once)",
        "ERROR --release, name 5: max_allowed_packet: is pinned by Refit on no member (`refit config shop --pins` lists the pins)",
    ] {
        assert!(
            told.contains(&line.to_owned()),
            "{line}\nis not in {told:#?}"
        );
    }
    match plan(&releasing(&wrong), &seen, MADE) {
        Err(Refusal::Blocked(findings)) => {
            assert!(
                findings.iter().all(|f| f.check == "pinRelease"),
                "{findings:#?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_else_sets_it_keeps_a_pin() {
    let mut seen = configured(
        "9.7.4",
        &file(&["explain_format = TRADITIONAL"]),
        &[("explain_format", "JSON")],
    );
    let text = format!(
        "{}explain_format = TREE\n",
        file(&["explain_format = TRADITIONAL"])
    );
    has(&mut seen, "db2", &text);
    let told = said(&releasing(&["explain_format"]), &seen);
    assert!(
        told[0].contains("db1: explain_format is also set in mysqld-auto.cnf"),
        "{told:#?}"
    );
    assert!(
        told[0].contains("RESET PERSIST explain_format;"),
        "{told:#?}"
    );
    assert!(
        told[1].contains("db2: explain_format is also set in /etc/mysql/my.cnf:7"),
        "{told:#?}"
    );
    let mut set = group(&[]);
    has(&mut set, "db1", "[mysqld]\nexplain_format = TREE\n");
    let told = said(&releasing(&["explain_format"]), &set);
    assert!(
        told[0].contains("on db1 it is set in /etc/mysql/my.cnf:2, not by Refit"),
        "{told:#?}"
    );
}

#[test]
fn what_members_must_not_have_differently_is_released_on_all_at_once() {
    let pins = ["loose_group_replication_ssl_mode = DISABLED"];
    let mut request = releasing(&["group_replication_ssl_mode"]);
    let mut seen = group(&pins);
    let told = said(&request, &seen);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("could not rejoin") && told[0].contains("--strategy offline"),
        "{told:#?}"
    );
    request.strategy = Some(Strategy::Offline);
    assert_eq!(said(&request, &seen), [""; 0]);
    golden("release-offline", &request, &seen);
    // One that a person has set would differ afterwards.
    has(
        &mut seen,
        "db3",
        "[mysqld]\ngroup_replication_ssl_mode = DISABLED\n",
    );
    let told = said(&request, &seen);
    assert!(
        told.iter()
            .any(|line| line.contains("DISABLED on db3; REQUIRED on db1, db2")),
        "{told:#?}"
    );

    let mut seen = replicas(&["9.7.4"; 2], &[(2, 1)], &["9.7.4-1"]);
    for name in ["db1", "db2"] {
        has(
            &mut seen,
            name,
            &file(&["gtid_mode = OFF", "enforce_gtid_consistency = OFF"]),
        );
    }
    let told = said(&releasing(&["gtid_mode"]), &seen);
    assert!(
        told.iter().any(|line| line.contains("error 13117")),
        "{told:#?}"
    );
    assert!(
        told.iter()
            .any(|line| line.contains("--release gtid_mode,enforce_gtid_consistency")),
        "{told:#?}"
    );
}

#[test]
fn files_that_are_not_known_are_not_taken_for_clean() {
    let mut seen = group(&["explain_format = TRADITIONAL"]);
    seen.surveys
        .insert(member("db2"), Fact::Unknown("it did not answer".to_owned()));
    let told = said(&releasing(&["explain_format"]), &seen);
    assert!(
        told[0].starts_with("ERROR db2: the option files could not be read"),
        "{told:#?}"
    );
}

#[test]
fn the_linter_lets_no_restart_do_more_than_a_release() {
    let seen = group(&["explain_format = TRADITIONAL"]);
    let good = made(&releasing(&["explain_format"]), &seen);
    let rules = |plan: &Plan| -> Vec<&str> {
        let violations = linter::judge(plan);
        violations.into_iter().map(|found| found.rule).collect()
    };
    assert_eq!(rules(&good), [""; 0]);
    let mut without = good.clone();
    without.policy.release.clear();
    assert!(
        rules(&without)
            .contains(&"a member that runs the target already is restarted only for a release, or to rebuild its tables")
    );
    let mut writes = good.clone();
    for step in writes
        .stages
        .iter_mut()
        .flat_map(|s| &mut s.lanes)
        .flat_map(|l| &mut l.steps)
    {
        if let refit_shared::plan::Action::Operate {
            order: Operation::RewriteConfig { files },
        } = &mut step.action
        {
            files[0].edits[0].new.push("x = 1".to_owned());
        }
    }
    assert!(rules(&writes).contains(&"a release only takes lines out"));
    assert_eq!(Level::Error.to_string(), "ERROR");
}
