//! The generated service trait, method by method: parse, ask the [`Desk`], answer.

use super::acts::{self, Act};
use super::desk::{Desk, Rehearsed, Update};
use super::limits::{JUDGEMENT, LOOK, MAX_LINES, MUTATION, QUICK, within};
use super::requests;
use futures::stream::{BoxStream, StreamExt};
use refit_proto::identity::PeerIdentity;
use refit_proto::operator::wire::operator_server::Operator;
use refit_proto::operator::wire::rehearse_response::Told;
use refit_proto::operator::{ErrorCode, Refusal, wire};
use refit_shared::ids::{ClusterName, Seq};
use refit_shared::plan::document;
use refit_shared::version::MysqlVersion;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// `refit.operator.v1.Operator`. Served behind the authorising layer; without it every call fails.
pub struct OperatorService {
    desk: Arc<dyn Desk>,
    /// Ends watch streams when the controller stops.
    stopping: CancellationToken,
}

impl fmt::Debug for OperatorService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorService").finish_non_exhaustive()
    }
}

type Answer<T> = Result<Response<T>, Status>;

/// For what asks every agent, and perhaps has it ask the target's mysqld.
fn look(judges: bool) -> Duration {
    if judges { LOOK + JUDGEMENT } else { LOOK }
}

impl OperatorService {
    pub fn new(desk: Arc<dyn Desk>, stopping: CancellationToken) -> Self {
        Self { desk, stopping }
    }

    async fn act(&self, act: Act, request: Request<wire::ActRequest>) -> Answer<wire::ActResponse> {
        let peer = PeerIdentity::of(&request)?;
        let asked = request.into_inner();
        let (id, seen, by) = requests::act(&peer, &asked)?;
        let before = within(QUICK, "reading the rollout", self.desk.show(&id)).await?;
        if asked.dry_run {
            let notes = acts::would(act, seen, &before)?;
            return Ok(Response::new(wire::ActResponse {
                rollout: Some(before.into()),
                notes,
            }));
        }
        let desk = Arc::clone(&self.desk);
        let (rollout, actor) = (id.clone(), by.clone());
        owned(acts::name(act), async move {
            desk.act(&rollout, act, seen, actor).await
        })
        .await?;
        tracing::info!(rollout = %id, by = %by, act = acts::name(act), "an operator acted");
        let after = within(QUICK, "reading the rollout", self.desk.show(&id)).await?;
        Ok(Response::new(wire::ActResponse {
            rollout: Some(after.into()),
            notes: Vec::new(),
        }))
    }
}

/// A mutation runs in a task of its own: a caller that goes away must not stop it half way.
async fn owned<T: Send + 'static>(
    what: &'static str,
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let task = tokio::spawn(work);
    within(MUTATION, what, async {
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, what, "the task of a request failed");
            Err(Refusal::new(
                ErrorCode::Internal,
                format!("{what} failed inside the controller; its log says why"),
            ))
        })
    })
    .await
}

fn only(cluster: &str) -> Result<Option<ClusterName>, Refusal> {
    match cluster {
        "" => Ok(None),
        name => requests::cluster(name).map(Some),
    }
}

#[tonic::async_trait]
impl Operator for OperatorService {
    async fn fleet(&self, request: Request<wire::FleetRequest>) -> Answer<wire::FleetResponse> {
        PeerIdentity::of(&request)?;
        let only = only(&request.get_ref().cluster)?;
        let clusters = within(LOOK, "looking at the fleet", self.desk.fleet(only.as_ref())).await?;
        Ok(Response::new(wire::FleetResponse {
            clusters: clusters.into_iter().map(Into::into).collect(),
        }))
    }

    async fn check(&self, request: Request<wire::CheckRequest>) -> Answer<wire::CheckResponse> {
        PeerIdentity::of(&request)?;
        let asked = request.into_inner();
        let wanted = requests::selection(&asked)?;
        let (cluster, want) = requests::request(asked.into())?;
        let limit = look(wanted.asks_the_target());
        let judged = within(limit, "checking", self.desk.check(&cluster, &want, &wanted)).await?;
        Ok(Response::new(judged.into()))
    }

    async fn config(&self, request: Request<wire::ConfigRequest>) -> Answer<wire::ConfigResponse> {
        PeerIdentity::of(&request)?;
        let asked = request.into_inner();
        let (cluster, target) = requests::destination(&asked.cluster, &asked.target)?;
        let told = within(
            LOOK,
            "reading the option files",
            self.desk.config(&cluster, target),
        )
        .await?;
        Ok(Response::new(told.into()))
    }

    type RehearseStream = BoxStream<'static, Result<wire::RehearseResponse, Status>>;

    async fn rehearse(
        &self,
        request: Request<wire::RehearseRequest>,
    ) -> Answer<Self::RehearseStream> {
        let peer = PeerIdentity::of(&request)?;
        let asked = request.into_inner();
        let dry_run = asked.dry_run;
        let (cluster, wanted, limit) = requests::rehearsal(asked)?;
        let (member, target) = (wanted.member.clone(), wanted.target);
        let begun = self.desk.rehearse(&cluster, wanted, limit, dry_run);
        let told = within(LOOK, "looking whether it can be rehearsed", begun).await?;
        if !dry_run {
            tracing::info!(%cluster, %member, %target, by = %peer.identity.name, "an operator has an upgrade rehearsed");
        }
        let answer = |told: Result<Rehearsed, Refusal>| {
            let told = match told.map_err(Status::from)? {
                Rehearsed::Progress(progress) => Told::Progress(progress.phase),
                Rehearsed::Would(notes) => Told::Would(wire::RehearsalOutline { notes }),
                Rehearsed::Found(found) => Told::Found((*found).into()),
            };
            Ok(wire::RehearseResponse { told: Some(told) })
        };
        Ok(Response::new(told.map(answer).boxed()))
    }

    async fn plan(&self, request: Request<wire::PlanRequest>) -> Answer<wire::PlanResponse> {
        let peer = PeerIdentity::of(&request)?;
        let mut asked: requests::Asked = request.into_inner().into();
        if asked.is_release_alone() {
            let name = requests::cluster(&asked.cluster)?;
            let running = within(LOOK, "looking at the cluster", self.desk.running(&name)).await?;
            asked.target = running.to_string();
        }
        let (cluster, mut want) = requests::request(asked)?;
        requests::overridden_by(&peer, &mut want)?;
        let limit = look(want.validate_config);
        let planned = within(limit, "planning", self.desk.plan(&cluster, &want)).await;
        let planned = planned.map_err(|no| named(no, cluster.as_str(), want.target))?;
        Ok(Response::new(wire::PlanResponse {
            document: planned
                .plan
                .as_ref()
                .map(|plan| document::write(plan).into_bytes())
                .unwrap_or_default(),
            digest: planned
                .plan
                .as_ref()
                .map(|plan| plan.digest().to_string())
                .unwrap_or_default(),
            notes: planned.notes,
            checks: planned.checks.into_iter().map(Into::into).collect(),
        }))
    }

    async fn apply(&self, request: Request<wire::ApplyRequest>) -> Answer<wire::ApplyResponse> {
        let peer = PeerIdentity::of(&request)?;
        let asked = request.into_inner();
        let by = requests::actor(&peer, &asked.reason)?;
        let plan = requests::plan(&asked.document)?;
        let digest = plan.digest();
        let steps = plan.stages.iter().flat_map(|stage| &stage.lanes);
        let steps: usize = steps.map(|lane| lane.steps.len()).sum();
        let scope = format!(
            "{steps} steps on {} members of {}, to {}",
            plan.members().len(),
            plan.cluster,
            plan.target.version
        );
        let desk = Arc::clone(&self.desk);
        let told = |no| named(no, plan.cluster.as_str(), plan.target.version);
        if asked.dry_run {
            let checked = within(LOOK, "checking the plan", desk.may_apply(&digest)).await;
            checked.map_err(told)?;
            return Ok(Response::new(wire::ApplyResponse {
                rollout: None,
                notes: vec![format!("would begin {scope}")],
            }));
        }
        let actor = by.clone();
        let begun = owned("apply", async move { desk.apply(&digest, actor).await }).await;
        let id = begun.map_err(told)?;
        tracing::info!(rollout = %id, by = %by, plan = %digest.short(), "an operator began a rollout");
        let view = within(QUICK, "reading the rollout", self.desk.show(&id)).await?;
        Ok(Response::new(wire::ApplyResponse {
            rollout: Some(view.into()),
            notes: vec![format!("began {scope}")],
        }))
    }

    type WatchStream = BoxStream<'static, Result<wire::WatchResponse, Status>>;

    async fn watch(&self, request: Request<wire::WatchRequest>) -> Answer<Self::WatchStream> {
        PeerIdentity::of(&request)?;
        let asked = request.into_inner();
        let id = requests::rollout(&asked.rollout)?;
        let from = Seq(asked.from_seq);
        let updates = within(QUICK, "watching", self.desk.watch(&id, from)).await?;
        let answer = |update: Result<Update, Refusal>| {
            let update = update.map_err(Status::from)?;
            Ok(wire::WatchResponse {
                lines: update.lines.into_iter().map(Into::into).collect(),
                rollout: Some(update.rollout.into()),
            })
        };
        // Ended for good, the stream ends well; ended by our own end, it says so, and the client comes back later.
        let stopping = self.stopping.clone();
        let goodbye = futures::stream::iter([()]).filter_map(move |()| {
            let stopped = stopping.is_cancelled();
            async move { stopped.then(|| Err(Status::from(stopped_refusal()))) }
        });
        let stream = updates
            .map(answer)
            .take_until(self.stopping.clone().cancelled_owned())
            .chain(goodbye);
        Ok(Response::new(stream.boxed()))
    }

    async fn list(&self, request: Request<wire::ListRequest>) -> Answer<wire::ListResponse> {
        PeerIdentity::of(&request)?;
        let only = only(&request.get_ref().cluster)?;
        let mut rollouts = within(QUICK, "listing", self.desk.list()).await?;
        rollouts.retain(|one| {
            only.as_ref()
                .is_none_or(|name| name.as_str() == one.cluster)
        });
        rollouts.reverse();
        Ok(Response::new(wire::ListResponse {
            rollouts: rollouts.into_iter().map(Into::into).collect(),
        }))
    }

    async fn show(&self, request: Request<wire::ShowRequest>) -> Answer<wire::ShowResponse> {
        PeerIdentity::of(&request)?;
        let id = requests::rollout(&request.get_ref().rollout)?;
        let view = within(QUICK, "reading the rollout", self.desk.show(&id)).await?;
        Ok(Response::new(wire::ShowResponse {
            rollout: Some(view.into()),
        }))
    }

    async fn pause(&self, request: Request<wire::ActRequest>) -> Answer<wire::ActResponse> {
        self.act(Act::Pause, request).await
    }
    async fn resume(&self, request: Request<wire::ActRequest>) -> Answer<wire::ActResponse> {
        self.act(Act::Resume, request).await
    }
    async fn approve(&self, request: Request<wire::ActRequest>) -> Answer<wire::ActResponse> {
        self.act(Act::Approve, request).await
    }
    async fn unwind(&self, request: Request<wire::ActRequest>) -> Answer<wire::ActResponse> {
        self.act(Act::Unwind, request).await
    }
    async fn cancel(&self, request: Request<wire::ActRequest>) -> Answer<wire::ActResponse> {
        self.act(Act::Cancel, request).await
    }
    async fn finalize(&self, request: Request<wire::ActRequest>) -> Answer<wire::ActResponse> {
        self.act(Act::Finalize, request).await
    }

    async fn audit(&self, request: Request<wire::AuditRequest>) -> Answer<wire::AuditResponse> {
        PeerIdentity::of(&request)?;
        let lines = match request.get_ref().rollout.as_str() {
            "" => within(QUICK, "reading the journal", all_lines(self.desk.as_ref())).await?,
            id => {
                let id = requests::rollout(id)?;
                within(QUICK, "reading the journal", self.desk.audit(&id)).await?
            }
        };
        let omitted = lines.len().saturating_sub(MAX_LINES);
        Ok(Response::new(wire::AuditResponse {
            lines: lines.into_iter().skip(omitted).map(Into::into).collect(),
            omitted: omitted as u64,
        }))
    }
}

/// Puts names where the advice only knows that there are some.
fn named(mut refusal: Refusal, cluster: &str, target: MysqlVersion) -> Refusal {
    for command in &mut refusal.next {
        *command = command
            .replace("CLUSTER", cluster)
            .replace("VERSION", &target.to_string());
    }
    refusal
}

fn stopped_refusal() -> Refusal {
    Refusal::new(ErrorCode::ControllerStopping, "the controller has stopped")
        .safe("The rollout goes on when it has started again; agents finish what they have begun.")
}

/// Every rollout's lines, in the order of time.
async fn all_lines(desk: &dyn Desk) -> Result<Vec<refit_proto::operator::LineView>, Refusal> {
    let mut all = Vec::new();
    for rollout in desk.list().await? {
        let id = requests::rollout(&rollout.id)?;
        all.extend(desk.audit(&id).await?);
    }
    all.sort_by(|a, b| (a.at_unix_ms, &a.rollout, a.seq).cmp(&(b.at_unix_ms, &b.rollout, b.seq)));
    Ok(all)
}
