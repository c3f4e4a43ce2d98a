//! What an owner has in flight: each job ends with a [`Finding`]. Dropping a job stops the waiting, never an agent's work.

mod begin;
mod gate;
mod holding;
mod order;
mod restored;
mod telling;

pub(super) use telling::{Report, Teller};

use crate::executor::World;
use refit_shared::expectation::{Expectation, Holds};
use refit_shared::ids::{Epoch, MemberName};
use refit_shared::observation::Observation;
use refit_shared::operation::{AttemptId, Direction, Order};
use refit_shared::plan::{Action, Plan, Step};
use refit_shared::receipt::{Failure, Outcome};
use refit_shared::saga::{Mode, Rollout, Task};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::Instrument;

/// What is being found out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    Task(Task),
    /// Whether the world is as it was before the rollout.
    Restored,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// What the step expects holds: journal the intent.
    MayBegin,
    /// It does not hold. Nothing was sent.
    MustNotBegin(Failure),
    /// Nobody could say whether it holds. Nothing was sent.
    CouldNotLook(Failure),
    Resolved(Outcome),
    /// The intent is durable and the outcome is not known.
    Unknown(String),
    /// An agent obeys a newer controller.
    Superseded {
        member: MemberName,
        highest: Epoch,
    },
    Restored,
    NotRestored(String),
}

/// Jobs in flight.
#[derive(Debug)]
pub(super) struct Jobs {
    set: JoinSet<Finding>,
    /// A job that is no longer here has been dropped; what it still says is not heard.
    wanted: BTreeMap<Job, AbortHandle>,
    reports: mpsc::Sender<Report>,
}

impl Jobs {
    pub(super) fn new(reports: mpsc::Sender<Report>) -> Self {
        Self {
            set: JoinSet::new(),
            wanted: BTreeMap::new(),
            reports,
        }
    }

    /// Drops the wait for every job that `keep` does not want.
    pub(super) fn retain(&mut self, keep: impl Fn(&Job) -> bool) {
        self.wanted.retain(|job, handle| {
            let stays = keep(job);
            if !stays {
                handle.abort();
            }
            stays
        });
    }

    /// Has the job in flight, if it is not already.
    pub(super) fn ensure(&mut self, job: Job, world: &Arc<World>, rollout: &Rollout) {
        if self.wanted.contains_key(&job) {
            return;
        }
        let world = Arc::clone(world);
        let handle = match &job {
            Job::Restored => {
                let plan = rollout.plan.clone();
                self.set
                    .spawn(async move { restored::verify(&world, &plan).await }.in_current_span())
            }
            Job::Task(task) => {
                let step = rollout
                    .plan
                    .step(task.step)
                    .expect("tasks come from the plan")
                    .clone();
                let span = tracing::info_span!("step", step = %step.id, member = %step.member,
                    direction = %task.direction, attempt = %task.attempt);
                let teller = Teller::new(step.id, task.direction, self.reports.clone());
                let work = Work {
                    world,
                    order: order_of(rollout, &step, task),
                    cluster: rollout.plan.cluster.clone(),
                    step,
                    direction: task.direction,
                    half_done: rollout.record(task.step).half_done,
                    watch: holding::Watch {
                        plan: Arc::clone(&rollout.plan),
                        begun_unix_ms: rollout.created_unix_ms,
                        told_unix_ms: rollout.last_gate_unix_ms(),
                    },
                    teller,
                };
                let mode = task.mode;
                self.set
                    .spawn(async move { work.run(mode).await }.instrument(span))
            }
        };
        self.wanted.insert(job, handle);
    }

    /// The next job that ends and is still wanted. Never resolves while nothing is in flight. Cancel-safe.
    pub(super) async fn next(&mut self) -> (Job, Result<Finding, JoinError>) {
        loop {
            let (id, ended) = match self.set.join_next_with_id().await {
                Some(Ok((id, finding))) => (id, Ok(finding)),
                Some(Err(error)) => (error.id(), Err(error)),
                None => std::future::pending().await,
            };
            if let Some(job) = self.job(id) {
                self.wanted.remove(&job);
                return (job, ended);
            }
        }
    }

    fn job(&self, id: Id) -> Option<Job> {
        let of = self.wanted.iter().find(|(_, handle)| handle.id() == id);
        of.map(|(job, _)| job.clone())
    }

    /// Tasks in flight.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.wanted.keys().filter_map(|job| match job {
            Job::Task(task) => Some(task),
            Job::Restored => None,
        })
    }

    /// Stops waiting for everything, and waits until nothing runs any more.
    pub(super) async fn end(mut self) {
        self.set.shutdown().await;
    }
}

/// The order of a task; a gate has none.
fn order_of(rollout: &Rollout, step: &Step, task: &Task) -> Option<OrderContent> {
    step.operation().map(|operation| OrderContent {
        id: AttemptId {
            rollout: rollout.id.clone(),
            step: step.id,
            attempt: task.attempt,
        },
        operation: operation.clone(),
    })
}

/// What of an order is the rollout's; epoch, member and deadline are added when it is given.
#[derive(Debug)]
struct OrderContent {
    id: AttemptId,
    operation: refit_shared::operation::Operation,
}

/// One task being worked on.
struct Work {
    world: Arc<World>,
    cluster: refit_shared::ids::ClusterName,
    step: Step,
    direction: Direction,
    order: Option<OrderContent>,
    /// An earlier try may have left something of the step: then the operation itself looks how far it came.
    half_done: bool,
    watch: holding::Watch,
    teller: Teller,
}

impl Work {
    async fn run(self, mode: Mode) -> Finding {
        if mode == Mode::Begin && begin::begins_a_group(&self.step, self.direction) {
            let other = begin::another_group(&self.world, &self.cluster, &self.step).await;
            if let Some(failure) = other {
                return Finding::MustNotBegin(failure);
            }
        }
        match (mode, &self.step.action) {
            // What is expected before a step is no matter of its undo.
            (Mode::Begin, _) if self.half_done || self.direction == Direction::Undo => {
                Finding::MayBegin
            }
            (Mode::Begin, _) => begin::may_begin(&self.world, &self.step, &self.teller).await,
            (Mode::Reconcile, Action::Gate(gate)) => {
                let conditions = match self.direction {
                    Direction::Perform => &gate.conditions,
                    Direction::Undo => &gate.undo_conditions,
                };
                gate::wait(
                    &self.world,
                    &self.cluster,
                    &self.step,
                    conditions,
                    gate.hold_ms,
                    &self.watch,
                    &self.teller,
                )
                .await
            }
            (Mode::Reconcile, Action::Operate { .. }) => {
                let content = self.order.expect("a step that operates has an order");
                let order = Order {
                    id: content.id,
                    epoch: self.world.epoch,
                    cluster: self.cluster,
                    member: self.step.member.clone(),
                    direction: self.direction,
                    operation: content.operation,
                    deadline_s: self.step.deadline_s,
                };
                order::carry_out(&self.world, &order, &self.step, &self.teller).await
            }
        }
    }
}

/// Whether nothing has to be looked at before the intent of a task is journalled: gates and undos cope with any world, unless they begin
/// a group.
pub(super) fn begins_at_once(plan: &Plan, task: &Task) -> bool {
    let step = plan.step(task.step).expect("tasks come from the plan");
    if begin::begins_a_group(step, task.direction) {
        return false;
    }
    step.is_gate() || task.direction == Direction::Undo || step.before.is_empty()
}

/// What several expectations come to: every "no" and every "can't tell", in words.
#[derive(Debug, Default, PartialEq, Eq)]
struct Judged {
    no: Vec<String>,
    unknown: Vec<String>,
}

impl Judged {
    fn of(expected: &[Expectation], seen: &Observation) -> Self {
        let mut judged = Self::default();
        for expectation in expected {
            match expectation.judge(seen) {
                Holds::Yes => {}
                Holds::No(why) => judged.no.push(why),
                Holds::Unknown(why) => judged
                    .unknown
                    .push(format!("can't tell whether {expectation}: {why}")),
            }
        }
        judged
    }

    fn all_hold(&self) -> bool {
        self.no.is_empty() && self.unknown.is_empty()
    }

    fn text(&self) -> String {
        let all: Vec<&str> = self
            .no
            .iter()
            .chain(&self.unknown)
            .map(String::as_str)
            .collect();
        all.join("; ")
    }
}
