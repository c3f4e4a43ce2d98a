//! Where an upgrade may be rehearsed, and what a rehearsal does to the plan.

use crate::support::{alone, change_member, change_server, group, member, replicas, request};
use refit_shared::checks::Override;
use refit_shared::ids::{Attempt, RolloutId, StepId};
use refit_shared::observation::{DataPath, Fact, PathRole, Seconds, ServiceState, SnapshotMethod};
use refit_shared::operation::{AttemptId, OperationKind};
use refit_shared::plan::{Action, Basis};
use refit_shared::planner::{Refusal, plan};
use refit_shared::rehearsal::{Rehearsal, Wanted, outline};
use refit_shared::topology::Sighting;

const OFFERED: &[&str] = &["9.7.3-1", "9.7.4-1"];

fn wanted(name: &str) -> Wanted {
    Wanted {
        member: member(name),
        target: "9.7.4".parse().unwrap(),
        on_source: false,
        copy: false,
        data_directory: None,
    }
}

/// Every member's data is on such a file system.
fn on(mut seen: Sighting, method: SnapshotMethod) -> Sighting {
    let names: Vec<String> = seen.members.keys().map(ToString::to_string).collect();
    for name in names {
        change_member(&mut seen, &name, |host| {
            if let Fact::Known(storage) = &mut host.storage {
                storage.snapshot_method = method;
            }
        });
    }
    seen
}

fn stopped(seen: &mut Sighting, name: &str) {
    change_member(seen, name, |host| {
        host.server = Fact::Unknown("connection refused".to_owned());
        host.service = Fact::Known(ServiceState::Inactive);
    });
}

fn against(seen: &Sighting, wanted: &Wanted) -> String {
    outline(seen, wanted).unwrap_err().join("; ")
}

#[test]
fn a_secondary_and_a_replica_may_and_who_takes_writes_may_not() {
    let group = on(
        group(&["9.7.3"; 3], OFFERED),
        SnapshotMethod::BtrfsSubvolume,
    );
    let made = outline(&group, &wanted("db2")).unwrap();
    assert!(made.running && made.packages.len() == 2, "{made:?}");
    assert!(against(&group, &wanted("db1")).contains("name a secondary"));
    let forced = Wanted {
        on_source: true,
        ..wanted("db1")
    };
    assert!(against(&group, &forced).contains("name a secondary"));

    let tree = replicas(&["9.7.3"; 3], &[(2, 1), (3, 1)], OFFERED);
    let tree = on(tree, SnapshotMethod::BtrfsSubvolume);
    outline(&tree, &wanted("db2")).unwrap();
    let source = against(&tree, &wanted("db1"));
    assert!(
        source.contains("the source") && source.contains("--on-source"),
        "{source}"
    );
    outline(&tree, &forced).unwrap();

    let single = on(alone("9.7.3", OFFERED), SnapshotMethod::BtrfsSubvolume);
    assert!(against(&single, &wanted("db1")).contains("takes writes"));
    outline(&single, &forced).unwrap();
}

#[test]
fn data_in_use_is_cloned_at_one_instant_or_not_at_all() {
    for method in [SnapshotMethod::Reflink, SnapshotMethod::Copy] {
        let seen = on(group(&["9.7.3"; 3], OFFERED), method);
        let copy = Wanted {
            copy: true,
            ..wanted("db2")
        };
        assert!(against(&seen, &copy).contains("one instant"), "{method:?}");
        let mut cold = seen.clone();
        stopped(&mut cold, "db2");
        assert!(!outline(&cold, &copy).unwrap().running);
        let unasked = outline(&cold, &wanted("db2"));
        assert_eq!(unasked.is_ok(), method == SnapshotMethod::Reflink);
    }
    let mut seen = on(
        group(&["9.7.3"; 3], OFFERED),
        SnapshotMethod::BtrfsSubvolume,
    );
    change_member(&mut seen, "db2", |host| {
        if let Fact::Known(storage) = &mut host.storage {
            let path = |role, path: &str| DataPath {
                role,
                path: path.to_owned(),
                bytes: 1,
                filesystem: "btrfs".to_owned(),
            };
            storage.paths.push(path(PathRole::BinaryLogs, "/binlog"));
            storage.paths.push(path(PathRole::UndoLogs, "/undo"));
        }
    });
    let why = against(&seen, &wanted("db2"));
    assert!(why.contains("/undo") && !why.contains("/binlog"), "{why}");
}

#[test]
fn everything_against_it_is_told_at_once() {
    let mut seen = on(group(&["9.7.3"; 3], &["9.7.3-1"]), SnapshotMethod::Copy);
    change_member(&mut seen, "db2", |host| host.agent.in_maintenance = true);
    let why = outline(&seen, &wanted("db2")).unwrap_err();
    assert_eq!(why.len(), 3, "{why:?}");
    assert!(outline(&seen, &wanted("db9")).is_err());
    // A server that neither serves nor is stopped.
    change_member(&mut seen, "db3", |host| {
        host.server = Fact::Unknown("access denied".to_owned());
    });
    assert!(against(&seen, &wanted("db3")).contains("serving or stopped"));
}

fn rehearsed(from: &str) -> Rehearsal {
    Rehearsal {
        id: AttemptId {
            rollout: RolloutId::of_rehearsal("1").unwrap(),
            step: StepId(0),
            attempt: Attempt(1),
        },
        at_unix_ms: 1_763_000_000_000,
        target: "9.7.4".parse().unwrap(),
        from: Some(from.parse().unwrap()),
        data: "/var/lib/mysql".to_owned(),
        foreign: false,
        method: SnapshotMethod::BtrfsSubvolume,
        recovered: None,
        cloned: Seconds(10),
        started: Seconds(98_765),
        dictionary: None,
        system_tables: None,
        peak_memory_bytes: None,
        refused: None,
        tables_opened: 1,
        views_opened: 1,
        broken: Vec::new(),
        broken_before: Vec::new(),
        lines: Vec::new(),
        limits: Vec::new(),
    }
}

#[test]
fn a_plan_takes_the_time_of_a_rehearsal_of_this_very_hop() {
    let start_of_db2 = |made: Rehearsal| {
        let mut seen = group(&["9.7.3"; 3], OFFERED);
        change_server(&mut seen, "db2", |_| {});
        change_member(&mut seen, "db2", |host| host.agent.rehearsals = vec![made]);
        let plan = plan(&request("9.7.4"), &seen, 0).unwrap().0;
        let start = plan.steps().find(|step| {
            let Action::Operate { order } = &step.action else {
                return false;
            };
            step.member == member("db2") && order.kind() == OperationKind::StartServer
        });
        start.unwrap().estimate.clone()
    };
    let made = rehearsed("9.7.3");
    let estimate = start_of_db2(made.clone());
    assert_eq!(estimate.seconds, Seconds(98_765));
    let at_unix_ms = made.at_unix_ms;
    assert_eq!(estimate.basis, Basis::Rehearsed { at_unix_ms });
    let others = [
        rehearsed("9.7.2"),
        Rehearsal {
            foreign: true,
            ..made.clone()
        },
        Rehearsal {
            target: "9.7.5".parse().unwrap(),
            ..made
        },
    ];
    for other in others {
        assert_ne!(
            start_of_db2(other.clone()).seconds,
            Seconds(98_765),
            "{other:?}"
        );
    }
}

/// A rehearsal is made to be heard: where it failed there is no plan, unless a person says why there is to be one.
#[test]
fn a_rehearsal_that_failed_is_in_the_way() {
    let made = rehearsed("9.7.3");
    let refused = Rehearsal {
        refused: Some("MY-013235: a routine does not parse".to_owned()),
        ..made.clone()
    };
    let broken = Rehearsal {
        broken: (1..=7).map(|n| format!("shop.t{n}: error 1046")).collect(),
        ..made.clone()
    };
    let later = |other: &Rehearsal| Rehearsal {
        at_unix_ms: other.at_unix_ms + 1000,
        ..other.clone()
    };
    let of = |other: &Rehearsal, change: fn(&mut Rehearsal)| {
        let mut other = other.clone();
        change(&mut other);
        other
    };
    let unknown_from = of(&refused, |made| made.from = None);
    let cases = [
        (vec![], 0),
        (vec![made.clone()], 0),
        (vec![refused.clone()], 1),
        (vec![broken.clone()], 1),
        (vec![unknown_from], 1),
        // Mended since, or spoilt since.
        (vec![refused.clone(), later(&made)], 0),
        (vec![later(&broken), made], 1),
        // Of another hop, or of other data.
        (vec![of(&refused, |m| m.from = "9.7.2".parse().ok())], 0),
        (
            vec![of(&refused, |m| m.target = "9.7.5".parse().unwrap())],
            0,
        ),
        (vec![of(&broken, |m| m.foreign = true)], 0),
    ];
    for (kept, expected) in cases {
        let mut seen = group(&["9.7.3"; 3], OFFERED);
        change_member(&mut seen, "db2", |host| {
            host.agent.rehearsals = kept.clone()
        });
        match plan(&request("9.7.4"), &seen, 0) {
            Ok(_) => assert_eq!(expected, 0, "{kept:?}"),
            Err(Refusal::Blocked(found)) => {
                assert_eq!(found.len(), expected, "{kept:?}: {found:?}");
                assert_eq!((&*found[0].check, &*found[0].object), ("rehearsed", "db2"));
                assert!(found[0].fix.contains("refit rehearse"), "{found:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    let mut seen = group(&["9.7.3"; 3], OFFERED);
    change_member(&mut seen, "db2", |host| {
        host.agent.rehearsals = vec![refused]
    });
    let mut against = request("9.7.4");
    against.policy.overrides.push(Override {
        check: "rehearsed".to_owned(),
        reason: "the routine was dropped since".to_owned(),
        by: String::new(),
    });
    let plan = plan(&against, &seen, 0).unwrap().0;
    let rehearsed = |basis: &Basis| matches!(basis, Basis::Rehearsed { .. });
    assert!(
        plan.steps().all(|step| !rehearsed(&step.estimate.basis)),
        "what a start took that failed says nothing of one that does not"
    );
}
