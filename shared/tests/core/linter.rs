//! Every rule of the linter condemns a plan that breaks it.

use crate::support::{alone, configured, group, multi_primary, request};
use refit_shared::condition::Condition;
use refit_shared::config::edit::Rewrite;
use refit_shared::ids::StepId;
use refit_shared::linter::judge;
use refit_shared::operation::{Operation, OperationKind};
use refit_shared::plan::{Action, Plan, Reversibility, Step, Strategy};
use refit_shared::planner::plan;

fn good(from: &str) -> Plan {
    plan(
        &request("9.7.4"),
        &group(&[from; 3], &["9.7.4-2", &format!("{from}-1")]),
        5,
    )
    .unwrap()
    .0
}

fn is(step: &Step, kind: OperationKind) -> bool {
    step.operation()
        .is_some_and(|operation| operation.kind() == kind)
}

fn remove(plan: &mut Plan, unwanted: impl Fn(&Step) -> bool) {
    for lane in plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes) {
        lane.steps.retain(|step| !unwanted(step));
    }
    renumber(plan);
}

fn renumber(plan: &mut Plan) {
    let stages = plan
        .stages
        .iter_mut()
        .chain(std::iter::once(&mut plan.finalize));
    let steps = stages
        .flat_map(|stage| &mut stage.lanes)
        .flat_map(|lane| &mut lane.steps);
    for (next, step) in (0u16..).zip(steps) {
        step.id = StepId(next);
    }
}

fn good_alone() -> Plan {
    let seen = alone("8.4.6", &["9.7.4-2", "8.4.6-1"]);
    plan(&request("9.7.4"), &seen, 5).unwrap().0
}

type Break = fn(&mut Plan);

fn condemned(good: impl Fn() -> Plan, cases: &[(&str, Break)]) {
    for (rule, break_it) in cases {
        let mut plan = good();
        break_it(&mut plan);
        let found = judge(&plan);
        assert!(
            found.iter().any(|violation| violation.rule == *rule),
            "{rule}: {found:#?}"
        );
    }
}

#[test]
fn each_rule_for_a_standalone_server_condemns() {
    condemned(
        good_alone,
        &[
            ("a gate stands directly before the server is stopped", |p| {
                p.stages[2].lanes[0].steps.remove(2);
                renumber(p);
            }),
            ("writes are paused before the only server stops", |p| {
                let steps = &mut p.stages[2].lanes[0].steps;
                let Action::Operate {
                    order: Operation::StopServer { drain_s, .. },
                } = &mut steps[3].action
                else {
                    panic!("the stop is elsewhere")
                };
                *drain_s = 0;
            }),
            ("a server's steps are complete and in order", |p| {
                remove(p, |s| is(s, OperationKind::KeepWritable))
            }),
            ("a snapshot is taken before a new version starts", |p| {
                remove(p, |s| is(s, OperationKind::SnapshotData))
            }),
            ("writes are let in at the pivot", |p| {
                p.pivot.as_mut().unwrap().step = StepId(13)
            }),
            ("the server is looked at before writes are let in", |p| {
                p.stages[2].lanes[0].steps.remove(7);
                renumber(p);
            }),
            ("a change of series has a pivot", |p| p.pivot = None),
        ],
    );
}

fn good_offline() -> Plan {
    let seen = group(&["8.4.6"; 3], &["9.7.4-2", "8.4.6-1"]);
    let mut request = request("9.7.4");
    request.strategy = Some(Strategy::Offline);
    plan(&request, &seen, 5).unwrap().0
}

/// The one step of a kind in a plan for an offline upgrade.
fn of_kind(plan: &mut Plan, kind: OperationKind) -> &mut Step {
    plan.stages
        .iter_mut()
        .flat_map(|stage| &mut stage.lanes)
        .flat_map(|lane| &mut lane.steps)
        .find(|step| is(step, kind))
        .unwrap()
}

#[test]
fn each_rule_for_a_multi_primary_group_condemns() {
    let good = || {
        let seen = multi_primary(
            &["9.7.2", "9.7.2", "9.7.3"],
            &["9.7.4-2", "9.7.3-1", "9.7.2-1"],
        );
        plan(&request("9.7.4"), &seen, 5).unwrap().0
    };
    assert_eq!(judge(&good()), vec![]);
    condemned(
        good,
        &[
            ("members of the lowest version are upgraded last", |p| {
                p.stages.swap(2, 3);
                renumber(p);
            }),
            (
                "somebody else takes writes before a member is taken out",
                |p| {
                    let Action::Gate(gate) = &mut p.stages[2].lanes[0].steps[2].action else {
                        panic!("the gate is elsewhere")
                    };
                    gate.conditions
                        .retain(|c| !matches!(c, Condition::WritableMember { .. }));
                },
            ),
        ],
    );
}

#[test]
fn each_rule_for_an_offline_upgrade_condemns() {
    assert_eq!(judge(&good_offline()), vec![]);
    condemned(
        good_offline,
        &[
            ("a group is ended once and begun once", |p| {
                let order = Operation::BootstrapGroup;
                of_kind(p, OperationKind::JoinGroup).action = Action::Operate { order };
            }),
            ("who left the group last begins it anew", |p| {
                let other = of_kind(p, OperationKind::JoinGroup).member.clone();
                of_kind(p, OperationKind::BootstrapGroup).member = other;
            }),
            (
                "everybody leaves before the last one, and joins after it",
                |p| {
                    p.stages.remove(3);
                    renumber(p);
                },
            ),
            ("members are stopped only while there is no group", |p| {
                p.stages.swap(4, 5);
                renumber(p);
            }),
            ("writes are let in at the pivot", |p| {
                p.pivot.as_mut().unwrap().step = StepId(1)
            }),
            ("a group is begun only behind proof over all members", |p| {
                let gate = p.stages[7].lanes[0].steps.first_mut().unwrap();
                let Action::Gate(gate) = &mut gate.action else {
                    panic!("the proof is elsewhere")
                };
                gate.conditions.remove(0);
            }),
            (
                "a group is begun on the way back only behind proof over all members",
                |p| {
                    let gate = p.stages[4].lanes[0].steps.last_mut().unwrap();
                    let Action::Gate(gate) = &mut gate.action else {
                        panic!("the proof is elsewhere")
                    };
                    gate.undo_conditions.remove(1);
                },
            ),
            (
                "whether the group that was begun stands is asked before anybody joins it",
                |p| {
                    p.stages[7].lanes[0].steps.pop();
                    renumber(p);
                },
            ),
            (
                "whether the group that was put back stands is asked before anybody joins it",
                |p| {
                    p.stages[4].lanes[0].steps.remove(1);
                    renumber(p);
                },
            ),
            ("everybody can leave a group that is lost", |p| {
                p.stages[6].lanes.pop();
                renumber(p);
            }),
            ("a member's steps are complete and in order", |p| {
                p.stages[5].lanes[0].steps.remove(1);
                renumber(p);
            }),
            ("a member is upgraded in maintenance", |p| {
                p.stages[2].lanes[0].steps.remove(0);
                renumber(p);
            }),
            ("a snapshot is taken before a new version starts", |p| {
                remove(p, |s| is(s, OperationKind::SnapshotData))
            }),
        ],
    );
}

#[test]
fn only_strategies_that_stop_writes_may_take_out_several_at_once() {
    let mut plan = good_offline();
    plan.strategy = Strategy::InGroupRolling;
    let found = judge(&plan);
    assert!(
        found
            .iter()
            .any(|v| v.rule == "one member is out at a time"),
        "{found:#?}"
    );
}

#[test]
fn rules_for_groups_do_not_condemn_a_standalone_server() {
    assert_eq!(judge(&good_alone()), vec![]);
}

#[test]
fn plans_of_the_planner_pass() {
    assert_eq!(judge(&good("9.7.3")), vec![]);
    assert_eq!(judge(&good("8.4.6")), vec![]);
}

#[test]
fn each_rule_condemns() {
    let cases: &[(&str, Break)] = &[
        ("steps are numbered densely in order", |p| {
            p.stages[0].lanes[0].steps[0].id = StepId(9)
        }),
        ("only what may be is overridden", |p| {
            p.policy.overrides.push(refit_shared::checks::Override {
                check: "errantTransactions".to_owned(),
                reason: "no time".to_owned(),
                by: "ann".to_owned(),
            })
        }),
        ("every step has a deadline", |p| {
            p.stages[0].lanes[0].steps[0].deadline_s = 0
        }),
        ("one member is out at a time", |p| {
            let lane = p.stages.remove(3).lanes.remove(0);
            p.stages[2].lanes.push(lane);
            renumber(p);
        }),
        ("a gate stands directly before a member is taken out", |p| {
            let mut gates = 0;
            for lane in p.stages[2].lanes.iter_mut() {
                lane.steps.retain(|step| {
                    gates += u32::from(step.is_gate());
                    !(step.is_gate() && gates == 2)
                });
            }
            renumber(p);
        }),
        ("maintenance is entered behind a gate", |p| {
            p.stages[2].lanes[0].steps.remove(0);
            renumber(p);
        }),
        ("a member's steps are complete and in order", |p| {
            remove(p, |s| is(s, OperationKind::EnterMaintenance))
        }),
        (
            "a member's lane ends with a gate that also guards the way back",
            |p| {
                p.stages[2].lanes[0].steps.pop();
                renumber(p);
            },
        ),
        ("a snapshot is taken before a new version starts", |p| {
            remove(p, |s| is(s, OperationKind::SnapshotData))
        }),
        (
            "packages of both ways are fetched before they are needed",
            |p| remove(p, |s| is(s, OperationKind::FetchPackages)),
        ),
        ("the primary is upgraded last", |p| {
            p.stages.swap(2, 4);
            renumber(p);
        }),
        ("packages go from what was seen to the target", |p| {
            for step in p
                .stages
                .iter_mut()
                .flat_map(|s| &mut s.lanes)
                .flat_map(|l| &mut l.steps)
            {
                if let Action::Operate {
                    order: Operation::SwapPackages { from, to },
                } = &mut step.action
                {
                    std::mem::swap(from, to);
                }
            }
        }),
        ("a change of series has a pivot", |p| p.pivot = None),
        (
            "steps can be undone up to the pivot and not behind it",
            |p| {
                let steps = p
                    .stages
                    .iter_mut()
                    .flat_map(|s| &mut s.lanes)
                    .flat_map(|l| &mut l.steps);
                steps.last().unwrap().reversibility = Reversibility::Undoable;
            },
        ),
        ("what going back needs is deleted only by finalize", |p| {
            let lane = p.finalize.lanes.remove(0);
            p.stages[0].lanes.push(lane);
            renumber(p);
        }),
    ];
    condemned(|| good("8.4.6"), cases);
}

/// Members with an option that the target has removed, in files with defaults that change.
fn good_with_rewrites() -> Plan {
    let seen = configured("8.4.6", "[mysqld]\ninnodb_log_file_size=1G\n", &[]);
    plan(&request("9.7.4"), &seen, 5).unwrap().0
}

fn rewrite(plan: &mut Plan) -> &mut Vec<Rewrite> {
    match &mut of_kind(plan, OperationKind::RewriteConfig).action {
        Action::Operate {
            order: Operation::RewriteConfig { files },
        } => files,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_rule_for_option_files_condemns() {
    assert_eq!(judge(&good_with_rewrites()), vec![]);
    let judged = "the target's mysqld judges the option files before the server is stopped";
    let as_written = "changes to an option file can be made as they are written";
    let in_place = "option files are changed between the snapshot and the swap";
    condemned(
        good_with_rewrites,
        &[
            (judged, |p| {
                remove(p, |s| is(s, OperationKind::ValidateConfig))
            }),
            (judged, |p| rewrite(p)[0].edits[0].line += 1),
            ("option files are kept before they are changed", |p| {
                remove(p, |s| is(s, OperationKind::BackUpConfig))
            }),
            (in_place, |p| {
                remove(p, |s| is(s, OperationKind::SnapshotData))
            }),
            (in_place, |p| {
                let steps = &mut p.stages[2].lanes[0].steps;
                let at = steps
                    .iter()
                    .position(|s| is(s, OperationKind::RewriteConfig))
                    .unwrap();
                steps.swap(at, at + 1);
                renumber(p);
            }),
            ("each option file is changed once", |p| {
                let files = rewrite(p);
                files.push(files[0].clone());
            }),
            ("each option file is changed once", |p| rewrite(p).clear()),
            (as_written, |p| rewrite(p)[0].edits.reverse()),
            (as_written, |p| {
                rewrite(p)[0].edits[0].new.push("a\nb".to_owned())
            }),
            (as_written, |p| {
                let masked = "password = ********".to_owned();
                rewrite(p)[0].edits[0].new.push(masked)
            }),
            (as_written, |p| rewrite(p)[0].path = "my.cnf".to_owned()),
        ],
    );
}
