//! Offline upgrade of a replication topology: writes are paused until every replica has everything, all servers are stopped and
//! upgraded side by side, the sources are opened again and their replicas follow. The versions never meet.
//!
//! ```text
//! look      sources    gate (undone last: all is as it was)      replicas   keep_replica
//! fetch     all        fetch_packages · back_up_config           side by side, everybody serves
//! close     a source   keep_writable · gate · enter_maintenance (a person is asked) · pause_writes · gate · demote_source
//! halt      replicas   enter_maintenance · stop_replica          side by side
//! upgrade   all        stop · snapshot · swap · start            side by side
//! open      sources    gate · leave_maintenance (PIVOT) · allow_writes
//! follow    replicas   start_replica · leave_maintenance         side by side
//! done      sources    gate
//! ```

use super::candidate::Candidate;
use super::draft::irreversible_from;
use super::replication::{CloseIn, Topology, member, replicates};
use super::report::{downtime, side_by_side, total, warnings};
use super::{Request, blocked};
use crate::checks::{CheckResult, Finding};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::StepId;
use crate::operation::Operation;
use crate::plan::drift::World;
use crate::plan::{
    ApprovePivot, Gate, Lane, PLAN_FORMAT, Pivot, Plan, Report, RiskLevel, Stage, Step, Strategy,
    Target,
};
use crate::topology::Sighting;
use crate::topology::replication::Role;
use std::collections::BTreeSet;

/// How long a replica may apply what it has, and catch up afterwards, in seconds.
const APPLY_S: u32 = 3600;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let mut build = Topology::begin(Strategy::Offline, request, seen, &world, made_unix_ms)?;
    let (sources, replicas): (Vec<Candidate<'_>>, Vec<Candidate<'_>>) = build
        .everybody
        .clone()
        .into_iter()
        .partition(|c| build.tree.role(c.name) == Role::Source);
    let candidates = build.candidates.clone();
    let mut stages = vec![build.look(), build.draft.fetch(&candidates)];
    let closing: Vec<Closing> = sources.iter().map(|c| close(&mut build, c)).collect();
    let Some(&Closing {
        asked_at, closes, ..
    }) = closing.first()
    else {
        return Err(vec![blocked(
            Strategy::Offline,
            seen.cluster.as_str(),
            "no source was seen".to_owned(),
        )]);
    };
    stages.extend(closing.into_iter().map(|closing| closing.stage));
    stages.push(halt(&mut build, &replicas));
    let upgrade = candidates
        .iter()
        .map(|c| lane(c, build.draft.replace(c, 0)));
    stages.push(Stage {
        title: side_by_side(&candidates, request.target).to_owned(),
        lanes: upgrade.collect(),
    });
    let mut open = open(&mut build, &sources);
    let pivot_at = open.lanes[0].steps[1].id;
    let opens = open.lanes[sources.len() - 1].steps[2].id;
    for (at, lane) in open.lanes.iter_mut().enumerate() {
        irreversible_from(&mut lane.steps, usize::from(at == 0));
    }
    stages.push(open);
    let follow = follow(&mut build, &replicas);
    let whole = build.whole();
    let done = build.done(sources[0].name, whole);
    for mut stage in [follow, done] {
        for lane in &mut stage.lanes {
            irreversible_from(&mut lane.steps, 0);
        }
        stages.push(stage);
    }
    let pivot = Pivot {
        step: pivot_at,
        asked_at: Some(asked_at),
        why: format!(
            "from here on {} takes writes on {}: putting the snapshots back would lose them",
            sources[0].name, request.target
        ),
    };
    let finalize = build.draft.finalize(&candidates);
    let outage = downtime(&stages, closes, opens);
    let mut hand_over = vec![format!(
        "nobody takes writes from {closes} to {opens}, and nobody can be read while the servers are stopped"
    )];
    if request.policy.approve_pivot == ApprovePivot::Person {
        hand_over.push(format!(
            "before {asked_at} it waits, with everybody serving, for `refit approve` (--approve-pivot auto goes on by itself)"
        ));
    }
    let mut risks = build.risks();
    risks.raise(
        RiskLevel::Medium,
        "nobody serves while the servers are stopped".to_owned(),
    );
    let mut order = Vec::new();
    for c in replicas.iter().chain(&sources) {
        order.push(c.in_order(order.len(), request.target, &build.reason(c)));
    }
    let report = Report {
        order,
        hand_over,
        can_be_undone: vec![
            format!(
                "every step before {}: `refit unwind` puts every member back",
                pivot.step
            ),
            format!("nothing from {} on: {}", pivot.step, pivot.why),
        ],
        risk: risks.into_risk(),
        warnings: warnings(results),
        estimate: total(&stages),
        downtime: Some(outage),
    };
    let package_version = build.draft.package.clone();
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::Offline,
        target: Target {
            version: request.target,
            package_version,
        },
        policy: request.policy.clone(),
        made_unix_ms,
        made_from: world.clone(),
        frozen: BTreeSet::new(),
        stages,
        finalize,
        pivot: Some(pivot),
        report,
    })
}

fn lane(c: &Candidate<'_>, steps: Vec<Step>) -> Lane {
    Lane {
        member: c.name.clone(),
        steps,
    }
}

/// The stage that ends a source's writes.
struct Closing {
    stage: Stage,
    asked_at: StepId,
    closes: StepId,
}

/// One source after another: nothing is paused anywhere before a person has answered.
fn close(build: &mut Topology<'_>, c: &Candidate<'_>) -> Closing {
    let gate = build.before_pause(c);
    let why = "every replica follows, and nothing would be cut off now";
    let CloseIn {
        mut steps,
        asked_at,
    } = build.close_in(c, gate, why);
    // Every link: what reaches a replica by way of another one must be there, too.
    let proof = build
        .tree
        .members()
        .flat_map(|name| {
            let links = build.tree.links(name).iter();
            links.map(move |link| replicates(name, link, 0))
        })
        .collect();
    let paused = build.hand_off(c, proof, "every replica has everything");
    let closes = paused[0].id;
    steps.extend(paused);
    Closing {
        stage: Stage {
            title: format!("close {}", c.name),
            lanes: vec![lane(c, steps)],
        },
        asked_at,
        closes,
    }
}

fn halt(build: &mut Topology<'_>, replicas: &[Candidate<'_>]) -> Stage {
    let mut lanes = Vec::new();
    for c in replicas {
        let descend = build.draft.descend(c);
        let order = Operation::StopReplica { drain_s: APPLY_S };
        let why = "what was received is applied first";
        let mut stop = build.draft.on(c, order, APPLY_S + 120, why);
        stop.before = vec![Expectation::MaintenanceIs { on: true }];
        lanes.push(lane(c, vec![descend, stop]));
    }
    Stage {
        title: "replicas stop".to_owned(),
        lanes,
    }
}

fn open(build: &mut Topology<'_>, sources: &[Candidate<'_>]) -> Stage {
    let mut lanes = Vec::new();
    for c in sources {
        let running = build.everybody.iter().map(|c| {
            member(
                c.name,
                Expectation::ServerRunning {
                    version: build.request.target,
                },
            )
        });
        let mut conditions: Vec<Condition> = running.collect();
        conditions.push(member(c.name, Expectation::TakesWrites { on: false }));
        let verified = Gate {
            conditions,
            undo_conditions: Vec::new(),
            hold_ms: 0,
        };
        let why = "all run the target; nothing has been written on it yet";
        let verified = build.draft.gate(c.name, verified, why);
        let mut ascend = build.draft.ascend(c);
        ascend.why = "from here on a restart lets writes in".to_owned();
        let why = "the downtime ends";
        let mut allow = build.draft.on(c, Operation::AllowWrites, 120, why);
        allow.after = vec![Expectation::TakesWrites { on: true }];
        lanes.push(lane(c, vec![verified, ascend, allow]));
    }
    Stage {
        title: "open".to_owned(),
        lanes,
    }
}

fn follow(build: &mut Topology<'_>, replicas: &[Candidate<'_>]) -> Stage {
    let mut lanes = Vec::new();
    for c in replicas {
        let order = Operation::StartReplica {
            catch_up_s: APPLY_S,
        };
        let why = "catches up from its source";
        let start = build.draft.on(c, order, APPLY_S + 600, why);
        let ascend = build.draft.ascend(c);
        lanes.push(lane(c, vec![start, ascend]));
    }
    Stage {
        title: "replicas follow".to_owned(),
        lanes,
    }
}
