//! The agent's gRPC service: what a controller may ask of this host, over mutual TLS, authorised per call.
//!
//! Owns the conversation. The work is the worker's ([`crate::worker`]), looking is [`observe`]'s, and what a message looks like
//! is the wire's (`refit_proto`). A call that is cancelled cancels nothing but the waiting.

mod health;
pub mod judging;
pub mod observe;
mod serve;
pub mod survey;
#[cfg(test)]
mod tests;

pub use health::Vitals;
pub use serve::{ServeError, serve};

use crate::host::{Host, Pulse};
use crate::operations;
use crate::progress::Phase;
use crate::worker::{Attached, Refusal, Worker, WorkerGone, Workplace};
use observe::Looker;
use refit_faults::Go;
use refit_proto::agent as wire;
use refit_proto::exchange::{
    self, BeatsRequest, CarryOutEvent, LedgerEntry, LedgerRequest, ObserveRequest, ProbeReply,
    SurveyRequest,
};
use refit_shared::ids::{ClusterName, MemberName};
use refit_shared::observation::{Beat, Fact, MemberState};
use refit_shared::operation::Order;
use refit_shared::survey::Question;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Messages that may wait for a slow caller; progress is the latest word only, so few are enough.
const OUTBOX: usize = 8;
/// How long a quick look may take before it counts as "can't be asked".
const BEAT_PATIENCE: Duration = Duration::from_millis(1000);
/// How long a probe may look.
const PROBE_PATIENCE: Duration = Duration::from_secs(30);

/// The service.
#[derive(Debug)]
pub struct AgentService {
    place: Workplace,
    worker: Worker,
    looker: Arc<Looker>,
    stop: CancellationToken,
}

impl AgentService {
    pub fn new(
        place: Workplace,
        worker: Worker,
        looker: Arc<Looker>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            place,
            worker,
            looker,
            stop,
        }
    }

    /// Another cluster's or member's agent must not answer for this one.
    fn expect(&self, cluster: &ClusterName, member: &MemberName) -> Result<(), Status> {
        if *cluster == self.place.cluster && *member == self.place.member {
            return Ok(());
        }
        Err(Status::failed_precondition(format!(
            "this is the agent of {} in cluster {}, not of {member} in {cluster}: see the fleet file and the agent's configuration",
            self.place.member, self.place.cluster
        )))
    }
}

type Stream<T> = ReceiverStream<Result<T, Status>>;

#[tonic::async_trait]
impl wire::agent_server::Agent for AgentService {
    type CarryOutStream = Stream<wire::CarryOutEvent>;
    type BeatsStream = Stream<refit_proto::common::Beat>;
    type LedgerStream = Stream<wire::LedgerEntry>;

    async fn observe(
        &self,
        request: Request<wire::ObserveRequest>,
    ) -> Result<Response<refit_proto::common::Observation>, Status> {
        let asked = ObserveRequest::try_from(request.into_inner())?;
        self.expect(&asked.cluster, &asked.member)?;
        match self.looker.look().await {
            Ok(observation) => Ok(Response::new(observation.into())),
            Err(why) => Err(Status::internal(format!(
                "the agent can't read its own state: {why}"
            ))),
        }
    }

    async fn survey(
        &self,
        request: Request<wire::SurveyRequest>,
    ) -> Result<Response<refit_proto::common::Survey>, Status> {
        let asked = SurveyRequest::try_from(request.into_inner())?;
        self.expect(&asked.cluster, &asked.member)?;
        let known = asked
            .questions
            .iter()
            .filter_map(|name| Question::parse(name));
        let known = known.collect::<BTreeSet<_>>();
        let mut survey = survey::answer(&self.place.host, known, &asked.tables).await;
        if let Some(candidate) = &asked.candidate {
            survey.judged = Some(judging::judge(&self.place, candidate).await);
        }
        if !asked.addresses.is_empty() {
            let told = survey::unreached(&self.place.host, &asked.addresses).await;
            survey.unreached = Some(told);
        }
        let mut reply = refit_proto::common::Survey::from(survey);
        let unknown = asked
            .questions
            .iter()
            .filter(|name| Question::parse(name).is_none());
        reply
            .answers
            .extend(unknown.map(|name| exchange::unknown_question(name)));
        Ok(Response::new(reply))
    }

    async fn carry_out(
        &self,
        request: Request<refit_proto::common::Order>,
    ) -> Result<Response<Self::CarryOutStream>, Status> {
        let order = Order::try_from(request.into_inner())?;
        if refit_faults::at!("order/received").map_err(injected)? == Go::Twice {
            // Its answer is the second one's.
            let _ = self.worker.submit(order.clone()).await.map_err(gone)?;
        }
        let submitted = self.worker.submit(order).await.map_err(gone)?;
        let (outbox, stream) = mpsc::channel(OUTBOX);
        match submitted {
            Ok(attached) => {
                tokio::spawn(report(attached, outbox, self.stop.clone()));
            }
            Err(refused) => {
                let event = CarryOutEvent::Refusal(refusal(refused));
                // The channel is empty and its other end is ours.
                let _ = outbox.send(Ok(event.into())).await;
            }
        }
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn probe(
        &self,
        request: Request<refit_proto::common::Order>,
    ) -> Result<Response<wire::ProbeReply>, Status> {
        let order = Order::try_from(request.into_inner())?;
        let reply = match self.worker.judge(order.clone()).await.map_err(gone)? {
            Err(refused) => ProbeReply::Refusal(refusal(refused)),
            Ok(()) => {
                let context = self.place.context(order, PROBE_PATIENCE, Phase::silent());
                match timeout(
                    PROBE_PATIENCE,
                    operations::probe(&self.place.host, &context),
                )
                .await
                {
                    Ok(Ok(found)) => ProbeReply::Found(found),
                    Ok(Err(failure)) => ProbeReply::Refusal(exchange::Refusal {
                        failure,
                        highest_epoch: None,
                    }),
                    Err(_) => return Err(Status::deadline_exceeded("looking took too long")),
                }
            }
        };
        Ok(Response::new(reply.into()))
    }

    async fn beats(
        &self,
        request: Request<wire::BeatsRequest>,
    ) -> Result<Response<Self::BeatsStream>, Status> {
        let asked = BeatsRequest::try_from(request.into_inner())?;
        self.expect(&asked.cluster, &asked.member)?;
        let (outbox, stream) = mpsc::channel(OUTBOX);
        tokio::spawn(beat(
            self.place.clone(),
            asked.every,
            outbox,
            self.stop.clone(),
        ));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn ledger(
        &self,
        request: Request<wire::LedgerRequest>,
    ) -> Result<Response<Self::LedgerStream>, Status> {
        let asked = LedgerRequest::try_from(request.into_inner())?;
        self.expect(&asked.cluster, &asked.member)?;
        let entries = self
            .worker
            .entries()
            .await
            .map_err(gone)?
            .map_err(Status::data_loss)?;
        let (outbox, stream) = mpsc::channel(OUTBOX);
        tokio::spawn(async move {
            for entry in entries {
                if asked
                    .rollout
                    .as_ref()
                    .is_some_and(|rollout| *rollout != entry.order.id.rollout)
                {
                    continue;
                }
                let entry = LedgerEntry {
                    began_unix_ms: entry.began_unix_ms.unwrap_or(entry.accepted_unix_ms),
                    content: entry.content,
                    receipt: entry.receipt,
                    order: entry.order,
                };
                if outbox.send(Ok(entry.into())).await.is_err() {
                    return; // the caller has gone
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn gone(error: WorkerGone) -> Status {
    Status::unavailable(error.to_string())
}

fn injected(why: refit_faults::Injected) -> Status {
    Status::internal(why.to_string())
}

fn refusal(refused: Refusal) -> exchange::Refusal {
    exchange::Refusal {
        failure: refused.failure,
        highest_epoch: refused.highest_epoch,
    }
}

/// Tells a caller how its order goes on, until the receipt, or until the caller or the agent goes away.
async fn report(
    mut attached: Attached,
    outbox: mpsc::Sender<Result<wire::CarryOutEvent, Status>>,
    stop: CancellationToken,
) {
    let mut progress = attached.progress.clone();
    let mut silent = false;
    loop {
        let event = tokio::select! {
            biased;
            receipt = attached.receipt() => match receipt {
                Ok(receipt) => match refit_faults::at!("order/reply") {
                    Ok(Go::Drop) => return,
                    Ok(Go::On | Go::Twice) => Ok(CarryOutEvent::Receipt(receipt).into()),
                    Err(why) => Err(injected(why)),
                },
                Err(why) => Err(gone(why)),
            },
            changed = progress.changed(), if !silent => match changed {
                Ok(()) => {
                    let now = progress.borrow_and_update().clone();
                    if outbox.send(Ok(CarryOutEvent::Progress(now).into())).await.is_err() {
                        return;
                    }
                    continue;
                }
                Err(_) => {
                    silent = true;
                    continue;
                }
            },
            () = stop.cancelled() => Err(gone(WorkerGone)),
            () = outbox.closed() => return,
        };
        // Nobody listens any more: the receipt is in the ledger all the same.
        let _ = outbox.send(event).await;
        return;
    }
}

async fn beat(
    place: Workplace,
    every: Duration,
    outbox: mpsc::Sender<Result<refit_proto::common::Beat, Status>>,
    stop: CancellationToken,
) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
            () = outbox.closed() => return,
        }
        let (state, pulse) = match timeout(BEAT_PATIENCE, place.host.mysql.pulse()).await {
            Ok(Ok(pulse)) => (in_group(&pulse), Some(pulse)),
            Ok(Err(why)) => (Fact::Unknown(why.to_string()), None),
            Err(_) => (
                Fact::Unknown(format!("no answer within {BEAT_PATIENCE:?}")),
                None,
            ),
        };
        let beat = Beat {
            member: place.member.clone(),
            at_unix_ms: place.clock.now_unix_ms(),
            writable: pulse.as_ref().is_some_and(takes_writes),
            transactions_executed: pulse
                .as_ref()
                .map_or(0, |pulse| pulse.transactions_executed),
            applier_queue: pulse.as_ref().map_or(0, |pulse| pulse.applier_queue),
            state,
        };
        if outbox.send(Ok(beat.into())).await.is_err() {
            return;
        }
    }
}

fn in_group(pulse: &Pulse) -> Fact<MemberState> {
    match pulse.state {
        Some(state) => Fact::Known(state),
        None => Fact::Unknown("Group Replication is not set up".to_owned()),
    }
}

/// A member of a group takes writes only while it is ONLINE.
fn takes_writes(pulse: &Pulse) -> bool {
    let serves = match pulse.state {
        Some(MemberState::Online) | None => true,
        Some(
            MemberState::Recovering
            | MemberState::Offline
            | MemberState::Error
            | MemberState::Unreachable,
        ) => false,
    };
    serves && pulse.writable()
}

/// Asks the server once, within a bound: for probes.
pub async fn pulse(host: &Host) -> Result<Pulse, String> {
    match timeout(BEAT_PATIENCE, host.mysql.pulse()).await {
        Ok(Ok(pulse)) => Ok(pulse),
        Ok(Err(why)) => Err(why.to_string()),
        Err(_) => Err(format!("mysqld gave no answer within {BEAT_PATIENCE:?}")),
    }
}
