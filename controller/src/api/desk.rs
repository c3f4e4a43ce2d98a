//! What the API needs of the controller, as a port: production is the facade, tests put a scripted one.

use super::Act;
use async_trait::async_trait;
use futures::stream::BoxStream;
use refit_proto::operator::{
    ClusterView, Configuration, Judgement, LineView, Refusal, RolloutView, SummaryView,
};
use refit_shared::checks::{CheckResult, Selection};
use refit_shared::ids::{ClusterName, Digest, RolloutId, Seq, Turn};
use refit_shared::plan::Plan;
use refit_shared::planner::Request;
use refit_shared::receipt::Progress;
use refit_shared::rehearsal::{Rehearsal, Wanted};
use refit_shared::saga::Actor;
use refit_shared::version::MysqlVersion;
use std::time::Duration;

/// A plan that was made and kept; `None`: the checks were to choose tables, and have chosen none.
#[derive(Debug, Clone)]
pub struct Planned {
    pub plan: Option<Plan>,
    pub checks: Vec<CheckResult>,
    /// What a person should know beside.
    pub notes: Vec<String>,
}

/// What a watcher is told: journal lines in order and without gaps, and the state after them.
#[derive(Debug, Clone)]
pub struct Update {
    pub lines: Vec<LineView>,
    pub rollout: RolloutView,
}

/// Ends when the controller stops acting.
pub type Updates = BoxStream<'static, Result<Update, Refusal>>;

/// What is told of a rehearsal, in order; [`Rehearsed::Would`] or [`Rehearsed::Found`] is the last word.
#[derive(Debug, Clone)]
pub enum Rehearsed {
    Progress(Progress),
    Would(Vec<String>),
    Found(Box<Rehearsal>),
}

pub type Rehearsing = BoxStream<'static, Result<Rehearsed, Refusal>>;

/// Everything that an operator can ask of a controller.
///
/// A mutation that has been handed over is carried out even if its future is dropped.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    async fn fleet(&self, only: Option<&ClusterName>) -> Result<Vec<ClusterView>, Refusal>;
    async fn check(
        &self,
        cluster: &ClusterName,
        request: &Request,
        wanted: &Selection,
    ) -> Result<Judgement, Refusal>;
    /// The option files as the target needs them; without one: what they have now.
    async fn config(
        &self,
        cluster: &ClusterName,
        target: Option<MysqlVersion>,
    ) -> Result<Configuration, Refusal>;
    /// Rehearses an upgrade within so long; in a dry run only says what would be done.
    async fn rehearse(
        &self,
        cluster: &ClusterName,
        wanted: Wanted,
        limit: Duration,
        dry_run: bool,
    ) -> Result<Rehearsing, Refusal>;
    /// The version that all members run.
    async fn running(&self, cluster: &ClusterName) -> Result<MysqlVersion, Refusal>;
    async fn plan(&self, cluster: &ClusterName, request: &Request) -> Result<Planned, Refusal>;
    /// All that [`Desk::apply`] asks before it begins.
    async fn may_apply(&self, plan: &Digest) -> Result<(), Refusal>;
    async fn apply(&self, plan: &Digest, by: Actor) -> Result<RolloutId, Refusal>;
    /// Oldest first.
    async fn list(&self) -> Result<Vec<SummaryView>, Refusal>;
    async fn show(&self, rollout: &RolloutId) -> Result<RolloutView, Refusal>;
    /// Obeyed only in the turn that the caller saw.
    async fn act(
        &self,
        rollout: &RolloutId,
        act: Act,
        seen: Turn,
        by: Actor,
    ) -> Result<(), Refusal>;
    /// Oldest first.
    async fn audit(&self, rollout: &RolloutId) -> Result<Vec<LineView>, Refusal>;
    async fn watch(&self, rollout: &RolloutId, from: Seq) -> Result<Updates, Refusal>;
}
