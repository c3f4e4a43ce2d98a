//! A rollout put together again from ledgers: what follows from them, and what does not fit.

use crate::support::{group, request};
use refit_shared::ids::{Attempt, Epoch, MemberName, RolloutId, Seq};
use refit_shared::operation::{AttemptId, Direction, Operation, Order};
use refit_shared::plan::{Plan, Step};
use refit_shared::planner::plan;
use refit_shared::receipt::{Failure, FailureCode, Outcome, Receipt};
use refit_shared::saga::rebuild::{Remembered, rebuild};
use refit_shared::saga::{Actor, End, Entry, Event, Found, Phase, Rollout, StepStatus};
use std::collections::BTreeMap;

type Ledgers = BTreeMap<MemberName, Vec<Remembered>>;

fn a_plan(from: &str) -> Plan {
    let seen = group(&[from; 3], &["9.7.4-2", &format!("{from}-1")]);
    plan(&request("9.7.4"), &seen, 5).unwrap().0
}

fn done() -> Outcome {
    Outcome::Done { notes: vec![] }
}

fn failed(partial: bool) -> Outcome {
    Outcome::Failed(Failure {
        code: FailureCode::Host,
        message: "x".into(),
        partial,
    })
}

fn remember(
    ledgers: &mut Ledgers,
    plan: &Plan,
    step: &Step,
    attempt: u32,
    direction: Direction,
    outcome: Option<Outcome>,
) {
    let order = Order {
        id: AttemptId {
            rollout: RolloutId::new("r1").unwrap(),
            step: step.id,
            attempt: Attempt(attempt),
        },
        epoch: Epoch(1),
        cluster: plan.cluster.clone(),
        member: step.member.clone(),
        direction,
        operation: step.operation().unwrap().clone(),
        deadline_s: step.deadline_s,
    };
    let receipt = outcome.map(|outcome| Receipt {
        id: order.id.clone(),
        content: order.content_digest(),
        began_unix_ms: 1,
        ended_unix_ms: 2,
        outcome,
    });
    let of_member = ledgers.entry(step.member.clone()).or_default();
    of_member.push(Remembered { order, receipt });
}

/// The first `count` operations are done.
fn done_until(plan: &Plan, count: usize) -> Ledgers {
    let mut ledgers = Ledgers::new();
    for step in plan.steps().filter(|step| !step.is_gate()).take(count) {
        remember(
            &mut ledgers,
            plan,
            step,
            1,
            Direction::Perform,
            Some(done()),
        );
    }
    ledgers
}

fn folded(plan: &Plan, events: Vec<Event>) -> Rollout {
    let created = Event::RolloutCreated {
        cluster: plan.cluster.clone(),
        plan: plan.digest(),
        by: Actor::policy("a test"),
    };
    let entries = (0..).zip(std::iter::once(created).chain(events));
    let entries: Vec<Entry> = entries
        .map(|(seq, event)| Entry {
            rollout: RolloutId::new("r1").unwrap(),
            seq: Seq(seq),
            epoch: Epoch(1),
            at_unix_ms: 0,
            event,
        })
        .collect();
    Rollout::fold(plan.clone(), &entries).unwrap()
}

#[test]
fn gates_follow_from_what_is_behind_them() {
    let plan = a_plan("9.7.3");
    let operations = plan.steps().filter(|step| !step.is_gate()).count();
    for count in 0..=operations {
        let rollout = folded(&plan, rebuild(&plan, &done_until(&plan, count)).unwrap());
        let mut later_is_done = false;
        for step in plan.steps().collect::<Vec<_>>().into_iter().rev() {
            let is_done = matches!(rollout.record(step.id).status, StepStatus::Done { .. });
            if step.is_gate() {
                assert_eq!(is_done, later_is_done, "{count}: {}", step.id);
            }
            later_is_done |= is_done && !step.is_gate();
        }
    }
}

#[test]
fn the_latest_try_counts_and_what_an_earlier_one_left_is_not_forgotten() {
    let plan = a_plan("9.7.3");
    let step = plan.steps().find(|step| !step.is_gate()).unwrap();
    let found = |tries: &[(Direction, Option<Outcome>)]| {
        let mut ledgers = Ledgers::new();
        for (attempt, (direction, outcome)) in (1..).zip(tries) {
            remember(
                &mut ledgers,
                &plan,
                step,
                attempt,
                *direction,
                outcome.clone(),
            );
        }
        let events = rebuild(&plan, &ledgers).unwrap();
        let of_step = events.into_iter().find_map(|event| match event {
            Event::Recovered {
                step: id,
                attempt,
                found,
            } if id == step.id => Some((attempt.0, found)),
            _ => None,
        });
        of_step.unwrap()
    };
    use Direction::{Perform, Undo};
    assert_eq!(found(&[(Perform, None)]), (1, Found::Open));
    assert_eq!(found(&[(Perform, Some(done()))]), (1, Found::Done));
    assert_eq!(
        found(&[(Perform, Some(done())), (Undo, None)]),
        (2, Found::UndoOpen)
    );
    let undone = [(Perform, Some(done())), (Undo, Some(done()))];
    assert_eq!(found(&undone), (2, Found::Undone));
    let partial = |tries: &[(Direction, Option<Outcome>)]| match found(tries).1 {
        Found::Failed(failure) => failure.partial,
        other => panic!("{other:?}"),
    };
    assert!(!partial(&[(Perform, Some(failed(false)))]));
    assert!(partial(&[
        (Perform, Some(failed(true))),
        (Perform, Some(failed(false)))
    ]));
    let after_undo = [
        (Perform, Some(failed(true))),
        (Undo, Some(done())),
        (Perform, Some(failed(false))),
    ];
    assert!(!partial(&after_undo));
}

/// What was done last is done once again before a gate that a person has resumed: its agent has two tries at it then.
#[test]
fn a_step_that_was_being_done_again_goes_on_and_what_is_behind_it_stays() {
    let plan = a_plan("9.7.3");
    let operations: Vec<&Step> = plan.steps().filter(|step| !step.is_gate()).collect();
    let again = operations[4];
    let mut ledgers = done_until(&plan, 8);
    remember(&mut ledgers, &plan, again, 2, Direction::Perform, None);
    let rollout = folded(&plan, rebuild(&plan, &ledgers).unwrap());
    assert_eq!(rollout.record(again.id).status, StepStatus::Intended);
    assert_eq!(rollout.record(again.id).attempt, Attempt(2));
    let later = rollout.record(operations[7].id);
    assert!(matches!(later.status, StepStatus::Done { .. }));
}

/// On the way back the stop of a server is undone although it never was, so that the server runs.
#[test]
fn an_undo_of_what_never_ran_is_no_gap() {
    let plan = a_plan("9.7.3");
    let mut ledgers = done_until(&plan, 1);
    let stop = |step: &&Step| step.title() == "stop_server";
    let stop = plan.steps().find(stop).unwrap();
    remember(&mut ledgers, &plan, stop, 1, Direction::Undo, Some(done()));
    let rollout = folded(&plan, rebuild(&plan, &ledgers).unwrap());
    assert_eq!(rollout.record(stop.id).status, StepStatus::Pending);
    remember(&mut ledgers, &plan, stop, 2, Direction::Perform, None);
    assert!(rebuild(&plan, &ledgers).is_err());
}

#[test]
fn a_pivot_that_was_begun_is_crossed_and_only_then() {
    let plan = a_plan("8.4.6");
    let pivot = plan.pivot.as_ref().unwrap().step;
    let before = plan
        .steps()
        .filter(|step| !step.is_gate() && step.id < pivot)
        .count();
    let rollout = |count| folded(&plan, rebuild(&plan, &done_until(&plan, count)).unwrap());
    assert!(rollout(before).may_unwind().is_ok());
    assert!(rollout(before + 1).may_unwind().is_err());
}

#[test]
fn what_was_being_finalized_goes_nowhere_else() {
    let plan = a_plan("9.7.3");
    let operations = plan.steps().filter(|step| !step.is_gate()).count();
    let rollout = folded(
        &plan,
        rebuild(&plan, &done_until(&plan, operations)).unwrap(),
    );
    assert_eq!(rollout.phase, Phase::Finalizing { end: End::Upgraded });
    assert!(rollout.may_unwind().is_err(), "the snapshots may be gone");
}

#[test]
fn ledgers_of_another_plan_or_with_gaps_are_refused_with_every_reason() {
    let plan = a_plan("9.7.3");
    let mut gap = done_until(&plan, 6);
    let (member, orders) = gap.iter_mut().next().unwrap();
    let (member, missing) = (member.clone(), orders.remove(0).order.id.step);
    let why = rebuild(&plan, &gap).unwrap_err().join("; ");
    assert!(
        why.contains(member.as_str()) && why.contains(&missing.to_string()),
        "{why}"
    );

    let mut foreign = done_until(&plan, 2);
    for orders in foreign.values_mut() {
        for remembered in orders {
            remembered.order.operation = Operation::LeaveGroup { drain_s: 999 };
        }
    }
    assert_eq!(rebuild(&plan, &foreign).unwrap_err().len(), 2);
}

/// What was recovered is where a journal begins, and nowhere else.
#[test]
fn nothing_is_recovered_into_a_rollout_that_has_gone_on() {
    let plan = a_plan("9.7.3");
    let events = rebuild(&plan, &done_until(&plan, 2)).unwrap();
    let mut rollout = folded(&plan, events);
    let next = plan.steps().last().unwrap().id;
    let mut push = |event| {
        let entry = Entry {
            rollout: rollout.id.clone(),
            seq: rollout.next_seq,
            epoch: Epoch(2),
            at_unix_ms: 0,
            event,
        };
        rollout.apply(&entry)
    };
    let by = Actor::policy("a test");
    push(Event::Parked {
        reason: refit_shared::saga::ParkReason::Operator { by },
    })
    .unwrap();
    let late = Event::Recovered {
        step: next,
        attempt: Attempt(1),
        found: Found::Done,
    };
    push(late).unwrap_err();
}
