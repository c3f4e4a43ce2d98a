//! Replicas first, source last: each server is upgraded after all that replicate from it, so that a replica is never older than
//! its source. The source is restarted in place; its clients wait for as long.
//!
//! Source: MySQL manual, "Upgrading or Downgrading a Replication Topology"; the stages are in [`super::replication`].
//!
//! The pivot is where the source takes writes again, within a series, too: its snapshot would not have them. A person is asked
//! before writes are paused, not while they are.

use super::draft::irreversible_from;
use super::replication::Topology;
use super::report::{downtime, total, warnings};
use super::{Request, blocked};
use crate::checks::{CheckResult, Finding};
use crate::observation::Seconds;
use crate::plan::drift::World;
use crate::plan::{ApprovePivot, PLAN_FORMAT, Pivot, Plan, Report, Strategy, Target};
use crate::topology::Sighting;
use crate::topology::replication::Role;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let mut build = Topology::begin(Strategy::ReplicasFirst, request, seen, &world, made_unix_ms)?;
    let mut stages = vec![build.look()];
    stages.push(build.draft.fetch(&build.candidates.clone()));
    stages.extend(build.log_rows());
    let order: Vec<_> = build.tree.leaves_first().into_iter().cloned().collect();
    let mut order_report = Vec::new();
    let mut hand_over = build.of_log_format();
    let mut pivot: Option<Pivot> = None;
    let mut outage = 0;
    for name in &order {
        let Some(c) = build.candidate(name) else {
            continue;
        };
        let place = order_report.len();
        order_report.push(c.in_order(place, request.target, &build.reason(&c)));
        let first_new = stages.len();
        let mut irreversible_at = 0;
        if build.tree.role(name) == Role::Source {
            let source = build.source(&c, false);
            stages.push(source.stage);
            let pause = downtime(&stages, source.closes, source.opens);
            outage += pause.0;
            hand_over.push(format!(
                "{name} takes no writes from {} to {}, about {:.0} s, and can't be read while it is stopped; its replicas serve reads",
                source.closes,
                source.opens,
                pause.as_secs_f64()
            ));
            if pivot.is_none() {
                irreversible_at = source.pivot_at;
                pivot = Some(source.pivot);
            }
        } else {
            stages.push(build.replica(&c, false));
        }
        stages.extend(build.follow(name));
        if pivot.is_some() {
            for (at, stage) in stages[first_new..].iter_mut().enumerate() {
                let from = if at == 0 { irreversible_at } else { 0 };
                for lane in &mut stage.lanes {
                    irreversible_from(&mut lane.steps, from);
                }
            }
        }
    }
    let restarts = !build
        .candidates
        .iter()
        .any(|c| c.changes_version(request.target));
    if pivot.is_none() && !restarts {
        return Err(vec![blocked(
            Strategy::ReplicasFirst,
            seen.cluster.as_str(),
            format!(
                "every source runs {} already, and a replica must not be older than its source",
                request.target
            ),
        )]);
    }
    let last = order.last().expect("a tree has members").clone();
    let whole = build.whole();
    stages.push(build.done(&last, whole));
    let candidates = build.candidates.clone();
    let finalize = build.draft.finalize(&candidates);
    if let Some(pivot) = &pivot
        && request.policy.approve_pivot == ApprovePivot::Person
    {
        hand_over.push(format!(
            "before {} it waits, with everybody serving, for `refit approve` (--approve-pivot auto goes on by itself)",
            pivot.asked_at()
        ));
    }
    hand_over.extend(build.freeze());
    let report = Report {
        order: order_report,
        hand_over,
        can_be_undone: match &pivot {
            Some(pivot) => vec![
                format!(
                    "every step before {}: `refit unwind` puts every member back, the last one first",
                    pivot.step
                ),
                format!("nothing from {} on: {}", pivot.step, pivot.why),
            ],
            None => vec!["every step, also after the end, until `refit finalize`".to_owned()],
        },
        risk: build.risks().into_risk(),
        warnings: warnings(results),
        estimate: total(&stages),
        downtime: pivot.is_some().then(|| Seconds::from_millis(outage)),
    };
    let package_version = build.draft.package.clone();
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::ReplicasFirst,
        target: Target {
            version: request.target,
            package_version,
        },
        policy: request.policy.clone(),
        made_unix_ms,
        made_from: world.clone(),
        frozen: build.frozen(),
        stages,
        finalize,
        pivot,
        report,
    })
}
