//! Several operators at the same instant, and requests that come once more, late: exactly one counts, and the other is told why.

use crate::executor::Act;
use crate::fixture::{Controller, FakeAgents, SERIES, controller, memory, orders, request};
use crate::journal::MemoryJournal;
use crate::rollouts::{ApiError, Rollouts, State};
use refit_shared::ids::{Digest, RolloutId, Seq, Turn};
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
    // Both saw the same turn, and the first of them has ended it.
    let ApiError::Moved { since, .. } = &lost else {
        panic!("{lost}");
    };
    let entries = controller.rollouts.audit(&id, since[0]).await.unwrap();
    assert!(
        matches!(&entries[0].event, Event::PivotApproved { by } if by.name == won),
        "{lost}"
    );
    controller.at_rest(&id).await;
    let expected = ["created".to_owned(), format!("approved by {won}")];
    assert_eq!(acts(&controller, &id).await, expected);
}

/// Both saw the rollout wait for its pivot: whoever is obeyed has moved it on, and the other must look again.
#[tokio::test(start_paused = true)]
async fn of_who_approves_and_who_unwinds_at_once_one_is_obeyed_and_the_other_told() {
    for approves_first in [true, false] {
        let (agents, journal) = (FakeAgents::running(SERIES), memory());
        let (controller, id) = at_the_pivot(&agents, &journal).await;
        let rollouts = &controller.rollouts;
        let seen = rollouts.show(&id).await.unwrap().turn;
        let approve = rollouts.act(&id, Act::Approve, seen, actor("ann"));
        let unwind = rollouts.act(&id, Act::Unwind, seen, actor("bob"));
        let (won, lost) = if approves_first {
            tokio::join!(approve, unwind)
        } else {
            tokio::join!(unwind, approve)
        };
        won.unwrap();
        assert_eq!(lost.unwrap_err().code(), "moved");
        let view = controller.at_rest(&id).await;
        let State::Ended { end, .. } = &view.summary.state else {
            panic!("{}", view.summary.state);
        };
        if approves_first {
            assert_eq!(*end, End::Upgraded);
            assert_eq!(acts(&controller, &id).await, ["created", "approved by ann"]);
        } else {
            assert_eq!(*end, End::Restored);
            assert_eq!(acts(&controller, &id).await, ["created", "unwind"]);
            agents.assert_whole(SERIES);
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

/// An act as it was sent: late copies state the same turn.
#[derive(Debug, Clone, Copy)]
struct Sent {
    request: Request,
    seen: Turn,
}

/// Sends what was sent, or looks first when it is sent for the first time.
async fn send(
    rollouts: &Rollouts,
    plan: &Digest,
    id: &RolloutId,
    sent: Sent,
) -> Result<(), ApiError> {
    let by = actor("ann");
    let act = match sent.request {
        Request::Apply => return rollouts.apply(plan, by).await.map(drop),
        Request::Pause => Act::Pause,
        Request::Resume => Act::Resume,
        Request::Approve => Act::Approve,
        Request::Unwind => Act::Unwind,
        Request::Cancel => Act::Cancel,
        Request::Finalize => Act::Finalize,
    };
    rollouts.act(id, act, sent.seen, by).await
}

/// Requests of one rollout, and their late copies.
struct Post<'a> {
    controller: &'a Controller,
    agents: &'a FakeAgents,
    plan: Digest,
    id: RolloutId,
    sent: Vec<Sent>,
}

impl Post<'_> {
    /// A person looks and acts, and is obeyed.
    async fn does(&mut self, request: Request) {
        let seen = self.controller.rollouts.show(&self.id).await.unwrap().turn;
        let sent = Sent { request, seen };
        send(&self.controller.rollouts, &self.plan, &self.id, sent)
            .await
            .unwrap();
        self.sent.push(sent);
    }

    /// All of them come again, together with what was never obeyed then: nothing is journalled, no agent gets an order.
    async fn comes_again(&self, others: &[Request]) {
        let rollouts = &self.controller.rollouts;
        let never = self.sent.iter().flat_map(|sent| {
            others.iter().map(|request| Sent {
                request: *request,
                seen: sent.seen,
            })
        });
        for sent in self.sent.iter().copied().chain(never) {
            let turn = rollouts.show(&self.id).await.unwrap().turn;
            let journalled = acts_of(self.controller, &self.id).await;
            let Err(why) = send(rollouts, &self.plan, &self.id, sent).await else {
                panic!("{sent:?} was obeyed at turn {turn}");
            };
            let told = match sent.request {
                Request::Apply => matches!(
                    why,
                    ApiError::NotNow { .. }
                        | ApiError::Drifted { .. }
                        | ApiError::Blocked { .. }
                        | ApiError::ClusterBusy { .. }
                        | ApiError::NotSeen { .. }
                ),
                _ => why.code() == "moved",
            };
            assert!(told, "{sent:?} at turn {turn}: {why}");
            assert_eq!(
                acts_of(self.controller, &self.id).await,
                journalled,
                "{sent:?} at turn {turn}"
            );
        }
    }

    /// At rest, nothing happens after them either.
    async fn comes_again_at_rest(&self, others: &[Request]) {
        let rollouts = &self.controller.rollouts;
        let journalled = rollouts.audit(&self.id, Seq(0)).await.unwrap().len();
        let given = self.agents.orders();
        self.comes_again(others).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let now = rollouts.audit(&self.id, Seq(0)).await.unwrap().len();
        assert_eq!(now, journalled);
        assert_eq!(self.agents.orders(), given);
    }
}

/// Everything in the journal but the steps, which may go on meanwhile.
async fn acts_of(controller: &Controller, id: &RolloutId) -> Vec<Event> {
    let entries = controller.rollouts.audit(id, Seq(0)).await.unwrap();
    let events = entries.into_iter().map(|entry| entry.event);
    events
        .filter(|event| {
            !matches!(
                event,
                Event::StepIntended { .. }
                    | Event::StepResolved { .. }
                    | Event::UndoIntended { .. }
                    | Event::UndoResolved { .. }
            )
        })
        .collect()
}

/// Everything that was ever asked of a rollout, once more, at every later moment: while it is open, parked, resumed, waiting for
/// its pivot, unwinding, and after it has ended in each way and is finalized. Nothing is journalled, no agent gets an order,
/// and each is told why not. A restored cluster is as it was when its plan was made, and a late Apply must not upgrade it again.
#[tokio::test(start_paused = true)]
async fn a_request_that_comes_again_late_changes_nothing() {
    for last in [Request::Unwind, Request::Approve, Request::Cancel] {
        let (agents, journal) = (FakeAgents::running(SERIES), memory());
        let controller = controller(&agents, Arc::new(journal.clone())).await;
        let plan = controller
            .rollouts
            .plan(&orders(), &request())
            .await
            .unwrap();
        let plan = plan.0.digest();
        let id = controller
            .rollouts
            .apply(&plan, actor("ann"))
            .await
            .unwrap();
        let mut post = Post {
            controller: &controller,
            agents: &agents,
            plan,
            id: id.clone(),
            sent: Vec::new(),
        };
        // It was sent before there was a rollout to look at.
        post.sent.push(Sent {
            request: Request::Apply,
            seen: Turn(0),
        });
        post.comes_again(&[]).await;
        // Paused and resumed twice: the copies of the first time find it as it was then, but for its turn.
        for _ in 0..2 {
            post.does(Request::Pause).await;
            post.comes_again(&[]).await;
            post.does(Request::Resume).await;
            post.comes_again(&[]).await;
        }
        let waits = |state: &State| matches!(state, State::AwaitingApproval { .. });
        controller
            .until(&id, |view| waits(&view.summary.state))
            .await;
        // What was said of an earlier turn is not obeyed either, be it said for the first time.
        post.comes_again_at_rest(&CHANGE).await;
        post.does(last).await;
        post.comes_again(&CHANGE).await;
        controller.at_rest(&id).await;
        post.comes_again_at_rest(&CHANGE).await;
        post.does(Request::Finalize).await;
        post.comes_again(&CHANGE).await;
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
        post.comes_again_at_rest(&CHANGE).await;
    }
}

/// An approval that came too early was refused. When it comes again, its pivot is reached, and it is still refused.
#[tokio::test(start_paused = true)]
async fn what_was_refused_is_not_obeyed_when_it_comes_again() {
    let (agents, journal) = (FakeAgents::running(SERIES), memory());
    let controller = controller(&agents, Arc::new(journal.clone())).await;
    let id = controller.applied().await;
    let rollouts = &controller.rollouts;
    let early = rollouts.show(&id).await.unwrap().turn;
    let approve = || rollouts.act(&id, Act::Approve, early, actor("ann"));
    assert_eq!(approve().await.unwrap_err().code(), "not_now");
    let waits = |state: &State| matches!(state, State::AwaitingApproval { .. });
    controller
        .until(&id, |view| waits(&view.summary.state))
        .await;
    assert_eq!(approve().await.unwrap_err().code(), "moved");
    rollouts.approve(&id, actor("bob")).await.unwrap();
    controller.at_rest(&id).await;
    agents.assert_upgraded();
}

/// A turn is read from the journal, so the next controller knows it, too.
#[tokio::test(start_paused = true)]
async fn a_copy_is_recognised_by_the_next_controller() {
    let (agents, journal) = (FakeAgents::new(), memory());
    let first = controller(&agents, Arc::new(journal.clone())).await;
    let id = first.applied().await;
    let seen = first.rollouts.show(&id).await.unwrap().turn;
    let pause = async |controller: &Controller| {
        controller
            .rollouts
            .act(&id, Act::Pause, seen, actor("ann"))
            .await
    };
    pause(&first).await.unwrap();
    first.shut_down().await;
    let second = controller(&agents, Arc::new(journal)).await;
    second.rollouts.resume(&id, actor("ann")).await.unwrap();
    let late = pause(&second).await.unwrap_err();
    assert_eq!(late.code(), "moved", "{late}");
    second.at_rest(&id).await;
    agents.assert_upgraded();
}
