//! The ordinary stories: upgraded, restored, finalized.

use crate::fixture::{FakeAgents, NEW, controller, memory, orders, request, somebody};
use crate::ports::Journal;
use crate::rollouts::{ApiError, State, StepState};
use refit_shared::checks::Selection;
use refit_shared::ids::{Digest, Seq};
use refit_shared::saga::{End, Event};
use std::sync::Arc;

#[tokio::test(start_paused = true)]
async fn a_group_is_upgraded_and_everything_is_told() {
    let agents = FakeAgents::new();
    let journal = memory();
    let controller = controller(&agents, Arc::new(journal.clone())).await;
    let id = controller.applied().await;
    let view = controller.at_rest(&id).await;
    assert!(
        matches!(
            view.summary.state,
            State::Ended {
                end: End::Upgraded,
                finalized: false
            }
        ),
        "{}",
        view.summary.state
    );
    agents.assert_upgraded();
    let upgrade = view
        .steps
        .iter()
        .filter(|step| step.title != "release_artifacts");
    for step in upgrade {
        assert_eq!(step.status, StepState::Done, "{step:?}");
        if step.title == "start_server" {
            assert_eq!(step.notes, ["done"]);
            assert!(step.took_ms >= Some(3_000), "{step:?}");
        }
    }
    // The hand-over of the primary role is a write gap, and a step's record tells it.
    let gaps: Vec<_> = view
        .steps
        .iter()
        .filter_map(|step| step.largest_write_gap_ms)
        .collect();
    assert!(gaps.iter().any(|ms| *ms > 0), "{gaps:?}");
    assert!(view.in_flight_is_empty());
    let commands: Vec<&str> = view
        .next_commands
        .iter()
        .map(|next| next.command.as_str())
        .collect();
    assert_eq!(
        commands,
        [format!("refit unwind {id}"), format!("refit finalize {id}")]
    );

    // What the journal says is what was shown, and a new controller shows the same.
    let entries = controller.rollouts.audit(&id, Seq(0)).await.unwrap();
    assert!(matches!(entries[0].event, Event::RolloutCreated { .. }));
    assert_eq!(entries.len() as u64, view.next_seq.0);
    controller.shut_down().await;
    let next = crate::fixture::controller(&agents, Arc::new(journal)).await;
    let shown = next.rollouts.show(&id).await.unwrap();
    assert_eq!(shown.steps, view.steps);
    assert_eq!(shown.summary, view.summary);
    let mut updates = next.rollouts.watch(&id, Seq(3)).await.unwrap();
    let first = updates.next().await.unwrap().unwrap();
    assert_eq!(first.entries, entries[3..]);
    assert!(
        updates.next().await.is_none(),
        "nothing can change any more"
    );
}

#[tokio::test(start_paused = true)]
async fn progress_can_be_watched_without_a_gap() {
    let agents = FakeAgents::new();
    let controller = controller(&agents, Arc::new(memory())).await;
    let id = controller.applied().await;
    let mut updates = controller.rollouts.watch(&id, Seq(0)).await.unwrap();
    let mut entries = Vec::new();
    let mut phases = 0;
    loop {
        let update = updates.next().await.unwrap().unwrap();
        entries.extend(update.entries);
        phases += update
            .view
            .steps
            .iter()
            .filter(|step| {
                step.in_flight
                    .as_ref()
                    .is_some_and(|work| work.phase == "working")
            })
            .count();
        if update.view.summary.state.at_rest() {
            break;
        }
    }
    let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq.0).collect();
    assert_eq!(seqs, (0..entries.len() as u64).collect::<Vec<_>>());
    assert!(phases > 10, "{phases}");
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_group_is_unwound_and_proved_to_be_as_before() {
    let agents = FakeAgents::new();
    let controller = controller(&agents, Arc::new(memory())).await;
    let id = controller.applied().await;
    controller.at_rest(&id).await;
    controller.rollouts.unwind(&id, somebody()).await.unwrap();
    let view = controller.at_rest(&id).await;
    assert!(
        matches!(
            view.summary.state,
            State::Ended {
                end: End::Restored,
                ..
            }
        ),
        "{}",
        view.summary.state
    );
    agents.assert_restored();
    let again = controller
        .rollouts
        .unwind(&id, somebody())
        .await
        .unwrap_err();
    assert!(matches!(again, ApiError::NotNow { .. }), "{again}");
    // The cluster is free again, and a finished rollout can be finalized.
    controller.rollouts.finalize(&id, somebody()).await.unwrap();
    let view = controller
        .until(&id, |view| {
            matches!(
                view.summary.state,
                State::Ended {
                    finalized: true,
                    ..
                }
            )
        })
        .await;
    assert!(view.next_commands.is_empty());
    let second = controller.applied().await;
    assert!(second > id, "rollouts sort by time");
    controller.at_rest(&second).await;
    agents.assert_upgraded();
}

#[tokio::test(start_paused = true)]
async fn restored_is_claimed_only_when_it_is_true() {
    let agents = FakeAgents::new();
    let controller = controller(&agents, Arc::new(memory())).await;
    let id = controller.applied().await;
    let first = |view: &crate::rollouts::RolloutView| view.steps[2].status == StepState::Done;
    controller.until(&id, first).await;
    agents.edit_config("m3");
    controller.rollouts.unwind(&id, somebody()).await.unwrap();
    let view = controller.at_rest(&id).await;
    let text = view.summary.state.to_string();
    assert!(
        text.starts_with("parked: ") && text.contains("option files have changed"),
        "{text}"
    );
}

/// A plan that an earlier release made and kept, and that today's linter refuses.
#[tokio::test(start_paused = true)]
async fn a_kept_plan_that_breaks_a_rule_is_not_applied() {
    let agents = FakeAgents::new();
    let journal = memory();
    let controller = controller(&agents, Arc::new(journal.clone())).await;
    let sound = controller.planned().await;
    let mut plan = journal.plan(&sound).await.unwrap().unwrap();
    for lane in plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes) {
        lane.steps.retain(|step| step.title() != "snapshot_data");
    }
    journal.keep_plan(&plan).await.unwrap();
    let refused = controller.rollouts.apply(&plan.digest(), somebody()).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), "unsafe_plan", "{refused}");
    assert!(journal.rollouts().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_what_was_planned_here_and_still_fits_is_applied() {
    let agents = FakeAgents::new();
    let controller = controller(&agents, Arc::new(memory())).await;
    let rollouts = &controller.rollouts;
    let unknown = rollouts
        .apply(&Digest::of(b"edited"), somebody())
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), "unknown_plan");

    let plan = controller.planned().await;
    agents.edit_config("m2");
    let stale = rollouts.apply(&plan, somebody()).await.unwrap_err();
    assert!(
        stale.to_string().contains("m2: option files have changed"),
        "{stale}"
    );
    assert_eq!(stale.code(), "drifted");

    let plan = controller.planned().await;
    agents.cut_off("m3");
    let unseen = rollouts.apply(&plan, somebody()).await.unwrap_err();
    assert_eq!(unseen.code(), "not_seen");
    let blocked = rollouts.plan(&orders(), &request()).await.unwrap_err();
    assert_eq!(blocked.code(), "blocked");
    agents.reconnect();

    let other = refit_shared::ids::ClusterName::new("other").unwrap();
    assert_eq!(
        rollouts.plan(&other, &request()).await.unwrap_err().code(),
        "unknown_cluster"
    );
    assert_eq!(
        rollouts
            .check(&other, &request(), &Selection::all())
            .await
            .unwrap_err()
            .code(),
        "unknown_cluster"
    );
    let report = rollouts
        .check(&orders(), &request(), &Selection::all())
        .await
        .unwrap();
    assert_eq!(report.target, NEW);

    // Two at once: one begins, the other is told which.
    let two = tokio::join!(
        rollouts.apply(&plan, somebody()),
        rollouts.apply(&plan, somebody())
    );
    let (id, refused) = match two {
        (Ok(id), Err(refused)) | (Err(refused), Ok(id)) => (id, refused),
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(&refused, ApiError::ClusterBusy { by, .. } if *by == id),
        "{refused}"
    );
    let report = rollouts.report(None).await.unwrap();
    assert_eq!(report[0].rollout.as_ref(), Some(&id));
    assert_eq!(report[0].members.len(), 3);
    assert_eq!(rollouts.list().await.unwrap().len(), 1);
    assert_eq!(rollouts.plan_of(&id).await.unwrap().digest(), plan);
    let no_rollout = refit_shared::ids::RolloutId::new("none").unwrap();
    assert_eq!(
        rollouts.show(&no_rollout).await.unwrap_err().code(),
        "unknown_rollout"
    );
    assert_eq!(
        rollouts
            .audit(&no_rollout, Seq(0))
            .await
            .unwrap_err()
            .code(),
        "unknown_rollout"
    );
    assert_eq!(
        rollouts
            .pause(&no_rollout, somebody())
            .await
            .unwrap_err()
            .code(),
        "unknown_rollout"
    );
}
