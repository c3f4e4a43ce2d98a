//! Agents and hosts that do not do as they are told.

use crate::fixture::{Controller, FakeAgents, Misdeed, TIMING, controller, memory, somebody};
use crate::rollouts::{RolloutView, State, StepState};
use crate::standing::Standing;
use refit_shared::ids::RolloutId;
use refit_shared::operation::{Direction, OperationKind as Kind};
use refit_shared::receipt::{Failure, FailureCode};
use refit_shared::saga::{End, ParkReason};
use std::sync::Arc;

const FORWARD: Direction = Direction::Perform;

fn failure() -> Failure {
    Failure::partial(FailureCode::ServerRefused, "MY-013171: no")
}

async fn begun(agents: &FakeAgents) -> (Controller, RolloutId) {
    let controller = controller(agents, Arc::new(memory())).await;
    let id = controller.applied().await;
    (controller, id)
}

fn is_upgraded(view: &RolloutView) -> bool {
    matches!(
        view.summary.state,
        State::Ended {
            end: End::Upgraded,
            ..
        }
    )
}

/// Resumes after the cause is mended, and expects the end.
async fn goes_on(controller: &Controller, id: &RolloutId, agents: &FakeAgents) {
    controller.rollouts.resume(id, somebody()).await.unwrap();
    let view = controller.at_rest(id).await;
    assert!(is_upgraded(&view), "{}", view.summary.state);
    agents.assert_upgraded();
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_asked_for_again_and_nothing_is_done_twice() {
    let agents = FakeAgents::new();
    for kind in Kind::ALL {
        agents.misbehave("m2", kind, FORWARD, Misdeed::LosesReply(3));
    }
    let (controller, id) = begun(&agents).await;
    assert!(is_upgraded(&*controller.at_rest(&id).await));
    agents.assert_upgraded();
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_new_server_does_not_start_is_put_back_by_itself() {
    let agents = FakeAgents::new();
    agents.misbehave("m3", Kind::StartServer, FORWARD, Misdeed::Fails(failure()));
    let (controller, id) = begun(&agents).await;
    let view = controller.at_rest(&id).await;
    let State::Parked {
        reason:
            ParkReason::MemberRestored {
                member,
                failure: why,
                ..
            },
    } = &view.summary.state
    else {
        panic!("{}", view.summary.state);
    };
    assert_eq!((member.as_str(), why), ("m3", &failure()));
    agents.behave();
    goes_on(&controller, &id, &agents).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_order_is_a_failed_step() {
    let agents = FakeAgents::new();
    let refusal = Failure::clean(FailureCode::Precondition, "no room");
    agents.misbehave(
        "m1",
        Kind::FetchPackages,
        FORWARD,
        Misdeed::Refuses(refusal.clone()),
    );
    let (controller, id) = begun(&agents).await;
    let view = controller.at_rest(&id).await;
    let State::Parked {
        reason: ParkReason::StepFailed { failure, .. },
    } = &view.summary.state
    else {
        panic!("{}", view.summary.state);
    };
    assert_eq!(*failure, refusal);
    agents.behave();
    goes_on(&controller, &id, &agents).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_says_done_is_believed_only_when_it_shows() {
    let agents = FakeAgents::new();
    agents.misbehave("m2", Kind::SwapPackages, FORWARD, Misdeed::Lies);
    let (controller, id) = begun(&agents).await;
    let view = controller.at_rest(&id).await;
    let State::Parked {
        reason: ParkReason::MemberRestored { failure, .. },
    } = &view.summary.state
    else {
        panic!("{}", view.summary.state);
    };
    assert_eq!(failure.code, FailureCode::Expectation);
    assert!(
        failure
            .message
            .contains("packages are at 9.7.3-1, not 9.7.4-1"),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_receipt_for_something_else_settles_nothing() {
    let agents = FakeAgents::new();
    agents.misbehave("m2", Kind::BackUpConfig, FORWARD, Misdeed::AnswersWrongly);
    let (controller, id) = begun(&agents).await;
    let view = controller.at_rest(&id).await;
    let State::Parked {
        reason: ParkReason::OutcomeUnknown { why, .. },
    } = &view.summary.state
    else {
        panic!("{}", view.summary.state);
    };
    assert!(why.contains("not for this order"), "{why}");
    agents.behave();
    goes_on(&controller, &id, &agents).await;
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_agent_is_waited_for_then_the_truth_is_told() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    let stopping = |view: &RolloutView| {
        view.steps
            .iter()
            .any(|step| step.title == "leave_group" && step.status == StepState::Running)
    };
    let view = controller.until(&id, stopping).await;
    let member = view
        .steps
        .iter()
        .find(|step| step.status == StepState::Running)
        .unwrap()
        .member
        .clone();
    agents.cut_off(member.as_str());
    let waiting = |view: &RolloutView| {
        view.waiting_for
            .iter()
            .any(|what| what.contains("connection refused"))
    };
    controller.until(&id, waiting).await;
    let view = controller.at_rest(&id).await;
    let State::Parked {
        reason: ParkReason::OutcomeUnknown { why, .. },
    } = &view.summary.state
    else {
        panic!("{}", view.summary.state);
    };
    assert!(why.contains("connection refused"), "{why}");
    agents.reconnect();
    goes_on(&controller, &id, &agents).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_comes_back_in_time_is_no_reason_to_park() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    let running = |view: &RolloutView| {
        view.steps
            .iter()
            .any(|step| step.status == StepState::Running && step.title == "leave_group")
    };
    controller.until(&id, running).await;
    for name in ["m1", "m2", "m3"] {
        agents.cut_off(name);
    }
    tokio::time::sleep(TIMING.patience / 2).await;
    agents.reconnect();
    assert!(is_upgraded(&*controller.at_rest(&id).await));
    agents.assert_upgraded();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_before_a_step_is_not_begun() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    // Before its packages are fetched, m3 is looked at.
    agents.cut_off("m3");
    let view = controller.at_rest(&id).await;
    let text = view.summary.state.to_string();
    assert!(
        text.contains("m3") && text.contains("connection refused"),
        "{text}"
    );
    agents.reconnect();
    goes_on(&controller, &id, &agents).await;
}

#[tokio::test(start_paused = true)]
async fn a_persons_own_change_stops_the_rollout_before_the_step() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    agents.edit_config("m1");
    let view = controller.at_rest(&id).await;
    let State::Parked {
        reason: ParkReason::StepFailed {
            member, failure, ..
        },
    } = &view.summary.state
    else {
        panic!("{}", view.summary.state);
    };
    assert_eq!(
        (member.as_str(), failure.code),
        ("m1", FailureCode::Expectation)
    );
    assert!(
        failure.message.contains("option files have changed"),
        "{failure}"
    );
    assert!(!failure.partial);
}

#[tokio::test(start_paused = true)]
async fn a_gate_holds_while_a_member_is_missing_and_says_which() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    agents.in_group("m3", false);
    let held = |view: &RolloutView| view.waiting_for.iter().any(|what| what.contains("m3"));
    controller.until(&id, held).await;
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    assert!(
        !controller
            .rollouts
            .show(&id)
            .await
            .unwrap()
            .summary
            .state
            .at_rest()
    );
    agents.in_group("m3", true);
    assert!(is_upgraded(&*controller.at_rest(&id).await));
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_never_opens_fails_with_its_reasons() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    agents.in_group("m3", false);
    let view = controller.at_rest(&id).await;
    // The gate stands before anything is done to the member.
    let State::Parked {
        reason: ParkReason::StepFailed { failure, .. },
    } = &view.summary.state
    else {
        panic!("{}", view.summary.state);
    };
    assert_eq!(failure.code, FailureCode::Gate);
    assert!(failure.message.contains("m3"), "{failure}");
    agents.in_group("m3", true);
    goes_on(&controller, &id, &agents).await;
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_was_superseded_stops_for_good() {
    let agents = FakeAgents::new();
    let (controller, id) = begun(&agents).await;
    let running = |view: &RolloutView| {
        view.steps
            .iter()
            .any(|step| step.status == StepState::Running)
    };
    controller.until(&id, running).await;
    agents.obey_newer();
    controller.stand.stopped().await;
    assert!(matches!(
        controller.stand.now(),
        Standing::Superseded { .. }
    ));
    let refused = controller
        .rollouts
        .pause(&id, somebody())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "stopped");
    assert!(
        refused.to_string().contains("newer controller"),
        "{refused}"
    );
    controller.running.ended().await;
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_parks_and_can_be_tried_again() {
    let agents = FakeAgents::new();
    agents.misbehave(
        "m2",
        Kind::StartServer,
        Direction::Undo,
        Misdeed::Fails(failure()),
    );
    let (controller, id) = begun(&agents).await;
    controller.at_rest(&id).await;
    controller.rollouts.unwind(&id, somebody()).await.unwrap();
    let view = controller.at_rest(&id).await;
    assert!(
        matches!(
            &view.summary.state,
            State::Parked {
                reason: ParkReason::UndoFailed { .. }
            }
        ),
        "{}",
        view.summary.state
    );
    agents.behave();
    controller.rollouts.resume(&id, somebody()).await.unwrap();
    controller.at_rest(&id).await;
    agents.assert_restored();
}

#[tokio::test(start_paused = true)]
async fn no_agent_decides_how_much_is_journalled() {
    let agents = FakeAgents::new();
    let endless = Failure::clean(FailureCode::Host, "é".repeat(1_000_000));
    agents.misbehave(
        "m1",
        Kind::FetchPackages,
        FORWARD,
        Misdeed::Fails(endless.clone()),
    );
    let (controller, id) = begun(&agents).await;
    let view = controller.at_rest(&id).await;
    let State::Parked {
        reason: ParkReason::StepFailed { failure, .. },
    } = &view.summary.state
    else {
        panic!("{}", view.summary.state);
    };
    assert_eq!(failure.code, endless.code);
    assert!(failure.message.len() < 10_000);
}
