//! Having an agent rehearse an upgrade: judged here, carried out by the agent's worker as one order, like all else that it does.
//!
//! No rollout and nothing that is owed: the journal has no part in it. The agent's ledger keeps the order, the agent the figures.

use super::registry::Command;
use super::{ApiError, Rollouts, SURVEY};
use crate::ports::AgentError;
use refit_shared::checks::Selection;
use refit_shared::config::propose::propose;
use refit_shared::ids::{Attempt, ClusterName, MemberName, RolloutId, StepId};
use refit_shared::operation::{AttemptId, Direction, Operation, Order};
use refit_shared::receipt::{Outcome, Progress, Receipt};
use refit_shared::rehearsal::{self, Outline, Rehearsal, Wanted};
use refit_shared::topology::Sighting;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// An agent removes the clone after its time is up, and may have been restarted in between.
const BEYOND: Duration = Duration::from_secs(180);

impl Rollouts {
    /// What would be done; every reason against it at once.
    pub async fn may_rehearse(
        &self,
        cluster: &ClusterName,
        wanted: &Wanted,
    ) -> Result<(Sighting, Outline), ApiError> {
        let known = self.cluster(cluster)?;
        let occupied = self.ask(|reply| Command::Occupied { reply }).await?;
        if let Some(by) = occupied.get(cluster) {
            return Err(ApiError::ClusterBusy {
                cluster: cluster.clone(),
                by: by.clone(),
            });
        }
        let files =
            Selection::new(["sysVars"], []).expect("the check of option files is one of ours");
        let look = self.world.timing.look_deadline;
        let seen = self
            .world
            .observer
            .sight_and_survey(known, wanted.target, &files, look, SURVEY)
            .await;
        let outline =
            rehearsal::outline(&seen, wanted).map_err(|against| ApiError::MayNotRehearse {
                member: wanted.member.clone(),
                against,
            })?;
        Ok((seen, outline))
    }

    /// Rehearses, and tells meanwhile what the agent is at. Dropping the future stops the waiting, never the agent.
    pub async fn rehearse(
        &self,
        cluster: &ClusterName,
        wanted: &Wanted,
        limit: Duration,
        tell: mpsc::Sender<Progress>,
    ) -> Result<Rehearsal, ApiError> {
        self.may_act()?;
        let (seen, outline) = self.may_rehearse(cluster, wanted).await?;
        let failed = |why: String| ApiError::RehearsalFailed {
            member: wanted.member.clone(),
            why,
        };
        let today = self.today();
        let files = match (seen.server(&wanted.member), seen.config(&wanted.member)) {
            (Ok(server), Ok(files)) => {
                propose(&files, server.version, wanted.target, today).rewrites
            }
            // Of a server that is down nobody can say what was set at runtime: its files are used as they are.
            (Err(_), _) => Vec::new(),
            (Ok(_), Err(why)) => {
                return Err(failed(format!("its option files can't be read: {why}")));
            }
        };
        let order = Order {
            id: self.rehearsal_id(&wanted.member),
            epoch: self.world.epoch,
            cluster: cluster.clone(),
            member: wanted.member.clone(),
            direction: Direction::Perform,
            operation: Operation::RehearseUpgrade {
                version: wanted.target,
                packages: outline.packages,
                files,
                running: outline.running,
                copy: wanted.copy,
                data_directory: wanted.data_directory.clone(),
            },
            deadline_s: u32::try_from(limit.as_secs()).unwrap_or(u32::MAX),
        };
        let receipt = self
            .receipt(&order, limit + BEYOND, tell)
            .await
            .map_err(failed)?;
        if let Outcome::Failed(failure) = receipt.outcome {
            return Err(failed(failure.to_string()));
        }
        let look = self.world.timing.look_deadline;
        let seen = self.world.observer.look(&wanted.member, look).await;
        let seen = seen.map_err(|error| failed(error.to_string()))?;
        let mut told = seen.agent.rehearsals.into_iter();
        told.find(|found| found.id == order.id)
            .ok_or_else(|| failed("its agent does not tell what it found".to_owned()))
    }

    fn rehearsal_id(&self, member: &MemberName) -> AttemptId {
        let at = u64::try_from(self.world.clock.now_unix_ms()).unwrap_or(0);
        let drawn =
            refit_shared::ids::Digest::of(format!("{at} {member} {}", self.world.epoch).as_bytes());
        let mut random = [0u8; 16];
        random.copy_from_slice(&drawn.as_bytes()[..16]);
        let unique = ulid::Ulid::from_parts(at, u128::from_be_bytes(random));
        let rollout = RolloutId::of_rehearsal(&unique.to_string().to_lowercase());
        AttemptId {
            rollout: rollout.expect("a ULID in lower case is part of a name"),
            step: StepId(0),
            attempt: Attempt(1),
        }
    }

    /// Asks until there is a receipt, through every loss of the connection.
    async fn receipt(
        &self,
        order: &Order,
        limit: Duration,
        tell: mpsc::Sender<Progress>,
    ) -> Result<Receipt, String> {
        let until = Instant::now() + limit;
        let (mut pause, last) = self.world.timing.redial;
        loop {
            let call = self.world.agents.carry_out(order, tell.clone());
            let why = match timeout_at(until, call).await {
                Ok(Ok(receipt))
                    if receipt.id == order.id && receipt.content == order.content_digest() =>
                {
                    return Ok(receipt);
                }
                Ok(Ok(other)) => {
                    return Err(format!(
                        "the agent answered with a receipt for {}",
                        other.id
                    ));
                }
                Ok(Err(AgentError::Unreachable { why, .. })) => why,
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => "the agent has not ended it".to_owned(),
            };
            if Instant::now() >= until {
                return Err(format!("no receipt for {} s: {why}", limit.as_secs()));
            }
            let waiting = Progress {
                phase: format!("agent unreachable, asking again: {why}"),
                percent: None,
            };
            // Whoever asked may have gone.
            let _ = tell.try_send(waiting);
            sleep(pause).await;
            pause = (pause * 2).min(last);
        }
    }
}
