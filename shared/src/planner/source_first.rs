//! Downgrade within a long-term series: the source first, then its replicas from the top down, so that a replica is never older
//! than its source. What the higher version has logged is fully processed, and on replicas removed, before a lower one starts.
//!
//! Source: MySQL manual, "Upgrading or Downgrading a Replication Topology" and "Downgrading MySQL"; MYSQL.md §1.4, §3.1.

use super::Request;
use super::draft::irreversible_from;
use super::replication::Topology;
use super::report::{downtime, total, warnings};
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
    let mut build = Topology::begin(Strategy::SourceFirst, request, seen, &world, made_unix_ms)?;
    let mut stages = vec![build.look()];
    stages.push(build.draft.fetch(&build.candidates.clone()));
    let mut order: Vec<_> = build.tree.leaves_first().into_iter().cloned().collect();
    order.reverse();
    let mut order_report = Vec::new();
    let mut hand_over = Vec::new();
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
            let source = build.source(&c, true);
            stages.push(source.stage);
            let pause = downtime(&stages, source.closes, source.opens);
            outage += pause.0;
            hand_over.push(format!(
                "{name} takes no writes from {} to {}, about {:.0} s; it is stopped once its replicas have everything",
                source.closes,
                source.opens,
                pause.as_secs_f64()
            ));
            if pivot.is_none() {
                irreversible_at = source.pivot_at;
                pivot = Some(source.pivot);
            }
        } else {
            stages.push(build.replica(&c, true));
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
    let first = order.first().expect("a tree has members").clone();
    let whole = build.whole();
    let mut done = build.done(&first, whole);
    if pivot.is_some() {
        for lane in &mut done.lanes {
            irreversible_from(&mut lane.steps, 0);
        }
    }
    stages.push(done);
    let candidates = build.candidates.clone();
    let finalize = build.draft.finalize(&candidates);
    let mut can_be_undone = Vec::new();
    match &pivot {
        Some(pivot) => {
            can_be_undone.push(format!(
                "every step before {}: `refit unwind` puts the source back",
                pivot.step
            ));
            can_be_undone.push(format!("nothing from {} on: {}", pivot.step, pivot.why));
            if request.policy.approve_pivot == ApprovePivot::Person {
                hand_over.push(format!(
                    "before {} it waits, with everybody serving, for `refit approve` (--approve-pivot auto goes on by itself)",
                    pivot.asked_at()
                ));
            }
        }
        None => can_be_undone.push(
            "every step but the removal of logs: a replica fetches again what it lacks".to_owned(),
        ),
    }
    hand_over.extend(build.freeze());
    let report = Report {
        order: order_report,
        hand_over,
        can_be_undone,
        risk: build.risks().into_risk(),
        warnings: warnings(results),
        estimate: total(&stages),
        downtime: (outage > 0).then(|| Seconds::from_millis(outage)),
    };
    let package_version = build.draft.package.clone();
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::SourceFirst,
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
