//! Targets before 8.0.16, whose system tables are upgraded by mysql_upgrade: the plans of every strategy, their refusal, and what the
//! linter condemns.

use crate::planner::golden;
use crate::support::{alone, change_server, group, multi_primary, replicas, request};
use refit_shared::checks::{Level, Override};
use refit_shared::linter;
use refit_shared::operation::{Operation, OperationKind as Kind};
use refit_shared::plan::{Plan, Strategy};
use refit_shared::planner::{Refusal, Request, plan};
use refit_shared::topology::Sighting;

const OFFERED: [&str; 2] = ["8.0.15-1", "5.7.44-1"];
const THREE: [(usize, usize); 2] = [(2, 1), (3, 1)];

/// Somebody wants to see the plan, and go by it.
fn by_hand(target: &str) -> Request {
    let mut request = request(target);
    request.policy.overrides = vec![Override {
        check: "agentStatements".to_owned(),
        reason: "done by hand, as the plan says".to_owned(),
        by: String::new(),
    }];
    request
}

/// Its character set and collation are written down: 8.0 has other defaults.
fn pinned(mut seen: Sighting) -> Sighting {
    let names: Vec<String> = seen.members.keys().map(ToString::to_string).collect();
    for name in names {
        change_server(&mut seen, &name, |server| {
            for variable in ["character_set_server", "collation_server"] {
                server.explicit_variables.insert(variable.to_owned());
            }
        });
    }
    seen
}

fn topology() -> Sighting {
    pinned(replicas(&["5.7.44"; 3], &THREE, &OFFERED))
}

fn made(request: &Request, seen: &Sighting) -> Plan {
    plan(request, seen, 5)
        .unwrap_or_else(|why| panic!("{why:?}"))
        .0
}

#[test]
fn replicas_first_from_5_7_to_8_0_15() {
    golden(
        "replicas-first-5.7.44-to-8.0.15",
        &by_hand("8.0.15"),
        &topology(),
    );
}

#[test]
fn a_standalone_server_within_early_8_0() {
    golden(
        "single-8.0.11-to-8.0.15",
        &by_hand("8.0.15"),
        &alone("8.0.11", &["8.0.15-1", "8.0.11-1"]),
    );
}

/// The agent's own statements are younger than these servers: said at once, of every server.
#[test]
fn agents_that_such_servers_do_not_understand_are_a_refusal() {
    let Err(Refusal::Blocked(findings)) = plan(&request("8.0.15"), &topology(), 5) else {
        panic!("it is refused");
    };
    let mut told = String::new();
    for finding in &findings {
        assert_eq!(finding.level, Level::Error);
        told += &format!(
            "{}: {}: {}\n  {}\n",
            finding.check, finding.object, finding.description, finding.fix
        );
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("refused-5.7.44-to-8.0.15", told);
    });
}

/// Whatever the strategy: one such step for every start, directly behind it.
#[test]
fn every_strategy_runs_the_program_after_every_start() {
    let early = ["8.0.15-1", "8.0.11-1"];
    let asked = |strategy| Request {
        strategy: Some(strategy),
        ..by_hand("8.0.15")
    };
    let cases = [
        (asked(Strategy::ReplicasFirst), topology(), 3),
        (asked(Strategy::Switchover), topology(), 3),
        (asked(Strategy::Offline), topology(), 3),
        (
            asked(Strategy::SingleServer),
            pinned(alone("5.7.44", &OFFERED)),
            1,
        ),
        (
            asked(Strategy::InGroupRolling),
            group(&["8.0.11"; 3], &early),
            3,
        ),
        (asked(Strategy::Offline), group(&["8.0.11"; 3], &early), 3),
        (
            asked(Strategy::InGroupRolling),
            multi_primary(&["8.0.11"; 3], &early),
            3,
        ),
    ];
    for (request, seen, servers) in cases {
        let plan = made(&request, &seen);
        let of = |wanted| plan.steps().filter(move |s| kind(s) == Some(wanted));
        let strategy = plan.strategy;
        assert_eq!(of(Kind::StartServer).count(), servers, "{strategy}");
        for start in of(Kind::StartServer) {
            let next = plan.steps().find(|s| s.id.0 == start.id.0 + 1).unwrap();
            assert_eq!(kind(next), Some(Kind::UpgradeSystemTables), "{strategy}");
            assert_eq!(next.member, start.member, "{strategy}");
        }
        assert_eq!(of(Kind::ValidateConfig).count(), 0, "{strategy}");
        let said = plan.report.warnings.join("; ");
        assert!(said.contains("mysql_upgrade") && said.contains("--validate-config"));
        assert!(said.contains("agents can't carry it out"), "{said}");
    }
}

#[test]
fn from_8_0_16_on_the_server_does_it() {
    let seen = replicas(&["8.0.26"; 3], &THREE, &["8.0.46-1", "8.0.26-1"]);
    let plan = made(&request("8.0.46"), &seen);
    assert!(
        plan.steps()
            .all(|s| kind(s) != Some(Kind::UpgradeSystemTables))
    );
    assert!(plan.steps().any(|s| kind(s) == Some(Kind::ValidateConfig)));
}

fn kind(step: &refit_shared::plan::Step) -> Option<Kind> {
    step.operation().map(Operation::kind)
}

/// (what is spoiled, how, the rule that says so)
type Spoiled = (&'static str, fn(&mut Plan), &'static str);

/// The place of the first step of that kind: stage, lane, step.
fn place(plan: &Plan, wanted: Kind) -> (usize, usize, usize) {
    for (s, stage) in plan.stages.iter().enumerate() {
        for (l, lane) in stage.lanes.iter().enumerate() {
            if let Some(at) = lane
                .steps
                .iter()
                .position(|step| kind(step) == Some(wanted))
            {
                return (s, l, at);
            }
        }
    }
    panic!("no {wanted}");
}

#[test]
fn the_linter_condemns_a_missing_late_or_needless_program() {
    const BEFORE: &str = "a server before 8.0.16 has its system tables upgraded by mysql_upgrade before it does anything else";
    const AFTER: &str = "mysql_upgrade is run by the target, directly after its start";
    let spoiled: [Spoiled; 5] = [
        (
            "missing",
            |plan| {
                let (s, l, at) = place(plan, Kind::UpgradeSystemTables);
                plan.stages[s].lanes[l].steps.remove(at);
            },
            BEFORE,
        ),
        (
            "after replication has begun",
            |plan| {
                let (s, l, at) = place(plan, Kind::UpgradeSystemTables);
                plan.stages[s].lanes[l].steps.swap(at, at + 1);
            },
            BEFORE,
        ),
        (
            "before the start",
            |plan| {
                let (s, l, at) = place(plan, Kind::UpgradeSystemTables);
                plan.stages[s].lanes[l].steps.swap(at, at - 1);
            },
            AFTER,
        ),
        (
            "of another version",
            |plan| {
                let (s, l, at) = place(plan, Kind::UpgradeSystemTables);
                let step = &mut plan.stages[s].lanes[l].steps[at];
                step.action = refit_shared::plan::Action::Operate {
                    order: Operation::UpgradeSystemTables {
                        version: "8.0.14".parse().unwrap(),
                    },
                };
            },
            AFTER,
        ),
        (
            "for a target that needs none",
            |plan| plan.target.version = "8.0.16".parse().unwrap(),
            "a server from 8.0.16 on upgrades its system tables by itself",
        ),
    ];
    let base = made(&by_hand("8.0.15"), &topology());
    assert_eq!(linter::judge(&base), Vec::new());
    for (what, spoil, rule) in spoiled {
        let mut plan = base.clone();
        spoil(&mut plan);
        let found = linter::judge(&plan);
        assert!(found.iter().any(|v| v.rule == rule), "{what}: {found:?}");
    }
    // Nor does it let option files be judged by a mysqld that can't.
    let seen = replicas(&["8.0.26"; 3], &THREE, &["8.0.46-1", "8.0.26-1"]);
    let mut plan = made(&request("8.0.46"), &seen);
    plan.target.version = "8.0.15".parse().unwrap();
    let found = linter::judge(&plan);
    let rule = "option files are judged only by a mysqld that can";
    assert!(found.iter().any(|v| v.rule == rule), "{found:?}");
}
