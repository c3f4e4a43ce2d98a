//! The agents over mutual TLS gRPC: the production [`Agents`].
//!
//! One lazily connected channel a member, which only ever talks to exactly that member's certificate. What the transport
//! could not do is [`AgentError::Unreachable`], in words that an operator can act on; whether an order was carried out does
//! not follow from it.

use crate::fleet::Fleet;
use crate::ports::{AgentError, Agents, Ledgers};
use async_trait::async_trait;
use refit_faults::Go;
use refit_proto::agent as wire;
use refit_proto::agent::agent_client::AgentClient;
use refit_proto::convert::InvalidMessage;
use refit_proto::exchange::{
    BeatsRequest, CarryOutEvent, LedgerEntry, LedgerRequest, ObserveRequest, Refusal, SurveyRequest,
};
use refit_proto::identity::IdentityError;
use refit_proto::tls::{Dial, Peer, PeerFault, Reloading, Tcp, connect_over};
use refit_shared::ids::{ClusterName, MemberName};
use refit_shared::observation::{Beat, Fact, Observation};
use refit_shared::operation::Order;
use refit_shared::receipt::{Failure, FailureCode, Progress, Receipt};
use refit_shared::survey::{Address, Candidate, Judged, Question, Survey, Unreached};
use refit_shared::table::TableName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// The way to one member's agent.
#[derive(Debug, Clone)]
struct Line {
    cluster: ClusterName,
    peer: Peer,
    channel: Channel,
}

/// See the module.
#[derive(Debug)]
pub struct GrpcAgents {
    lines: BTreeMap<MemberName, Line>,
}

impl GrpcAgents {
    /// Connects to nobody yet. Needs a running tokio runtime.
    ///
    /// # Errors
    /// A member whose name can't be in a certificate; the fleet file's grammar leaves none.
    pub fn new(fleet: &Fleet, material: &Arc<Reloading>) -> Result<Self, IdentityError> {
        Self::over(Tcp, fleet, material)
    }

    /// The same over another network.
    pub fn over<D: Dial>(
        dial: D,
        fleet: &Fleet,
        material: &Arc<Reloading>,
    ) -> Result<Self, IdentityError> {
        let own = material.identity();
        let mut lines = BTreeMap::new();
        for cluster in fleet.clusters() {
            for member in &cluster.members {
                let peer = Peer {
                    address: member.address.clone(),
                    expected: own.agent_beside(member.name.as_str())?,
                };
                let channel = connect_over(
                    dial.clone(),
                    peer.address.clone(),
                    peer.expected.clone(),
                    Arc::clone(material),
                );
                let line = Line {
                    cluster: cluster.name.clone(),
                    peer,
                    channel,
                };
                lines.insert(member.name.clone(), line);
            }
        }
        Ok(Self { lines })
    }

    fn line(&self, member: &MemberName) -> Result<(&Line, AgentClient<Channel>), AgentError> {
        let line = self
            .lines
            .get(member)
            .ok_or_else(|| AgentError::Unreachable {
                member: member.clone(),
                why: "the fleet file does not name it".to_owned(),
            })?;
        Ok((line, AgentClient::new(line.channel.clone())))
    }

    async fn ask(
        &self,
        member: &MemberName,
        ask: impl FnOnce(&ClusterName) -> SurveyRequest,
        deadline: Duration,
    ) -> Result<Survey, AgentError> {
        let (line, mut client) = self.line(member)?;
        let mut request = Request::new(wire::SurveyRequest::from(ask(&line.cluster)));
        request.set_timeout(deadline);
        let answer = client.survey(request).await;
        let answer = answer.map_err(|status| line.failed(member, &status))?;
        Survey::try_from(answer.into_inner()).map_err(|error| line.garbled(member, &error))
    }
}

impl Line {
    /// What a failed call says: the transport's fault where it is one, else the agent's own words.
    fn failed(&self, member: &MemberName, status: &Status) -> AgentError {
        let why = match PeerFault::of(status, &self.peer) {
            Some(fault) => fault.to_string(),
            None => match status.code() {
                Code::DeadlineExceeded | Code::Cancelled => {
                    format!("its agent at {} did not answer in time", self.peer.address)
                }
                code => format!(
                    "its agent at {} answered {code:?}: {}",
                    self.peer.address,
                    status.message()
                ),
            },
        };
        unreachable(member, why)
    }

    /// An answer that this version of Refit can't read is no answer.
    fn garbled(&self, member: &MemberName, error: &InvalidMessage) -> AgentError {
        let why = format!(
            "its agent at {} answered what this controller does not understand ({error}): \
             are both of the same version?",
            self.peer.address
        );
        unreachable(member, why)
    }
}

fn unreachable(member: &MemberName, why: impl Into<String>) -> AgentError {
    AgentError::Unreachable {
        member: member.clone(),
        why: why.into(),
    }
}

fn refused(member: &MemberName, refusal: Refusal) -> AgentError {
    let member = member.clone();
    match refusal.highest_epoch {
        Some(highest) => AgentError::Superseded { member, highest },
        None => AgentError::Refused {
            member,
            failure: refusal.failure,
        },
    }
}

#[async_trait]
impl Agents for GrpcAgents {
    async fn observe(
        &self,
        member: &MemberName,
        deadline: Duration,
    ) -> Result<Observation, AgentError> {
        let (line, mut client) = self.line(member)?;
        let ask = ObserveRequest {
            cluster: line.cluster.clone(),
            member: member.clone(),
        };
        let mut request = Request::new(wire::ObserveRequest::from(ask));
        request.set_timeout(deadline);
        refit_faults::at!("look/before").map_err(|why| unreachable(member, why.to_string()))?;
        match client.observe(request).await {
            Ok(answer) => Observation::try_from(answer.into_inner())
                .map_err(|error| line.garbled(member, &error)),
            // So an agent says that it is another cluster's or member's.
            Err(status) if status.code() == Code::FailedPrecondition => Err(AgentError::Refused {
                member: member.clone(),
                failure: Failure::clean(FailureCode::Fenced, status.message()),
            }),
            Err(status) => Err(line.failed(member, &status)),
        }
    }

    async fn survey(
        &self,
        member: &MemberName,
        questions: &BTreeSet<Question>,
        tables: &[TableName],
        deadline: Duration,
    ) -> Result<Survey, AgentError> {
        let ask = |cluster: &ClusterName| SurveyRequest {
            cluster: cluster.clone(),
            member: member.clone(),
            questions: questions.iter().map(ToString::to_string).collect(),
            tables: tables.to_vec(),
            candidate: None,
            addresses: Vec::new(),
        };
        self.ask(member, ask, deadline).await
    }

    async fn judge_options(
        &self,
        member: &MemberName,
        candidate: &Candidate,
        deadline: Duration,
    ) -> Result<Option<Fact<Judged>>, AgentError> {
        let ask = |cluster: &ClusterName| SurveyRequest {
            cluster: cluster.clone(),
            member: member.clone(),
            questions: Vec::new(),
            tables: Vec::new(),
            candidate: Some(candidate.clone()),
            addresses: Vec::new(),
        };
        Ok(self.ask(member, ask, deadline).await?.judged)
    }

    async fn unreached(
        &self,
        member: &MemberName,
        addresses: &BTreeSet<Address>,
        deadline: Duration,
    ) -> Result<Option<Fact<BTreeMap<Address, Unreached>>>, AgentError> {
        let ask = |cluster: &ClusterName| SurveyRequest {
            cluster: cluster.clone(),
            member: member.clone(),
            questions: Vec::new(),
            tables: Vec::new(),
            candidate: None,
            addresses: addresses.iter().cloned().collect(),
        };
        Ok(self.ask(member, ask, deadline).await?.unreached)
    }

    async fn carry_out(
        &self,
        order: &Order,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Receipt, AgentError> {
        let member = &order.member;
        let (line, mut client) = self.line(member)?;
        let message = refit_proto::common::Order::from(order.clone());
        let lost = |why: refit_faults::Injected| unreachable(member, why.to_string());
        match refit_faults::at!("call/before").map_err(lost)? {
            Go::On => {}
            Go::Drop => return Err(unreachable(member, "the call was lost")),
            Go::Twice => {
                let (mut again, message) = (client.clone(), message.clone());
                tokio::spawn(async move { again.carry_out(message).await });
            }
        }
        let answer = client.carry_out(Request::new(message)).await;
        let mut events = answer
            .map_err(|status| line.failed(member, &status))?
            .into_inner();
        loop {
            let event = events.message().await;
            let event = event.map_err(|status| line.failed(member, &status))?;
            let Some(event) = event else {
                let why = "its agent ended the call without a receipt";
                return Err(unreachable(member, why));
            };
            let event =
                CarryOutEvent::try_from(event).map_err(|error| line.garbled(member, &error))?;
            match event {
                // Whoever asked may have stopped listening; the order goes on.
                CarryOutEvent::Progress(says) => drop(progress.send(says).await),
                CarryOutEvent::Receipt(receipt) => {
                    return match refit_faults::at!("call/reply").map_err(lost)? {
                        Go::Drop => Err(unreachable(member, "the answer was lost")),
                        Go::On | Go::Twice => Ok(receipt),
                    };
                }
                CarryOutEvent::Refusal(refusal) => return Err(refused(member, refusal)),
            }
        }
    }

    async fn beats(
        &self,
        member: &MemberName,
        every: Duration,
        to: mpsc::Sender<Beat>,
    ) -> Result<(), AgentError> {
        let (line, mut client) = self.line(member)?;
        let ask = BeatsRequest {
            cluster: line.cluster.clone(),
            member: member.clone(),
            every,
        };
        let answer = client
            .beats(Request::new(wire::BeatsRequest::from(ask)))
            .await;
        let mut beats = answer
            .map_err(|status| line.failed(member, &status))?
            .into_inner();
        loop {
            let beat = tokio::select! {
                beat = beats.message() => beat,
                () = to.closed() => return Ok(()),
            };
            let Some(beat) = beat.map_err(|status| line.failed(member, &status))? else {
                return Err(unreachable(member, "its agent ended the beats"));
            };
            let beat = Beat::try_from(beat).map_err(|error| line.garbled(member, &error))?;
            if to.send(beat).await.is_err() {
                return Ok(());
            }
        }
    }
}

#[async_trait]
impl Ledgers for GrpcAgents {
    async fn ledger(
        &self,
        member: &MemberName,
        deadline: Duration,
    ) -> Result<Vec<LedgerEntry>, AgentError> {
        let (line, mut client) = self.line(member)?;
        let ask = LedgerRequest {
            cluster: line.cluster.clone(),
            member: member.clone(),
            rollout: None,
        };
        let mut request = Request::new(wire::LedgerRequest::from(ask));
        request.set_timeout(deadline);
        let answer = client.ledger(request).await;
        let mut stream = answer
            .map_err(|status| line.failed(member, &status))?
            .into_inner();
        let mut entries = Vec::new();
        loop {
            let entry = stream.message().await;
            let entry = entry.map_err(|status| line.failed(member, &status))?;
            let Some(entry) = entry else {
                return Ok(entries);
            };
            let entry =
                LedgerEntry::try_from(entry).map_err(|error| line.garbled(member, &error))?;
            entries.push(entry);
        }
    }
}
