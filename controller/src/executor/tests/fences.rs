//! Several operators at the same instant, and requests that come once more, late: exactly one counts, and the other is told why.

use crate::fixture::{Controller, FakeAgents, SERIES, controller, memory, orders, request};
use crate::journal::MemoryJournal;
use crate::rollouts::{ApiError, Rollouts, State};
use refit_shared::ids::{Digest, RolloutId, Seq};
use refit_shared::saga::{Actor, End, Event};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn actor(name: &str) -> Actor {
    Actor {
        name: name.to_owned(),
        reason: "because".to_owned(),
    }
}

async fn at_the_pivot(agents: &FakeAgents, journal: &MemoryJournal) -> (Controller, RolloutId) {
    let controller = controller(agents, Arc::new(journal.clone())).await;
    let id = controller.applied().await;
    let waits = |state: &State| matches!(state, State::AwaitingApproval { .. });
    controller
        .until(&id, |view| waits(&view.summary.state))
        .await;
    (controller, id)
}

/// Who has approved, unwound and so on, in the order of the journal.
async fn acts(controller: &Controller, id: &RolloutId) -> Vec<String> {
    let entries = controller.rollouts.audit(id, Seq(0)).await.unwrap();
    let told = entries.iter().filter_map(|entry| match &entry.event {
        Event::PivotApproved { by } => Some(format!("approved by {}", by.name)),
        Event::UnwindDecided { .. } => Some("unwind".to_owned()),
        Event::RolloutCreated { .. } => Some("created".to_owned()),
        _ => None,
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn of_two_who_apply_at_once_one_gets_the_cluster_and_the_other_is_told_who_has_it() {
    // The same plan twice; and two plans of the same cluster.
    for same in [true, false] {
        let agents = FakeAgents::new();
        let controller = controller(&agents, Arc::new(memory())).await;
        let first = controller.planned().await;
        let second = if same {
            first
        } else {
            tokio::time::advance(Duration::from_secs(1)).await;
            controller.planned().await
        };
        assert_eq!(first == second, same);
        let rollouts = &controller.rollouts;
        let (ann, bob) = tokio::join!(
            rollouts.apply(&first, actor("ann")),
            rollouts.apply(&second, actor("bob")),
        );
        let (won, lost) = match (ann, bob) {
            (Ok(id), Err(why)) | (Err(why), Ok(id)) => (id, why),
            both => panic!("{both:?}"),
        };
        assert!(
            matches!(&lost, ApiError::ClusterBusy { by, cluster } if *by == won && *cluster == orders()),
            "{lost}"
        );
        assert_eq!(controller.rollouts.list().await.unwrap().len(), 1);
        controller.at_rest(&won).await;
        agents.assert_upgraded();
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_approve_at_once_one_has_approved_and_the_other_is_told_who() {
    let (agents, journal) = (FakeAgents::running(SERIES), memory());
    let (controller, id) = at_the_pivot(&agents, &journal).await;
    let rollouts = &controller.rollouts;
    let (ann, bob) = tokio::join!(
        rollouts.approve(&id, actor("ann")),
        rollouts.approve(&id, actor("bob")),
    );
    let (won, lost) = match (ann, bob) {
        (Ok(()), Err(why)) => ("ann", why),
        (Err(why), Ok(())) => ("bob", why),
        both => panic!("{both:?}"),
    };
    assert!(matches!(lost, ApiError::NotNow { .. }), "{lost}");
    assert!(
        lost.to_string()
            .contains(&format!("approved already, by {won}")),
        "{lost}"
    );
    controller.at_rest(&id).await;
    let expected = ["created".to_owned(), format!("approved by {won}")];
    assert_eq!(acts(&controller, &id).await, expected);
}

#[tokio::test(start_paused = true)]
async fn who_approves_while_another_unwinds_is_told_or_is_unwound_as_a_whole() {
    for approves_first in [true, false] {
        let (agents, journal) = (FakeAgents::running(SERIES), memory());
        let (controller, id) = at_the_pivot(&agents, &journal).await;
        let rollouts = &controller.rollouts;
        let approve = rollouts.approve(&id, actor("ann"));
        let unwind = rollouts.unwind(&id, actor("bob"));
        let (approved, unwound) = if approves_first {
            tokio::join!(approve, unwind)
        } else {
            let (unwound, approved) = tokio::join!(unwind, approve);
            (approved, unwound)
        };
        // Unwinding is possible until the pivot is begun, so it may come after an approval; never the other way round.
        let view = controller.at_rest(&id).await;
        let State::Ended { end, .. } = &view.summary.state else {
            panic!("{}", view.summary.state);
        };
        match (approved, unwound) {
            (_, Ok(())) => {
                assert_eq!(*end, End::Restored);
                agents.assert_whole(SERIES);
            }
            (Ok(()), Err(why)) => {
                assert!(matches!(why, ApiError::NotNow { .. }), "{why}");
                assert_eq!(*end, End::Upgraded);
            }
            (Err(one), Err(other)) => panic!("{one}; {other}"),
        }
        if !approves_first {
            assert_eq!(acts(&controller, &id).await, ["created", "unwind"]);
        }
    }
}

/// A request of the operator's API, by its name in the .proto file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Apply,
    Pause,
    Resume,
    Approve,
    Unwind,
    Cancel,
    Finalize,
}

/// Those that change something, and those that only look or make a plan or a throw-away clone: once more of these is one more look.
const CHANGE: [Request; 7] = [
    Request::Apply,
    Request::Pause,
    Request::Resume,
    Request::Approve,
    Request::Unwind,
    Request::Cancel,
    Request::Finalize,
];
const LOOK: [&str; 9] = [
    "Fleet", "Check", "Config", "Rehearse", "Plan", "Watch", "List", "Show", "Audit",
];

#[test]
fn every_request_has_its_place() {
    let text = include_str!("../../../../proto/proto/refit/operator/v1/operator.proto");
    let served: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next())
        .map(str::to_owned)
        .collect();
    let told: BTreeSet<String> = CHANGE
        .iter()
        .map(|request| format!("{request:?}"))
        .chain(LOOK.map(str::to_owned))
        .collect();
    assert_eq!(served, told);
}

async fn send(
    rollouts: &Rollouts,
    request: Request,
    plan: &Digest,
    id: &RolloutId,
) -> Result<(), ApiError> {
    let by = actor("ann");
    match request {
        Request::Apply => rollouts.apply(plan, by).await.map(drop),
        Request::Pause => rollouts.pause(id, by).await,
        Request::Resume => rollouts.resume(id, by).await,
        Request::Approve => rollouts.approve(id, by).await,
        Request::Unwind => rollouts.unwind(id, by).await,
        Request::Cancel => rollouts.cancel(id, by).await,
        Request::Finalize => rollouts.finalize(id, by).await,
    }
}

/// Everything that was ever asked of a rollout, once more, after it has ended in each way and after it is finalized: nothing is
/// journalled, no agent gets an order, and each is told why not. A restored cluster is as it was when its plan was made, and
/// a late Apply must not upgrade it again.
#[tokio::test(start_paused = true)]
async fn a_request_that_comes_again_late_changes_nothing() {
    for unwinds in [true, false] {
        let (agents, journal) = (FakeAgents::running(SERIES), memory());
        let controller = controller(&agents, Arc::new(journal.clone())).await;
        let plan = controller
            .rollouts
            .plan(&orders(), &request())
            .await
            .unwrap();
        let plan = plan.0.digest();
        let rollouts = &controller.rollouts;
        let id = rollouts.apply(&plan, actor("ann")).await.unwrap();
        send(rollouts, Request::Pause, &plan, &id).await.unwrap();
        send(rollouts, Request::Resume, &plan, &id).await.unwrap();
        let waits = |state: &State| matches!(state, State::AwaitingApproval { .. });
        controller
            .until(&id, |view| waits(&view.summary.state))
            .await;
        let last = if unwinds {
            Request::Unwind
        } else {
            Request::Approve
        };
        send(rollouts, last, &plan, &id).await.unwrap();
        controller.at_rest(&id).await;
        let before_the_end = [
            Request::Apply,
            Request::Pause,
            Request::Resume,
            Request::Approve,
            Request::Unwind,
            Request::Cancel,
        ];
        for finalized in [false, true] {
            if finalized {
                send(rollouts, Request::Finalize, &plan, &id).await.unwrap();
                let is_finalized = |state: &State| {
                    matches!(
                        state,
                        State::Ended {
                            finalized: true,
                            ..
                        }
                    )
                };
                controller
                    .until(&id, |view| is_finalized(&view.summary.state))
                    .await;
            }
            let again = before_the_end
                .iter()
                .copied()
                .chain(finalized.then_some(Request::Finalize));
            for request in again {
                let journalled = rollouts.audit(&id, Seq(0)).await.unwrap().len();
                let given = agents.orders();
                let Err(why) = send(rollouts, request, &plan, &id).await else {
                    panic!("{request:?} was carried out again, finalized: {finalized}");
                };
                let told = matches!(
                    why,
                    ApiError::NotNow { .. } | ApiError::Drifted { .. } | ApiError::Blocked { .. }
                );
                assert!(told, "{request:?}: {why}");
                tokio::time::sleep(Duration::from_secs(3600)).await;
                assert_eq!(
                    rollouts.audit(&id, Seq(0)).await.unwrap().len(),
                    journalled,
                    "{request:?}"
                );
                assert_eq!(agents.orders(), given, "{request:?}");
            }
        }
    }
}
