//! Plans for replication topologies as a DBA would review them: golden text files, the refusals, and what the linter condemns.

use crate::planner::golden;
use crate::support::{change_member, change_server, channel_of, member, replicas, request};
use refit_shared::condition::Condition;
use refit_shared::linter;
use refit_shared::observation::Fact;
use refit_shared::operation::{Operation, OperationKind};
use refit_shared::plan::{Action, ApprovePivot, Gate, Plan, Reversibility, Strategy};
use refit_shared::planner::{Refusal, Request, plan};
use refit_shared::topology::Sighting;

const PATCH: [&str; 2] = ["9.7.4-1", "9.7.3-1"];
const SERIES: [&str; 2] = ["9.7.4-1", "8.4.6-1"];
const THREE: [(usize, usize); 2] = [(2, 1), (3, 1)];
const CHAIN: [(usize, usize); 2] = [(2, 1), (3, 2)];
const TREE: [(usize, usize); 4] = [(2, 1), (3, 2), (4, 2), (5, 1)];

fn switchover(target: &str) -> Request {
    Request {
        strategy: Some(Strategy::Switchover),
        ..request(target)
    }
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

fn made(request: &Request, seen: &Sighting) -> Plan {
    plan(request, seen, 5)
        .unwrap_or_else(|why| panic!("{why:?}"))
        .0
}

#[test]
fn a_source_and_two_replicas() {
    golden(
        "replicas-first-9.7.3-to-9.7.4",
        &request("9.7.4"),
        &replicas(&["9.7.3"; 3], &THREE, &PATCH),
    );
    let mut request = request("9.7.4");
    request.policy.approve_pivot = ApprovePivot::Auto;
    golden(
        "replicas-first-8.4.6-to-9.7.4",
        &request,
        &replicas(&["8.4.6"; 3], &THREE, &SERIES),
    );
}

#[test]
fn a_source_and_one_replica() {
    golden(
        "replicas-first-pair",
        &request("9.7.4"),
        &replicas(&["9.7.3"; 2], &[(2, 1)], &PATCH),
    );
}

#[test]
fn a_chain() {
    golden(
        "replicas-first-chain",
        &request("9.7.4"),
        &replicas(&["8.4.6"; 3], &CHAIN, &SERIES),
    );
}

#[test]
fn a_tree() {
    golden(
        "replicas-first-tree",
        &request("9.7.4"),
        &replicas(&["9.7.3"; 5], &TREE, &PATCH),
    );
}

#[test]
fn a_replica_of_two_sources() {
    golden(
        "replicas-first-multi-source",
        &request("9.7.4"),
        &replicas(&["9.7.3"; 3], &[(3, 1), (3, 2)], &PATCH),
    );
}

#[test]
fn replicas_that_are_upgraded_already_are_left_alone() {
    golden(
        "replicas-first-half-upgraded",
        &request("9.7.4"),
        &replicas(&["9.7.3", "9.7.4", "9.7.3"], &THREE, &PATCH),
    );
}

#[test]
fn a_switchover() {
    golden(
        "switchover-9.7.3-to-9.7.4",
        &switchover("9.7.4"),
        &replicas(&["9.7.3"; 3], &THREE, &PATCH),
    );
    golden(
        "switchover-8.4.6-to-9.7.4",
        &switchover("9.7.4"),
        &replicas(&["8.4.6"; 3], &THREE, &SERIES),
    );
    golden(
        "switchover-pair",
        &switchover("9.7.4"),
        &replicas(&["9.7.3"; 2], &[(2, 1)], &PATCH),
    );
}

#[test]
fn a_switchover_to_the_one_that_is_asked_for_keeps_what_is_below_it() {
    let mut request = switchover("9.7.4");
    request.promote = Some(member("db5"));
    golden(
        "switchover-tree-to-db5",
        &request,
        &replicas(&["9.7.3"; 5], &TREE, &PATCH),
    );
    request.promote = Some(member("db2"));
    golden(
        "switchover-tree-to-an-intermediate",
        &request,
        &replicas(&["9.7.3"; 5], &TREE, &PATCH),
    );
}

fn logging(mut seen: Sighting, format: &str) -> Sighting {
    change_server(&mut seen, "db1", |server| {
        server
            .variables
            .insert("binlog_format".into(), format.into());
    });
    seen
}

/// The source logs statements: rows first, and every replica has passed that point before one is newer.
#[test]
fn a_source_that_logs_statements() {
    golden(
        "replicas-first-statement-log",
        &request("9.7.4"),
        &logging(replicas(&["8.4.6"; 3], &CHAIN, &SERIES), "STATEMENT"),
    );
    golden(
        "switchover-mixed-log",
        &switchover("9.7.4"),
        &logging(replicas(&["9.7.3"; 2], &[(2, 1)], &PATCH), "MIXED"),
    );
}

/// It would apply statements of before for as long as it is delayed, on the new version.
#[test]
fn a_source_that_logs_statements_to_a_delayed_replica_is_refused() {
    let mut seen = logging(replicas(&["8.4.6"; 3], &THREE, &SERIES), "STATEMENT");
    change_server(&mut seen, "db3", |server| channel_of(server).delay_s = 3600);
    let said = refusal(&request("9.7.4"), &seen);
    assert!(
        said.iter()
            .any(|why| why == "statementBinaryLog: db1: binlog_format is STATEMENT"),
        "{said:?}"
    );
}

#[test]
fn the_linter_condemns_statements_of_an_older_source() {
    let seen = logging(replicas(&["8.4.6"; 3], &CHAIN, &SERIES), "STATEMENT");
    let base = made(&request("9.7.4"), &seen);
    assert_eq!(linter::judge(&base), Vec::new());
    let at = |plan: &Plan, title: &str| plan.stages.iter().position(|s| s.title == title).unwrap();
    let mut late = base.clone();
    let (rows, db3) = (at(&late, "sources log rows"), at(&late, "upgrade db3"));
    late.stages.swap(rows, db3);
    let mut unproved = base.clone();
    let passed = at(&unproved, "replicas have passed that point");
    unproved.stages.remove(passed);
    let with = |change: &dyn Fn(&mut Gate)| {
        let mut spoiled = base.clone();
        if let Action::Gate(gate) = &mut spoiled.stages[passed].lanes[0].steps[0].action {
            change(gate);
        }
        spoiled
    };
    let hasty = with(&|gate| drop(gate.conditions.pop()));
    let blind = with(&|gate| gate.hold_ms = 0);
    // db3 replicates from db2, which replicates from db1.
    let shallow = with(&|gate| {
        for condition in &mut gate.conditions {
            if let Condition::HasPassed { sources, .. } = condition {
                sources.retain(|name| *name == member("db2"));
            }
        }
    });
    let unfollowed = with(&|gate| {
        gate.conditions
            .retain(|c| !matches!(c, Condition::Replicates { .. }));
    });
    // A source that has restarted since is not asked about, and db3 is taken out.
    let mut trusting = base.clone();
    let lane = &mut trusting.stages[db3].lanes[0];
    if let Action::Gate(gate) = &mut lane.steps[0].action {
        gate.conditions
            .retain(|c| !matches!(c, Condition::HasPassed { .. }));
    }
    let found = linter::judge(&trusting);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].rule.contains("before it is taken out"),
        "{found:?}"
    );
    for spoiled in [late, unproved, hasty, blind, shallow, unfollowed] {
        let found = linter::judge(&spoiled);
        assert!(
            found.iter().any(|v| v.rule.starts_with("sources log rows")),
            "{found:?}"
        );
    }
}

#[test]
fn everybody_offline() {
    let mut request = request("9.7.4");
    request.strategy = Some(Strategy::Offline);
    golden(
        "offline-chain-8.4.6-to-9.7.4",
        &request,
        &replicas(&["8.4.6"; 3], &CHAIN, &SERIES),
    );
}

#[test]
fn back_within_a_long_term_series() {
    golden(
        "source-first-9.7.4-to-9.7.3",
        &request("9.7.3"),
        &replicas(&["9.7.4"; 3], &THREE, &PATCH),
    );
    golden(
        "source-first-chain",
        &request("9.7.3"),
        &replicas(&["9.7.4"; 3], &CHAIN, &PATCH),
    );
    golden(
        "source-first-half-way",
        &request("9.7.3"),
        &replicas(&["9.7.3", "9.7.4", "9.7.3"], &THREE, &PATCH),
    );
}

#[test]
fn there_is_no_way_back_to_another_series_and_none_up_by_the_way_down() {
    let back = refusal(&request("8.4.6"), &replicas(&["9.7.4"; 3], &THREE, &SERIES));
    assert!(
        back.iter().any(|why| why.starts_with("upgradePath: db1: ")),
        "{back:?}"
    );
    let mut up = request("9.7.4");
    up.strategy = Some(Strategy::SourceFirst);
    let up = refusal(&up, &replicas(&["9.7.3"; 3], &THREE, &PATCH));
    assert!(
        up.iter().any(|why| why.contains("this is an upgrade")),
        "{up:?}"
    );
    let mut down = request("9.7.3");
    down.strategy = Some(Strategy::ReplicasFirst);
    let down = refusal(&down, &replicas(&["9.7.4"; 3], &THREE, &PATCH));
    assert!(
        down.iter()
            .any(|why| why.contains("an upgrade can't go down")),
        "{down:?}"
    );
}

#[test]
fn what_the_servers_contradict_is_never_planned() {
    let circle = refusal(
        &request("9.7.4"),
        &replicas(&["9.7.3"; 2], &[(2, 1), (1, 2)], &PATCH),
    );
    assert_eq!(
        circle,
        [
            "clusterKind: shop: the servers contradict each other: circular replication: db1 from db2 from db1"
        ]
    );
    let mut stray = replicas(&["9.7.3"; 3], &THREE, &PATCH);
    change_server(&mut stray, "db3", |server| {
        channel_of(server).source_uuid = Some(
            "eeeeeeee-0000-4000-8000-000000000000"
                .to_owned()
                .try_into()
                .unwrap(),
        );
    });
    let stray = refusal(&request("9.7.4"), &stray);
    assert!(
        stray[0].contains(
            "db3 replicates from db1:3306 (channel \"\"), which is no member of this cluster"
        ),
        "{stray:?}"
    );
}

#[test]
fn a_switchover_needs_one_source_and_a_replica_that_can_take_over() {
    let three = || replicas(&["9.7.3"; 3], &THREE, &PATCH);
    let two_sources = replicas(&["9.7.3"; 3], &[(3, 1), (3, 2)], &PATCH);
    let said = refusal(&switchover("9.7.4"), &two_sources);
    assert!(
        said[0].contains("there are 2 sources (db1, db2)"),
        "{said:?}"
    );

    let mut request = switchover("9.7.4");
    request.promote = Some(member("db3"));
    let said = refusal(&request, &replicas(&["9.7.3"; 3], &CHAIN, &PATCH));
    assert_eq!(
        said,
        ["switchover: shop: db3 does not replicate from db1 directly: it can't take over from it"]
    );

    let mut unfit = three();
    change_server(&mut unfit, "db2", |server| {
        server.variables.insert("log_bin".into(), "OFF".into());
    });
    change_server(&mut unfit, "db3", |server| {
        server.report_host = "db3; --".into()
    });
    let said = refusal(&switchover("9.7.4"), &unfit);
    assert!(
        said.iter()
            .any(|why| why.contains("db2 has log_bin=OFF") && why.contains("no host name")),
        "{said:?}"
    );

    let mut no_account = three();
    change_member(&mut no_account, "db1", |seen| {
        seen.agent.replication_user = None
    });
    let said = refusal(&switchover("9.7.4"), &no_account);
    assert!(said[0].contains("replication_credentials_file"), "{said:?}");
}

#[test]
fn a_member_that_could_not_be_seen_blocks() {
    let mut seen = replicas(&["9.7.3"; 3], &THREE, &PATCH);
    seen.members
        .insert(member("db3"), Fact::Unknown("no answer".into()));
    let said = refusal(&request("9.7.4"), &seen);
    assert!(said.iter().any(|why| why.contains("db3")), "{said:?}");
}

/// What a planner's bug would look like, and the rule that finds it.
#[test]
fn the_linter_condemns_what_would_lose_writes() {
    let base = made(
        &switchover("9.7.4"),
        &replicas(&["9.7.3"; 3], &THREE, &PATCH),
    );
    let down = made(&request("9.7.3"), &replicas(&["9.7.4"; 3], &CHAIN, &PATCH));
    let first = made(&request("9.7.4"), &replicas(&["9.7.3"; 3], &CHAIN, &PATCH));
    type Spoil = fn(&mut Plan);
    fn steps(plan: &mut Plan) -> impl Iterator<Item = &mut refit_shared::plan::Step> {
        plan.stages
            .iter_mut()
            .flat_map(|s| &mut s.lanes)
            .flat_map(|l| &mut l.steps)
    }
    fn is(step: &refit_shared::plan::Step, kind: OperationKind) -> bool {
        step.operation().is_some_and(|order| order.kind() == kind)
    }
    let cases: [(&Plan, &str, Spoil); 11] = [
        (
            &base,
            "a replica is promoted only behind proof over all members",
            |plan| {
                let pivot = plan.pivot.as_ref().unwrap().step.0;
                if let Action::Gate(gate) =
                    &mut steps(plan).find(|s| s.id.0 == pivot - 1).unwrap().action
                {
                    gate.conditions.pop();
                }
            },
        ),
        (
            &base,
            "a pause of writes is a lease that outlives the gate behind it, and is then made lasting",
            |plan| {
                for step in steps(plan).filter(|s| is(s, OperationKind::PauseWrites)) {
                    step.action = Action::Operate {
                        order: Operation::PauseWrites {
                            drain_s: 10,
                            lease_s: 20,
                        },
                    };
                }
            },
        ),
        (&base, "writes are let in at the pivot", |plan| {
            let pivot = plan.pivot.as_mut().unwrap();
            pivot.step.0 += 1;
        }),
        (
            &base,
            "the old source takes no writes after the hand-over",
            |plan| {
                for step in steps(plan)
                    .filter(|s| is(s, OperationKind::LeaveMaintenance) && s.member == member("db1"))
                {
                    step.action = Action::Operate {
                        order: Operation::AllowWrites,
                    };
                }
            },
        ),
        (&base, "a replica is never older than its source", |plan| {
            let at = plan
                .stages
                .iter()
                .position(|s| s.title == "upgrade db3")
                .unwrap();
            plan.stages.remove(at);
        }),
        (&first, "a replica is never older than its source", |plan| {
            let db2 = plan
                .stages
                .iter()
                .position(|s| s.title == "upgrade db2")
                .unwrap();
            let db3 = plan
                .stages
                .iter()
                .position(|s| s.title == "upgrade db3")
                .unwrap();
            plan.stages.swap(db2, db3);
        }),
        (&down, "a replica is never older than its source", |plan| {
            let db2 = plan
                .stages
                .iter()
                .position(|s| s.title == "downgrade db2")
                .unwrap();
            let db3 = plan
                .stages
                .iter()
                .position(|s| s.title == "downgrade db3")
                .unwrap();
            plan.stages.swap(db2, db3);
        }),
        (
            &down,
            "a member's steps are complete and in order",
            |plan| {
                for lane in plan.stages.iter_mut().flat_map(|s| &mut s.lanes) {
                    lane.steps.retain(|s| !is(s, OperationKind::DiscardLogs));
                }
            },
        ),
        (
            &first,
            "a gate that has seen every replica follow stands before a member is taken out",
            |plan| {
                for step in steps(plan) {
                    if let Action::Gate(gate) = &mut step.action {
                        gate.conditions.truncate(1);
                    }
                }
            },
        ),
        (
            &first,
            "the server is looked at before writes are let in",
            |plan| {
                let pivot = plan.pivot.as_ref().unwrap().step.0;
                if let Action::Gate(gate) =
                    &mut steps(plan).find(|s| s.id.0 == pivot - 1).unwrap().action
                {
                    gate.conditions.clear();
                }
            },
        ),
        (
            &first,
            "schemas and accounts of every source are watched while versions differ",
            |plan| plan.frozen.clear(),
        ),
    ];
    for plan in [&base, &down, &first] {
        assert_eq!(linter::judge(plan), Vec::new());
    }
    for (plan, rule, spoil) in cases {
        let mut spoiled = plan.clone();
        spoil(&mut spoiled);
        let found = linter::judge(&spoiled);
        assert!(found.iter().any(|v| v.rule == rule), "{rule}: {found:?}");
    }
}

#[test]
fn nothing_behind_the_pivot_can_be_undone_and_everything_before_it_can() {
    for plan in [
        made(&request("9.7.4"), &replicas(&["9.7.3"; 5], &TREE, &PATCH)),
        made(
            &switchover("9.7.4"),
            &replicas(&["9.7.3"; 5], &TREE, &PATCH),
        ),
        made(&request("9.7.3"), &replicas(&["9.7.4"; 5], &TREE, &PATCH)),
    ] {
        let pivot = plan.pivot.clone().unwrap();
        assert!(pivot.asked_at() < pivot.step);
        for step in plan
            .stages
            .iter()
            .flat_map(|s| &s.lanes)
            .flat_map(|l| &l.steps)
        {
            let expected = if step.id < pivot.step {
                Reversibility::Irreversible
            } else {
                Reversibility::Undoable
            };
            assert_ne!(step.reversibility, expected, "{}", step.id);
        }
    }
}
