//! What is done once again before a step at which the rollout stopped: servers that have died in maintenance are started so.

use super::{World, alone_plan, person, until_approval};
use crate::support::{change_server, group, replicas, request};
use refit_shared::ids::{Attempt, StepId};
use refit_shared::operation::Direction;
use refit_shared::plan::{Plan, Strategy};
use refit_shared::planner::plan;
use refit_shared::receipt::{Failure, FailureCode};
use refit_shared::saga::*;

pub fn offline_plan() -> Plan {
    let mut request = request("9.7.4");
    request.strategy = Some(Strategy::Offline);
    let seen = group(&["9.7.3"; 3], &["9.7.4-2", "9.7.3-1"]);
    plan(&request, &seen, 5).unwrap().0
}

/// The step of this name on a member.
pub fn named(plan: &Plan, member: &str, title: &str) -> StepId {
    let found = plan
        .steps()
        .find(|step| step.member.as_str() == member && step.title() == title);
    found
        .unwrap_or_else(|| panic!("{member} has no {title}"))
        .id
}

/// The gate that a step stands behind.
fn gate_before(plan: &Plan, member: &str, title: &str) -> StepId {
    let gate = plan.gate_before(named(plan, member, title));
    gate.unwrap_or_else(|| panic!("{title} on {member} has no gate before it"))
        .id
}

pub fn tasks(world: &World) -> Vec<(StepId, Direction, Attempt)> {
    match decide(&world.rollout(), world.epoch) {
        Next::Run(tasks) => {
            let tasks = tasks.iter();
            tasks.map(|t| (t.step, t.direction, t.attempt)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Runs until this step has failed once, forward or back, and the rollout is parked; then a person resumes.
pub fn resumed_at(world: &mut World, step: StepId, direction: Direction) {
    let rollout = run_offline(world, |task| {
        (task.step, task.direction) != (step, direction)
    });
    assert!(rollout.is_parked(), "{step} failed and it goes on");
    world.push(Event::Resumed { by: person() });
}

/// As [`super::run`], for a plan that takes several members out at once.
pub fn run_offline(world: &mut World, mut outcome: impl FnMut(&Task) -> bool) -> Rollout {
    for _ in 0..2000 {
        let rollout = world.rollout();
        match decide(&rollout, world.epoch) {
            Next::Rest => return rollout,
            Next::Append(event) => world.push(event),
            Next::AwaitApproval { .. } => world.push(Event::PivotApproved { by: person() }),
            Next::Run(tasks) => {
                tasks.iter().for_each(|task| world.begin(task));
                let succeed = outcome(&tasks[0]);
                world.resolve(&tasks[0], succeed);
            }
        }
    }
    panic!("no rest after 2000 turns");
}

const FORWARD: Direction = Direction::Perform;

/// A gate starts no server, and in maintenance nobody else does.
#[test]
fn before_a_gate_is_asked_again_a_member_in_maintenance_has_its_last_step_done_again() {
    let plan = alone_plan();
    let (gate, start) = (
        gate_before(&plan, "db1", "leave_maintenance"),
        named(&plan, "db1", "start_server"),
    );
    let mut world = World::of(plan);
    resumed_at(&mut world, gate, FORWARD);
    world.crash();
    assert_eq!(tasks(&world), [(start, FORWARD, Attempt(2))]);
    // It fails: what was done before stays, and a person is told; then it is that step which is tried.
    let rollout = run_offline(&mut world, |task| task.step != start);
    assert!(
        matches!(&rollout.parked, Some(ParkReason::StepFailed { step, .. }) if *step == start),
        "{:?}",
        rollout.parked
    );
    world.push(Event::Resumed { by: person() });
    assert_eq!(tasks(&world), [(start, FORWARD, Attempt(3))]);
    let rollout = run_offline(&mut world, |_| true);
    assert_eq!(rollout.end(), Some(&End::Upgraded));
    assert_eq!(rollout.record(start).attempt, Attempt(3));
    world.crash();
}

#[test]
fn a_gate_that_fails_for_the_first_time_has_nothing_done_again() {
    let plan = alone_plan();
    let gate = gate_before(&plan, "db1", "stop_server");
    let mut world = World::of(plan);
    // Its member has been put back: what comes first is taking it out.
    resumed_at(&mut world, gate, FORWARD);
    let rollout = run_offline(&mut world, |_| true);
    assert_eq!(rollout.end(), Some(&End::Upgraded));
    let start = named(&world.plan, "db1", "start_server");
    assert_eq!(rollout.record(start).attempt, Attempt(1));
}

#[test]
fn every_member_in_maintenance_is_seen_to_wherever_its_lane_is() {
    let plan = offline_plan();
    let gate = gate_before(&plan, "db1", "bootstrap_group");
    let starts = ["db1", "db2", "db3"].map(|db| named(&plan, db, "start_server"));
    let mut world = World::of(plan);
    resumed_at(&mut world, gate, FORWARD);
    let due = tasks(&world);
    assert_eq!(due, starts.map(|step| (step, FORWARD, Attempt(2))));
    let rollout = run_offline(&mut world, |_| true);
    assert_eq!(rollout.end(), Some(&End::Upgraded));
    let begins = named(&world.plan, "db1", "bootstrap_group");
    assert_eq!(rollout.record(begins).attempt, Attempt(1));
    world.crash();
}

/// What it expects before it is begun could not be seen: the rollout was parked without an intent.
#[test]
fn a_step_that_could_not_even_be_begun_counts_like_a_gate() {
    let plan = alone_plan();
    let (start, leave) = (
        named(&plan, "db1", "start_server"),
        named(&plan, "db1", "leave_maintenance"),
    );
    let mut world = World::of(plan);
    until_approval(&mut world);
    world.push(Event::PivotApproved { by: person() });
    world.push(Event::Parked {
        reason: ParkReason::StepFailed {
            step: leave,
            member: world.plan.step(leave).unwrap().member.clone(),
            failure: Failure::clean(FailureCode::Precondition, "could not be seen"),
        },
    });
    world.push(Event::Resumed { by: person() });
    // Before the gate in front of it, too, which is asked once more.
    assert_eq!(tasks(&world), [(start, FORWARD, Attempt(2))]);
    let rollout = run_offline(&mut world, |_| true);
    assert_eq!(rollout.end(), Some(&End::Upgraded));
    assert_eq!(rollout.record(start).attempt, Attempt(2));
    world.crash();
}

/// On the way back it is the undo that is done once more, also where the step behind never ran.
#[test]
fn a_gate_of_the_way_back_has_every_server_running_first() {
    let plan = offline_plan();
    let closed = {
        let place = plan.place(named(&plan, "db1", "dissolve_group")).unwrap();
        plan.stages[place.stage].lanes[place.lane].steps[place.index + 1].id
    };
    let stops = ["db1", "db2", "db3"].map(|db| named(&plan, db, "stop_server"));
    for unwound_before in [stops[0], gate_before(&plan, "db1", "bootstrap_group")] {
        let mut world = World::of(plan.clone());
        let mut reached = false;
        while !reached {
            let rollout = world.rollout();
            let Next::Run(tasks) = decide(&rollout, world.epoch) else {
                panic!("it waits");
            };
            reached = tasks.iter().any(|task| task.step == unwound_before);
            if !reached {
                world.begin(&tasks[0]);
                world.resolve(&tasks[0], true);
            }
        }
        world.push(Event::UnwindDecided {
            cause: UnwindCause::Operator { by: person() },
            scope: Scope::All,
        });
        resumed_at(&mut world, closed, Direction::Undo);
        world.crash();
        let due: Vec<_> = tasks(&world)
            .into_iter()
            .map(|(step, direction, _)| (step, direction))
            .collect();
        assert_eq!(due, stops.map(|step| (step, Direction::Undo)));
        let rollout = run_offline(&mut world, |_| true);
        assert_eq!(rollout.end(), Some(&End::Restored));
        world.crash();
    }
}

/// Whoever has left before can't be counted on to take it back: the group may have lost its majority.
#[test]
fn who_leaves_a_group_that_others_have_left_is_not_put_back_by_itself() {
    let plan = offline_plan();
    let first = named(&plan, "db2", "leave_group");
    let second = named(&plan, "db3", "leave_group");
    for (failing, is_put_back) in [(first, true), (second, false)] {
        let mut world = World::of(plan.clone());
        let rollout = run_offline(&mut world, |task| {
            (task.step, task.direction) != (failing, FORWARD)
        });
        let restored = matches!(rollout.parked, Some(ParkReason::MemberRestored { .. }));
        assert_eq!(restored, is_put_back, "{:?}", rollout.parked);
        world.push(Event::Resumed { by: person() });
        let rollout = run_offline(&mut world, |_| true);
        assert_eq!(rollout.end(), Some(&End::Upgraded));
    }
}

/// A source that restarted by itself logs statements again: it is made to log rows, every replica has to be past them, and only then
/// the next replica may be taken out.
#[test]
fn a_source_is_made_to_log_rows_again_before_a_gate_that_asks_for_them() {
    let mut seen = replicas(&["8.4.6"; 3], &[(2, 1), (3, 1)], &["9.7.4-1", "8.4.6-1"]);
    change_server(&mut seen, "db1", |server| {
        let format = ("binlog_format".into(), "STATEMENT".into());
        server.variables.extend([format]);
    });
    let plan = plan(&request("9.7.4"), &seen, 5).unwrap().0;
    let rows = named(&plan, "db1", "log_rows");
    let passed = StepId(rows.0 + 1);
    let first = gate_before(&plan, "db2", "enter_maintenance");
    let second = gate_before(&plan, "db3", "enter_maintenance");
    for fails in [passed, first, second] {
        let mut world = World::of(plan.clone());
        resumed_at(&mut world, fails, FORWARD);
        for (due, attempt) in [(rows, 2), (passed, 2), (fails, 2)] {
            assert_eq!(tasks(&world), [(due, FORWARD, Attempt(attempt))]);
            let Next::Run(tasks) = decide(&world.rollout(), world.epoch) else {
                panic!("it waits");
            };
            world.begin(&tasks[0]);
            world.resolve(&tasks[0], true);
            if fails == due {
                break;
            }
        }
        let rollout = run_offline(&mut world, |_| true);
        assert_eq!(rollout.end(), Some(&End::Upgraded));
        world.crash();
    }
}
