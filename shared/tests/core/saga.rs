//! The saga under everything that can happen to it: every outcome, every crash, every act of a person, in any order.
//!
//! The walk drives `decide` and `fold` as an executor would, with a journal in memory and agents that may succeed, fail or be
//! cut off. At every crash the journal is folded from its beginning and must give the very same state.

mod again;
mod regroup;

use crate::support::{alone, group, request};
use proptest::prelude::*;
use refit_shared::ids::{self, Attempt, Epoch, RolloutId, Seq};
use refit_shared::operation::{Direction, Operation, OperationKind};
use refit_shared::plan::{Plan, Reversibility};
use refit_shared::planner::plan;
use refit_shared::receipt::{Failure, FailureCode, Outcome};
use refit_shared::saga::*;
use std::collections::BTreeMap;

fn make_plan(from: &str) -> Plan {
    plan(
        &request("9.7.4"),
        &group(&[from; 3], &["9.7.4-2", &format!("{from}-1")]),
        5,
    )
    .unwrap()
    .0
}

fn alone_plan() -> Plan {
    let seen = alone("9.7.3", &["9.7.4-2", "9.7.3-1"]);
    plan(&request("9.7.4"), &seen, 5).unwrap().0
}

/// A journal and the world that its steps have made: which operations are in force, per step.
struct World {
    plan: Plan,
    journal: Vec<Entry>,
    epoch: Epoch,
    state: Option<Rollout>,
    /// Steps whose effect is (at least partly) in the world.
    effects: BTreeMap<u16, bool>,
}

impl World {
    fn new(from: &str) -> Self {
        Self::of(make_plan(from))
    }

    fn of(plan: Plan) -> Self {
        let created = Event::RolloutCreated {
            cluster: plan.cluster.clone(),
            plan: plan.digest(),
            by: Actor {
                name: "ann".into(),
                reason: String::new(),
            },
        };
        let mut world = Self {
            plan,
            journal: Vec::new(),
            epoch: Epoch(1),
            state: None,
            effects: BTreeMap::new(),
        };
        world.push(created);
        world
    }

    fn push(&mut self, event: Event) {
        let seq = Seq(self.journal.len() as u64);
        let rollout = RolloutId::new("r1").unwrap();
        let entry = Entry {
            rollout,
            seq,
            epoch: self.epoch,
            at_unix_ms: seq.0 as i64,
            event,
        };
        match &mut self.state {
            None => self.state = Some(Rollout::begin(self.plan.clone(), &entry).unwrap()),
            Some(state) => state
                .apply(&entry)
                .unwrap_or_else(|illegal| panic!("{illegal}\n{:#?}", self.journal)),
        }
        self.journal.push(entry);
    }

    fn rollout(&self) -> Rollout {
        self.state.clone().unwrap()
    }

    /// The controller dies: all that is left is the journal, and it must say the same.
    fn crash(&mut self) {
        let folded = Rollout::fold(self.plan.clone(), &self.journal)
            .unwrap_or_else(|illegal| panic!("{illegal}"));
        assert_eq!(Some(&folded), self.state.as_ref());
        self.epoch = self.epoch.next();
    }

    fn begin(&mut self, task: &Task) {
        if task.mode == Mode::Begin {
            let (step, attempt) = (task.step, task.attempt);
            self.push(match task.direction {
                Direction::Perform => Event::StepIntended { step, attempt },
                Direction::Undo => Event::UndoIntended { step, attempt },
            });
        }
    }

    fn resolve(&mut self, task: &Task, succeed: bool) {
        let (step, attempt) = (task.step, task.attempt);
        let outcome = if succeed {
            Outcome::Done { notes: vec![] }
        } else {
            Outcome::Failed(Failure::partial(FailureCode::Host, "injected"))
        };
        match task.direction {
            Direction::Perform => {
                self.effects.insert(step.0, true);
                self.push(Event::StepResolved {
                    step,
                    attempt,
                    outcome,
                });
            }
            Direction::Undo => {
                if succeed {
                    self.effects.remove(&step.0);
                }
                self.push(Event::UndoResolved {
                    step,
                    attempt,
                    outcome,
                });
            }
        }
    }

    /// Members that are out of service by what is in force.
    fn out(&self) -> usize {
        let in_force = |step: &refit_shared::plan::Step| self.effects.contains_key(&step.id.0);
        let lanes = self.plan.stages.iter().flat_map(|stage| &stage.lanes);
        lanes
            .filter(|lane| {
                let has = |kind| {
                    lane.steps
                        .iter()
                        .any(|s| in_force(s) && s.operation().is_some_and(|o| o.kind() == kind))
                };
                has(OperationKind::LeaveGroup) && !has(OperationKind::JoinGroup)
            })
            .count()
    }

    /// What must hold of every reachable state.
    fn check(&self, rollout: &Rollout) {
        assert!(self.out() <= 1, "{} members are out at once", self.out());
        if let Some(End::Restored) = rollout.end() {
            let owed = self.plan.steps().filter(|step| {
                self.effects.contains_key(&step.id.0)
                    && step.reversibility == Reversibility::Undoable
                    && !matches!(step.operation(), Some(Operation::ReleaseArtifacts { .. }))
            });
            assert_eq!(owed.count(), 0, "Restored with effects left");
        }
        if let (Some(End::Upgraded), Some(pivot)) = (rollout.end(), &self.plan.pivot) {
            assert!(
                rollout.pivot_crossed && rollout.pivot_approved.is_some(),
                "upgraded without {} approved",
                pivot.step
            );
        }
        if rollout.pivot_crossed {
            assert!(rollout.may_unwind().is_err());
        }
    }
}

/// What the world does at one turn.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Succeed(u8),
    Fail(u8),
    /// The controller dies after the intent, before it hears the outcome; the effect may or may not have come about.
    Crash {
        effect: bool,
    },
    Park,
    Unwind,
    Resume,
    Approve,
    Finalize,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        30 => any::<u8>().prop_map(Turn::Succeed),
        2 => any::<u8>().prop_map(Turn::Fail),
        3 => any::<bool>().prop_map(|effect| Turn::Crash { effect }),
        1 => Just(Turn::Park),
        1 => Just(Turn::Unwind),
        3 => Just(Turn::Resume),
        3 => Just(Turn::Approve),
        1 => Just(Turn::Finalize),
    ];
    proptest::collection::vec(turn, 1..220)
}

fn person() -> Actor {
    Actor {
        name: "ann".into(),
        reason: "test".into(),
    }
}

fn walk(plan: Plan, turns: &[Turn]) {
    let mut world = World::of(plan);
    for turn in turns {
        let rollout = world.rollout();
        world.check(&rollout);
        match turn {
            Turn::Park if !rollout.at_rest() => world.push(Event::Parked {
                reason: ParkReason::Operator { by: person() },
            }),
            Turn::Unwind if rollout.may_unwind().is_ok() => {
                world.push(Event::UnwindDecided {
                    cause: UnwindCause::Operator { by: person() },
                    scope: Scope::All,
                });
            }
            Turn::Resume if rollout.is_parked() => world.push(Event::Resumed { by: person() }),
            Turn::Approve if world.plan.pivot.is_some() => {
                world.push(Event::PivotApproved { by: person() })
            }
            Turn::Finalize if matches!(rollout.phase, Phase::Closed { .. }) => {
                world.push(Event::FinalizeDecided { by: person() });
            }
            _ => act(&mut world, &rollout, *turn),
        }
    }
    let rollout = world.rollout();
    world.check(&rollout);
    world.crash();
}

fn act(world: &mut World, rollout: &Rollout, turn: Turn) {
    match decide(rollout, world.epoch) {
        Next::Append(event) => world.push(event),
        Next::AwaitApproval { .. } | Next::Rest => {}
        Next::Run(tasks) => {
            assert!(!tasks.is_empty());
            let pick = match turn {
                Turn::Succeed(n) | Turn::Fail(n) => usize::from(n) % tasks.len(),
                _ => 0,
            };
            tasks.iter().for_each(|task| world.begin(task));
            match turn {
                Turn::Succeed(_) => world.resolve(&tasks[pick], true),
                Turn::Fail(_) => world.resolve(&tasks[pick], false),
                Turn::Crash { effect } => {
                    if effect && tasks[0].direction == Direction::Perform {
                        world.effects.insert(tasks[0].step.0, true);
                    }
                    world.crash();
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_decided_is_ever_illegal_and_every_invariant_holds(turns in turns(), which in 0..3) {
        let plan = match which {
            0 => make_plan("9.7.3"),
            1 => make_plan("8.4.6"),
            _ => alone_plan(),
        };
        walk(plan, &turns);
    }
}

/// Runs to rest, all tasks succeeding unless `outcome` says otherwise. Approves the pivot when asked.
fn run(world: &mut World, mut outcome: impl FnMut(&Task) -> bool) -> Rollout {
    for _ in 0..2000 {
        let rollout = world.rollout();
        world.check(&rollout);
        match decide(&rollout, world.epoch) {
            Next::Rest => return rollout,
            Next::Append(event) => world.push(event),
            Next::AwaitApproval { .. } => world.push(Event::PivotApproved { by: person() }),
            Next::Run(tasks) => {
                for task in &tasks {
                    world.begin(task);
                }
                let succeed = outcome(&tasks[0]);
                world.resolve(&tasks[0], succeed);
            }
        }
    }
    panic!("no rest after 2000 turns: {:#?}", world.rollout().phase);
}

#[test]
fn every_step_failing_once_leads_to_a_reason_and_resuming_to_the_end() {
    for from in ["9.7.3", "8.4.6"] {
        let steps: Vec<_> = make_plan(from)
            .stages
            .iter()
            .flat_map(|s| &s.lanes)
            .flat_map(|l| &l.steps)
            .map(|s| s.id)
            .collect();
        for failing in steps {
            let mut world = World::new(from);
            let mut failed = false;
            let rollout = run(&mut world, |task| {
                let now = task.step == failing && task.direction == Direction::Perform && !failed;
                failed |= now;
                !now
            });
            assert!(
                rollout.is_parked(),
                "{from}: {failing} failed, and nobody was told"
            );
            // Everything that the failing member's lane did has been put back, unless it could not be (pivot), or the
            // member is in service again and the failure is not its own.
            if let Some(ParkReason::MemberRestored { .. }) = &rollout.parked {
                assert_eq!(world.out(), 0, "{from}: {failing}");
            }
            world.push(Event::Resumed { by: person() });
            let rollout = run(&mut world, |_| true);
            assert_eq!(rollout.end(), Some(&End::Upgraded), "{from}: {failing}");
        }
    }
}

#[test]
fn unwinding_from_every_step_restores_everything_and_a_failing_undo_parks_first() {
    let plan = make_plan("9.7.3");
    let steps: Vec<_> = plan
        .stages
        .iter()
        .flat_map(|s| &s.lanes)
        .flat_map(|l| &l.steps)
        .map(|s| s.id)
        .collect();
    for stop_after in &steps {
        for fail_undo in [false, true] {
            let mut world = World::new("9.7.3");
            loop {
                let rollout = world.rollout();
                match decide(&rollout, world.epoch) {
                    Next::Run(tasks) => {
                        world.begin(&tasks[0]);
                        if tasks[0].step == *stop_after {
                            break;
                        }
                        world.resolve(&tasks[0], true);
                    }
                    Next::Append(event) => world.push(event),
                    other => panic!("{other:?}"),
                }
            }
            world.push(Event::UnwindDecided {
                cause: UnwindCause::Operator { by: person() },
                scope: Scope::All,
            });
            let mut failures = u32::from(fail_undo);
            let mut rollout = run(&mut world, |_| {
                let succeed = failures == 0;
                failures = failures.saturating_sub(1);
                succeed
            });
            if let Some(ParkReason::UndoFailed { .. }) = rollout.parked {
                assert!(fail_undo);
                world.push(Event::Resumed { by: person() });
                rollout = run(&mut world, |_| true);
            }
            assert_eq!(
                rollout.end(),
                Some(&End::Restored),
                "unwound from {stop_after}"
            );
            assert_eq!(world.out(), 0);
        }
    }
}

#[test]
fn an_upgraded_rollout_without_a_pivot_can_be_unwound_until_it_is_finalized() {
    let mut world = World::new("9.7.3");
    assert_eq!(run(&mut world, |_| true).end(), Some(&End::Upgraded));
    world.push(Event::UnwindDecided {
        cause: UnwindCause::Operator { by: person() },
        scope: Scope::All,
    });
    assert_eq!(run(&mut world, |_| true).end(), Some(&End::Restored));

    let mut world = World::new("9.7.3");
    run(&mut world, |_| true);
    world.push(Event::FinalizeDecided { by: person() });
    let rollout = run(&mut world, |_| true);
    assert!(matches!(
        rollout.phase,
        Phase::Finalized { end: End::Upgraded }
    ));
    assert!(rollout.may_unwind().is_err());
}

#[test]
fn a_gate_that_was_passed_before_a_crash_is_asked_again() {
    let mut world = World::new("9.7.3");
    // Up to the point where the gate before the first leave has been passed.
    let gate = loop {
        let rollout = world.rollout();
        let Next::Run(tasks) = decide(&rollout, world.epoch) else {
            panic!()
        };
        let step = world.plan.step(tasks[0].step).unwrap().clone();
        world.begin(&tasks[0]);
        world.resolve(&tasks[0], true);
        if step.is_gate() && world.plan.place(step.id).unwrap().stage == 2 {
            break step.id;
        }
    };
    let Next::Run(tasks) = decide(&world.rollout(), world.epoch) else {
        panic!()
    };
    assert_ne!(
        tasks[0].step, gate,
        "in the same incarnation the gate counts"
    );
    world.epoch = world.epoch.next();
    let Next::Run(tasks) = decide(&world.rollout(), world.epoch) else {
        panic!()
    };
    assert_eq!(
        (tasks[0].step, tasks[0].attempt),
        (gate, Attempt(2)),
        "after a crash it is asked again"
    );
}

#[test]
fn journals_that_can_not_be_are_refused() {
    let mut world = World::new("8.4.6");
    let first = world.plan.steps().next().unwrap().id;
    let bad: Vec<Event> = vec![
        Event::StepResolved {
            step: first,
            attempt: Attempt(1),
            outcome: Outcome::Done { notes: vec![] },
        },
        Event::StepIntended {
            step: first,
            attempt: Attempt(2),
        },
        Event::StepIntended {
            step: refit_shared::ids::StepId(999),
            attempt: Attempt(1),
        },
        Event::StepIntended {
            step: world.plan.pivot.as_ref().unwrap().step,
            attempt: Attempt(1),
        },
        Event::UndoIntended {
            step: first,
            attempt: Attempt(1),
        },
        Event::Resumed { by: person() },
        Event::RolloutClosed { end: End::Restored },
        Event::FinalizeDecided { by: person() },
        Event::Finalized,
        Event::RolloutCreated {
            cluster: world.plan.cluster.clone(),
            plan: world.plan.digest(),
            by: person(),
        },
    ];
    for event in bad {
        let mut rollout = world.rollout();
        let entry = Entry {
            rollout: rollout.id.clone(),
            seq: rollout.next_seq,
            epoch: Epoch(1),
            at_unix_ms: 0,
            event: event.clone(),
        };
        assert!(rollout.apply(&entry).is_err(), "{event:?}");
    }
    let mut gap = world.rollout();
    let entry = Entry {
        rollout: gap.id.clone(),
        seq: Seq(5),
        epoch: Epoch(1),
        at_unix_ms: 0,
        event: Event::StepIntended {
            step: first,
            attempt: Attempt(1),
        },
    };
    assert!(gap.apply(&entry).is_err(), "a gap in the sequence");
    world.plan.policy.soak_s += 1;
    assert!(
        Rollout::fold(world.plan.clone(), &world.journal).is_err(),
        "another plan than the journal's"
    );
}

/// A step that half happened must be gone on with: past the pivot there is no other way.
#[test]
fn what_may_have_half_happened_is_known_until_it_is_undone() {
    let mut world = World::new("9.7.3");
    let first = world.plan.steps().next().unwrap().id;
    let half_done = |world: &World| world.rollout().record(first).half_done;
    let mut attempt = Attempt(0);
    let mut fail = |world: &mut World, partial: bool| {
        attempt = attempt.next();
        let step = first;
        world.push(Event::StepIntended { step, attempt });
        let failure = Failure {
            code: FailureCode::Host,
            message: "x".into(),
            partial,
        };
        let outcome = Outcome::Failed(failure);
        world.push(Event::StepResolved {
            step,
            attempt,
            outcome,
        });
        attempt
    };
    fail(&mut world, false);
    assert!(!half_done(&world), "nothing was done");
    fail(&mut world, true);
    assert!(half_done(&world));
    let last = fail(&mut world, false);
    assert!(half_done(&world), "a try that did nothing undoes nothing");
    let by = Actor {
        name: "ann".into(),
        reason: String::new(),
    };
    world.push(Event::UnwindDecided {
        cause: UnwindCause::Operator { by },
        scope: Scope::All,
    });
    let (step, attempt) = (first, last.next());
    world.push(Event::UndoIntended { step, attempt });
    assert!(half_done(&world));
    let outcome = Outcome::Done { notes: vec![] };
    world.push(Event::UndoResolved {
        step,
        attempt,
        outcome,
    });
    assert!(!half_done(&world));
}

/// Succeeds at everything until a person has to approve.
fn until_approval(world: &mut World) -> Rollout {
    for _ in 0..2000 {
        let rollout = world.rollout();
        match decide(&rollout, world.epoch) {
            Next::AwaitApproval { .. } => return rollout,
            Next::Append(event) => world.push(event),
            Next::Run(tasks) => {
                world.begin(&tasks[0]);
                world.resolve(&tasks[0], true);
            }
            Next::Rest => panic!("at rest: {:#?}", rollout.phase),
        }
    }
    panic!("never asked for approval");
}

#[test]
fn the_gate_before_the_pivot_is_asked_again_once_a_person_has_approved() {
    // The person may have thought about it for hours.
    let mut world = World::new("8.4.6");
    until_approval(&mut world);
    let asked = world.plan.pivot.as_ref().unwrap().asked_at();
    let gate = world.plan.gate_before(asked).unwrap().id;
    world.push(Event::PivotApproved { by: person() });
    let next = |world: &World| match decide(&world.rollout(), world.epoch) {
        Next::Run(tasks) => tasks,
        other => panic!("{other:?}"),
    };
    let tasks = next(&world);
    assert_eq!(tasks.iter().map(|t| t.step).collect::<Vec<_>>(), [gate]);
    world.begin(&tasks[0]);
    world.resolve(&tasks[0], true);
    assert_eq!(next(&world)[0].step, asked);
    world.crash();
}

#[test]
fn a_pivot_that_was_begun_right_after_the_approval_goes_on() {
    // Journals of earlier releases have no second look at the gate.
    let mut world = World::new("8.4.6");
    until_approval(&mut world);
    let asked = world.plan.pivot.as_ref().unwrap().asked_at();
    world.push(Event::PivotApproved { by: person() });
    world.push(Event::StepIntended {
        step: asked,
        attempt: Attempt(1),
    });
    world.crash();
    match decide(&world.rollout(), world.epoch) {
        Next::Run(tasks) => {
            assert_eq!(
                tasks.iter().map(|t| (t.step, t.mode)).collect::<Vec<_>>(),
                [(asked, Mode::Reconcile)]
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn steps_that_go_on_begin_no_turn_and_everything_else_does() {
    let mut world = World::new("8.4.6");
    assert_eq!(world.rollout().turns.now(), ids::Turn(1));
    let rollout = until_approval(&mut world);
    // Only that the pivot has been reached.
    assert_eq!(rollout.turns.now(), ids::Turn(2));
    assert!(rollout.may_approve().is_ok());
    let acts = [
        Event::Parked {
            reason: ParkReason::Operator { by: person() },
        },
        Event::Resumed { by: person() },
        Event::PivotApproved { by: person() },
        Event::UnwindDecided {
            cause: UnwindCause::Operator { by: person() },
            scope: Scope::All,
        },
        Event::RolloutClosed {
            end: End::Abandoned { by: person() },
        },
        Event::FinalizeDecided { by: person() },
    ];
    for act in acts {
        let (before, seq) = (world.rollout().turns, world.rollout().next_seq);
        world.push(act.clone());
        let after = world.rollout().turns;
        assert_eq!(after.now(), before.now().next(), "{act:?}");
        assert_eq!(after.since(before.now()), [seq], "{act:?}");
        assert!(after.since(after.now()).is_empty());
    }
    // The next incarnation reads the same.
    world.crash();
}

/// The lost journal may have had any number of turns: what was said of one must not fit the new journal.
#[test]
fn a_rebuilt_rollout_begins_its_turns_beyond_those_that_are_lost() {
    let mut lost = World::new("8.4.6");
    lost.epoch = Epoch(7);
    for _ in 0..50 {
        lost.push(Event::Parked {
            reason: ParkReason::Operator { by: person() },
        });
        lost.push(Event::Resumed { by: person() });
    }
    let rebuilt = |epoch| {
        let mut world = World::new("8.4.6");
        world.epoch = Epoch(epoch);
        world.push(Event::Parked {
            reason: ParkReason::Rebuilt {
                by: person(),
                unknown: vec![],
            },
        });
        world.rollout().turns.now()
    };
    assert!(rebuilt(7) > lost.rollout().turns.now());
    assert!(
        rebuilt(8) > ids::Turn(rebuilt(7).0 + 1000),
        "lost once more after more acts"
    );
    // Bytes on a disk may say anything.
    assert!(rebuilt(u64::MAX) > rebuilt(8));
}
