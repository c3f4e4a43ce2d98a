//! The facade that the operator's API uses: everything that can be asked of, or done to, the fleet.
//!
//! ```text
//!  API calls ──> Rollouts ──(bounded)──> Registry ──(bounded)──> Owner, one a rollout: executor::run
//!                   │                      │ which rollout          │ fold, decide, append, act
//!                   │                      │ occupies which cluster │
//!                   └── reads: Journal, Observer <── agents         └── watch: RolloutView
//! ```
//!
//! A mutation is carried out by the rollout's owner, never by the caller's task: a call that is cancelled half way has
//! either reached the owner or not, and leaves nothing half done.

mod error;
mod id;
mod registry;
mod rehearsing;
mod view;
mod watching;

pub use error::ApiError;
pub(crate) use id::made_from;
pub use registry::Running;
pub use view::{
    CheckReport, ClusterReport, ConfigReport, InFlight, MemberConfigReport, MemberReport,
    NextCommand, RolloutView, State, StepState, StepView, Summary, Update, Writes,
};
pub use watching::Updates;

use crate::executor::{Act, World};
use crate::fleet::{Cluster, Fleet};
use crate::journal::Room;
use crate::ports::{Journal, JournalError};
use crate::standing::Standing;
use refit_shared::checks::{
    self, ADDRESSES_REACHABLE, CHECK_TABLES, CheckResult, Finding, Level, Selection, rebuilds,
};
use refit_shared::config::propose::propose;
use refit_shared::ids::{ClusterName, Digest, MemberName, RolloutId, Seq, Turn};
use refit_shared::linter;
use refit_shared::observation::Fact;
use refit_shared::plan::Plan;
use refit_shared::plan::drift::World as PlannedWorld;
use refit_shared::planner::{self, Refusal, Request};
use refit_shared::rules::releases::Date;
use refit_shared::saga::{Actor, Entry};
use refit_shared::survey::JUDGING;
use refit_shared::topology::Sighting;
use refit_shared::version::MysqlVersion;
use registry::Command;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// For one member's survey; an agent gives up on what it has not answered some seconds before.
const SURVEY: Duration = Duration::from_secs(45);
/// Beyond the agent's own time for a judgement on option files.
const BEYOND: Duration = Duration::from_secs(10);
/// Requests that may wait for the registry, which answers each in about the time of one journal write.
const REGISTRY_QUEUE: usize = 64;

/// A handle; clones share everything.
#[derive(Debug, Clone)]
pub struct Rollouts {
    world: Arc<World>,
    room: Room,
    registry: mpsc::Sender<Command>,
}

impl Rollouts {
    /// Whether this controller may act, and the signal when that changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.world.stand.subscribe()
    }

    pub fn fleet(&self) -> &Fleet {
        &self.world.fleet
    }

    /// What every agent of the fleet, or of one cluster, sees now.
    pub async fn report(&self, only: Option<&ClusterName>) -> Result<Vec<ClusterReport>, ApiError> {
        let clusters: Vec<&Cluster> = match only {
            Some(name) => vec![self.cluster(name)?],
            None => self.fleet().clusters().iter().collect(),
        };
        let occupied = self.ask(|reply| Command::Occupied { reply }).await?;
        let reports = clusters.into_iter().map(|cluster| {
            let rollout = occupied.get(&cluster.name).cloned();
            self.report_of(cluster, rollout)
        });
        Ok(futures::future::join_all(reports).await)
    }

    async fn report_of(&self, cluster: &Cluster, rollout: Option<RolloutId>) -> ClusterReport {
        let mut seen = self.sight(cluster).await;
        let member = |member: &crate::fleet::Member| MemberReport {
            name: member.name.clone(),
            address: member.address.to_string(),
            seen: seen
                .members
                .remove(&member.name)
                .unwrap_or_else(|| Fact::Unknown("it was not asked".to_owned())),
        };
        ClusterReport {
            name: cluster.name.clone(),
            members: cluster.members.iter().map(member).collect(),
            rollout,
        }
    }

    /// Judges whether the cluster can be upgraded, by the checks that are wanted. Changes nothing.
    pub async fn check(
        &self,
        cluster: &ClusterName,
        request: &Request,
        wanted: &Selection,
    ) -> Result<CheckReport, ApiError> {
        let seen = self.survey(self.cluster(cluster)?, request, wanted).await;
        let results = checks::run_selected(self.subject(&seen, request), wanted);
        Ok(CheckReport {
            cluster: cluster.clone(),
            target: request.target,
            seen,
            results,
        })
    }

    fn today(&self) -> Date {
        Date::of_unix_ms(self.world.clock.now_unix_ms())
    }

    /// What the option files of a cluster should be for a target; without one: what they have now. Changes nothing.
    pub async fn config(
        &self,
        cluster: &ClusterName,
        target: Option<MysqlVersion>,
    ) -> Result<ConfigReport, ApiError> {
        let wanted =
            Selection::new(["sysVars"], []).expect("the check of option files is one of ours");
        let look = self.world.timing.look_deadline;
        let seen = self
            .world
            .observer
            .sight_and_survey(self.cluster(cluster)?, target, &wanted, look, SURVEY)
            .await;
        let today = self.today();
        let member = |name: &MemberName| {
            let version = seen.server(name).map(|server| server.version);
            let found = version.clone().and_then(|from| {
                let files = seen.config(name)?;
                let proposal = match target {
                    Some(target) => propose(&files, from, target, today),
                    None => propose(&files, from, from, today).kept(),
                };
                Ok((files, proposal))
            });
            MemberConfigReport {
                name: name.clone(),
                version,
                found,
            }
        };
        Ok(ConfigReport {
            cluster: cluster.clone(),
            target,
            members: seen.members.keys().map(member).collect(),
        })
    }

    /// The request, with the tables that the checks choose where they are to: perhaps none. Touches no host.
    pub async fn advised(
        &self,
        cluster: &ClusterName,
        request: &Request,
    ) -> Result<Request, ApiError> {
        let mut request = request.clone();
        let Some(advised) = &mut request.advised else {
            return Ok(request);
        };
        let wanted = match advised.check_tables {
            true => Selection::all().with(CHECK_TABLES),
            false => Selection::all(),
        };
        let members = self.cluster(cluster)?;
        let look = self.world.timing.look_deadline;
        let observer = &self.world.observer;
        let seen = observer.survey_for_advice(members, advised.version, &wanted, look, SURVEY);
        let subject = checks::Subject {
            seen: &seen.await,
            target: advised.version,
            policy: &request.policy,
            strategy: request.strategy,
            today: self.today(),
        };
        let advice = rebuilds::advise(subject, &wanted);
        advised.advice = advice.map_err(|findings| ApiError::Blocked {
            cluster: cluster.clone(),
            findings,
        })?;
        request.tables = advised.advice.tables.keys().cloned().collect();
        Ok(request)
    }

    /// The version that all members of a cluster run.
    pub async fn running(&self, cluster: &ClusterName) -> Result<MysqlVersion, ApiError> {
        let seen = self.sight(self.cluster(cluster)?).await;
        let missing: Vec<String> = seen
            .members
            .keys()
            .filter_map(|name| Some(format!("{name}: {}", seen.server(name).err()?)))
            .collect();
        if !missing.is_empty() {
            return Err(ApiError::NotSeen {
                cluster: cluster.clone(),
                missing,
            });
        }
        let versions: BTreeSet<MysqlVersion> = seen.servers().map(|(_, s)| s.version).collect();
        let mut each = versions.iter();
        match (each.next(), each.next()) {
            (Some(one), None) => Ok(*one),
            _ => Err(ApiError::SeveralVersions {
                cluster: cluster.clone(),
                versions,
            }),
        }
    }

    /// Makes a plan and keeps it, so that it can be applied by its digest. Touches no host.
    pub async fn plan(
        &self,
        cluster: &ClusterName,
        request: &Request,
    ) -> Result<(Plan, Vec<CheckResult>), ApiError> {
        let wanted = request.wanted();
        let mut seen = self.survey(self.cluster(cluster)?, request, &wanted).await;
        if !request.tables.is_empty() {
            let observer = &self.world.observer;
            observer.ask_about(&mut seen, &request.tables, SURVEY).await;
        }
        let made = self.world.clock.now_unix_ms();
        let (plan, results) =
            planner::plan(request, &seen, made).map_err(|refusal| match refusal {
                Refusal::Blocked(findings) => ApiError::Blocked {
                    cluster: cluster.clone(),
                    findings,
                },
                Refusal::Unsafe(violations) => ApiError::UnsafePlan(violations),
            })?;
        self.may_act()?;
        self.journal()
            .keep_plan(&plan)
            .await
            .map_err(|error| self.journal_failed(error))?;
        Ok((plan, results))
    }

    /// Everything that [`Rollouts::apply`] asks before it begins, and nothing more: for `--dry-run`.
    pub async fn may_apply(&self, digest: &Digest) -> Result<Plan, ApiError> {
        self.may_act()?;
        let kept = self
            .journal()
            .plan(digest)
            .await
            .map_err(|error| self.journal_failed(error))?;
        let plan = kept.ok_or(ApiError::UnknownPlan(*digest))?;
        let cluster = self.cluster(&plan.cluster)?;
        let violations = linter::judge(&plan);
        if !violations.is_empty() {
            return Err(ApiError::UnsafePlan(violations));
        }
        let occupied = self.ask(|reply| Command::Occupied { reply }).await?;
        if let Some(by) = occupied.get(&plan.cluster) {
            return Err(ApiError::ClusterBusy {
                cluster: plan.cluster,
                by: by.clone(),
            });
        }
        self.room.check().map_err(ApiError::NoRoom)?;
        let seen = self.sight(cluster).await;
        not_drifted(&plan, &seen)?;
        // The schema was judged when the plan was made; what changes by itself is judged again.
        let results = checks::run_without_survey(checks::Subject {
            seen: &seen,
            target: plan.target.version,
            policy: &plan.policy,
            strategy: Some(plan.strategy),
            today: self.today(),
        });
        let results = checks::overridden(results, &plan.policy.overrides);
        let findings: Vec<Finding> = checks::of_level(&results, Level::Error).cloned().collect();
        if !findings.is_empty() {
            return Err(ApiError::Blocked {
                cluster: plan.cluster,
                findings,
            });
        }
        Ok(plan)
    }

    /// Begins a rollout of a plan that this controller has made, if the world is still the one that the plan was made from.
    pub async fn apply(&self, digest: &Digest, by: Actor) -> Result<RolloutId, ApiError> {
        let plan = self.may_apply(digest).await?;
        self.ask(|reply| Command::Create {
            plan: Box::new(plan),
            by,
            reply,
        })
        .await?
    }

    /// What a person does to a rollout, of which they saw this turn; in any other it is refused.
    pub async fn act(
        &self,
        rollout: &RolloutId,
        act: Act,
        seen: Turn,
        by: Actor,
    ) -> Result<(), ApiError> {
        self.may_act()?;
        let id = rollout.clone();
        self.ask(|reply| Command::Act {
            id,
            act,
            seen,
            by,
            reply,
        })
        .await?
    }

    /// All rollouts, oldest first.
    pub async fn list(&self) -> Result<Vec<Summary>, ApiError> {
        self.ask(|reply| Command::List { reply }).await
    }

    /// One rollout, as it is now.
    pub async fn show(&self, rollout: &RolloutId) -> Result<Arc<RolloutView>, ApiError> {
        let view = self.view(rollout).await?;
        let now = view.borrow().clone();
        Ok(now)
    }

    /// The plan of a rollout.
    pub async fn plan_of(&self, rollout: &RolloutId) -> Result<Plan, ApiError> {
        let digest = self.show(rollout).await?.plan;
        let kept = self
            .journal()
            .plan(&digest)
            .await
            .map_err(|error| self.journal_failed(error))?;
        kept.ok_or(ApiError::UnknownPlan(digest))
    }

    /// The journal of a rollout from an entry on.
    pub async fn audit(&self, rollout: &RolloutId, from: Seq) -> Result<Vec<Entry>, ApiError> {
        let mut entries = self
            .journal()
            .read(rollout)
            .await
            .map_err(|error| self.journal_failed(error))?;
        if entries.is_empty() {
            return Err(ApiError::UnknownRollout(rollout.clone()));
        }
        entries.retain(|entry| entry.seq >= from);
        Ok(entries)
    }

    /// Follows a rollout from a journal entry on (`Seq(0)`: all of it). The stream ends when the controller stops acting.
    pub async fn watch(&self, rollout: &RolloutId, from: Seq) -> Result<Updates, ApiError> {
        let view = self.view(rollout).await?;
        Ok(Updates::new(self.clone(), rollout.clone(), from, view))
    }

    async fn view(
        &self,
        rollout: &RolloutId,
    ) -> Result<watch::Receiver<Arc<RolloutView>>, ApiError> {
        let id = rollout.clone();
        self.ask(|reply| Command::View { id, reply }).await?
    }

    /// Sends a command and waits for the answer. The registry ends only with the controller.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.registry.send(command(reply)).await;
        let gone = || ApiError::Stopped(self.world.stand.now().to_string());
        sent.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    fn may_act(&self) -> Result<(), ApiError> {
        let standing = self.world.stand.now();
        if standing.may_act() {
            Ok(())
        } else {
            Err(ApiError::Stopped(standing.to_string()))
        }
    }

    /// A journal that has failed once is not trusted again: everything stops, not only this call.
    fn journal_failed(&self, error: JournalError) -> ApiError {
        self.world.stand.journal_failed(error.clone());
        ApiError::Journal(error)
    }

    fn journal(&self) -> &dyn Journal {
        self.world.journal.as_ref()
    }

    fn cluster(&self, name: &ClusterName) -> Result<&Cluster, ApiError> {
        let known = self.fleet().cluster(name);
        known.ok_or_else(|| ApiError::UnknownCluster(name.clone()))
    }

    async fn survey(&self, cluster: &Cluster, request: &Request, wanted: &Selection) -> Sighting {
        let look = self.world.timing.look_deadline;
        let observer = &self.world.observer;
        let mut seen = observer
            .sight_and_survey(cluster, request.target, wanted, look, SURVEY)
            .await;
        if wanted.wants(ADDRESSES_REACHABLE) {
            let addresses = checks::addresses(self.subject(&seen, request));
            observer.ask_to_reach(&mut seen, addresses, SURVEY).await;
        }
        if wanted.asks_the_target() {
            // Only now: the edits follow from the files.
            let candidates = checks::candidates(self.subject(&seen, request));
            observer
                .ask_to_judge(&mut seen, candidates, JUDGING + BEYOND)
                .await;
        }
        seen
    }

    fn subject<'a>(&self, seen: &'a Sighting, request: &'a Request) -> checks::Subject<'a> {
        checks::Subject {
            seen,
            target: request.target,
            policy: &request.policy,
            strategy: request.strategy,
            today: self.today(),
        }
    }

    async fn sight(&self, cluster: &Cluster) -> Sighting {
        self.world
            .observer
            .sight(cluster, self.world.timing.look_deadline)
            .await
    }
}

/// The world must still be the one that the plan was made from.
fn not_drifted(plan: &Plan, seen: &Sighting) -> Result<(), ApiError> {
    let now = PlannedWorld::of(seen).map_err(|missing| ApiError::NotSeen {
        cluster: plan.cluster.clone(),
        missing,
    })?;
    let differences = plan.made_from.differences(&now);
    if differences.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Drifted {
            cluster: plan.cluster.clone(),
            differences,
        })
    }
}
