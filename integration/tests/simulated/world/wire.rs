//! The network between one incarnation of the controller and the agents: calls that get lost, orders that come twice.

use super::agents::{Agent, Agents as Hosts, Answer};
use super::faults::{Faults, only_looking};
use async_trait::async_trait;
use refit_controller::ports::{AgentError, Agents, Ledgers};
use refit_proto::exchange::LedgerEntry;
use refit_shared::ids::{Attempt, MemberName};
use refit_shared::observation::{Beat, Fact, Observation};
use refit_shared::operation::{Direction, Order};
use refit_shared::receipt::{Outcome, Progress, Receipt};
use refit_shared::survey::{Address, Candidate, Judged, Question, Survey, Unreached};
use refit_shared::table::TableName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

const LATENCY: Duration = Duration::from_millis(2);

/// How often an agent is told to do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Twice {
    #[default]
    No,
    /// Every order comes again with the same attempt, at once and after later orders: the same receipt must come back.
    SameAttempt,
    /// Every order is carried out a second time, as a new attempt of its own, before the controller hears of it.
    NewAttempt,
}

/// What a controller may do at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    Running,
    /// Not scheduled (a stopped virtual machine): nothing of it happens until it runs again.
    Stopped,
    /// Gone for good: its calls never return.
    Dead,
}

/// One controller's way to all agents.
pub struct Wire {
    hosts: Hosts,
    faults: Faults,
    twice: Twice,
    pulse: watch::Receiver<Pulse>,
    /// Orders that were carried out, to be repeated, and what was wrong with the repetitions.
    given: Mutex<Vec<(Order, Receipt)>>,
    wrongs: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    pub fn new(
        hosts: Hosts,
        faults: Faults,
        twice: Twice,
        pulse: watch::Receiver<Pulse>,
        wrongs: Arc<Mutex<Vec<String>>>,
    ) -> Self {
        Self {
            hosts,
            faults,
            twice,
            pulse,
            given: Mutex::default(),
            wrongs,
        }
    }

    /// Never resolves for a controller that is dead.
    async fn scheduled(&self) {
        let mut pulse = self.pulse.clone();
        if pulse.wait_for(|now| *now == Pulse::Running).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// One call to one agent; lost when the network is cut or the agent dies meanwhile.
    async fn call<T>(
        &self,
        member: &MemberName,
        call: impl AsyncFnOnce(Agent) -> Result<T, AgentError>,
    ) -> Result<T, AgentError> {
        self.scheduled().await;
        sleep(LATENCY).await;
        let unreachable = |why: &str| {
            Err(AgentError::Unreachable {
                member: member.clone(),
                why: why.to_owned(),
            })
        };
        let answer = match self.hosts.agent(member) {
            _ if self.faults.is_cut(member) => unreachable("no route to host"),
            None => unreachable("connection refused"),
            Some(agent) => {
                let dies = agent.clone();
                tokio::select! {
                    biased;
                    () = self.faults.until_cut(member) => unreachable("timed out"),
                    () = dies.death() => unreachable("connection reset"),
                    answer = call(agent) => answer,
                }
            }
        };
        self.scheduled().await;
        answer
    }

    fn wrong(&self, what: String) {
        self.wrongs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(what);
    }

    async fn order(
        &self,
        order: &Order,
        progress: &mpsc::Sender<Progress>,
    ) -> Result<Receipt, AgentError> {
        self.call(&order.member, async |agent| {
            self.faults.working(order);
            match agent.carry_out(order, progress).await {
                Answer::Receipt(receipt) => Ok(receipt),
                Answer::Refused(failure) => Err(AgentError::Refused {
                    member: order.member.clone(),
                    failure,
                }),
                Answer::Superseded(highest) => Err(AgentError::Superseded {
                    member: order.member.clone(),
                    highest,
                }),
                Answer::Lost => Err(AgentError::Unreachable {
                    member: order.member.clone(),
                    why: "the agent is shutting down".to_owned(),
                }),
            }
        })
        .await
    }

    /// Orders that were carried out come again: the last one must be answered with its receipt, an earlier one with its
    /// receipt or a refusal. Neither may do anything.
    async fn repeat(&self, order: &Order, receipt: &Receipt) {
        let (progress, _heard) = mpsc::channel(1);
        let earlier = {
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            let earlier = given.iter().rev().find(|(g, _)| g.member == order.member);
            let earlier = earlier.cloned();
            given.push((order.clone(), receipt.clone()));
            earlier
        };
        match self.order(order, &progress).await {
            Ok(again) if again == *receipt => {}
            Err(AgentError::Unreachable { .. } | AgentError::Superseded { .. }) => {}
            other => self.wrong(format!("{}: repeated at once: {other:?}", order.id)),
        }
        let Some((order, receipt)) = earlier else {
            return;
        };
        match self.order(&order, &progress).await {
            Ok(again) if again == receipt => {}
            Err(_) => {}
            Ok(other) => self.wrong(format!("{}: repeated late: {other:?}", order.id)),
        }
    }
}

/// The controller's attempt `n` is the agent's attempts `2n - 1` and `2n`.
fn doubled(order: &Order, second: bool) -> Order {
    let mut doubled = order.clone();
    let number = order.id.attempt.0 * 2;
    doubled.id.attempt = Attempt(if second { number } else { number - 1 });
    doubled
}

#[async_trait]
impl Agents for Wire {
    async fn observe(&self, member: &MemberName, _: Duration) -> Result<Observation, AgentError> {
        self.call(
            member,
            async |agent| Ok(only_looking(agent.observe()).await),
        )
        .await
    }

    async fn survey(
        &self,
        member: &MemberName,
        questions: &BTreeSet<Question>,
        tables: &[TableName],
        _: Duration,
    ) -> Result<Survey, AgentError> {
        let questions = questions.clone();
        self.call(member, async |agent| {
            Ok(only_looking(agent.survey(questions, tables)).await)
        })
        .await
    }

    async fn judge_options(
        &self,
        member: &MemberName,
        candidate: &Candidate,
        _: Duration,
    ) -> Result<Option<Fact<Judged>>, AgentError> {
        self.call(member, async |agent| {
            Ok(Some(only_looking(agent.judge_options(candidate)).await))
        })
        .await
    }

    async fn unreached(
        &self,
        member: &MemberName,
        addresses: &BTreeSet<Address>,
        _: Duration,
    ) -> Result<Option<Fact<BTreeMap<Address, Unreached>>>, AgentError> {
        let addresses: Vec<Address> = addresses.iter().cloned().collect();
        self.call(member, async |agent| {
            Ok(Some(only_looking(agent.unreached(&addresses)).await))
        })
        .await
    }

    async fn carry_out(
        &self,
        order: &Order,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Receipt, AgentError> {
        match self.twice {
            Twice::No => self.order(order, &progress).await,
            Twice::SameAttempt => {
                let receipt = self.order(order, &progress).await?;
                self.repeat(order, &receipt).await;
                Ok(receipt)
            }
            Twice::NewAttempt => {
                let first = self.order(&doubled(order, false), &progress).await?;
                let second = self.order(&doubled(order, true), &progress).await?;
                if let (Outcome::Done { .. }, Outcome::Failed(failure)) =
                    (&first.outcome, &second.outcome)
                {
                    let again = match order.direction {
                        Direction::Perform => "performed",
                        Direction::Undo => "undone",
                    };
                    self.wrong(format!("{}: {again} twice: {failure}", order.id));
                }
                Ok(Receipt {
                    id: order.id.clone(),
                    content: order.content_digest(),
                    ..second
                })
            }
        }
    }

    async fn beats(
        &self,
        member: &MemberName,
        every: Duration,
        to: mpsc::Sender<Beat>,
    ) -> Result<(), AgentError> {
        self.call(member, async |agent| {
            while !to.is_closed() {
                self.scheduled().await;
                if let Some(beat) = only_looking(agent.beat()).await
                    && to.send(beat).await.is_err()
                {
                    break;
                }
                sleep(every).await;
            }
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Ledgers for Wire {
    async fn ledger(
        &self,
        member: &MemberName,
        _: Duration,
    ) -> Result<Vec<LedgerEntry>, AgentError> {
        self.call(member, async |agent| {
            agent.ledger().await.map_err(|why| AgentError::Unreachable {
                member: member.clone(),
                why,
            })
        })
        .await
    }
}
