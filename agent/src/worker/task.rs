//! The worker's task: takes orders in, runs them one by one, writes receipts.

use super::judge::{Obey, Refusal, judge};
use super::{Attached, Command, QUEUE, View, Workplace};
use crate::ledger::{Ledger, LedgerError, Memory};
use crate::operations;
use crate::progress::Phase;
use refit_shared::ids::Epoch;
use refit_shared::operation::{AttemptId, Order};
use refit_shared::receipt::{Failure, FailureCode, Outcome, Progress, Receipt};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tracing::Instrument;

/// How long to wait before a receipt that could not be written is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// For how long recording an order is tried. A full disk is one that others are making room on, perhaps, and where writes are paused
/// everybody waits for the order that lets them in.
const RECORD_FOR: Duration = Duration::from_secs(45);

pub(super) struct Task {
    place: Workplace,
    ledger: Result<Ledger, String>,
    commands: mpsc::Receiver<Command>,
    stopping: watch::Receiver<bool>,
    view: watch::Sender<View>,
    queue: VecDeque<AttemptId>,
    /// At most one.
    running: JoinSet<Outcome>,
    in_hand: Option<AttemptId>,
    attempts: BTreeMap<AttemptId, Followed>,
}

/// An attempt without a receipt, for those who follow it.
struct Followed {
    phase: Phase,
    progress: watch::Receiver<Progress>,
    receipt: watch::Sender<Option<Receipt>>,
}

impl Followed {
    fn new() -> Self {
        let (phase, progress) = Phase::new();
        Self {
            phase,
            progress,
            receipt: watch::Sender::new(None),
        }
    }

    fn attach(&self) -> Attached {
        Attached {
            progress: self.progress.clone(),
            receipt: self.receipt.subscribe(),
        }
    }
}

impl Task {
    pub fn new(
        place: Workplace,
        ledger: Result<Ledger, LedgerError>,
        commands: mpsc::Receiver<Command>,
        stopping: watch::Receiver<bool>,
    ) -> (Self, watch::Receiver<View>) {
        let ledger = ledger.map_err(|error| error.to_string());
        let open = match &ledger {
            Ok(ledger) => ledger.open_attempts(),
            Err(why) => {
                tracing::error!(%why, "no order will be accepted");
                Vec::new()
            }
        };
        let view = watch::Sender::new(View {
            highest_epoch: Epoch(0),
            working_on: None,
            measured_s: BTreeMap::new(),
            broken: None,
            ended: 0,
        });
        let attempts = open
            .iter()
            .map(|id| (id.clone(), Followed::new()))
            .collect();
        let task = Self {
            place,
            ledger,
            commands,
            stopping,
            view,
            queue: open.into(),
            running: JoinSet::new(),
            in_hand: None,
            attempts,
        };
        task.show(None);
        let view = task.view.subscribe();
        (task, view)
    }

    pub async fn run(mut self) {
        loop {
            let stopping = *self.stopping.borrow_and_update();
            let waits = !stopping && self.in_hand.is_none() && !self.begin_next().await;
            if stopping && self.in_hand.is_none() {
                return;
            }
            tokio::select! {
                Some(ended) = self.running.join_next() => self.end(ended).await,
                command = self.commands.recv(), if !stopping => match command {
                    Some(command) => self.command(command).await,
                    // Nobody can ask any more; what has been accepted is still carried out.
                    None if self.in_hand.is_none() && self.queue.is_empty() => return,
                    None => if let Some(ended) = self.running.join_next().await {
                        self.end(ended).await;
                    },
                },
                () = sleep(WRITE_AGAIN), if waits => {}
                // A stop request is looked at by the next round. Nobody holding the other end any more is no request.
                changed = self.stopping.changed(), if !stopping => if changed.is_err() {
                    return;
                },
            }
        }
    }

    async fn command(&mut self, command: Command) {
        // A caller that has gone away in between is no matter: an accepted order is carried out anyway.
        match command {
            Command::Submit(order, reply) => {
                let answer = self.submit(*order).await;
                let _ = reply.send(answer);
            }
            Command::Judge(order, reply) => {
                let answer = match &self.ledger {
                    Ok(ledger) => judge(&order, &self.place, ledger).map(|_| ()),
                    Err(why) => Err(broken(why)),
                };
                let _ = reply.send(answer);
            }
            Command::Entries(reply) => {
                let answer = match &self.ledger {
                    Ok(ledger) => Ok(ledger.entries().into_iter().cloned().collect()),
                    Err(why) => Err(why.clone()),
                };
                let _ = reply.send(answer);
            }
        }
    }

    async fn submit(&mut self, order: Order) -> Result<Attached, Refusal> {
        let ledger = self.ledger.as_mut().map_err(|why| broken(why))?;
        let obey = judge(&order, &self.place, ledger).inspect_err(|refusal| {
            tracing::info!(attempt = %order.id, epoch = %order.epoch, %refusal, "refused an order");
        })?;
        if obey == Obey::New && self.queue.len() >= QUEUE {
            let why = format!("{QUEUE} orders are waiting already");
            return Err(Failure::clean(FailureCode::Precondition, why).into());
        }
        let id = order.id.clone();
        self.record(order, obey).await?;
        if obey == Obey::Known
            && let Ok(ledger) = &self.ledger
            && let Some(receipt) = ledger.find(&id).and_then(|entry| entry.receipt.clone())
        {
            self.show(None);
            return Ok(ended_already(receipt));
        }
        self.show(None);
        match self.attempts.get(&id) {
            Some(followed) => Ok(followed.attach()),
            None => unreachable!("an open attempt is followed from when it is accepted or read"),
        }
    }

    /// Until it is durable, or the time is up: then nothing was done.
    async fn record(&mut self, order: Order, obey: Obey) -> Result<(), Refusal> {
        let until = Instant::now() + RECORD_FOR;
        loop {
            let error = match self.try_record(&order, obey).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.show(Some(error.to_string()));
            if Instant::now() >= until {
                let why = format!(
                    "the order can't be recorded, tried for {} s: {error}; nothing was done: see that there is space in {} on {}, then `refit resume`",
                    RECORD_FOR.as_secs(),
                    self.place.state_dir.display(),
                    self.place.member
                );
                return Err(Failure::clean(FailureCode::Host, why).into());
            }
            tracing::warn!(%error, attempt = %order.id, "can't record an order; trying again");
            sleep(WRITE_AGAIN).await;
        }
    }

    async fn try_record(&mut self, order: &Order, obey: Obey) -> Result<(), LedgerError> {
        let Ok(ledger) = self.ledger.as_mut() else {
            unreachable!("without a ledger an order is refused before it is recorded");
        };
        ledger.obey(order.epoch).await?;
        if obey == Obey::Known {
            return Ok(());
        }
        let now = self.place.clock.now_unix_ms();
        let forgot = ledger.make_room(&order.id.rollout).await?;
        ledger.accept(order.clone(), now).await?;
        for rollout in forgot {
            let memory = Memory::of(&self.place.state_dir, &rollout, self.place.disk.clone());
            if let Err(error) = memory.clear().await {
                tracing::warn!(%error, %rollout, "what was remembered for an old rollout could not be removed");
            }
        }
        self.attempts.insert(order.id.clone(), Followed::new());
        self.queue.push_back(order.id.clone());
        Ok(())
    }

    /// `false`: there is something to begin and it can't be recorded now.
    async fn begin_next(&mut self) -> bool {
        let (Some(id), Ok(ledger)) = (self.queue.front().cloned(), self.ledger.as_mut()) else {
            return true;
        };
        let now = self.place.clock.now_unix_ms();
        let began = match ledger.begin(&id, now).await {
            Ok(began) => began,
            Err(error) => {
                self.show(Some(error.to_string()));
                tracing::warn!(%error, attempt = %id, "can't begin; trying again");
                return false;
            }
        };
        let Some(order) = ledger.find(&id).map(|entry| entry.order.clone()) else {
            unreachable!("what is queued has been recorded");
        };
        self.queue.pop_front();
        let left = left_of(&order, began, now);
        let phase = self
            .attempts
            .get(&id)
            .map_or_else(Phase::silent, |followed| followed.phase.clone());
        let span = tracing::info_span!(
            "order",
            rollout = %id.rollout,
            step = %id.step,
            attempt = %id.attempt,
            epoch = %order.epoch,
            direction = %order.direction,
            operation = %order.operation.kind(),
        );
        phase.say("begun");
        let kind = order.operation.kind();
        let cx = self.place.context(order, left, phase);
        let host = self.place.host.clone();
        let claim = self.place.bench.claim();
        let work = async move {
            claim.vacated(kind).await;
            tracing::info!(left_s = left.as_secs(), "begin");
            // It can only end the agent here, or wait.
            let _ = refit_faults::at!("work/begun");
            operations::run(&host, &cx).await
        };
        self.running.spawn(work.instrument(span));
        self.in_hand = Some(id);
        self.show(None);
        true
    }

    async fn end(&mut self, ended: Result<Outcome, JoinError>) {
        let Some(id) = self.in_hand.take() else {
            unreachable!("what ends was in hand");
        };
        let outcome = ended.unwrap_or_else(|error| {
            tracing::error!(%error, attempt = %id, "an operation broke off");
            // It may have done anything up to there, which is what the undo copes with.
            let why = format!("the agent failed in the midst of the operation: {error}");
            Outcome::Failed(Failure::partial(FailureCode::Host, why))
        });
        match &outcome {
            Outcome::Done { .. } => tracing::info!(attempt = %id, "done"),
            Outcome::Failed(failure) => tracing::warn!(attempt = %id, %failure, "failed"),
        }
        let _ = refit_faults::at!("work/done");
        let Ok(ledger) = self.ledger.as_mut() else {
            unreachable!("without a ledger nothing is begun");
        };
        // The outcome is durable before anybody hears of it, however long that takes.
        let receipt = loop {
            let now = self.place.clock.now_unix_ms();
            match ledger.close(&id, outcome.clone(), now).await {
                Ok(receipt) => break receipt,
                Err(error) => {
                    tracing::warn!(%error, attempt = %id, "can't record the outcome; trying again");
                    self.view
                        .send_modify(|view| view.broken = Some(error.to_string()));
                    sleep(WRITE_AGAIN).await;
                }
            }
        };
        if let Some(followed) = self.attempts.remove(&id) {
            followed.receipt.send_replace(Some(receipt));
        }
        self.view.send_modify(|view| view.ended += 1);
        self.show(None);
    }

    /// Brings what everybody may know up to date.
    fn show(&self, trouble: Option<String>) {
        let working_on = self.in_hand.as_ref().and_then(|id| {
            let order = &self.ledger.as_ref().ok()?.find(id)?.order;
            Some(format!(
                "{} {} ({})",
                order.direction,
                order.operation.kind(),
                order.id
            ))
        });
        self.view.send_modify(|view| {
            view.working_on = working_on;
            match &self.ledger {
                Ok(ledger) => {
                    view.highest_epoch = ledger.highest_epoch();
                    view.measured_s = ledger.measured();
                    view.broken = trouble;
                }
                Err(why) => view.broken = Some(why.clone()),
            }
        });
    }
}

/// How much of an order's time is left. A clock that was set back gives no more than all of it.
fn left_of(order: &Order, began_unix_ms: i64, now_unix_ms: i64) -> Duration {
    let whole = Duration::from_secs(u64::from(order.deadline_s));
    let gone = u64::try_from(now_unix_ms.saturating_sub(began_unix_ms)).unwrap_or(0);
    whole.saturating_sub(Duration::from_millis(gone))
}

fn broken(why: &str) -> Refusal {
    Failure::clean(
        FailureCode::Host,
        format!("this agent can't trust its ledger and does nothing: {why}"),
    )
    .into()
}

fn ended_already(receipt: Receipt) -> Attached {
    let followed = Followed::new();
    followed.phase.say("ended before");
    followed.receipt.send_replace(Some(receipt));
    followed.attach()
}
