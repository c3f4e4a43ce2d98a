//! What people do to a rollout while it runs.

use crate::fixture::{Controller, FakeAgents, controller, memory, somebody};
use crate::rollouts::{ApiError, RolloutView, State, StepState};
use refit_shared::ids::RolloutId;
use refit_shared::saga::End;
use std::sync::Arc;

async fn begun(agents: &FakeAgents) -> (Controller, RolloutId) {
    let controller = controller(agents, Arc::new(memory())).await;
    let id = controller.applied().await;
    (controller, id)
}

fn running(title: &'static str) -> impl Fn(&RolloutView) -> bool {
    move |view| {
        view.steps
            .iter()
            .any(|step| step.title == title && step.status == StepState::Running)
    }
}

fn not_now(result: Result<(), ApiError>) -> String {
    match result {
        Err(ApiError::NotNow { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_lets_the_step_end_and_begins_nothing() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    let rollouts = &controller.rollouts;
    controller.until(&id, running("stop_server")).await;
    rollouts.pause(&id, somebody()).await.unwrap();
    let shown = rollouts.show(&id).await.unwrap();
    assert_eq!(
        shown.summary.state.to_string(),
        "parked: paused by eve (because)"
    );
    not_now(rollouts.pause(&id, somebody()).await);
    let ended = |view: &RolloutView| {
        view.steps
            .iter()
            .any(|step| step.title == "stop_server" && step.status == StepState::Done)
    };
    controller.until(&id, ended).await;
    let orders = agents.orders();
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert_eq!(agents.orders(), orders);
    rollouts.resume(&id, somebody()).await.unwrap();
    not_now(rollouts.resume(&id, somebody()).await);
    controller.at_rest(&id).await;
    agents.assert_upgraded();
}

#[tokio::test(start_paused = true)]
async fn an_unwind_in_the_middle_of_any_step_brings_everything_back() {
    let titles = [
        "gate",
        "fetch_packages",
        "back_up_config",
        "enter_maintenance",
        "leave_group",
        "stop_server",
        "snapshot_data",
        "swap_packages",
        "start_server",
        "join_group",
        "leave_maintenance",
        "appoint_primary",
    ];
    for title in titles {
        let agents = FakeAgents::new();
        let (controller, id) = begun(&agents).await;
        controller.until(&id, running(title)).await;
        controller.rollouts.unwind(&id, somebody()).await.unwrap();
        not_now(controller.rollouts.unwind(&id, somebody()).await);
        let view = controller.at_rest(&id).await;
        let restored = matches!(
            view.summary.state,
            State::Ended {
                end: End::Restored,
                ..
            }
        );
        assert!(restored, "{title}: {}", view.summary.state);
        agents.assert_restored();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_rollout_leaves_everything_and_frees_the_cluster() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    let rollouts = &controller.rollouts;
    controller.until(&id, running("fetch_packages")).await;
    rollouts.cancel(&id, somebody()).await.unwrap();
    let view = controller.at_rest(&id).await;
    assert_eq!(view.summary.state.to_string(), "Abandoned by eve (because)");
    let orders = agents.orders();
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert_eq!(agents.orders(), orders);
    not_now(rollouts.cancel(&id, somebody()).await);
    not_now(rollouts.resume(&id, somebody()).await);
    not_now(rollouts.approve(&id, somebody()).await);
    let second = controller.applied().await;
    controller.at_rest(&second).await;
    agents.assert_upgraded();
}

#[tokio::test(start_paused = true)]
async fn an_ended_rollout_does_not_wake_up_beside_another() {
    let agents = FakeAgents::new();
    let (controller, first) = begun(&agents).await;
    let rollouts = &controller.rollouts;
    controller.until(&first, running("fetch_packages")).await;
    rollouts.cancel(&first, somebody()).await.unwrap();
    let second = controller.applied().await;
    let busy = rollouts.finalize(&first, somebody()).await.unwrap_err();
    assert!(
        matches!(&busy, ApiError::ClusterBusy { by, .. } if *by == second),
        "{busy}"
    );
    controller.at_rest(&second).await;
    // It has changed the cluster since.
    not_now(rollouts.unwind(&first, somebody()).await);
    rollouts.finalize(&first, somebody()).await.unwrap();
}
