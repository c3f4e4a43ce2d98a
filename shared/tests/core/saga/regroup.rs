//! A group that was begun anew, or put back, and does not stand any more is begun again: behind its proof, once everybody has left it.

use super::again::{named, offline_plan, resumed_at, run_offline, tasks};
use super::{World, person};
use refit_shared::condition::Condition;
use refit_shared::ids::StepId;
use refit_shared::operation::{Direction, OperationKind as Kind};
use refit_shared::plan::{Action, Gate, Plan};
use refit_shared::saga::*;

const DBS: [&str; 3] = ["db1", "db2", "db3"];
const THERE: Direction = Direction::Perform;
const BACK: Direction = Direction::Undo;

fn gate_with(plan: &Plan, asks: impl Fn(&Gate) -> bool) -> StepId {
    let is = |action: &Action| matches!(action, Action::Gate(gate) if asks(gate));
    plan.steps().find(|step| is(&step.action)).unwrap().id
}

struct Ids {
    stands: StepId,
    clears: [StepId; 3],
    proof: StepId,
    begin: StepId,
    joins: [StepId; 2],
}

fn there(plan: &Plan) -> Ids {
    let begin = named(plan, "db1", "bootstrap_group");
    Ids {
        stands: gate_with(plan, |gate| gate.conditions == [Condition::GroupStands]),
        clears: DBS.map(|db| named(plan, db, "leave_lost_group")),
        proof: plan.gate_before(begin).unwrap().id,
        begin,
        joins: ["db2", "db3"].map(|db| named(plan, db, "join_group")),
    }
}

fn back(plan: &Plan) -> Ids {
    let begin = named(plan, "db1", "dissolve_group");
    Ids {
        stands: gate_with(plan, |gate| {
            gate.undo_conditions == [Condition::GroupStands]
        }),
        clears: DBS.map(|db| named(plan, db, "leave_lost_group")),
        proof: StepId(begin.0 + 1),
        begin,
        joins: ["db3", "db2"].map(|db| named(plan, db, "leave_group")),
    }
}

/// What is to be done now.
fn due(world: &World) -> Vec<(StepId, Direction)> {
    let tasks = tasks(world).into_iter();
    tasks
        .map(|(step, direction, _)| (step, direction))
        .collect()
}

/// All of it ends so.
fn end_all(world: &mut World, succeed: bool) {
    let Next::Run(tasks) = decide(&world.rollout(), world.epoch) else {
        panic!("it waits");
    };
    for task in &tasks {
        world.begin(task);
    }
    // Whoever takes over finds out.
    world.crash();
    for task in &tasks {
        world.resolve(task, succeed);
    }
}

fn each(steps: &[StepId], direction: Direction) -> Vec<(StepId, Direction)> {
    steps.iter().map(|step| (*step, direction)).collect()
}

/// From the gate that has failed to the one that is passed.
fn is_begun_again(world: &mut World, ids: &Ids, direction: Direction) {
    assert_eq!(due(world), each(&[ids.stands], direction));
    end_all(world, false);
    assert_eq!(due(world), each(&ids.clears, direction));
    end_all(world, true);
    assert_eq!(due(world), each(&[ids.proof], direction));
    // Passed under another controller: on the way there that counts for nothing.
    end_all(world, true);
    if direction == THERE {
        world.crash();
        assert_eq!(due(world), each(&[ids.proof], direction));
        let Next::Run(tasks) = decide(&world.rollout(), world.epoch) else {
            panic!("it waits");
        };
        world.begin(&tasks[0]);
        world.resolve(&tasks[0], true);
    }
    assert_eq!(due(world), each(&[ids.begin], direction));
    end_all(world, true);
    assert_eq!(due(world), each(&[ids.stands], direction));
    end_all(world, true);
}

#[test]
fn a_lost_group_is_begun_again_behind_its_proof_and_all_join_it() {
    let plan = offline_plan();
    let ids = there(&plan);
    // db2 had joined, and only db3 could not; or nobody could.
    for fails in ids.joins {
        let mut world = World::of(plan.clone());
        resumed_at(&mut world, fails, THERE);
        is_begun_again(&mut world, &ids, THERE);
        let joins = due(&world);
        assert_eq!(joins, each(&ids.joins, THERE));
        let rollout = run_offline(&mut world, |_| true);
        assert_eq!(rollout.end(), Some(&End::Upgraded));
    }
}

#[test]
fn a_group_that_stands_is_left_alone() {
    let plan = offline_plan();
    let ids = there(&plan);
    let mut world = World::of(plan);
    resumed_at(&mut world, ids.joins[0], THERE);
    assert_eq!(due(&world), each(&[ids.stands], THERE));
    end_all(&mut world, true);
    assert_eq!(due(&world), each(&ids.joins[..1], THERE));
    let rollout = run_offline(&mut world, |_| true);
    assert_eq!(rollout.end(), Some(&End::Upgraded));
    assert_eq!(rollout.record(ids.clears[0]).attempt.0, 1);
}

/// A server that dies stops the rollout once.
#[test]
fn a_group_that_is_lost_stops_the_rollout_before_it_is_begun_again() {
    let plan = offline_plan();
    let ids = there(&plan);
    let mut world = World::of(plan);
    resumed_at(&mut world, ids.stands, THERE);
    is_begun_again(&mut world, &ids, THERE);
    assert_eq!(due(&world), each(&ids.joins, THERE));
}

/// An agent that says its group has its majority, a proof that does not hold: nothing is begun, and the next resume asks anew.
#[test]
fn nothing_is_begun_without_everybody_out_and_the_proof() {
    let plan = offline_plan();
    for (ids, direction) in [(there(&plan), THERE), (back(&plan), BACK)] {
        for fails in [ids.clears[1], ids.proof] {
            let mut world = lost(&plan, &ids, direction);
            end_all(&mut world, false);
            let asked = |world: &World| due(world).contains(&(fails, direction));
            while !asked(&world) {
                end_all(&mut world, true);
            }
            end_all(&mut world, false);
            let begun = world.rollout().record(ids.begin).attempt;
            let rollout = run_offline(&mut world, |_| true);
            let is_here =
                |step: &StepId| *step == fails || fails != ids.proof && ids.clears.contains(step);
            let told = match &rollout.parked {
                Some(ParkReason::StepFailed { step, .. } | ParkReason::UndoFailed { step, .. }) => {
                    is_here(step)
                }
                _ => false,
            };
            assert!(told, "{:?}", rollout.parked);
            assert_eq!(rollout.record(ids.begin).attempt, begun);
            world.push(Event::Resumed { by: person() });
            // It came back by itself meanwhile, or a person saw to it: what had failed is no obstacle.
            assert_eq!(due(&world), each(&[ids.stands], direction));
            let rollout = run_offline(&mut world, |_| true);
            let end = if direction == THERE {
                End::Upgraded
            } else {
                End::Restored
            };
            assert_eq!(rollout.end(), Some(&end));
            assert_eq!(rollout.record(ids.begin).attempt, begun);
            world.crash();
        }
    }
}

/// Resumed where the first of the others could not join.
fn lost(plan: &Plan, ids: &Ids, direction: Direction) -> World {
    let mut world = World::of(plan.clone());
    if direction == BACK {
        unwinds_before_the_pivot(&mut world);
    }
    resumed_at(&mut world, ids.joins[0], direction);
    world
}

fn unwinds_before_the_pivot(world: &mut World) {
    let pivot = named(&world.plan, "db1", "bootstrap_group");
    while !due(world).iter().any(|(step, _)| step.0 + 1 == pivot.0) {
        end_all(world, true);
    }
    world.push(Event::UnwindDecided {
        cause: UnwindCause::Operator { by: person() },
        scope: Scope::All,
    });
}

#[test]
fn on_the_way_back_a_lost_group_is_begun_again_and_all_join_it() {
    let plan = offline_plan();
    let ids = back(&plan);
    let enters = named(&plan, "db1", "enter_maintenance");
    for fails in [enters, ids.joins[0], ids.joins[1]] {
        let mut world = World::of(plan.clone());
        unwinds_before_the_pivot(&mut world);
        resumed_at(&mut world, fails, BACK);
        is_begun_again(&mut world, &ids, BACK);
        let mut joined = Vec::new();
        let rollout = run_offline(&mut world, |task| {
            joined.push(task.step);
            true
        });
        assert_eq!(rollout.end(), Some(&End::Restored));
        let joins: Vec<_> = joined.iter().filter(|s| ids.joins.contains(s)).collect();
        assert_eq!(joins, [&ids.joins[0], &ids.joins[1]], "{fails}");
        world.crash();
    }
}

/// Unwound before anybody had ended the group: it was lost all the same.
#[test]
fn a_group_that_was_lost_before_it_was_ended_is_begun_again() {
    let plan = offline_plan();
    let ids = back(&plan);
    let mut world = World::of(plan);
    let left = named(&world.plan, "db2", "leave_group");
    while world.rollout().record(left).attempt.0 == 0 {
        end_all(&mut world, true);
    }
    world.push(Event::UnwindDecided {
        cause: UnwindCause::Operator { by: person() },
        scope: Scope::All,
    });
    resumed_at(&mut world, left, BACK);
    is_begun_again(&mut world, &ids, BACK);
    let mut joined = Vec::new();
    let rollout = run_offline(&mut world, |task| {
        joined.push(task.step);
        true
    });
    assert_eq!(rollout.end(), Some(&End::Restored));
    // db3 had never left, but was in the lost group.
    assert!(ids.joins.iter().all(|step| joined.contains(step)));
}

/// Whatever fails, in whatever order a person resumes: behind the first time a group is begun only directly behind a proof that
/// was passed once everybody had left.
#[test]
fn whatever_fails_it_comes_to_its_end() {
    let plan = offline_plan();
    for (ids, direction) in [(there(&plan), THERE), (back(&plan), BACK)] {
        for seed in 0..200_u64 {
            let mut world = lost(&plan, &ids, direction);
            let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut rolls = 0;
            while world.rollout().end().is_none() {
                if world.rollout().is_parked() {
                    world.push(Event::Resumed { by: person() });
                }
                run_offline(&mut world, |_| {
                    dice ^= dice << 13;
                    dice ^= dice >> 7;
                    dice ^= dice << 17;
                    rolls += 1;
                    rolls > 60 || !dice.is_multiple_of(4)
                });
                world.crash();
            }
            let end = if direction == THERE {
                End::Upgraded
            } else {
                End::Restored
            };
            assert_eq!(world.rollout().end(), Some(&end), "seed {seed}");
            proved(&world, &ids, direction);
        }
    }
}

/// Between two beginnings of the group everybody has left, and then the proof was passed.
fn proved(world: &World, ids: &Ids, direction: Direction) {
    let mut proof_due = false;
    for entry in &world.journal {
        let (step, begins, passed, of) = match &entry.event {
            Event::StepIntended { step, .. } => (*step, true, false, THERE),
            Event::UndoIntended { step, .. } => (*step, true, false, BACK),
            Event::StepResolved { step, outcome, .. } => (
                *step,
                false,
                matches!(outcome, refit_shared::receipt::Outcome::Done { .. }),
                THERE,
            ),
            Event::UndoResolved { step, outcome, .. } => (
                *step,
                false,
                matches!(outcome, refit_shared::receipt::Outcome::Done { .. }),
                BACK,
            ),
            _ => continue,
        };
        if of != direction {
            continue;
        }
        if step == ids.begin && begins {
            assert!(
                !proof_due,
                "entry {}: the group is begun without proof",
                entry.seq
            );
        }
        if step == ids.begin && passed {
            proof_due = true;
        }
        if step == ids.proof && passed {
            proof_due = false;
        }
    }
    let kinds = world.plan.steps().filter_map(|step| step.operation());
    assert_eq!(
        kinds.filter(|o| o.kind() == Kind::LeaveLostGroup).count(),
        3
    );
}
