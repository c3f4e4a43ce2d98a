//! Plans as a DBA would review them: golden text files, and the refusals.

use crate::support::{
    alone, change_member, change_server, configured, group, member, multi_primary, request,
};
use refit_shared::config::edit::Rewrite;
use refit_shared::ids::Digest;
use refit_shared::observation::{Fact, LongTransaction, MemberState, SnapshotMethod};
use refit_shared::operation::Operation;
use refit_shared::plan::{Action, ApprovePivot, Plan, Strategy, document};
use refit_shared::planner::{Refusal, Request, plan};
use refit_shared::survey::{Listing, Question, Row};
use refit_shared::topology::Sighting;
use std::collections::BTreeSet;

fn text(plan: &Plan) -> String {
    let mut out = format!(
        "{} to {} ({})\n",
        plan.strategy, plan.target.version, plan.target.package_version
    );
    for stage in plan.all_stages() {
        out += &format!("stage: {}\n", stage.title);
        for lane in &stage.lanes {
            for step in &lane.steps {
                let pivot = plan
                    .pivot
                    .as_ref()
                    .is_some_and(|pivot| pivot.step == step.id);
                let asked = plan
                    .pivot
                    .as_ref()
                    .is_some_and(|pivot| pivot.asked_at() == step.id);
                out += &format!(
                    "  {} {} {} [{:?}{}] {}\n",
                    step.id,
                    step.member,
                    step.title(),
                    step.reversibility,
                    match (pivot, asked) {
                        (true, _) => ", PIVOT",
                        (false, true) => ", a person is asked",
                        (false, false) => "",
                    },
                    step.why
                );
                if let Action::Gate(gate) = &step.action {
                    let list = |c: &[refit_shared::condition::Condition]| {
                        c.iter()
                            .map(ToString::to_string)
                            .collect::<Vec<_>>()
                            .join("; ")
                    };
                    out += &format!(
                        "        holds for {} ms: {}\n",
                        gate.hold_ms,
                        list(&gate.conditions)
                    );
                    if !gate.undo_conditions.is_empty() {
                        out +=
                            &format!("        on the way back: {}\n", list(&gate.undo_conditions));
                    }
                }
            }
        }
    }
    let report = &plan.report;
    for (title, lines) in [
        ("order", &report.order),
        ("hand-over", &report.hand_over),
        ("undo", &report.can_be_undone),
        ("risk", &report.risk.reasons),
        ("warnings", &report.warnings),
    ] {
        for line in lines {
            out += &format!("{title}: {line}\n");
        }
    }
    if let Some(downtime) = report.downtime {
        out += &format!("downtime: {:.1} s\n", downtime.as_secs_f64());
    }
    out + &format!("risk level: {:?}\n", report.risk.level)
}

pub fn golden(name: &str, request: &Request, seen: &Sighting) {
    let (plan, _) =
        plan(request, seen, 1_797_300_000_000).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text(&plan));
    });
}

#[test]
fn patch_within_a_long_term_series() {
    golden(
        "patch-9.7.3-to-9.7.4",
        &request("9.7.4"),
        &group(&["9.7.3", "9.7.3", "9.7.3"], &["9.7.4-2", "9.7.3-1"]),
    );
}

#[test]
fn change_of_series() {
    golden(
        "series-8.4.6-to-9.7.4",
        &request("9.7.4"),
        &group(&["8.4.6", "8.4.6", "8.4.6"], &["9.7.4-2", "8.4.6-1"]),
    );
}

#[test]
fn a_half_upgraded_group_of_five_goes_on_where_it_was_left() {
    let seen = group(
        &["8.4.6", "9.7.4", "8.4.6", "9.7.4", "8.4.6"],
        &["9.7.4-1", "8.4.6-1"],
    );
    let mut request = request("9.7.4");
    request.policy.accept_no_spare = false;
    request.policy.restore_primary = false;
    golden("five-half-upgraded", &request, &seen);
}

#[test]
fn a_group_offline() {
    let mut request = request("9.7.4");
    request.strategy = Some(Strategy::Offline);
    request.policy.accept_no_spare = false;
    golden(
        "offline-8.4.6-to-9.7.4",
        &request,
        &group(&["8.4.6", "8.4.6", "8.4.6"], &["9.7.4-2", "8.4.6-1"]),
    );
    request.policy.approve_pivot = ApprovePivot::Auto;
    golden(
        "offline-half-upgraded-pair",
        &request,
        &group(&["9.7.3", "9.7.4"], &["9.7.4-1", "9.7.3-1"]),
    );
}

#[test]
fn a_multi_primary_group() {
    let request = request("9.7.4");
    golden(
        "multi-primary-8.4.6-to-9.7.4",
        &request,
        &multi_primary(&["8.4.6"; 3], &["9.7.4-2", "8.4.6-1"]),
    );
    // Half upgraded: the member that is read-only goes before those that take writes.
    let mut request = request.clone();
    request.policy.accept_no_spare = false;
    golden(
        "multi-primary-mixed-five",
        &request,
        &multi_primary(
            &["9.7.2", "9.7.3", "9.7.2", "9.7.4", "9.7.2"],
            &["9.7.4-1", "9.7.3-1", "9.7.2-1"],
        ),
    );
    let mut request = request.clone();
    request.strategy = Some(Strategy::Offline);
    golden(
        "offline-multi-primary",
        &request,
        &multi_primary(&["9.7.3"; 3], &["9.7.4-1", "9.7.3-1"]),
    );
}

#[test]
fn a_multi_primary_group_in_which_nobody_writes_is_not_whole() {
    let mut seen = multi_primary(&["9.7.3"; 3], &["9.7.4-1", "9.7.3-1"]);
    for name in ["db1", "db2", "db3"] {
        change_server(&mut seen, name, |server| server.super_read_only = true);
    }
    let Err(Refusal::Blocked(findings)) = plan(&request("9.7.4"), &seen, 5) else {
        panic!("it was planned");
    };
    let told = findings
        .iter()
        .find(|f| f.check == "groupReplicationMembers");
    assert!(
        told.is_some_and(|f| f.description.contains("super_read_only")),
        "{findings:?}"
    );
}

#[test]
fn a_standalone_server() {
    golden(
        "single-server-9.7.3-to-9.7.4",
        &request("9.7.4"),
        &alone("9.7.3", &["9.7.4-2", "9.7.3-1"]),
    );
    let mut request = request("9.7.4");
    request.policy.approve_pivot = ApprovePivot::Auto;
    golden(
        "single-server-8.4.6-to-9.7.4",
        &request,
        &alone("8.4.6", &["9.7.4-2", "8.4.6-1"]),
    );
}

#[test]
fn a_standalone_server_that_takes_no_writes_is_left_alone() {
    let mut seen = alone("9.7.3", &["9.7.4-2", "9.7.3-1"]);
    change_server(&mut seen, "db1", |server| server.read_only = true);
    let Err(Refusal::Blocked(findings)) = plan(&request("9.7.4"), &seen, 5) else {
        panic!("it was planned");
    };
    assert_eq!(findings[0].check, "serverTakesWrites", "{findings:?}");
}

#[test]
fn the_same_world_always_gives_the_same_digest_and_an_edited_file_is_refused() {
    let seen = group(&["9.7.3", "9.7.3", "9.7.3"], &["9.7.4-2", "9.7.3-1"]);
    let make = || plan(&request("9.7.4"), &seen, 5).unwrap().0;
    assert_eq!(make().digest(), make().digest());
    let file = document::write(&make());
    assert_eq!(document::read(&file).unwrap(), make());
    let edited = file.replacen("\"soak_s\": 2", "\"soak_s\": 0", 1);
    assert_ne!(edited, file);
    assert!(
        document::read(&edited)
            .unwrap_err()
            .to_string()
            .contains("edited")
    );
    let unknown_field = file.replacen("\"soak_s\"", "\"also\": 1, \"soak_s\"", 1);
    assert!(document::read(&unknown_field).is_err());
    assert!(document::read("{}").is_err());
}

#[test]
fn drift_is_told_member_by_member() {
    let planned = plan(
        &request("9.7.4"),
        &group(&["9.7.3"; 3], &["9.7.4-2", "9.7.3-1"]),
        5,
    )
    .unwrap()
    .0;
    let mut now = group(&["9.7.3"; 3], &["9.7.4-2", "9.7.3-1"]);
    change_member(&mut now, "db2", |seen| {
        seen.config_digest = Fact::Known(refit_shared::ids::Digest::of(b"other"))
    });
    let now = refit_shared::plan::drift::World::of(&now).unwrap();
    let differences = planned.made_from.differences(&now);
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(
        differences[0].starts_with("db2: option files have changed"),
        "{differences:?}"
    );
    assert!(planned.made_from.differences(&planned.made_from).is_empty());
}

/// Everything that must block, and the id of the check that says so.
#[test]
fn what_blocks() {
    type Change = fn(&mut Sighting, &mut Request);
    let cases: &[(&str, &str, Change)] = &[
        ("unknown target version", "packagesAvailable", |_, r| {
            r.target = "9.7.9".parse().unwrap()
        }),
        ("downgrade asked as upgrade", "upgradePath", |_, r| {
            r.target = "9.7.2".parse().unwrap()
        }),
        ("nothing to do", "upgradePath", |_, r| {
            r.target = "9.7.3".parse().unwrap()
        }),
        ("a long-term release skipped", "upgradePath", |s, _| {
            *s = group(&["8.0.46"; 3], &["9.7.4-2", "8.0.46-1"])
        }),
        (
            "no way back in any repository",
            "packagesAvailable",
            |s, _| *s = group(&["9.7.3"; 3], &["9.7.4-2"]),
        ),
        ("a member RECOVERING", "groupReplicationMembers", |s, _| {
            for name in ["db1", "db2", "db3"] {
                change_server(s, name, |server| {
                    let Fact::Known(Some(g)) = &mut server.group else {
                        panic!()
                    };
                    g.members[2].state = MemberState::Recovering;
                    if name == "db3" {
                        g.own_state = MemberState::Recovering;
                    }
                });
            }
        }),
        ("no majority", "groupReplicationMembers", |s, _| {
            for name in ["db2", "db3"] {
                s.members
                    .insert(member(name), Fact::Unknown("connection refused".into()));
            }
            change_server(s, "db1", |server| {
                let Fact::Known(Some(g)) = &mut server.group else {
                    panic!()
                };
                g.members[1].state = MemberState::Unreachable;
                g.members[2].state = MemberState::Unreachable;
            });
        }),
        ("agent silent", "refitAgents", |s, _| {
            s.members
                .insert(member("db3"), Fact::Unknown("no answer within 5 s".into()));
        }),
        ("members disagree", "groupReplicationMembers", |s, _| {
            change_server(s, "db2", |server| {
                let Fact::Known(Some(g)) = &mut server.group else {
                    panic!()
                };
                g.view_id = "18:1".into();
            });
        }),
        ("three members, not accepted", "spareMember", |_, r| {
            r.policy.accept_no_spare = false
        }),
        ("two members", "spareMember", |s, _| {
            *s = group(&["9.7.3"; 2], &["9.7.4-2", "9.7.3-1"])
        }),
        ("errant transaction", "errantTransactions", |s, _| {
            change_server(s, "db2", |server| {
                server.gtid_executed = server
                    .gtid_executed
                    .union(&"00000000-0000-0000-0000-000000000002:1".parse().unwrap());
            });
        }),
        ("prepared XA", "preparedXa", |s, _| {
            change_server(s, "db1", |server| server.prepared_xa = Fact::Known(1))
        }),
        ("unknown XA", "preparedXa", |s, _| {
            change_server(s, "db1", |server| {
                server.prepared_xa = Fact::Unknown("denied".into())
            })
        }),
        ("too little disk", "diskSpace", |s, _| {
            change_member(s, "db2", |seen| {
                let Fact::Known(storage) = &mut seen.storage else {
                    panic!()
                };
                storage.snapshot_method = SnapshotMethod::Copy;
                storage.snapshot_needs_bytes = 60 << 30;
            });
        }),
        (
            "TLS mode not pinned across 9.5",
            "groupReplicationDefaults",
            |s, _| {
                *s = group(&["8.4.6"; 3], &["9.7.4-2", "8.4.6-1"]);
                change_server(s, "db2", |server| {
                    server
                        .explicit_variables
                        .remove("group_replication_ssl_mode");
                });
            },
        ),
        ("earlier rollout left", "refitLeftovers", |s, _| {
            change_member(s, "db1", |seen| seen.agent.in_maintenance = true)
        }),
        (
            "somebody froze the packages",
            "packageManagerState",
            |s, _| {
                change_member(s, "db1", |seen| {
                    let Fact::Known(packages) = &mut seen.packages else {
                        panic!()
                    };
                    packages.frozen_by_other = true;
                });
            },
        ),
    ];
    for (name, check, change) in cases {
        let mut seen = group(&["9.7.3"; 3], &["9.7.4-2", "9.7.3-1", "9.7.2-1"]);
        let mut request = request("9.7.4");
        change(&mut seen, &mut request);
        match plan(&request, &seen, 5) {
            Err(Refusal::Blocked(findings)) => {
                assert!(
                    findings.iter().any(|f| f.check == *check),
                    "{name}: {findings:#?}"
                );
                assert!(
                    findings
                        .iter()
                        .all(|f| !f.fix.is_empty() && !f.description.is_empty()),
                    "{name}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_only_warns_is_told_in_the_plan() {
    let mut seen = group(&["9.7.3"; 3], &["9.7.4-2", "9.7.3-1"]);
    change_server(&mut seen, "db1", |server| {
        server.long_transactions = Fact::Known(vec![LongTransaction {
            thread_id: 7,
            user: "app".into(),
            running_s: 90,
        }]);
    });
    let (plan, _) = plan(&request("9.7.4"), &seen, 5).unwrap();
    assert!(
        plan.report.warnings.iter().any(|w| w.contains("90 s")),
        "{:?}",
        plan.report.warnings
    );
}

#[test]
fn option_files_are_rewritten_where_they_need_it_and_only_there() {
    let text = "[mysqld]\ninnodb_log_file_size=1G\nreport_password=hunter2\n";
    let mut seen = configured("8.4.6", text, &[]);
    // db2's file needs nothing.
    let Some(Fact::Known(survey)) = seen.surveys.get_mut(&member("db2")) else {
        panic!()
    };
    survey.config = Some(Default::default());
    let offline = Request {
        strategy: Some(Strategy::Offline),
        ..request("9.7.4")
    };
    for request in [request("9.7.4"), offline] {
        let (made, _) = plan(&request, &seen, 1_795_177_500_000).unwrap();
        let rewrites: Vec<(&str, &Rewrite)> = made
            .steps()
            .filter_map(|step| match step.operation() {
                Some(Operation::RewriteConfig { files }) => Some((step.member.as_str(), &files[0])),
                _ => None,
            })
            .collect();
        let names: BTreeSet<&str> = rewrites.iter().map(|(name, _)| *name).collect();
        assert_eq!(Vec::from_iter(names), ["db1", "db3"]);
        for (_, rewrite) in rewrites {
            assert_eq!(rewrite.before, Digest::of(text.as_bytes()));
            let lines: Vec<&str> = rewrite.edits[0].new.iter().map(String::as_str).collect();
            assert!(lines[0].starts_with("# Refit 2026-11-20, 8.4.6 to 9.7.4: "));
            assert_eq!(lines[1], "innodb_redo_log_capacity = 2147483648");
        }
        assert!(!document::write(&made).contains("hunter2"));
    }
    // What only a person can decide blocks.
    let seen = configured("8.4.6", "[mysqld]\nmysql_native_password=ON\n", &[]);
    let Err(Refusal::Blocked(findings)) = plan(&request("9.7.4"), &seen, 5) else {
        panic!("it was planned")
    };
    assert_eq!(findings[0].check, "sysVars");
}

#[test]
fn group_defaults_that_the_plan_pins_do_not_block() {
    let mut seen = configured(
        "8.4.6",
        "[mysqld]\nplugin-load-add=group_replication.so\n",
        &[],
    );
    let clear = |seen: &mut Sighting, pin: &str| {
        for name in ["db1", "db2", "db3"] {
            change_server(seen, name, |server| {
                server.explicit_variables.remove(pin);
            });
        }
    };
    clear(&mut seen, "group_replication_ssl_mode");
    let (made, _) = plan(&request("9.7.4"), &seen, 5).unwrap();
    assert!(document::write(&made).contains("loose_group_replication_ssl_mode = DISABLED"));
    // A value that somebody has set at runtime only would be lost.
    let row = Row {
        name: "group_replication_ssl_mode".to_owned(),
        detail: "REQUIRED".to_owned(),
        ..Row::default()
    };
    let Some(Fact::Known(survey)) = seen.surveys.get_mut(&member("db2")) else {
        panic!()
    };
    let listing = Listing {
        total: 1,
        rows: vec![row],
    };
    survey
        .answers
        .insert(Question::SetAtRuntime, Fact::Known(listing));
    let Err(Refusal::Blocked(findings)) = plan(&request("9.7.4"), &seen, 5) else {
        panic!("it was planned")
    };
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].check, "groupReplicationDefaults");
}
