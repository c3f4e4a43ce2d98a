//! Planners: from what was seen and what is wanted to a plan and its report. One file a strategy; all are pure.
//!
//! ```text
//! choose ──> in_group_rolling | … ──> draft (steps that all take alike) ──> plan ──> linter
//! ```
//!
//! Adding a strategy is a file here, a variant of [`Strategy`], its place in [`choose`], and the linter's rules for it.

pub(crate) mod candidate;
pub mod choose;
mod draft;
pub(crate) mod estimate;
mod group;
mod in_group_rolling;
mod offline;
mod offline_topology;
mod rebuild_in_group;
mod rebuild_tables;
mod replicas_first;
mod replication;
mod report;
mod single_server;
mod source_first;
mod switchover;

use crate::checks::rebuilds::Advised;
use crate::checks::{CheckResult, Finding, Level, Selection, of_level, overridden, run_selected};
use crate::ids::MemberName;
use crate::linter::Violation;
use crate::plan::drift::World;
use crate::plan::{Plan, Policy, Strategy};
use crate::rules::releases::Date;
use crate::table::TableName;
use crate::topology::Sighting;
use crate::version::MysqlVersion;

pub use replication::LEASE_S;

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub target: MysqlVersion,
    pub policy: Policy,
    /// `None`: the usual one for the kind of cluster that is seen.
    pub strategy: Option<Strategy>,
    /// For a switchover: the replica that becomes the source. `None`: one that fits.
    pub promote: Option<MemberName>,
    /// What is to be rebuilt, where the strategy is to rebuild tables.
    pub tables: Vec<TableName>,
    /// A source is restarted without binary log and network to rebuild them.
    pub restart_source: bool,
    /// They are those that the checks advise to rebuild.
    pub advised: Option<Advised>,
    /// The target's mysqld judges the option files as they would be, for the checks.
    pub validate_config: bool,
}

impl Request {
    /// The checks that a plan is judged by.
    pub fn wanted(&self) -> Selection {
        if self.validate_config {
            Selection::all().with_the_target()
        } else {
            Selection::all()
        }
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Checks that block; everything that they found, at once.
    #[error("{} finding(s) block the upgrade", .0.len())]
    Blocked(Vec<Finding>),
    /// The planner made a plan that the linter condemns: a bug in Refit, never the operator's fault.
    #[error("the plan breaks a safety rule, which is a bug in Refit: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unsafe(Vec<Violation>),
}

/// Makes a plan for the cluster, choosing the strategy that fits what was seen, and has the linter judge it.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    made_unix_ms: i64,
) -> Result<(Plan, Vec<CheckResult>), Refusal> {
    let subject = crate::checks::Subject {
        seen,
        target: request.target,
        policy: &request.policy,
        strategy: request.strategy,
        today: Date::of_unix_ms(made_unix_ms),
    };
    let results = overridden(
        run_selected(subject, &request.wanted()),
        &request.policy.overrides,
    );
    let errors: Vec<Finding> = of_level(&results, Level::Error).cloned().collect();
    if !errors.is_empty() {
        return Err(Refusal::Blocked(errors));
    }
    let chosen = subject
        .chosen()
        .expect("a kind or strategy that does not fit is an error of the check clusterKind");
    let world = World::of(seen).map_err(|missing| {
        let cluster = seen.cluster.as_str();
        let each = missing.into_iter();
        Refusal::Blocked(
            each.map(|why| blocked(chosen.strategy, cluster, why))
                .collect(),
        )
    })?;
    let mut plan = match chosen.strategy {
        Strategy::InGroupRolling => {
            in_group_rolling::plan(request, seen, world, &results, made_unix_ms)
        }
        Strategy::Offline if chosen.kind.is_group() => {
            offline::plan(request, seen, world, &results, made_unix_ms)
        }
        Strategy::Offline => offline_topology::plan(request, seen, world, &results, made_unix_ms),
        Strategy::SingleServer => single_server::plan(request, seen, world, &results, made_unix_ms),
        Strategy::ReplicasFirst => {
            replicas_first::plan(request, seen, world, &results, made_unix_ms)
        }
        Strategy::Switchover => switchover::plan(request, seen, world, &results, made_unix_ms),
        Strategy::SourceFirst => source_first::plan(request, seen, world, &results, made_unix_ms),
        Strategy::RebuildTables if chosen.kind.is_group() => {
            rebuild_in_group::plan(request, seen, world, &results, made_unix_ms)
        }
        Strategy::RebuildTables => {
            rebuild_tables::plan(request, seen, world, &results, made_unix_ms)
        }
    }
    .map_err(Refusal::Blocked)?;
    let released = report::released(seen, &request.policy);
    plan.report.order.extend(released);
    let violations = crate::linter::judge(&plan);
    if violations.is_empty() {
        Ok((plan, results))
    } else {
        Err(Refusal::Unsafe(violations))
    }
}

/// What a planner finds in the way although no check has.
fn blocked(strategy: Strategy, object: &str, description: String) -> Finding {
    Finding {
        check: strategy.flag().to_owned(),
        level: Level::Error,
        object: object.to_owned(),
        description,
        fix: "mend this and plan again".to_owned(),
    }
}
