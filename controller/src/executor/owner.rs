//! The owner of one rollout: the only task that appends to its journal.

use super::acts::event_of;
use super::jobs::{Finding, Job, Jobs, Report, begins_at_once};
use super::journalled::{bounded, clip, clipped, log};
use super::listening::Listening;
use super::picture::{Record, gap_note, picture};
use super::{Act, World};
use crate::rollouts::{ApiError, InFlight, RolloutView};
use crate::standing::Standing;
use refit_shared::ids::{MemberName, StepId, Turn};
use refit_shared::observation::Beat;
use refit_shared::operation::Direction;
use refit_shared::receipt::{Failure, FailureCode, Outcome};
use refit_shared::saga::{
    Actor, End, Entry, Event, IllegalEvent, Mode, Next, ParkReason, Rollout, Task, decide,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinError;
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument;

/// What a person wants of a rollout; answered once it is durable.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) act: Act,
    /// The turn that they saw.
    pub(crate) seen: Turn,
    pub(crate) by: Actor,
    pub(crate) reply: oneshot::Sender<Result<(), ApiError>>,
}

/// Reports of jobs that may wait; the owner takes them between two journal writes.
const INBOX: usize = 256;

/// Why an owner ends before its rollout does.
#[derive(Debug)]
enum Stop {
    /// The controller's standing says why.
    NotActing,
    /// Our own decision does not fit our own journal.
    Broken(IllegalEvent),
}

#[derive(Debug)]
pub(crate) struct Owner {
    world: Arc<World>,
    rollout: Rollout,
    record: Record,
    jobs: Jobs,
    reports: mpsc::Receiver<Report>,
    in_flight: BTreeMap<StepId, InFlight>,
    listening: Listening,
    restored: bool,
    view: watch::Sender<Arc<RolloutView>>,
}

impl Owner {
    pub(crate) fn new(
        world: Arc<World>,
        rollout: Rollout,
        record: Record,
    ) -> (Self, watch::Receiver<Arc<RolloutView>>) {
        let (report, reports) = mpsc::channel(INBOX);
        let in_group = rollout.plan.made_from.group.is_some();
        let listening = Listening::new(Arc::clone(&world), record.largest_gap_ms(), in_group);
        let first = picture(
            &rollout,
            world.epoch,
            &record,
            &BTreeMap::new(),
            listening.writes(),
        );
        let (view, watcher) = watch::channel(Arc::new(first));
        let owner = Self {
            world,
            rollout,
            record,
            jobs: Jobs::new(report),
            reports,
            in_flight: BTreeMap::new(),
            listening,
            restored: false,
            view,
        };
        (owner, watcher)
    }

    /// Carries the rollout out until the controller may not act any more, or nobody holds the other end of `commands`.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let span = tracing::info_span!("rollout", id = %self.rollout.id, cluster = %self.rollout.plan.cluster,
            epoch = %self.world.epoch);
        async {
            if let Err(Stop::Broken(error)) = self.drive(&mut commands).await {
                self.world.stand.stop(Standing::Broken(error.to_string()));
            }
            self.listening.end().await;
            self.jobs.end().await;
        }
        .instrument(span)
        .await;
    }

    async fn drive(&mut self, commands: &mut mpsc::Receiver<Command>) -> Result<(), Stop> {
        let stand = self.world.stand.clone();
        let mut tick = interval(self.world.timing.publish_every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.steer().await?;
            let runs = !self.rollout.at_rest();
            self.listening.attend(&self.rollout.plan.cluster, runs);
            self.publish();
            // Until something happens that calls for a decision.
            loop {
                tokio::select! {
                    biased;
                    () = stand.stopped() => return Err(Stop::NotActing),
                    command = commands.recv() => match command {
                        Some(command) => self.obey(command).await?,
                        None => return Ok(()),
                    },
                    (job, ended) = self.jobs.next() => self.conclude(job, ended).await?,
                    Some(report) = self.reports.recv() => {
                        self.in_flight.insert(report.step, report.says);
                        continue;
                    }
                    beat = self.listening.next() => {
                        self.hear(beat);
                        continue;
                    }
                    _ = tick.tick(), if !self.rollout.at_rest() => {
                        self.publish();
                        continue;
                    }
                }
                break;
            }
        }
    }

    /// Decides until something must be waited for, and has exactly that in flight.
    async fn steer(&mut self) -> Result<(), Stop> {
        loop {
            match decide(&self.rollout, self.world.epoch) {
                Next::Append(Event::RolloutClosed { end: End::Restored }) if !self.restored => {
                    self.jobs.retain(|job| *job == Job::Restored);
                    self.jobs.ensure(Job::Restored, &self.world, &self.rollout);
                    break;
                }
                Next::Append(event) => self.append(vec![event]).await?,
                Next::Run(tasks) => {
                    let at_once: Vec<Event> = tasks
                        .iter()
                        .filter(|task| task.mode == Mode::Begin)
                        .filter(|task| begins_at_once(&self.rollout.plan, task))
                        .map(intent)
                        .collect();
                    if !at_once.is_empty() {
                        self.append(at_once).await?;
                        continue;
                    }
                    let wanted: Vec<Job> = tasks.into_iter().map(Job::Task).collect();
                    self.jobs.retain(|job| wanted.contains(job));
                    for job in wanted {
                        self.jobs.ensure(job, &self.world, &self.rollout);
                    }
                    break;
                }
                Next::AwaitApproval { .. } => {
                    self.jobs.retain(|_| false);
                    break;
                }
                Next::Rest => {
                    // Paused or parked: what an agent has been told to do it finishes, and its receipt is still journalled.
                    let parked = self.rollout.is_parked();
                    let rollout = &self.rollout;
                    self.jobs
                        .retain(|job| parked && outlives_a_park(rollout, job));
                    break;
                }
            }
        }
        let working: Vec<StepId> = self.jobs.tasks().map(|task| task.step).collect();
        self.in_flight.retain(|step, _| working.contains(step));
        Ok(())
    }

    /// Journals what a job found.
    async fn conclude(&mut self, job: Job, ended: Result<Finding, JoinError>) -> Result<(), Stop> {
        let finding = match ended {
            Ok(finding) => finding,
            Err(error) => {
                // A panic is a bug of ours; what the job was finding out is not known.
                self.world.stand.stop(Standing::Broken(format!(
                    "a task of rollout {} failed: {error}",
                    self.rollout.id
                )));
                return Err(Stop::NotActing);
            }
        };
        let task = match job {
            Job::Task(task) => task,
            Job::Restored => return self.judge_restored(finding).await,
        };
        let events = match finding {
            Finding::MayBegin => vec![intent(&task)],
            Finding::MustNotBegin(failure) => {
                vec![
                    intent(&task),
                    self.resolution(&task, Outcome::Failed(failure)),
                ]
            }
            Finding::CouldNotLook(failure) => self.park(ParkReason::StepFailed {
                step: task.step,
                member: self.member(task.step),
                failure: clipped(failure),
            }),
            Finding::Resolved(outcome) => vec![self.resolution(&task, outcome)],
            Finding::Unknown(mut why) => {
                clip(&mut why);
                self.park(ParkReason::OutcomeUnknown {
                    step: task.step,
                    member: self.member(task.step),
                    why,
                })
            }
            Finding::Superseded { member, highest } => {
                self.world
                    .stand
                    .stop(Standing::Superseded { member, highest });
                return Err(Stop::NotActing);
            }
            Finding::Restored | Finding::NotRestored(_) => {
                unreachable!("only the job Restored finds this, and it is no task")
            }
        };
        self.append(events).await
    }

    async fn judge_restored(&mut self, finding: Finding) -> Result<(), Stop> {
        let why = match finding {
            Finding::Restored => {
                self.restored = true;
                return Ok(());
            }
            Finding::NotRestored(why) => why,
            other => unreachable!("the job Restored never finds {other:?}"),
        };
        let Some(first) = self.rollout.plan.steps().next() else {
            self.restored = true;
            return Ok(());
        };
        let reason = ParkReason::UndoFailed {
            step: first.id,
            member: first.member.clone(),
            failure: clipped(Failure::partial(FailureCode::Expectation, why)),
        };
        let events = self.park(reason);
        self.append(events).await
    }

    /// The event, unless it rests already: then the first reason stands.
    fn park(&self, reason: ParkReason) -> Vec<Event> {
        if self.rollout.at_rest() {
            Vec::new()
        } else {
            vec![Event::Parked { reason }]
        }
    }

    fn resolution(&self, task: &Task, outcome: Outcome) -> Event {
        let (step, attempt) = (task.step, task.attempt);
        let outcome = bounded(outcome, self.record.gap_of(step).map(gap_note));
        match task.direction {
            Direction::Perform => Event::StepResolved {
                step,
                attempt,
                outcome,
            },
            Direction::Undo => Event::UndoResolved {
                step,
                attempt,
                outcome,
            },
        }
    }

    fn member(&self, step: StepId) -> MemberName {
        let step = self
            .rollout
            .plan
            .step(step)
            .expect("tasks come from the plan");
        step.member.clone()
    }

    /// What a person asked for. A reply goes out only when its event is durable and can be seen.
    async fn obey(&mut self, command: Command) -> Result<(), Stop> {
        let Command {
            act,
            seen,
            by,
            reply,
        } = command;
        if let Err(moved) = self.in_turn(seen) {
            // Whoever sent it may have gone long ago.
            let _ = reply.send(Err(moved));
            return Ok(());
        }
        let not_now = |why: String| ApiError::NotNow {
            rollout: self.rollout.id.clone(),
            why,
        };
        let answer = match event_of(&self.rollout, act, by).map_err(not_now) {
            Ok(event) => match self.append(vec![event]).await {
                Ok(()) => {
                    self.steer().await?;
                    self.publish();
                    Ok(())
                }
                Err(Stop::Broken(illegal)) => Err(ApiError::NotNow {
                    rollout: illegal.rollout,
                    why: illegal.why,
                }),
                Err(Stop::NotActing) => return Err(Stop::NotActing),
            },
            Err(error) => Err(error),
        };
        // Whoever asked may have gone; what is durable stays.
        let _ = reply.send(answer);
        Ok(())
    }

    /// An act is for the turn that its caller saw and for no other.
    fn in_turn(&self, seen: Turn) -> Result<(), ApiError> {
        let now = self.rollout.turns.now();
        if seen == now {
            return Ok(());
        }
        Err(ApiError::Moved {
            rollout: self.rollout.id.clone(),
            seen,
            now,
            since: self.rollout.turns.since(seen),
        })
    }

    /// Makes events durable, then real. An event that can't follow never reaches the journal.
    async fn append(&mut self, events: Vec<Event>) -> Result<(), Stop> {
        if events.is_empty() {
            return Ok(());
        }
        let mut next = self.rollout.clone();
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            let entry = Entry {
                rollout: next.id.clone(),
                seq: next.next_seq,
                epoch: self.world.epoch,
                at_unix_ms: self.world.clock.now_unix_ms(),
                event,
            };
            next.apply(&entry).map_err(Stop::Broken)?;
            entries.push(entry);
        }
        if let Err(error) = self.world.journal.append(entries.clone()).await {
            self.world.stand.journal_failed(error);
            return Err(Stop::NotActing);
        }
        self.rollout = next;
        for Entry { seq, event, .. } in &entries {
            log(*seq, event);
            self.record.take(event);
            match event {
                Event::UnwindDecided { .. } | Event::Resumed { .. } => self.restored = false,
                _ => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self, beat: Beat) {
        let Some(gap_ms) = self.listening.hear(beat) else {
            return;
        };
        let working = self
            .jobs
            .tasks()
            .filter(|task| task.mode == Mode::Reconcile);
        for step in working.map(|task| task.step) {
            self.record.gap(step, gap_ms);
        }
    }

    fn publish(&self) {
        let writes = self.listening.writes();
        let view = picture(
            &self.rollout,
            self.world.epoch,
            &self.record,
            &self.in_flight,
            writes,
        );
        self.view.send_if_modified(|now| {
            let changed = **now != view;
            if changed {
                *now = Arc::new(view);
            }
            changed
        });
    }
}

fn intent(task: &Task) -> Event {
    let (step, attempt) = (task.step, task.attempt);
    match task.direction {
        Direction::Perform => Event::StepIntended { step, attempt },
        Direction::Undo => Event::UndoIntended { step, attempt },
    }
}

/// Operations whose intent is durable are heard to their end; gates and looks are asked anew after a park.
fn outlives_a_park(rollout: &Rollout, job: &Job) -> bool {
    match job {
        Job::Task(task) => {
            let step = rollout
                .plan
                .step(task.step)
                .expect("tasks come from the plan");
            task.mode == Mode::Reconcile && !step.is_gate()
        }
        Job::Restored => false,
    }
}
