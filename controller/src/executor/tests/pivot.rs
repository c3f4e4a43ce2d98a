//! A change of series: the pivot waits for a person, and there is no way back behind it.

use crate::fixture::{
    Controller, FakeAgents, NEW, SERIES, controller, memory, orders, request, somebody,
};
use crate::journal::MemoryJournal;
use crate::rollouts::{ApiError, State};
use refit_shared::ids::RolloutId;
use refit_shared::plan::ApprovePivot;
use refit_shared::saga::End;
use std::sync::Arc;

async fn begun(agents: &FakeAgents, journal: &MemoryJournal) -> (Controller, RolloutId) {
    let controller = controller(agents, Arc::new(journal.clone())).await;
    let id = controller.applied().await;
    (controller, id)
}

async fn at_the_pivot(controller: &Controller, id: &RolloutId) {
    let awaits = |state: &State| matches!(state, State::AwaitingApproval { .. });
    let view = controller
        .until(id, |view| awaits(&view.summary.state))
        .await;
    let pivot = view.pivot.as_ref().expect("a change of series has one");
    assert_eq!(
        view.summary.state,
        State::AwaitingApproval {
            step: pivot.asked_at()
        }
    );
    assert!(view.next_commands[0].command.starts_with("refit approve"));
    assert!(view.in_flight_is_empty() && view.may_unwind.is_ok());
}

fn not_now(result: Result<(), ApiError>) -> String {
    match result {
        Err(ApiError::NotNow { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_pivot_waits_for_a_person_through_pauses_and_restarts() {
    let agents = FakeAgents::running(SERIES);
    let journal = memory();
    let (first, id) = begun(&agents, &journal).await;
    let early = not_now(first.rollouts.approve(&id, somebody()).await);
    assert!(early.contains("has not been reached"), "{early}");
    at_the_pivot(&first, &id).await;
    first.rollouts.pause(&id, somebody()).await.unwrap();
    first.rollouts.resume(&id, somebody()).await.unwrap();
    at_the_pivot(&first, &id).await;
    first.shut_down().await;

    let second = controller(&agents, Arc::new(journal)).await;
    at_the_pivot(&second, &id).await;
    let orders = agents.orders();
    tokio::time::sleep(std::time::Duration::from_secs(24 * 3600)).await;
    assert_eq!(agents.orders(), orders);
    second.rollouts.approve(&id, somebody()).await.unwrap();
    let twice = not_now(second.rollouts.approve(&id, somebody()).await);
    assert!(twice.contains("approved already, by eve"), "{twice}");
    let view = second.at_rest(&id).await;
    assert!(matches!(
        view.summary.state,
        State::Ended {
            end: End::Upgraded,
            ..
        }
    ));
    agents.assert_whole(NEW);
    let forward_only = not_now(second.rollouts.unwind(&id, somebody()).await);
    assert!(
        forward_only.contains("the pivot has been crossed"),
        "{forward_only}"
    );
}

#[tokio::test(start_paused = true)]
async fn before_the_pivot_everything_can_be_brought_back() {
    let agents = FakeAgents::running(SERIES);
    let (controller, id) = begun(&agents, &memory()).await;
    at_the_pivot(&controller, &id).await;
    controller.rollouts.unwind(&id, somebody()).await.unwrap();
    not_now(controller.rollouts.approve(&id, somebody()).await);
    let view = controller.at_rest(&id).await;
    let restored = matches!(
        view.summary.state,
        State::Ended {
            end: End::Restored,
            ..
        }
    );
    assert!(restored, "{}", view.summary.state);
    agents.assert_whole(SERIES);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_says_so_approves_its_own_pivot() {
    let agents = FakeAgents::running(SERIES);
    let controller = controller(&agents, Arc::new(memory())).await;
    let mut request = request();
    request.policy.approve_pivot = ApprovePivot::Auto;
    let (plan, _) = controller.rollouts.plan(&orders(), &request).await.unwrap();
    let id = controller
        .rollouts
        .apply(&plan.digest(), somebody())
        .await
        .unwrap();
    let view = controller.at_rest(&id).await;
    assert!(matches!(
        view.summary.state,
        State::Ended {
            end: End::Upgraded,
            ..
        }
    ));
    assert_eq!(
        view.pivot_approved.as_ref().map(|by| by.name.as_str()),
        Some("policy")
    );
    agents.assert_whole(NEW);
}
