//! Plans to rebuild tables: golden text files, the refusals, and what the linter condemns.

use crate::planner::golden;
use crate::support::{group, replicas, request};
use refit_shared::linter;
use refit_shared::operation::OperationKind;
use refit_shared::plan::{Action, Plan, Strategy};
use refit_shared::planner::{Refusal, Request, plan};
use refit_shared::topology::Sighting;

const SAME: [&str; 1] = ["9.7.4-1"];
const TREE: [(usize, usize); 4] = [(2, 1), (3, 2), (4, 2), (5, 1)];

fn rebuild(tables: &[&str]) -> Request {
    Request {
        strategy: Some(Strategy::RebuildTables),
        tables: tables.iter().map(|name| name.parse().unwrap()).collect(),
        ..request("9.7.4")
    }
}

fn two() -> Request {
    rebuild(&["shop.items", "shop.orders"])
}

fn refusal(request: &Request, seen: &Sighting) -> Vec<String> {
    match plan(request, seen, 5) {
        Err(Refusal::Blocked(findings)) => findings
            .into_iter()
            .map(|f| format!("{}: {}: {}", f.check, f.object, f.description))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_source_and_two_replicas() {
    golden(
        "rebuild-tables-three",
        &two(),
        &replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &SAME),
    );
}

#[test]
fn a_tree() {
    golden(
        "rebuild-tables-tree",
        &rebuild(&["shop.items"]),
        &replicas(&["9.7.4"; 5], &TREE, &SAME),
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    let mixed = replicas(&["9.7.3", "9.7.4", "9.7.4"], &[(2, 1), (3, 1)], &SAME);
    let said = refusal(&rebuild(&["shop.items", "shop.items"]), &mixed);
    assert_eq!(
        said,
        [
            "rebuild-tables: shop.items: is given twice",
            "rebuild-tables: db1: runs 9.7.3, not 9.7.4: tables are rebuilt where every server runs one version; finish the upgrade first",
        ]
    );
    let three = replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &SAME);
    let said = refusal(&rebuild(&[]), &three);
    assert!(said[0].contains("no table is given"), "{said:?}");
}

/// By one member alone it would diverge; as a statement of the group it would reach all at once (MYSQL.md §3.8).
#[test]
fn a_group_is_refused() {
    let seen = group(&["9.7.4"; 3], &SAME);
    let said = refusal(&two(), &seen);
    assert!(
        said.iter()
            .any(|why| why.contains("rebuild tables is not for a")),
        "{said:?}"
    );
}

#[test]
fn the_linter_condemns_what_would_reach_others() {
    let base = plan(&two(), &replicas(&["9.7.4"; 5], &TREE, &SAME), 5)
        .unwrap()
        .0;
    assert_eq!(linter::judge(&base), Vec::new());
    type Spoil = fn(&mut Plan);
    fn without(plan: &mut Plan, kind: OperationKind) {
        for lane in plan.stages.iter_mut().flat_map(|s| &mut s.lanes) {
            lane.steps
                .retain(|s| s.operation().is_none_or(|order| order.kind() != kind));
        }
    }
    fn stage(plan: &Plan, name: &str) -> usize {
        let title = format!("rebuild tables of {name}");
        plan.stages.iter().position(|s| s.title == title).unwrap()
    }
    let cases: [(&str, Spoil); 9] = [
        ("tables are rebuilt only by a plan for that", |plan| {
            plan.strategy = Strategy::ReplicasFirst;
        }),
        (
            "a replica does not replicate while its tables are rebuilt",
            |plan| without(plan, OperationKind::StopReplica),
        ),
        (
            "a replica does not replicate while its tables are rebuilt",
            |plan| without(plan, OperationKind::EnterMaintenance),
        ),
        (
            "all servers' tables are inspected before the first is rebuilt",
            |plan| without(plan, OperationKind::InspectTables),
        ),
        ("tables are rebuilt on every server", |plan| {
            let db5 = stage(plan, "db5");
            plan.stages.remove(db5);
        }),
        (
            "a server's tables are rebuilt after those of all that replicate from it",
            |plan| {
                let (db2, db3) = (stage(plan, "db2"), stage(plan, "db3"));
                plan.stages.swap(db2, db3);
            },
        ),
        ("tables are rebuilt on one server at a time", |plan| {
            let db5 = stage(plan, "db5");
            let lanes = plan.stages.remove(db5).lanes;
            let db4 = stage(plan, "db4");
            plan.stages[db4].lanes.extend(lanes);
        }),
        (
            "a gate that has seen every replica follow stands before a rebuild",
            |plan| {
                let db1 = stage(plan, "db1");
                if let Action::Gate(gate) = &mut plan.stages[db1].lanes[0].steps[0].action {
                    gate.conditions.truncate(1);
                }
            },
        ),
        ("a plan to rebuild tables does nothing else", |plan| {
            let db1 = stage(plan, "db1");
            let step = &mut plan.stages[db1].lanes[0].steps[1];
            step.action = Action::Operate {
                order: refit_shared::operation::Operation::AllowWrites,
            };
        }),
    ];
    for (rule, spoil) in cases {
        let mut spoiled = base.clone();
        spoil(&mut spoiled);
        let found = linter::judge(&spoiled);
        assert!(found.iter().any(|v| v.rule == rule), "{rule}: {found:?}");
    }
}
