//! Which tables the checks advise to rebuild, why, and what they leave alone.

use crate::planner::golden;
use crate::support::{group, member, replicas, request, tables};
use refit_shared::checks::rebuilds::{Advice, Advised, advise, needed};
use refit_shared::checks::{CHECK_TABLES, Finding, Selection, Subject, VersionPair};
use refit_shared::observation::Fact;
use refit_shared::plan::Strategy;
use refit_shared::planner::Request;
use refit_shared::survey::{Listing, Question, Row};
use refit_shared::topology::Sighting;

fn row(name: &str, part: &str, detail: &str) -> Row {
    Row {
        schema: if name.is_empty() { "" } else { "shop" }.to_owned(),
        name: name.to_owned(),
        part: part.to_owned(),
        detail: detail.to_owned(),
    }
}

fn answer(seen: &mut Sighting, names: &[&str], question: Question, rows: &[Row], more: u64) {
    for name in names {
        let Some(Fact::Known(survey)) = seen.surveys.get_mut(&member(name)) else {
            panic!("it was asked")
        };
        let listing = Listing {
            total: rows.len() as u64 + more,
            rows: rows.to_vec(),
        };
        survey.answers.insert(question, Fact::Known(listing));
    }
}

fn advice(seen: &Sighting, version: &str) -> Result<Advice, Vec<Finding>> {
    let want = request(version);
    let subject = Subject {
        seen,
        target: want.target,
        policy: &want.policy,
        strategy: Some(Strategy::RebuildTables),
        today: "2026-11-28".parse().unwrap(),
    };
    advise(subject, &Selection::all().with(CHECK_TABLES))
}

fn told(advice: &Advice) -> Vec<String> {
    let reasons = |(table, reasons): (&_, &std::collections::BTreeSet<String>)| {
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
        format!("{table}: {}", reasons.join("; "))
    };
    advice.tables.iter().map(reasons).collect()
}

const REBUILD: &str =
    "Table rebuild required. Please do \"ALTER TABLE `items` FORCE\" or dump/reload to fix it!";

/// What the server asks to have rebuilt is; damage, and what it only notes, is for a person.
#[test]
fn what_check_table_asks_to_have_rebuilt_is_advised() {
    let mut seen = group(&["9.7.4"; 3], &["9.7.4-1"]);
    let rows = [
        row("items", "error", REBUILD),
        row("broken", "error", "Corrupt"),
        row(
            "other",
            "note",
            "The storage engine for the table doesn't support check",
        ),
        row("", "", "3 of 3 tables checked in 0.1 s"),
    ];
    answer(&mut seen, &["db1"], Question::CheckedTables, &rows, 0);
    let unasked = row(
        "",
        "",
        "0 of 3 tables checked in 0.0 s; 3 not asked, because …",
    );
    answer(&mut seen, &["db2"], Question::CheckedTables, &[unasked], 0);
    let found = advice(&seen, "9.7.4").unwrap();
    assert_eq!(
        told(&found),
        [format!("shop.items: checkTableCommand: {REBUILD} (db1)")]
    );
    assert_eq!(
        found.notes,
        [
            "checkTableCommand: db1: 3 of 3 tables checked in 0.1 s",
            "checkTableCommand: db2: 0 of 3 tables checked in 0.0 s; 3 not asked, because …",
        ]
    );
}

/// Formats of old, where the version that they are to be fit for minds them; several reasons for one table.
#[test]
fn old_formats_are_advised_for_the_version_that_minds_them() {
    let mut seen = group(&["5.7.44"; 3], &["5.7.44-1"]);
    let all = ["db1", "db2", "db3"];
    let old = [row("orders", "made", "datetime /* 5.5 binary format */")];
    answer(&mut seen, &all, Question::OldTemporals, &old, 0);
    answer(
        &mut seen,
        &all,
        Question::OldGeometries,
        &[row("orders", "at", "")],
        2,
    );
    answer(
        &mut seen,
        &all,
        Question::RowFormats,
        &[row("items", "", "COMPACT")],
        0,
    );
    answer(
        &mut seen,
        &all,
        Question::OtherPartitions,
        &[row("log", "", "MyISAM")],
        0,
    );
    let found = advice(&seen, "8.0.20").unwrap();
    assert_eq!(
        told(&found),
        [
            "shop.orders: oldGeometryTypes: at is stored in the format of 5.6; \
             oldTemporal: made is datetime /* 5.5 binary format */: the format of 5.5"
        ]
    );
    assert_eq!(found.notes.len(), 3, "{:?}", found.notes);
    assert!(found.notes[0].contains("db1: 2 more are not named"));
    assert_eq!(told(&advice(&seen, "5.7.44").unwrap()), [""; 0]);

    let mut seen = group(&["8.0.30"; 3], &["8.0.30-1"]);
    answer(
        &mut seen,
        &all,
        Question::RowVersions,
        &[row("items", "", "7")],
        0,
    );
    let found = advice(&seen, "8.0.30").unwrap();
    assert_eq!(
        told(&found),
        ["shop.items: instantRowVersions: has 7 row versions"]
    );
}

/// Rebuilt before the upgrade, a spatial index would be made by the very version that makes it wrongly.
#[test]
fn spatial_indexes_are_not_advised() {
    let mut seen = group(&["8.4.3"; 3], &["8.4.3-1"]);
    let indexes = [row("places", "at", "at")];
    answer(&mut seen, &["db1"], Question::SpatialIndexes, &indexes, 0);
    assert_eq!(told(&advice(&seen, "9.7.4").unwrap()), [""; 0]);
}

#[test]
fn a_missing_answer_is_no_table_that_is_well() {
    let mut seen = group(&["9.7.4"; 3], &["9.7.4-1"]);
    let Some(Fact::Known(survey)) = seen.surveys.get_mut(&member("db2")) else {
        panic!("it was asked")
    };
    let unknown = Fact::Unknown("no answer within 26 s".to_owned());
    survey.answers.insert(Question::CheckedTables, unknown);
    let missing = advice(&seen, "9.7.4").unwrap_err();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].object, "db2");
    assert!(missing[0].description.contains("no answer within 26 s"));
}

/// A name that --tables can't be given is told, not dropped.
#[test]
fn a_table_that_can_not_be_named_is_told() {
    let mut seen = group(&["9.7.4"; 3], &["9.7.4-1"]);
    let rows = [row("a.b", "error", REBUILD)];
    answer(&mut seen, &["db1"], Question::CheckedTables, &rows, 0);
    let found = advice(&seen, "9.7.4").unwrap();
    assert!(found.tables.is_empty());
    assert!(
        found.notes[0].contains("\"shop.a.b\" is not SCHEMA.TABLE"),
        "{:?}",
        found.notes
    );
}

/// Only what applies is asked, and CHECK TABLE only when a person says so.
#[test]
fn no_more_is_asked_than_needed() {
    let pair = |from: &str, to: &str| VersionPair {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let all = Selection::all();
    assert!(needed(&all, pair("9.7.4", "9.7.4")).is_empty());
    let with = all.clone().with(CHECK_TABLES);
    let asked = needed(&with, pair("9.7.4", "9.7.4"));
    assert!(asked.into_iter().eq([Question::CheckedTables]));
    let asked = needed(&all, pair("5.7.44", "8.0.20"));
    assert!(asked.contains(&Question::OldTemporals) && asked.contains(&Question::OldGeometries));
}

#[test]
fn a_plan_says_why_each_table_is_rebuilt() {
    let mut seen = replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &["9.7.4-1"]);
    let rows = [
        row("items", "error", REBUILD),
        row("", "", "2 of 2 tables checked in 0.1 s"),
    ];
    answer(&mut seen, &["db1"], Question::CheckedTables, &rows, 0);
    let advice = advice(&seen, "9.7.4").unwrap();
    let named = tables(&["shop.items"]);
    let request = Request {
        strategy: Some(Strategy::RebuildTables),
        tables: advice.tables.keys().cloned().collect(),
        advised: Some(Advised {
            version: "9.7.4".parse().unwrap(),
            check_tables: true,
            advice,
        }),
        ..request("9.7.4")
    };
    assert!(request.tables.iter().eq(named.keys()));
    golden("rebuild-tables-advised", &request, &seen);
}
