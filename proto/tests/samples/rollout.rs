//! Arbitrary journal entries, and one of everything that an entry can say.

use super::{attempt, cluster, digest, epoch, failure, member, outcome, rollout, seq, step, text};
use proptest::prelude::*;
use refit_shared::ids::{Attempt, ClusterName, Digest, Epoch, MemberName, RolloutId, Seq, StepId};
use refit_shared::receipt::{Failure, FailureCode, Outcome};
use refit_shared::saga::{Actor, End, Entry, Event, Found, ParkReason, Scope, UnwindCause};

pub fn actor() -> impl Strategy<Value = Actor> {
    (text(), text()).prop_map(|(name, reason)| Actor { name, reason })
}

fn cause() -> impl Strategy<Value = UnwindCause> {
    prop_oneof![
        actor().prop_map(|by| UnwindCause::Operator { by }),
        (step(), failure()).prop_map(|(step, failure)| UnwindCause::StepFailed { step, failure }),
    ]
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::All),
        (any::<usize>(), any::<usize>(), member()).prop_map(|(stage, lane, member)| Scope::Lane {
            stage,
            lane,
            member
        }),
    ]
}

pub fn park_reason() -> impl Strategy<Value = ParkReason> {
    let failed = || (step(), member(), failure());
    prop_oneof![
        actor().prop_map(|by| ParkReason::Operator { by }),
        failed().prop_map(|(step, member, failure)| ParkReason::StepFailed {
            step,
            member,
            failure
        }),
        failed().prop_map(|(step, member, failure)| ParkReason::MemberRestored {
            step,
            member,
            failure
        }),
        failed().prop_map(|(step, member, failure)| ParkReason::UndoFailed {
            step,
            member,
            failure
        }),
        (step(), member(), text()).prop_map(|(step, member, why)| ParkReason::OutcomeUnknown {
            step,
            member,
            why
        }),
        (actor(), proptest::collection::vec(text(), 0..3))
            .prop_map(|(by, unknown)| ParkReason::Rebuilt { by, unknown }),
    ]
}

fn found() -> impl Strategy<Value = Found> {
    prop_oneof![
        Just(Found::Open),
        Just(Found::Done),
        failure().prop_map(Found::Failed),
        Just(Found::UndoOpen),
        Just(Found::Undone),
        failure().prop_map(Found::UndoFailed),
    ]
}

pub fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Upgraded),
        Just(End::Restored),
        actor().prop_map(|by| End::Abandoned { by }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let tried = || (step(), attempt());
    let resolved = || (step(), attempt(), outcome());
    prop_oneof![
        (cluster(), digest(), actor()).prop_map(|(cluster, plan, by)| Event::RolloutCreated {
            cluster,
            plan,
            by
        }),
        tried().prop_map(|(step, attempt)| Event::StepIntended { step, attempt }),
        resolved().prop_map(|(step, attempt, outcome)| Event::StepResolved {
            step,
            attempt,
            outcome
        }),
        (cause(), scope()).prop_map(|(cause, scope)| Event::UnwindDecided { cause, scope }),
        tried().prop_map(|(step, attempt)| Event::UndoIntended { step, attempt }),
        resolved().prop_map(|(step, attempt, outcome)| Event::UndoResolved {
            step,
            attempt,
            outcome
        }),
        actor().prop_map(|by| Event::PivotApproved { by }),
        park_reason().prop_map(|reason| Event::Parked { reason }),
        actor().prop_map(|by| Event::Resumed { by }),
        end().prop_map(|end| Event::RolloutClosed { end }),
        actor().prop_map(|by| Event::FinalizeDecided { by }),
        Just(Event::Finalized),
        (step(), attempt(), found()).prop_map(|(step, attempt, found)| Event::Recovered {
            step,
            attempt,
            found
        }),
    ]
}

pub fn entry() -> impl Strategy<Value = Entry> {
    (rollout(), seq(), epoch(), any::<i64>(), event()).prop_map(
        |(rollout, seq, epoch, at_unix_ms, event)| Entry {
            rollout,
            seq,
            epoch,
            at_unix_ms,
            event,
        },
    )
}

/// A journal in which everything that an entry can say is said once. Not a legal rollout, and it need not be.
pub fn one_of_everything() -> Vec<Entry> {
    let by = || Actor {
        name: "dba@example.org".to_owned(),
        reason: "ticket 4711".to_owned(),
    };
    let member = || MemberName::new("db1").expect("a valid name");
    let failure = |code| Failure {
        code,
        message: format!("because of {code}"),
        partial: code == FailureCode::PackageInstall,
    };
    let (step, attempt) = (StepId(7), Attempt(2));
    let mut events = vec![
        Event::RolloutCreated {
            cluster: ClusterName::new("orders").expect("a valid name"),
            plan: Digest::of(b"a plan"),
            by: by(),
        },
        Event::StepIntended { step, attempt },
        Event::StepResolved {
            step,
            attempt,
            outcome: Outcome::Done {
                notes: vec!["was already so".to_owned(), "größer als nötig".to_owned()],
            },
        },
        Event::UnwindDecided {
            cause: UnwindCause::Operator { by: by() },
            scope: Scope::All,
        },
        Event::UnwindDecided {
            cause: UnwindCause::StepFailed {
                step,
                failure: failure(FailureCode::Host),
            },
            scope: Scope::Lane {
                stage: 1,
                lane: 2,
                member: member(),
            },
        },
        Event::UndoIntended { step, attempt },
        Event::UndoResolved {
            step,
            attempt,
            outcome: Outcome::Done { notes: vec![] },
        },
        Event::PivotApproved { by: by() },
        Event::Parked {
            reason: ParkReason::Operator { by: by() },
        },
        Event::Parked {
            reason: ParkReason::StepFailed {
                step,
                member: member(),
                failure: failure(FailureCode::Gate),
            },
        },
        Event::Parked {
            reason: ParkReason::MemberRestored {
                step,
                member: member(),
                failure: failure(FailureCode::ServerRefused),
            },
        },
        Event::Parked {
            reason: ParkReason::UndoFailed {
                step,
                member: member(),
                failure: failure(FailureCode::GroupJoin),
            },
        },
        Event::Parked {
            reason: ParkReason::OutcomeUnknown {
                step,
                member: member(),
                why: "no route to host".to_owned(),
            },
        },
        Event::Resumed { by: by() },
        Event::RolloutClosed { end: End::Upgraded },
        Event::RolloutClosed { end: End::Restored },
        Event::RolloutClosed {
            end: End::Abandoned { by: by() },
        },
        Event::FinalizeDecided { by: by() },
        Event::Finalized,
    ];
    // What the fixture was made of; codes that came later travel in their own tests.
    let of_fixture = FailureCode::ALL
        .iter()
        .filter(|code| **code != FailureCode::Replication);
    events.extend(of_fixture.map(|code| Event::StepResolved {
        step,
        attempt,
        outcome: Outcome::Failed(failure(*code)),
    }));
    let entry = |(seq, event)| Entry {
        rollout: RolloutId::new("01jcmz5v2tq8w9x0y1z2a3b4c5").expect("a valid name"),
        seq: Seq(seq),
        epoch: Epoch(3),
        at_unix_ms: 1_763_000_000_000,
        event,
    };
    (0..).zip(events).map(entry).collect()
}
