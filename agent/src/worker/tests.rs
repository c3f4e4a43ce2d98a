//! The worker on a simulated host: fencing, receipts, restarts, and a ledger that fails.

use super::*;
use crate::simhost::{Beginning, FaultAction, Shape, SimAgent, SimWorld, Timings};
use refit_shared::ids::{Attempt, RolloutId, StepId};
use refit_shared::observation::MemberState;
use refit_shared::operation::{AttemptId, Direction, Operation};
use refit_shared::receipt::{FailureCode, Outcome};
use refit_shared::version::PackageVersion;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::time::sleep;

fn member() -> MemberName {
    MemberName::new("m1").unwrap()
}

fn cluster() -> ClusterName {
    ClusterName::new("c1").unwrap()
}

struct Rig {
    world: SimWorld,
    dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::of(Shape::Group)
    }

    /// `m1` is the source of the others.
    fn of_replicas() -> Self {
        Self::of(Shape::Replicas)
    }

    fn of(shape: Shape) -> Self {
        let beginning = Beginning {
            members: ["m1", "m2", "m3"]
                .map(|name| MemberName::new(name).unwrap())
                .to_vec(),
            installed: PackageVersion::new("9.7.3-1").unwrap(),
            offered: Vec::new(),
            timings: Timings::STANDARD,
        };
        Self {
            world: SimWorld::shaped(shape, beginning),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn agent(&self) -> SimAgent {
        SimAgent::start(&self.world, &cluster(), &member(), self.dir.path())
    }
}

const LEAVE: Operation = Operation::LeaveGroup { drain_s: 30 };

fn order(operation: Operation, step: u16, attempt: u32, epoch: u64) -> Order {
    Order {
        id: AttemptId {
            rollout: RolloutId::new("r1").unwrap(),
            step: StepId(step),
            attempt: Attempt(attempt),
        },
        epoch: Epoch(epoch),
        cluster: cluster(),
        member: member(),
        direction: Direction::Perform,
        operation,
        deadline_s: 120,
    }
}

async fn carry_out(agent: &SimAgent, order: Order) -> Receipt {
    let mut attached = agent.worker.submit(order).await.unwrap().unwrap();
    attached.receipt().await.unwrap()
}

async fn refusal(agent: &SimAgent, order: Order) -> Refusal {
    agent.worker.submit(order).await.unwrap().unwrap_err()
}

fn is_done(receipt: &Receipt) -> bool {
    matches!(receipt.outcome, Outcome::Done { .. })
}

#[tokio::test(start_paused = true)]
async fn orders_for_others_and_of_older_controllers_are_fenced() {
    let rig = Rig::new();
    let agent = rig.agent();
    let mut other = order(LEAVE, 1, 1, 5);
    other.cluster = ClusterName::new("c2").unwrap();
    assert_eq!(
        refusal(&agent, other).await.failure.code,
        FailureCode::Fenced
    );
    let mut other = order(LEAVE, 1, 1, 5);
    other.member = MemberName::new("m2").unwrap();
    assert_eq!(
        refusal(&agent, other).await.failure.code,
        FailureCode::Fenced
    );
    // A refused order does not raise the epoch.
    assert_eq!(agent.worker.view().borrow().highest_epoch, Epoch(0));

    carry_out(&agent, order(Operation::BackUpConfig, 1, 1, 5)).await;
    let old = refusal(&agent, order(LEAVE, 2, 1, 4)).await;
    assert_eq!(old.failure.code, FailureCode::Fenced);
    assert_eq!(old.highest_epoch, Some(Epoch(5)));
    // Also across a restart, and for an attempt whose receipt is known.
    drop(agent);
    let agent = rig.agent();
    let old = refusal(&agent, order(Operation::BackUpConfig, 1, 1, 4)).await;
    assert_eq!(old.highest_epoch, Some(Epoch(5)));
    assert!(rig.world.write().is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_same_attempt_is_answered_with_the_same_receipt() {
    let rig = Rig::new();
    let agent = rig.agent();
    let first = carry_out(&agent, order(LEAVE, 1, 1, 1)).await;
    assert!(is_done(&first));
    assert_eq!(carry_out(&agent, order(LEAVE, 1, 1, 1)).await, first);
    // A restarted controller asks under a new epoch, a restarted agent reads its ledger.
    assert_eq!(carry_out(&agent, order(LEAVE, 1, 1, 2)).await, first);
    drop(agent);
    let agent = rig.agent();
    assert_eq!(carry_out(&agent, order(LEAVE, 1, 1, 2)).await, first);
    assert_eq!(agent.worker.view().borrow().highest_epoch, Epoch(2));

    let other_content = order(Operation::LeaveGroup { drain_s: 31 }, 1, 1, 2);
    let refused = refusal(&agent, other_content).await;
    assert_eq!(refused.failure.code, FailureCode::Superseded);
    assert_eq!(refused.highest_epoch, None);
}

#[tokio::test(start_paused = true)]
async fn a_late_duplicate_of_an_earlier_attempt_is_refused() {
    let rig = Rig::new();
    let agent = rig.agent();
    carry_out(&agent, order(LEAVE, 1, 2, 1)).await;
    let late = refusal(&agent, order(LEAVE, 1, 1, 1)).await;
    assert_eq!(late.failure.code, FailureCode::Superseded);
    // Another step is another matter.
    carry_out(&agent, order(Operation::BackUpConfig, 2, 1, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_takes_nothing_with_him_and_may_come_back() {
    let rig = Rig::new();
    let agent = rig.agent();
    rig.world
        .open_transaction(tokio::time::Instant::now() + Duration::from_secs(5));
    let attached = agent.worker.submit(order(LEAVE, 1, 1, 1)).await.unwrap();
    drop(attached);
    sleep(Duration::from_secs(1)).await;
    let working_on = agent.worker.view().borrow().working_on.clone();
    assert_eq!(
        working_on.as_deref(),
        Some("perform leave_group (r1/s01#1)")
    );
    let mut again = agent
        .worker
        .submit(order(LEAVE, 1, 1, 1))
        .await
        .unwrap()
        .unwrap();
    assert!(again.progress.borrow_and_update().phase.contains("waiting"));
    assert!(is_done(&again.receipt().await.unwrap()));
    assert_eq!(agent.worker.view().borrow().working_on, None);
}

#[tokio::test(start_paused = true)]
async fn an_undo_waits_for_the_step_that_it_undoes() {
    let rig = Rig::new();
    let agent = rig.agent();
    rig.world
        .open_transaction(tokio::time::Instant::now() + Duration::from_secs(5));
    let mut forward = agent
        .worker
        .submit(order(LEAVE, 1, 1, 1))
        .await
        .unwrap()
        .unwrap();
    let mut undo = order(LEAVE, 1, 2, 1);
    undo.direction = Direction::Undo;
    let mut undo = agent.worker.submit(undo).await.unwrap().unwrap();
    let undone = undo.receipt().await.unwrap();
    let left = forward.receipt().await.unwrap();
    assert!(is_done(&left) && is_done(&undone));
    assert!(undone.began_unix_ms >= left.ended_unix_ms);
    assert_eq!(rig.world.member_state(&member()), Some(MemberState::Online));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_orders_wait() {
    let rig = Rig::new();
    let agent = rig.agent();
    rig.world
        .open_transaction(tokio::time::Instant::now() + Duration::from_secs(5));
    let accepted = u16::try_from(QUEUE).unwrap() + 1;
    for step in 0..accepted {
        agent
            .worker
            .submit(order(LEAVE, step, 1, 1))
            .await
            .unwrap()
            .unwrap();
        // The first one is in hand before the next comes.
        sleep(Duration::from_millis(5)).await;
    }
    let refused = refusal(&agent, order(LEAVE, accepted, 1, 1)).await;
    assert_eq!(refused.failure.code, FailureCode::Precondition);
    // It was not recorded: the same attempt may come again later.
    sleep(Duration::from_secs(30)).await;
    carry_out(&agent, order(LEAVE, accepted, 1, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn wherever_the_agent_is_killed_the_attempt_gets_one_receipt_and_writes_go_on() {
    let mut struck = 0;
    for action in [
        FaultAction::CrashBefore,
        FaultAction::CrashAfter,
        FaultAction::PowerCutBefore,
        FaultAction::PowerCutAfter,
    ] {
        for call in 0..40 {
            let rig = Rig::new();
            let mut deaths = rig.world.agent_deaths(&member());
            let mut agent = rig.agent();
            let counter = AtomicUsize::new(0);
            rig.world.faults(move |host, _| {
                let is_it = *host == member() && counter.fetch_add(1, Ordering::Relaxed) == call;
                if is_it { action } else { FaultAction::Continue }
            });
            let receipt = tokio::select! {
                biased;
                _ = deaths.changed() => None,
                receipt = carry_out(&agent, order(LEAVE, 1, 1, 1)) => Some(receipt),
            };
            let Some(receipt) = receipt else {
                struck += 1;
                drop(agent);
                sleep(Duration::from_secs(2)).await;
                rig.world.power_on(&member());
                agent = rig.agent();
                // Without being asked the agent ends what it had begun.
                sleep(Duration::from_secs(150)).await;
                let entries = agent.worker.entries().await.unwrap().unwrap();
                assert!(entries.iter().all(|entry| entry.receipt.is_some()));
                assert!(rig.world.write().is_ok(), "{action:?} at {call}");
                let receipt = carry_out(&agent, order(LEAVE, 1, 1, 2)).await;
                sleep(Duration::from_secs(1)).await;
                assert_eq!(rig.world.wrongs_at_rest(), Vec::<String>::new());
                if action == FaultAction::CrashBefore || action == FaultAction::CrashAfter {
                    assert!(is_done(&receipt), "{action:?} at {call}: {receipt:?}");
                }
                continue;
            };
            assert!(is_done(&receipt));
            break;
        }
    }
    assert!(struck > 30, "only {struck} kills fell into the attempt");
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_under_what_is_left_of_the_deadline() {
    let rig = Rig::new();
    let agent = rig.agent();
    let mut long = order(Operation::LeaveGroup { drain_s: 1000 }, 1, 1, 1);
    long.deadline_s = 20;
    rig.world
        .open_transaction(tokio::time::Instant::now() + Duration::from_secs(1000));
    agent.worker.submit(long.clone()).await.unwrap().unwrap();
    sleep(Duration::from_secs(15)).await;
    rig.world.kill_agent(&member());
    drop(agent);
    let agent = rig.agent();
    let began = tokio::time::Instant::now();
    let receipt = carry_out(&agent, long).await;
    assert!(!is_done(&receipt));
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    assert!(rig.world.write().is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_a_record_nothing_is_done() {
    let rig = Rig::new();
    let agent = rig.agent();
    rig.world.faults(|_, at| match at {
        "ledger.write" => FaultAction::FailBefore,
        _ => FaultAction::Continue,
    });
    let refused = refusal(&agent, order(LEAVE, 1, 1, 1)).await;
    assert_eq!(refused.failure.code, FailureCode::Host);
    assert!(
        refused.failure.message.contains("`refit resume`"),
        "{}",
        refused.failure
    );
    sleep(Duration::from_secs(10)).await;
    assert_eq!(rig.world.member_state(&member()), Some(MemberState::Online));
    rig.world.no_faults();
    assert!(is_done(&carry_out(&agent, order(LEAVE, 1, 1, 1)).await));
}

/// While writes are paused everybody waits for the order that lets them in: room that is made soon is waited for.
#[tokio::test(start_paused = true)]
async fn an_order_waits_for_a_disk_that_is_full_for_a_while() {
    let rig = Rig::new();
    let agent = rig.agent();
    rig.world.faults(|_, at| match at {
        "ledger.write" => FaultAction::FailBefore,
        _ => FaultAction::Continue,
    });
    let world = rig.world.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(20)).await;
        world.no_faults();
    });
    assert!(is_done(&carry_out(&agent, order(LEAVE, 1, 1, 1)).await));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_told_only_once_it_is_recorded() {
    // From the beginning, and from when the work has been done.
    for from in ["ledger.write", "files.back_up_config"] {
        let rig = Rig::new();
        let agent = rig.agent();
        let order = order(Operation::BackUpConfig, 1, 1, 1);
        let full = Arc::new(AtomicBool::new(false));
        let (accepted, is_full) = (Arc::new(AtomicBool::new(false)), full.clone());
        let seen = accepted.clone();
        rig.world.faults(move |_, at| {
            let armed = seen.load(Ordering::Relaxed) && at == from;
            let full = is_full.fetch_or(armed, Ordering::Relaxed) || armed;
            match at {
                "ledger.write" if full => FaultAction::FailBefore,
                _ => FaultAction::Continue,
            }
        });
        let mut attached = agent.worker.submit(order).await.unwrap().unwrap();
        accepted.store(true, Ordering::Relaxed);
        let waited = tokio::time::timeout(Duration::from_secs(30), attached.receipt()).await;
        assert!(waited.is_err(), "{from}");
        assert!(full.load(Ordering::Relaxed));
        assert!(agent.worker.view().borrow().broken.is_some());
        rig.world.no_faults();
        assert!(is_done(&attached.receipt().await.unwrap()));
        assert_eq!(agent.worker.view().borrow().broken, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_trust_its_ledger_does_nothing_and_says_so() {
    let rig = Rig::new();
    let agent = rig.agent();
    carry_out(&agent, order(Operation::BackUpConfig, 1, 1, 1)).await;
    drop(agent);
    let file = rig.dir.path().join("ledger/r1.s01.a1.entry");
    std::fs::write(&file, "refit-1 00000000\n{}").unwrap();
    let agent = rig.agent();
    let refused = refusal(&agent, order(LEAVE, 2, 1, 1)).await;
    assert_eq!(refused.failure.code, FailureCode::Host);
    assert!(refused.failure.message.contains("r1.s01.a1"), "{refused}");
    assert!(agent.worker.view().borrow().broken.is_some());
    assert_eq!(rig.world.member_state(&member()), Some(MemberState::Online));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_the_order_in_hand_end_and_leaves_the_rest_open() {
    let rig = Rig::new();
    let agent = rig.agent();
    rig.world
        .open_transaction(tokio::time::Instant::now() + Duration::from_secs(5));
    for step in [1, 2] {
        agent
            .worker
            .submit(order(LEAVE, step, 1, 1))
            .await
            .unwrap()
            .unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    let SimAgent { worker, task, .. } = agent;
    assert!(task.stop(Duration::from_secs(60)).await);
    assert_eq!(
        rig.world.member_state(&member()),
        Some(MemberState::Offline)
    );
    assert!(worker.submit(order(LEAVE, 3, 1, 1)).await.is_err());
    // Too little time: it stays open and is gone on with.
    let agent = rig.agent();
    let entries = agent.worker.entries().await.unwrap().unwrap();
    let open = entries.iter().filter(|entry| entry.receipt.is_none());
    assert_eq!(open.count(), 1);
    assert!(is_done(&carry_out(&agent, order(LEAVE, 2, 1, 1)).await));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_has_ended_by_itself_can_still_be_told_to_stop() {
    let rig = Rig::new();
    let SimAgent {
        worker, mut task, ..
    } = rig.agent();
    drop(worker);
    task.ended().await;
    assert!(task.stop(Duration::from_secs(1)).await);
}

/// The call site of the ledger's bound, and of the fence that it needs.
#[tokio::test(start_paused = true)]
async fn orders_of_forgotten_rollouts_are_refused() {
    let rig = Rig::new();
    let agent = rig.agent();
    let of = |number: usize| {
        let mut order = order(Operation::BackUpConfig, 1, 1, 1);
        order.id.rollout = RolloutId::new(format!("r{number:03}")).unwrap();
        order
    };
    for number in 0..=crate::ledger::KEPT {
        carry_out(&agent, of(number)).await;
    }
    let late = refusal(&agent, of(0)).await;
    assert_eq!(late.failure.code, FailureCode::Superseded);
    assert!(late.failure.message.contains("older than all"), "{late}");
    let entries = agent.worker.entries().await.unwrap().unwrap();
    assert_eq!(entries.len(), crate::ledger::KEPT);
    // A receipt that is kept is still given.
    carry_out(&agent, of(1)).await;
}

/// Nobody ends the pause: the controller is gone. The agent that was started with the worker lets writes in, and so does the next
/// one when this one was killed.
#[tokio::test(start_paused = true)]
async fn a_pause_of_writes_ends_without_a_controller() {
    let pause = Operation::PauseWrites {
        drain_s: 10,
        lease_s: 60,
    };
    for is_killed in [false, true] {
        let rig = Rig::of_replicas();
        let mut agent = rig.agent();
        let done = carry_out(&agent, order(pause.clone(), 1, 1, 1)).await;
        assert!(is_done(&done), "{done:?}");
        if is_killed {
            drop(agent);
            agent = rig.agent();
        }
        sleep(std::time::Duration::from_secs(50)).await;
        assert!(!rig.world.is_writable(&member()));
        sleep(std::time::Duration::from_secs(20)).await;
        assert!(rig.world.is_writable(&member()), "killed: {is_killed}");
        drop(agent);
    }
}
