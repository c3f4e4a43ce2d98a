//! Plans and views to render and to serve.

use crate::world;
use refit_proto::operator::{
    ClusterView, Configuration, InFlightView, LineView, MemberBefore, MemberConfig, NextView,
    PivotView, RolloutView, State, StepState, StepView, SummaryView, WritesView,
};
use refit_shared::config::propose::propose;
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::ids::Digest;
use refit_shared::observation::{Fact, ReplicationService};
use refit_shared::plan::{Plan, Stage};
use refit_shared::planner;
use refit_shared::topology::Sighting;

pub const BEGAN: i64 = 1_795_177_500_000;
pub const ROLLOUT: &str = "01k9x3v6m2r8c5t7w0q4z1b3d6";

/// 8.4.6 to 9.7.4: with a pivot.
pub fn plan() -> Plan {
    let seen = world::group(&["8.4.6", "8.4.6", "8.4.6"], &["8.4.6-1", "9.7.4-1"]);
    let made = planner::plan(&world::request("9.7.4"), &seen, BEGAN);
    made.unwrap().0
}

pub fn fleet() -> Vec<ClusterView> {
    let mut seen = world::group(&["9.7.4", "9.7.3", "9.7.3"], &["9.7.3-1", "9.7.4-1"]);
    world::change_server(&mut seen, "db2", |server| {
        server.group = Fact::Unknown("performance_schema is off".to_owned());
    });
    let silent = "cannot reach agent db3 at 10.77.0.23:7130: connection refused";
    seen.members
        .insert(world::member("db3"), Fact::Unknown(silent.to_owned()));
    let addresses: Vec<_> = ["db1", "db2", "db3"]
        .iter()
        .enumerate()
        .map(|(i, name)| (world::member(name), format!("10.77.0.2{}:7130", i + 1)))
        .collect();
    vec![ClusterView::of(&seen, &addresses, None)]
}

/// A source, a replica that is behind, and one whose applier has stopped.
pub fn replicas() -> Vec<ClusterView> {
    let mut seen = world::replicas(&["9.7.3", "9.7.4", "9.7.3"], &[(2, 1), (3, 1)], &[]);
    world::change_server(&mut seen, "db2", |server| {
        let source = "00000000-0000-0000-0000-000000000001";
        let detail = world::channel_of(server);
        detail.received = format!("{source}:1-103").parse().unwrap();
        detail.lag_ms = Some(1500);
    });
    world::change_server(&mut seen, "db3", |server| {
        let applier = &mut world::channel_of(server).applier;
        applier.service = ReplicationService::Off;
        applier.errno = 1062;
        applier.error = "Duplicate entry '7'".to_owned();
    });
    views(&seen)
}

/// Two servers that each say that they replicate from the other.
pub fn circle() -> Vec<ClusterView> {
    views(&world::replicas(&["9.7.3"; 2], &[(2, 1), (1, 2)], &[]))
}

fn views(seen: &Sighting) -> Vec<ClusterView> {
    let addresses: Vec<_> = (1..=seen.members.len())
        .map(|i| {
            (
                world::member(&format!("db{i}")),
                format!("10.77.0.2{i}:7130"),
            )
        })
        .collect();
    vec![ClusterView::of(seen, &addresses, None)]
}

/// A rollout of [`plan`] that has just begun.
pub fn rollout() -> RolloutView {
    let plan = plan();
    let stages = plan.stages.iter().map(|stage| (stage, false));
    let stages = stages.chain([(&plan.finalize, true)]);
    let pivot = plan.pivot.as_ref().map(|pivot| PivotView {
        step: pivot.step.0,
        why: pivot.why.clone(),
        approved_by: None,
        crossed: false,
    });
    RolloutView {
        summary: SummaryView {
            id: ROLLOUT.to_owned(),
            cluster: plan.cluster.to_string(),
            target_version: plan.target.version.to_string(),
            created_by: "ann".to_owned(),
            created_unix_ms: BEGAN,
            last_unix_ms: BEGAN,
            state: State::Running,
            why: String::new(),
            finalized: false,
        },
        plan_digest: plan.digest().to_string(),
        strategy: plan.strategy.to_string(),
        next_seq: 0,
        turn: 1,
        pivot,
        no_way_back: None,
        members: plan
            .made_from
            .members
            .iter()
            .map(|(name, member)| MemberBefore {
                name: name.to_string(),
                version_before: member.version.to_string(),
            })
            .collect(),
        steps: stages
            .flat_map(|(stage, last)| steps(stage, last))
            .collect(),
        writes: WritesView {
            gap_ms: Some(0),
            quiet_ms: Some(3),
            largest_gap_ms: 0,
            writable_members: 1,
        },
        waiting_for: Vec::new(),
        next: next(&["watch", "pause"]),
        estimate_ms: plan.report.estimate.0,
        planned_downtime_ms: plan.report.downtime.map(|downtime| downtime.0),
        at_unix_ms: BEGAN,
    }
}

pub fn next(commands: &[&str]) -> Vec<NextView> {
    commands
        .iter()
        .map(|command| NextView {
            command: format!("refit {command} {ROLLOUT}"),
            effect: format!("what {command} does"),
        })
        .collect()
}

fn steps(stage: &Stage, finalize: bool) -> Vec<StepView> {
    let lanes = stage.lanes.iter().flat_map(|lane| &lane.steps);
    lanes
        .map(|step| StepView {
            id: step.id.0,
            stage: stage.title.clone(),
            member: step.member.to_string(),
            title: step.title().to_owned(),
            why: step.why.clone(),
            reversibility: step.reversibility,
            estimate_ms: step.estimate.seconds.0,
            status: StepState::Pending,
            attempt: 0,
            began_unix_ms: None,
            took_ms: None,
            failure: None,
            in_flight: None,
            notes: Vec::new(),
            largest_write_gap_ms: None,
            finalize,
        })
        .collect()
}

/// Half way: db3's new mysqld is starting.
pub fn half_way() -> RolloutView {
    let mut view = rollout();
    let at_work = view
        .steps
        .iter()
        .position(|step| step.title == "start_server")
        .expect("the plan starts servers");
    let mut began = BEGAN;
    for (index, step) in view.steps.iter_mut().enumerate().take(at_work + 1) {
        step.attempt = 1;
        step.began_unix_ms = Some(began);
        if index < at_work {
            let took = 200 * (index as u64 + 1);
            step.status = StepState::Done;
            step.took_ms = Some(took);
            step.largest_write_gap_ms = Some(0);
            began += i64::try_from(took).unwrap();
        } else {
            step.status = StepState::Running;
            step.in_flight = Some(InFlightView {
                undoing: false,
                phase: "MY-013381 upgrading system tables".to_owned(),
                percent: Some(40),
                waiting: false,
            });
        }
    }
    view.at_unix_ms = began + 2_500;
    view.summary.last_unix_ms = began;
    view.writes.largest_gap_ms = 41;
    view
}

/// Everything done.
pub fn upgraded() -> RolloutView {
    let mut view = rollout();
    for step in view.steps.iter_mut().filter(|step| !step.finalize) {
        step.status = StepState::Done;
        step.attempt = 1;
        step.began_unix_ms = Some(BEGAN);
        step.took_ms = Some(1_000 + 37 * u64::from(step.id));
    }
    view.summary.state = State::Upgraded;
    view.summary.last_unix_ms = BEGAN + 93_000;
    view.at_unix_ms = BEGAN + 93_100;
    view.writes.largest_gap_ms = 312;
    view.no_way_back =
        Some("the pivot has been crossed: the data dictionary is of 9.7.4".to_owned());
    if let Some(pivot) = &mut view.pivot {
        pivot.approved_by = Some("ann".to_owned());
        pivot.crossed = true;
    }
    view.next = next(&["finalize"]);
    view
}

/// One journal line; `step` is of the plan.
pub fn line(seq: u64, event: &str, text: &str, step: Option<u16>) -> LineView {
    let plan = plan();
    let member = step.and_then(|id| plan.step(refit_shared::ids::StepId(id)));
    LineView {
        rollout: ROLLOUT.to_owned(),
        seq,
        epoch: 7,
        at_unix_ms: BEGAN + 1_000 * i64::try_from(seq).unwrap(),
        event: event.to_owned(),
        text: text.to_owned(),
        by: (event == "rollout_created").then(|| "ann (change 4711)".to_owned()),
        step,
        member: member.map(|step| step.member.to_string()),
    }
}

/// Three members on 8.4: two alike, and one that could not be asked.
pub fn configuration() -> Configuration {
    let text = "[client]\nport = 3306\n\n[mysqld]\nserver_id = 1\nplugin-load-add = group_replication.so\ngtid_mode = ON\n\
                enforce_gtid_consistency = ON\n\tinnodb_log_file_size = 1G   # since 2019\ntls_version = TLSv1.1,TLSv1.2\n\
                log_slave_updates = ON\nreport_password = ********\nmysql_native_password = ON\nloose_innodb_undo_tablespaces = 2\n";
    let files = ConfigFiles {
        roots: vec!["/etc/mysql/my.cnf".to_owned()],
        files: vec![OptionFile {
            digest: Digest::of(b"with its secret"),
            ..OptionFile::new("/etc/mysql/my.cnf", text)
        }],
        ..ConfigFiles::default()
    };
    let proposal = propose(
        &files,
        "8.4.6".parse().unwrap(),
        "9.7.4".parse().unwrap(),
        "2026-11-20".parse().unwrap(),
    );
    let own = |name: &str| {
        let found = Ok((files.clone(), proposal.clone()));
        MemberConfig::of(&world::member(name), Ok("8.4.6".parse().unwrap()), found)
    };
    let silent = "its agent can't be asked: no route to host".to_owned();
    Configuration {
        cluster: "shop".to_owned(),
        target: "9.7.4".to_owned(),
        members: vec![
            own("db1"),
            own("db2"),
            MemberConfig::of(&world::member("db3"), Err(silent.clone()), Err(silent)),
        ],
    }
}

/// A group on 9.7.4 with pins of its last upgrade: db2 lacks one, on db1 one was changed by hand, and db3 can't be read.
pub fn pinned() -> Configuration {
    let pin = |line: &str| {
        format!("# Refit 2026-11-20, 8.4.6 to 9.7.4: its default is another: it matters\n{line}\n")
    };
    let own = |name: &str, pins: &[&str]| {
        let pins: String = pins.iter().map(|line| pin(line)).collect();
        let text = format!("[mysqld]\nserver_id = 1\n\n[mysqld]\n{pins}");
        let files = ConfigFiles {
            roots: vec!["/etc/mysql/my.cnf".to_owned()],
            files: vec![OptionFile::new("/etc/mysql/my.cnf", text)],
            ..ConfigFiles::default()
        };
        let version = "9.7.4".parse().unwrap();
        let proposal = propose(&files, version, version, "2026-11-21".parse().unwrap());
        MemberConfig::of(
            &world::member(name),
            Ok(version),
            Ok((files, proposal.kept())),
        )
    };
    let all = [
        "binlog_transaction_dependency_history_size = 25000",
        "innodb_native_foreign_keys = ON",
        "loose_group_replication_ssl_mode = DISABLED",
        "innodb_change_buffering = none",
    ];
    let mut changed = all;
    changed[0] = "binlog_transaction_dependency_history_size = 50000";
    let silent = "its agent can't be asked: no route to host".to_owned();
    Configuration {
        cluster: "shop".to_owned(),
        target: String::new(),
        members: vec![
            own("db1", &changed),
            own("db2", &all[..3]),
            MemberConfig::of(&world::member("db3"), Err(silent.clone()), Err(silent)),
        ],
    }
}

/// A first start on 9.7 that has upgraded the dictionary, and left a table that can't be read.
pub fn rehearsal() -> refit_shared::rehearsal::Rehearsal {
    use refit_shared::observation::{Seconds, SnapshotMethod};
    use refit_shared::operation::AttemptId;
    refit_shared::rehearsal::Rehearsal {
        id: AttemptId {
            rollout: refit_shared::ids::RolloutId::of_rehearsal("1").unwrap(),
            step: refit_shared::ids::StepId(0),
            attempt: refit_shared::ids::Attempt(1),
        },
        at_unix_ms: BEGAN,
        target: "9.7.4".parse().unwrap(),
        from: Some("8.4.8".parse().unwrap()),
        data: "/var/lib/mysql".to_owned(),
        foreign: false,
        method: SnapshotMethod::BtrfsSubvolume,
        recovered: Some(Seconds(2300)),
        cloned: Seconds(14),
        started: Seconds(9870),
        dictionary: Some(Seconds(2100)),
        system_tables: Some(Seconds(5400)),
        peak_memory_bytes: Some(612 << 20),
        refused: None,
        tables_opened: 120,
        views_opened: 101,
        broken: vec!["shop.hashes: error 1046: No database selected".to_owned()],
        broken_before: Vec::new(),
        lines: vec!["[Warning] MY-013360 Plugin x is deprecated".to_owned()],
        limits: Vec::new(),
    }
}
