//! What people read, as files that a person can review: `golden/*.snap`.

use crate::samples;
use refit_controller::cli::render::{self, Style};

macro_rules! golden {
    ($name:literal, $text:expr) => {
        insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

#[test]
fn fleet() {
    golden!(
        "fleet",
        render::fleet::text(&samples::fleet(), Style::PLAIN)
    );
}

#[test]
fn a_fleet_of_replicas_is_drawn_as_a_tree() {
    let text = render::fleet::text(&samples::replicas(), Style::PLAIN);
    let drawn = "shop: replication topology, source db1\n  \
        db1  9.7.3  source\n  \
        ├─ db2  9.7.4  replica  lag 1.5 s, 3 to apply\n  \
        └─ db3  9.7.3  replica  applier OFF Duplicate entry '7'\n";
    assert!(text.starts_with(drawn), "{text}");
    let text = render::fleet::text(&samples::circle(), Style::PLAIN);
    let told = "shop: replication topology: circular replication: db1 from db2 from db1\n";
    assert!(text.starts_with(told), "{text}");
    assert!(!text.contains("source"), "nothing is guessed: {text}");
}

#[test]
fn plan() {
    golden!("plan", render::plan::text(&samples::plan(), Style::PLAIN));
}

#[test]
fn a_plan_shows_every_change_to_option_files() {
    let text = "[mysqld]\ninnodb_log_file_size=1G\n# ours\nskip-slave-start\n";
    let seen = crate::world::configured("8.4.6", text, &[]);
    let made = refit_shared::planner::plan(&crate::world::request("9.7.4"), &seen, samples::BEGAN);
    let shown = render::plan::text(&made.unwrap().0, Style::PLAIN);
    let (_, files) = shown.split_once("Option files\n").unwrap();
    let (files, _) = files.split_once("\nPivot").unwrap();
    golden!("plan-option-files", files);
}

#[test]
fn show() {
    golden!(
        "show",
        render::rollout::whole(&samples::half_way(), Style::PLAIN)
    );
}

#[test]
fn progress() {
    let view = samples::half_way();
    let client =
        serde_json::from_str(r#"{"acked": 8123, "current_gap_ms": 4.2, "max_gap_ms": 311.5}"#);
    let block = render::progress::block(
        &view,
        view.at_unix_ms,
        Some(&Ok(client.unwrap())),
        None,
        Style::PLAIN,
        110,
    );
    golden!("progress", block.join("\n"));
}

#[test]
fn no_writes_are_possible_and_the_controller_is_away() {
    let mut view = samples::half_way();
    view.writes.gap_ms = Some(312);
    view.waiting_for = vec!["db2: UNREACHABLE".to_owned()];
    let lost = Some("cannot reach controller ctl");
    let block = render::progress::block(&view, view.at_unix_ms, None, lost, Style::PLAIN, 110);
    golden!("progress-in-trouble", block.join("\n"));
}

#[test]
fn ticket() {
    let view = samples::upgraded();
    let fleet = samples::fleet();
    let client =
        serde_json::from_str(r#"{"acked": 8123, "current_gap_ms": 4.2, "max_gap_ms": 311.5}"#);
    let client = Ok(client.unwrap());
    let ticket = render::ticket::Ticket::of(&view, Ok(&fleet), Some(&client));
    golden!("ticket", render::ticket::text(&ticket, Style::PLAIN));
}

#[test]
fn check() {
    let mut seen = crate::world::group(&["8.4.6"; 3], &["8.4.6-1", "9.7.4-1"]);
    crate::world::change_server(&mut seen, "db2", |server| {
        server.explicit_variables.clear();
        server
            .variables
            .insert("binlog_expire_logs_seconds".to_owned(), "3600".to_owned());
    });
    let want = crate::world::request("9.7.4");
    let subject = refit_shared::checks::Subject {
        seen: &seen,
        target: want.target,
        policy: &want.policy,
        strategy: want.strategy,
        today: "2026-11-20".parse().unwrap(),
    };
    let judged = refit_proto::operator::Judgement {
        cluster: "shop".to_owned(),
        target: "9.7.4".to_owned(),
        server_address: "db1 (8.4.6), db2 (8.4.6), db3 (8.4.6)".to_owned(),
        server_version: "8.4.6".to_owned(),
        checks: refit_shared::checks::run(subject),
        manual: refit_shared::checks::manual(&subject.pairs(), &[])
            .map(Into::into)
            .collect(),
    };
    golden!("check", render::check::text(&judged, Style::PLAIN));
    let json = serde_json::to_string_pretty(&render::check::json(&judged)).unwrap();
    golden!("check-json", json);
    in_the_shape_of_the_shell(&render::check::json(&judged));
    golden!("check-html", render::check_html::page(&judged));
}

/// Whoever reads what MySQL Shell's `util.checkForServerUpgrade` prints as JSON can read this. Source: MySQL Shell,
/// `upgrade_check_formatter.cc`.
fn in_the_shape_of_the_shell(json: &serde_json::Value) {
    let is = |value: &serde_json::Value, keys: &[&str], kind: fn(&serde_json::Value) -> bool| {
        for key in keys {
            assert!(kind(&value[key]), "{key} in {value:#}");
        }
    };
    let text = serde_json::Value::is_string;
    is(
        json,
        &["serverAddress", "serverVersion", "targetVersion", "summary"],
        text,
    );
    is(
        json,
        &["errorCount", "warningCount", "noticeCount"],
        serde_json::Value::is_u64,
    );
    is(
        json,
        &["checksPerformed", "manualChecks"],
        serde_json::Value::is_array,
    );
    let link = |value: &serde_json::Value| value.is_string() || value.is_null();
    let mut counted = [0, 0, 0];
    for check in json["checksPerformed"].as_array().unwrap() {
        is(check, &["id", "title", "description"], text);
        is(check, &["documentationLink"], link);
        assert!(["OK", "ERROR"].contains(&check["status"].as_str().unwrap()));
        for problem in check["detectedProblems"].as_array().unwrap() {
            is(
                problem,
                &["level", "dbObject", "dbObjectType", "description"],
                text,
            );
            let levels = ["Error", "Warning", "Notice"];
            let level = levels.iter().position(|level| problem["level"] == *level);
            counted[level.expect("one of the Shell's")] += 1;
        }
    }
    for (key, count) in ["errorCount", "warningCount", "noticeCount"]
        .iter()
        .zip(counted)
    {
        assert_eq!(json[key], count, "{key}");
    }
    for check in json["manualChecks"].as_array().unwrap() {
        is(check, &["id", "title", "description"], text);
        is(check, &["documentationLink"], link);
    }
}

#[test]
fn config() {
    golden!(
        "config",
        render::config::text(&samples::configuration(), Style::PLAIN)
    );
}

#[test]
fn pins() {
    golden!("pins", render::pins::text(&samples::pinned(), Style::PLAIN));
}

#[test]
fn rehearsal() {
    let mut found = samples::rehearsal();
    golden!(
        "rehearsal",
        render::rehearsal::text(&found, "db2", Style::PLAIN)
    );
    found.broken.clear();
    assert!(found.passed());
    found.refused = Some("MY-014060: this upgrade path is not supported".to_owned());
    let text = render::rehearsal::text(&found, "db2", Style::PLAIN);
    assert!(
        text.contains("REFUSED after 9.8 s: MY-014060") && text.contains("FAILED"),
        "{text}"
    );
}

#[test]
fn check_list() {
    golden!("check-list", render::check_list::text(Style::PLAIN));
}

/// Why each table is rebuilt, and the estimates from their sizes.
#[test]
fn a_plan_to_rebuild_advised_tables() {
    use refit_shared::checks::rebuilds::{Advice, Advised};
    let mut request = crate::world::request("9.7.4");
    request.strategy = Some(refit_shared::plan::Strategy::RebuildTables);
    let reason = "checkTableCommand: Table rebuild required. Please do \"ALTER TABLE `items` FORCE\" or dump/reload to fix it! (db1)";
    let table: refit_shared::table::TableName = "shop.items".parse().unwrap();
    request.tables = vec![table.clone()];
    request.advised = Some(Advised {
        version: request.target,
        check_tables: true,
        advice: Advice {
            tables: [(table, [reason.to_owned()].into())].into(),
            notes: vec!["checkTableCommand: db1: 2 of 2 tables checked in 0.1 s".to_owned()],
        },
    });
    let seen = crate::world::replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &["9.7.4-1"]);
    let made = refit_shared::planner::plan(&request, &seen, samples::BEGAN);
    golden!(
        "plan-rebuild-tables",
        render::plan::text(&made.unwrap().0, Style::PLAIN)
    );
    let missing = crate::world::request("9.7.4");
    let missing = refit_shared::planner::Request {
        strategy: request.strategy,
        tables: vec!["shop.itms".parse().unwrap()],
        ..missing
    };
    let refusal = refit_shared::planner::plan(&missing, &seen, samples::BEGAN).unwrap_err();
    assert!(refusal.to_string().contains("3 finding"), "{refusal}");
}
