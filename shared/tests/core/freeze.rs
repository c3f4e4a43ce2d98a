//! Who changes a schema or an account while versions differ is told of, and nobody else.

use crate::support::{change_server, member, replicas, request};
use refit_shared::observation::{Fact, SchemaStatement};
use refit_shared::plan::{Plan, freeze};
use refit_shared::planner::plan;
use refit_shared::topology::Sighting;

/// 2026-11-28 09:30:00 UTC.
const BEGUN: i64 = 1_795_858_200_000;
const TREE: [(usize, usize); 2] = [(2, 1), (3, 2)];

fn seen() -> Sighting {
    replicas(&["9.7.3"; 3], &TREE, &["9.7.4-1", "9.7.3-1"])
}

fn made() -> Plan {
    plan(&request("9.7.4"), &seen(), 5).unwrap().0
}

fn ran(seen: &mut Sighting, on: &str, statements: &[(&str, Option<&str>, i64)]) {
    let statements = statements
        .iter()
        .map(|(text, schema, after_s)| SchemaStatement {
            schema: schema.map(str::to_owned),
            text: (*text).to_owned(),
            times: 1,
            last_unix_ms: BEGUN + after_s * 1000,
        });
    let statements: Vec<_> = statements.collect();
    change_server(seen, on, |server| {
        server.schema_statements = Fact::Known(statements);
    });
}

#[test]
fn only_sources_are_frozen_and_only_while_versions_differ() {
    assert_eq!(made().frozen, [member("db1")].into());
}

#[test]
fn what_was_run_since_is_told() {
    let mut seen = seen();
    ran(
        &mut seen,
        "db1",
        &[
            (
                "ALTER TABLE `orders` ADD COLUMN `a` INTEGER",
                Some("shop"),
                75,
            ),
            ("CREATE SYSTEM_USER ? @?", None, 0),
            ("DROP TABLE `old`", Some("shop"), -1),
        ],
    );
    // It only applies what came from its source.
    ran(
        &mut seen,
        "db2",
        &[("CREATE TABLE `t` ( `i` INTEGER )", Some("shop"), 10)],
    );
    assert_eq!(
        freeze::broken(&made(), &seen, BEGUN),
        [
            "schemas and accounts of db1 are to be left alone, but there was ALTER TABLE `orders` ADD COLUMN `a` INTEGER \
             (in shop, 2026-11-28 09:31:15 UTC), CREATE USER ? @? (2026-11-28 09:30:00 UTC)"
        ]
    );
    assert!(freeze::broken(&made(), &seen, BEGUN + 76_000).is_empty());
}

#[test]
fn much_is_told_in_short() {
    let mut seen = seen();
    let long = format!("CREATE TABLE `{}`", "x".repeat(200));
    let one = (long.as_str(), None, 1);
    ran(&mut seen, "db1", &[one; 5]);
    let told = freeze::broken(&made(), &seen, BEGUN).remove(0);
    assert!(told.ends_with(" and 2 more"), "{told}");
    assert!(told.len() < 700, "{told}");
}

#[test]
fn what_can_not_be_seen_is_told_and_a_server_that_is_down_is_not() {
    let mut seen = seen();
    change_server(&mut seen, "db1", |server| {
        server.schema_statements = Fact::Unknown("no digests".into());
    });
    assert_eq!(
        freeze::broken(&made(), &seen, BEGUN),
        ["can't tell whether schemas and accounts of db1 are left alone: no digests"]
    );
    crate::support::change_member(&mut seen, "db1", |seen| {
        seen.server = Fact::Unknown("stopped".into());
    });
    assert!(freeze::broken(&made(), &seen, BEGUN).is_empty());
}
