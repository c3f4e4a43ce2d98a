//! The production [`Desk`]: the facade, with its views and errors put into the API's.

use super::desk::{Desk, Planned, Rehearsed, Rehearsing, Update, Updates};
use super::{Act, lines, views};
use crate::ports::{Clock, SystemClock};
use crate::rollouts::{ApiError, Rollouts};
use async_trait::async_trait;
use futures::StreamExt;
use refit_proto::operator::{
    ClusterView, Configuration, Judgement, LineView, Refusal, RolloutView, SummaryView,
};
use refit_shared::checks::Selection;
use refit_shared::checks::rebuilds::Advised;
use refit_shared::ids::{ClusterName, Digest, RolloutId, Seq, Turn};
use refit_shared::planner::Request;
use refit_shared::rehearsal::Wanted;
use refit_shared::saga::Actor;
use refit_shared::version::MysqlVersion;
use std::time::Duration;
use tokio::sync::mpsc;

/// Words of an agent that may wait for a slow caller.
const TOLD: usize = 16;

#[async_trait]
impl Desk for Rollouts {
    async fn fleet(&self, only: Option<&ClusterName>) -> Result<Vec<ClusterView>, Refusal> {
        let reports = self.report(only).await.map_err(|error| no(self, error))?;
        Ok(reports.into_iter().map(views::cluster).collect())
    }

    async fn check(
        &self,
        cluster: &ClusterName,
        request: &Request,
        wanted: &Selection,
    ) -> Result<Judgement, Refusal> {
        let report = Rollouts::check(self, cluster, request, wanted).await;
        report
            .map(views::judgement)
            .map_err(|error| no(self, error))
    }

    async fn config(
        &self,
        cluster: &ClusterName,
        target: Option<MysqlVersion>,
    ) -> Result<Configuration, Refusal> {
        let report = Rollouts::config(self, cluster, target).await;
        report
            .map(views::configuration)
            .map_err(|error| no(self, error))
    }

    async fn rehearse(
        &self,
        cluster: &ClusterName,
        wanted: Wanted,
        limit: Duration,
        dry_run: bool,
    ) -> Result<Rehearsing, Refusal> {
        let checked = self.may_rehearse(cluster, &wanted).await;
        let (_, outline) = checked.map_err(|error| no(self, error))?;
        if dry_run {
            let would = Ok(Rehearsed::Would(outline.notes));
            return Ok(futures::stream::iter([would]).boxed());
        }
        let (tell, told) = mpsc::channel(TOLD);
        let (this, cluster) = (self.clone(), cluster.clone());
        // A task of its own: a caller that goes away must not leave the agent's last word unheard.
        let task = tokio::spawn(async move { this.rehearse(&cluster, &wanted, limit, tell).await });
        let progress = futures::stream::unfold(told, async |mut told| {
            let progress = told.recv().await?;
            Some((Ok(Rehearsed::Progress(progress)), told))
        });
        let found = futures::stream::once(async move {
            match task.await {
                Ok(found) => found
                    .map(|found| Rehearsed::Found(Box::new(found)))
                    .map_err(views::refusal),
                Err(error) => Err(Refusal::new(
                    refit_proto::operator::ErrorCode::Internal,
                    format!("the rehearsal failed inside the controller: {error}"),
                )),
            }
        });
        Ok(progress.chain(found).boxed())
    }

    async fn running(&self, cluster: &ClusterName) -> Result<MysqlVersion, Refusal> {
        let version = Rollouts::running(self, cluster).await;
        version.map_err(|error| no(self, error))
    }

    async fn plan(&self, cluster: &ClusterName, request: &Request) -> Result<Planned, Refusal> {
        let told = |error| no(self, error);
        let request = self.advised(cluster, request).await.map_err(told)?;
        let none = |advised: &&Advised| advised.advice.tables.is_empty();
        if let Some(advised) = request.advised.as_ref().filter(none) {
            return Ok(Planned {
                plan: None,
                checks: Vec::new(),
                notes: advised.advice.notes.clone(),
            });
        }
        let planned = Rollouts::plan(self, cluster, &request).await;
        let (plan, checks) = planned.map_err(told)?;
        Ok(Planned {
            plan: Some(plan),
            checks,
            notes: Vec::new(),
        })
    }

    async fn may_apply(&self, plan: &Digest) -> Result<(), Refusal> {
        let plan = Rollouts::may_apply(self, plan).await;
        plan.map(drop).map_err(views::refusal)
    }

    async fn apply(&self, plan: &Digest, by: Actor) -> Result<RolloutId, Refusal> {
        let id = Rollouts::apply(self, plan, by).await;
        id.map_err(views::refusal)
    }

    async fn list(&self) -> Result<Vec<SummaryView>, Refusal> {
        let rollouts = Rollouts::list(self).await.map_err(views::refusal)?;
        Ok(rollouts.iter().map(views::summary).collect())
    }

    async fn show(&self, rollout: &RolloutId) -> Result<RolloutView, Refusal> {
        let view = Rollouts::show(self, rollout).await;
        view.map(|view| views::rollout(&view, SystemClock.now_unix_ms()))
            .map_err(views::refusal)
    }

    async fn act(
        &self,
        rollout: &RolloutId,
        act: Act,
        seen: Turn,
        by: Actor,
    ) -> Result<(), Refusal> {
        match Rollouts::act(self, rollout, act, seen, by).await {
            Ok(()) => Ok(()),
            Err(error @ ApiError::Moved { .. }) => Err(self.moved(error).await),
            Err(error) => Err(views::refusal(error)),
        }
    }

    async fn audit(&self, rollout: &RolloutId) -> Result<Vec<LineView>, Refusal> {
        let plan = self.plan_of(rollout).await.map_err(views::refusal)?;
        let entries = Rollouts::audit(self, rollout, Seq(0)).await;
        let entries = entries.map_err(views::refusal)?;
        Ok(entries
            .iter()
            .map(|entry| lines::line(&plan, entry))
            .collect())
    }

    async fn watch(&self, rollout: &RolloutId, from: Seq) -> Result<Updates, Refusal> {
        let plan = self.plan_of(rollout).await.map_err(views::refusal)?;
        let updates = Rollouts::watch(self, rollout, from).await;
        let updates = updates.map_err(views::refusal)?.into_stream();
        let told = updates.map(move |update| {
            let update = update.map_err(views::refusal)?;
            Ok(Update {
                lines: update
                    .entries
                    .iter()
                    .map(|entry| lines::line(&plan, entry))
                    .collect(),
                rollout: views::rollout(&update.view, SystemClock.now_unix_ms()),
            })
        });
        Ok(told.boxed())
    }
}

impl Rollouts {
    /// With a line for all that has happened since the caller looked. Where that can't be read, the refusal stands without.
    async fn moved(&self, error: ApiError) -> Refusal {
        let (rollout, since) = match &error {
            ApiError::Moved { rollout, since, .. } => (rollout.clone(), since.clone()),
            _ => return views::refusal(error),
        };
        let refusal = views::refusal(error);
        let Ok(lines) = Desk::audit(self, &rollout).await else {
            return refusal;
        };
        let since = lines.iter().filter(|line| since.contains(&Seq(line.seq)));
        refusal.reasons(since.map(|line| match &line.by {
            Some(by) => format!("since then, entry {}: {}, by {by}", line.seq, line.text),
            None => format!("since then, entry {}: {}", line.seq, line.text),
        }))
    }
}

/// A refusal that, where a cluster is not known, names those that are.
fn no(rollouts: &Rollouts, error: ApiError) -> Refusal {
    let unknown = matches!(error, ApiError::UnknownCluster(_));
    let refusal = views::refusal(error);
    if !unknown {
        return refusal;
    }
    let known = rollouts.fleet().clusters().iter();
    let known: Vec<&str> = known.map(|cluster| cluster.name.as_str()).collect();
    refusal.reasons([format!("known clusters: {}", known.join(", "))])
}
