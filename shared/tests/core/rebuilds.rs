//! Plans to rebuild tables: golden text files, the refusals, and what the linter condemns.

use crate::planner::golden;
use crate::support::{
    change_member, change_server, group, member, multi_primary, replicas, request,
};
use refit_shared::linter;
use refit_shared::observation::{Fact, MemberState};
use refit_shared::operation::OperationKind;
use refit_shared::plan::{Action, Lane, Plan, Strategy};
use refit_shared::planner::{Refusal, Request, plan};
use refit_shared::table::TableFacts;
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

/// The source without binary log and network, and looked at before it takes writes again.
#[test]
fn a_source_that_is_restarted() {
    let mut request = two();
    request.restart_source = true;
    golden(
        "rebuild-tables-restart-source",
        &request,
        &replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &SAME),
    );
    // What would lock writers out is no matter where there are none.
    let mut seen = replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &SAME);
    if let Some(Fact::Known(survey)) = seen.surveys.get_mut(&member("db1"))
        && let Some(Fact::Known(tables)) = &mut survey.tables
    {
        for facts in tables.values_mut() {
            if let TableFacts::Base { locks, .. } = facts {
                *locks = true;
            }
        }
    }
    plan(&request, &seen, 5).unwrap();
    assert!(plan(&two(), &seen, 5).is_err());
    let said = refusal(&request, &group(&["9.7.4"; 3], &SAME));
    assert_eq!(
        said,
        [
            "rebuild-tables: --restart-source: a group has no source: each member is out of it while its tables are rebuilt"
        ]
    );
}

#[test]
fn the_linter_condemns_a_source_that_is_opened_before_it_was_looked_at() {
    let mut request = two();
    request.restart_source = true;
    let seen = replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &SAME);
    let base = plan(&request, &seen, 5).unwrap().0;
    assert_eq!(linter::judge(&base), Vec::new());
    fn source(plan: &mut Plan) -> &mut Lane {
        let title = "rebuild tables of db1";
        let stage = plan.stages.iter_mut().find(|s| s.title == title).unwrap();
        &mut stage.lanes[0]
    }
    fn at(lane: &Lane, kind: OperationKind) -> usize {
        let is = |s: &refit_shared::plan::Step| s.operation().is_some_and(|o| o.kind() == kind);
        lane.steps.iter().position(is).unwrap()
    }
    const SEEN: &str =
        "a gate has seen that a restarted source logs and listens before writes are let in";
    const ORDER: &str = "a restarted source's steps are complete and in order";
    const SECLUDED: &str =
        "tables are inspected for the way in which their server will rebuild them";
    fn inspect<'a>(plan: &'a mut Plan, name: &str) -> &'a mut bool {
        let lanes = plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes);
        let own = lanes.filter(|lane| lane.member == member(name));
        own.flat_map(|lane| &mut lane.steps)
            .find_map(|step| match &mut step.action {
                Action::Operate {
                    order: refit_shared::operation::Operation::InspectTables { secluded, .. },
                } => Some(secluded),
                _ => None,
            })
            .unwrap()
    }
    type Spoil = fn(&mut Plan);
    let cases: [(&str, Spoil); 12] = [
        // What would lock writers out would pass on a server that they reach.
        (SECLUDED, |plan| *inspect(plan, "db2") = true),
        (SECLUDED, |plan| *inspect(plan, "db1") = false),
        (SEEN, |plan| {
            let lane = source(plan);
            let verify = at(lane, OperationKind::RebuildOffline) + 1;
            lane.steps.remove(verify);
        }),
        (SEEN, |plan| {
            let lane = source(plan);
            let verify = at(lane, OperationKind::RebuildOffline) + 1;
            if let Action::Gate(gate) = &mut lane.steps[verify].action {
                gate.conditions.remove(1);
            }
        }),
        (SEEN, |plan| {
            let lane = source(plan);
            let verify = at(lane, OperationKind::RebuildOffline) + 1;
            lane.steps.swap(verify, verify + 1);
        }),
        (ORDER, |plan| {
            let lane = source(plan);
            let allow = at(lane, OperationKind::AllowWrites);
            let step = lane.steps.remove(allow);
            let rebuild = at(lane, OperationKind::RebuildOffline);
            lane.steps.insert(rebuild, step);
        }),
        (ORDER, |plan| {
            let lane = source(plan);
            let stop = at(lane, OperationKind::StopServer);
            lane.steps.remove(stop);
        }),
        (ORDER, |plan| {
            let lane = source(plan);
            let keep = at(lane, OperationKind::KeepWritable);
            lane.steps.remove(keep);
        }),
        ("writes are paused before the source stops", |plan| {
            for step in &mut source(plan).steps {
                if let Action::Operate {
                    order: refit_shared::operation::Operation::StopServer { drain_s, .. },
                } = &mut step.action
                {
                    *drain_s = 0;
                }
            }
        }),
        (
            "a server is restarted as the version that was seen",
            |plan| {
                for step in &mut source(plan).steps {
                    if let Action::Operate {
                        order: refit_shared::operation::Operation::RebuildOffline { version, .. },
                    } = &mut step.action
                    {
                        *version = "9.7.5".parse().unwrap();
                    }
                }
            },
        ),
        ("only a source is restarted to rebuild its tables", |plan| {
            source(plan).member = member("db2");
        }),
        ("tables are rebuilt only by a plan for that", |plan| {
            plan.strategy = Strategy::ReplicasFirst;
        }),
    ];
    for (rule, spoil) in cases {
        let mut spoiled = base.clone();
        spoil(&mut spoiled);
        let found = linter::judge(&spoiled);
        assert!(found.iter().any(|v| v.rule == rule), "{rule}: {found:?}");
    }
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

/// What the servers say of the tables, and of their disks, is judged before there is a plan: every mistake, by server and table.
#[test]
fn every_server_is_asked_about_every_table() {
    let mut seen = replicas(&["9.7.4"; 3], &[(2, 1), (3, 1)], &SAME);
    let locks = TableFacts::Base {
        engine: "InnoDB".to_owned(),
        bytes: 1 << 20,
        locks: true,
    };
    let of = |seen: &mut Sighting, name: &str, table: &str, facts: TableFacts| {
        let Some(Fact::Known(survey)) = seen.surveys.get_mut(&member(name)) else {
            panic!("it was asked")
        };
        let Some(Fact::Known(tables)) = &mut survey.tables else {
            panic!("it was asked about tables")
        };
        tables.insert(table.parse().unwrap(), facts);
    };
    for name in ["db1", "db2"] {
        of(&mut seen, name, "shop.items", locks.clone());
    }
    of(&mut seen, "db2", "shop.orders", TableFacts::Missing);
    of(
        &mut seen,
        "db3",
        "shop.orders",
        TableFacts::NotBase("VIEW".to_owned()),
    );
    change_member(&mut seen, "db3", |seen| {
        let Fact::Known(storage) = &mut seen.storage else {
            panic!("it was seen")
        };
        storage.data_free_bytes = 1 << 30;
    });
    assert_eq!(
        refusal(&two(), &seen),
        [
            "rebuild-tables: db1: shop.items: has a FULLTEXT or SPATIAL index: its rebuild would lock out all who write to it here",
            "rebuild-tables: db2: shop.orders: is not there",
            "rebuild-tables: db3: shop.orders: is a VIEW",
            "rebuild-tables: db3: the largest of these tables needs 1344 MiB beside itself while it is rebuilt, and 1024 MiB are free",
        ]
    );
}

/// A server that could not be asked is no server that has the tables.
#[test]
fn what_is_not_told_is_in_the_way() {
    let mut seen = group(&["9.7.4"; 3], &SAME);
    let survey = |name: &str| member(name);
    let unknown = Fact::Unknown("no answer within 10 s".to_owned());
    if let Some(Fact::Known(known)) = seen.surveys.get_mut(&survey("db1")) {
        known.tables = Some(unknown);
    }
    if let Some(Fact::Known(known)) = seen.surveys.get_mut(&survey("db2")) {
        known.tables = None;
    }
    let mut one = rebuild(&["shop.items"]);
    let said = refusal(&one, &seen);
    assert_eq!(
        said,
        [
            "rebuild-tables: db1: shop.items: is not known: no answer within 10 s",
            "rebuild-tables: db2: shop.items: is not known: its agent does not tell about tables: upgrade refit-agent",
        ]
    );
    one = rebuild(&["shop.itms"]);
    let said = refusal(&one, &seen);
    assert!(
        said[2].contains("db3: shop.itms: is not known: its agent has not told"),
        "{said:?}"
    );
}

/// Each member out of the group, the primary last, and the role goes back.
#[test]
fn a_group() {
    golden("rebuild-tables-group", &two(), &group(&["9.7.4"; 3], &SAME));
    golden(
        "rebuild-tables-multi-primary",
        &rebuild(&["shop.items"]),
        &multi_primary(&["9.7.4"; 3], &SAME),
    );
    let mut stays = two();
    stays.policy.restore_primary = false;
    let plan = plan(&stays, &group(&["9.7.4"; 5], &SAME), 5).unwrap().0;
    let appoints = OperationKind::AppointPrimary;
    assert!(
        plan.steps()
            .all(|s| s.operation().is_none_or(|order| order.kind() != appoints))
    );
}

#[test]
fn a_group_that_can_spare_nobody_or_has_lost_somebody_is_refused() {
    let mut strict = two();
    strict.policy.accept_no_spare = false;
    let said = refusal(&strict, &group(&["9.7.4"; 3], &SAME));
    assert!(
        said.iter().any(|why| why.starts_with("spareMember")),
        "{said:?}"
    );
    let mut seen = group(&["9.7.4"; 5], &SAME);
    change_server(&mut seen, "db3", |server| {
        if let Fact::Known(Some(group)) = &mut server.group {
            group.own_state = MemberState::Error;
            group.members[2].state = MemberState::Error;
        }
    });
    let said = refusal(&two(), &seen);
    assert!(
        said.iter()
            .any(|why| why.starts_with("groupReplicationMembers")),
        "{said:?}"
    );
}

#[test]
fn the_linter_condemns_a_rebuild_within_a_group() {
    fn lane<'a>(plan: &'a mut Plan, name: &str) -> &'a mut Lane {
        let title = format!("rebuild tables of {name}");
        let stage = plan.stages.iter_mut().find(|s| s.title == title).unwrap();
        &mut stage.lanes[0]
    }
    fn without(plan: &mut Plan, name: &str, kind: OperationKind) {
        let steps = &mut lane(plan, name).steps;
        steps.retain(|s| s.operation().is_none_or(|order| order.kind() != kind));
    }
    const OUT: &str = "a member is out of its group while its tables are rebuilt";
    type Spoil = fn(&mut Plan);
    let cases: [(&str, Spoil); 9] = [
        (OUT, |plan| without(plan, "db2", OperationKind::LeaveGroup)),
        (OUT, |plan| {
            without(plan, "db2", OperationKind::EnterMaintenance)
        }),
        (OUT, |plan| lane(plan, "db2").steps.swap(4, 5)),
        ("the primary is upgraded last", |plan| {
            let last = plan.stages.len() - 2;
            plan.stages.swap(last, last - 1);
        }),
        ("the primary role goes back at the end", |plan| {
            plan.stages.pop();
        }),
        (
            "a gate stands directly before a member is taken out",
            |plan| {
                lane(plan, "db3").steps.remove(2);
            },
        ),
        ("maintenance is entered behind a gate", |plan| {
            lane(plan, "db3").steps.remove(0);
        }),
        (
            "a member's lane ends with a gate that also guards the way back",
            |plan| {
                lane(plan, "db3").steps.pop();
            },
        ),
        ("a plan to rebuild tables does nothing else", |plan| {
            lane(plan, "db3").steps[4].action = Action::Operate {
                order: refit_shared::operation::Operation::AllowWrites,
            };
        }),
    ];
    let base = plan(&two(), &group(&["9.7.4"; 3], &SAME), 5).unwrap().0;
    assert_eq!(linter::judge(&base), Vec::new());
    for (rule, spoil) in cases {
        let mut spoiled = base.clone();
        spoil(&mut spoiled);
        let found = linter::judge(&spoiled);
        assert!(found.iter().any(|v| v.rule == rule), "{rule}: {found:?}");
    }
    let seen = multi_primary(&["9.7.4"; 3], &SAME);
    let mut alone = plan(&two(), &seen, 5).unwrap().0;
    assert_eq!(linter::judge(&alone), Vec::new());
    if let Action::Gate(gate) = &mut lane(&mut alone, "db1").steps[2].action {
        gate.conditions.remove(1);
    }
    let found = linter::judge(&alone);
    let rule = "somebody else takes writes before a member is taken out";
    assert!(found.iter().any(|v| v.rule == rule), "{found:?}");
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
