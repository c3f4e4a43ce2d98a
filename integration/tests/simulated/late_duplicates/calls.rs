//! Every call of both services, as it goes over the wire: sent for the first time, and again.

use crate::world::{World, cluster};
use futures::StreamExt;
use refit_controller::api::OperatorService;
use refit_controller::rollouts::Rollouts;
use refit_proto::agent::{self, agent_server::Agent as _};
use refit_proto::common;
use refit_proto::identity::{Identity, PeerIdentity, Role, TrustDomain};
use refit_proto::operator::wire::operator_server::Operator as _;
use refit_proto::operator::{Refusal, wire};
use refit_shared::ids::MemberName;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// A request and to whom it went.
#[derive(Debug, Clone)]
pub enum Sent {
    Fleet(wire::FleetRequest),
    Check(wire::CheckRequest),
    Config(wire::ConfigRequest),
    Rehearse(wire::RehearseRequest),
    Plan(wire::PlanRequest),
    Apply(wire::ApplyRequest),
    Watch(wire::WatchRequest),
    List(wire::ListRequest),
    Show(wire::ShowRequest),
    Pause(wire::ActRequest),
    Resume(wire::ActRequest),
    Approve(wire::ActRequest),
    Unwind(wire::ActRequest),
    Cancel(wire::ActRequest),
    Finalize(wire::ActRequest),
    Audit(wire::AuditRequest),
    Observe(MemberName, agent::ObserveRequest),
    Survey(MemberName, agent::SurveyRequest),
    CarryOut(MemberName, Box<common::Order>),
    Probe(MemberName, Box<common::Order>),
    Beats(MemberName, agent::BeatsRequest),
    Ledger(MemberName, agent::LedgerRequest),
}

impl Sent {
    /// Its name in the .proto file.
    pub fn rpc(&self) -> &'static str {
        match self {
            Self::Fleet(_) => "Fleet",
            Self::Check(_) => "Check",
            Self::Config(_) => "Config",
            Self::Rehearse(_) => "Rehearse",
            Self::Plan(_) => "Plan",
            Self::Apply(_) => "Apply",
            Self::Watch(_) => "Watch",
            Self::List(_) => "List",
            Self::Show(_) => "Show",
            Self::Pause(_) => "Pause",
            Self::Resume(_) => "Resume",
            Self::Approve(_) => "Approve",
            Self::Unwind(_) => "Unwind",
            Self::Cancel(_) => "Cancel",
            Self::Finalize(_) => "Finalize",
            Self::Audit(_) => "Audit",
            Self::Observe(..) => "Observe",
            Self::Survey(..) => "Survey",
            Self::CarryOut(..) => "CarryOut",
            Self::Probe(..) => "Probe",
            Self::Beats(..) => "Beats",
            Self::Ledger(..) => "Ledger",
        }
    }

    /// What a copy of it must be answered, whenever it comes: the code of a refusal; `None`: it only looks, or does what harms
    /// nobody, and may be answered.
    pub fn refused_with(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Apply(_) => Some(&[
                "rollout.active",
                "rollout.state",
                "plan.stale",
                "plan.blocked",
                // While a member is down nothing can be compared.
                "cluster.unseen",
            ]),
            // The other is for a rollout that has ended and sleeps beside one that is open.
            Self::Pause(_)
            | Self::Resume(_)
            | Self::Approve(_)
            | Self::Unwind(_)
            | Self::Cancel(_)
            | Self::Finalize(_) => Some(&["rollout.moved", "rollout.active"]),
            Self::Fleet(_)
            | Self::Check(_)
            | Self::Config(_)
            | Self::Rehearse(_)
            | Self::Plan(_)
            | Self::Watch(_)
            | Self::List(_)
            | Self::Show(_)
            | Self::Audit(_)
            | Self::Observe(..)
            | Self::Survey(..)
            | Self::CarryOut(..)
            | Self::Probe(..)
            | Self::Beats(..)
            | Self::Ledger(..) => None,
        }
    }
}

/// What came back.
#[derive(Debug)]
pub enum Answer {
    /// The operator's API told this, or an agent anything.
    Told(Option<Box<wire::Rollout>>),
    Planned(Vec<u8>),
    Refused {
        code: String,
        why: String,
    },
}

impl Answer {
    fn of(status: &Status) -> Self {
        match Refusal::of_status(status) {
            Some(refusal) => Self::Refused {
                code: refusal.code.to_string(),
                why: format!("{}: {:?}", refusal.what, refusal.reasons),
            },
            None => Self::Refused {
                code: format!("{:?}", status.code()),
                why: status.message().to_owned(),
            },
        }
    }
}

/// Both services, called as their servers call them.
pub struct Lines<'a> {
    world: &'a World,
    operator: OperatorService,
    peer: PeerIdentity,
}

impl<'a> Lines<'a> {
    pub fn new(world: &'a World, rollouts: &Rollouts) -> Self {
        let domain = TrustDomain::parse("refit.local").expect("a literal that is a domain");
        let identity = Identity::new(domain, Role::Operator, "dba");
        Self {
            world,
            operator: OperatorService::new(Arc::new(rollouts.clone()), CancellationToken::new()),
            peer: PeerIdentity {
                identity: Arc::new(identity.expect("a literal that is a name")),
                remote: None,
            },
        }
    }

    fn request<T>(&self, message: &T) -> Request<T>
    where
        T: Clone,
    {
        let mut request = Request::new(message.clone());
        request.extensions_mut().insert(self.peer.clone());
        request
    }

    /// What every agent was told so far, and every way of asking it.
    pub async fn to_agents(&self) -> Vec<Sent> {
        let mut all = Vec::new();
        for member in self.world.hop.members() {
            let Some(agent) = self.world.hosts.agent(&member) else {
                continue;
            };
            let (cluster, name) = (cluster().to_string(), member.to_string());
            all.push(Sent::Observe(
                member.clone(),
                agent::ObserveRequest {
                    cluster: cluster.clone(),
                    member: name.clone(),
                },
            ));
            all.push(Sent::Survey(
                member.clone(),
                agent::SurveyRequest {
                    cluster: cluster.clone(),
                    member: name.clone(),
                    questions: vec!["config".to_owned()],
                    tables: Vec::new(),
                    candidate: None,
                    addresses: Vec::new(),
                },
            ));
            all.push(Sent::Beats(
                member.clone(),
                agent::BeatsRequest {
                    cluster: cluster.clone(),
                    member: name.clone(),
                    every_ms: 1000,
                },
            ));
            all.push(Sent::Ledger(
                member.clone(),
                agent::LedgerRequest {
                    cluster,
                    member: name,
                    rollout: None,
                },
            ));
            for entry in agent.ledger().await.expect("the disk works") {
                let order = Box::new(common::Order::from(entry.order));
                all.push(Sent::CarryOut(member.clone(), order.clone()));
                all.push(Sent::Probe(member.clone(), order));
            }
        }
        all
    }

    /// How many orders each agent has accepted, rehearsals apart.
    pub async fn orders(&self) -> BTreeMap<MemberName, usize> {
        let mut orders = BTreeMap::new();
        for member in self.world.hop.members() {
            let agent = self.world.hosts.agent(&member).expect("it is up");
            let entries = agent.ledger().await.expect("the disk works");
            let of_rollouts = entries
                .iter()
                .filter(|entry| !entry.order.id.rollout.is_rehearsal());
            orders.insert(member, of_rollouts.count());
        }
        orders
    }

    /// Sends it and hears it out; of a stream that does not end by itself, one message.
    pub async fn send(&self, sent: &Sent) -> Answer {
        let sent = self.answer(sent).await;
        sent.unwrap_or_else(|status| Answer::of(&status))
    }

    async fn answer(&self, sent: &Sent) -> Result<Answer, Status> {
        let operator = &self.operator;
        let agent = |member: &MemberName| {
            let agent = self.world.hosts.agent(member);
            agent.ok_or_else(|| Status::unavailable("nothing listens there"))
        };
        let acted = |answer: Response<wire::ActResponse>| answer.into_inner().rollout;
        let rollout = match sent {
            Sent::Fleet(message) => operator.fleet(self.request(message)).await.map(|_| None)?,
            Sent::Check(message) => operator.check(self.request(message)).await.map(|_| None)?,
            Sent::Config(message) => operator.config(self.request(message)).await.map(|_| None)?,
            Sent::Rehearse(message) => {
                let told = operator.rehearse(self.request(message)).await?.into_inner();
                for told in told.collect::<Vec<_>>().await {
                    told?;
                }
                None
            }
            Sent::Plan(message) => {
                let planned = operator.plan(self.request(message)).await?.into_inner();
                return Ok(Answer::Planned(planned.document));
            }
            Sent::Apply(message) => {
                let answer = operator.apply(self.request(message)).await?;
                answer.into_inner().rollout
            }
            Sent::Watch(message) => {
                let mut told = operator.watch(self.request(message)).await?.into_inner();
                told.next().await.transpose()?.and_then(|told| told.rollout)
            }
            Sent::List(message) => operator.list(self.request(message)).await.map(|_| None)?,
            Sent::Show(message) => {
                let answer = operator.show(self.request(message)).await?;
                answer.into_inner().rollout
            }
            Sent::Pause(message) => acted(operator.pause(self.request(message)).await?),
            Sent::Resume(message) => acted(operator.resume(self.request(message)).await?),
            Sent::Approve(message) => acted(operator.approve(self.request(message)).await?),
            Sent::Unwind(message) => acted(operator.unwind(self.request(message)).await?),
            Sent::Cancel(message) => acted(operator.cancel(self.request(message)).await?),
            Sent::Finalize(message) => acted(operator.finalize(self.request(message)).await?),
            Sent::Audit(message) => operator.audit(self.request(message)).await.map(|_| None)?,
            Sent::Observe(member, message) => {
                let service = agent(member)?.service();
                service.observe(self.request(message)).await.map(|_| None)?
            }
            Sent::Survey(member, message) => {
                let service = agent(member)?.service();
                service.survey(self.request(message)).await.map(|_| None)?
            }
            Sent::CarryOut(member, message) => {
                let service = agent(member)?.service();
                let told = service.carry_out(self.request(message.as_ref())).await?;
                for told in told.into_inner().collect::<Vec<_>>().await {
                    told?;
                }
                None
            }
            Sent::Probe(member, message) => {
                let service = agent(member)?.service();
                service
                    .probe(self.request(message.as_ref()))
                    .await
                    .map(|_| None)?
            }
            Sent::Beats(member, message) => {
                let service = agent(member)?.service();
                let mut told = service.beats(self.request(message)).await?.into_inner();
                told.next().await.transpose()?;
                None
            }
            Sent::Ledger(member, message) => {
                let service = agent(member)?.service();
                let told = service.ledger(self.request(message)).await?.into_inner();
                for told in told.collect::<Vec<_>>().await {
                    told?;
                }
                None
            }
        };
        Ok(Answer::Told(rollout.map(Box::new)))
    }
}
