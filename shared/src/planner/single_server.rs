//! A standalone server: writes are paused, it is stopped, upgraded and started, looked at while it is still read-only, and
//! only then opened again. Its clients wait for as long.
//!
//! ```text
//! look      gate (undone last: all is as it was)
//! fetch     fetch_packages · back_up_config                                    while it serves
//! upgrade   keep_writable · enter_maintenance · gate
//!           stop (writes paused first) · snapshot · swap · start · gate        downtime
//!           leave_maintenance (PIVOT) · allow_writes                           downtime ends
//!           gate
//! ```
//!
//! The pivot is where writes are let in again: what is written on the new version would be lost with the snapshot put back.
//! Leaving maintenance comes first, since from then on a restart lets writes in, too.

use super::candidate::{candidates, common_target};
use super::draft::{Draft, as_before, irreversible_from, looked_at};
use super::report::{Risks, downtime, total, warnings};
use super::{Request, blocked};
use crate::checks::{CheckResult, Finding};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::MemberName;
use crate::operation::Operation;
use crate::plan::drift::World;
use crate::plan::{
    ApprovePivot, Gate, Lane, PLAN_FORMAT, Pivot, Plan, Report, RiskLevel, Stage, Step, Strategy,
    Target,
};
use crate::topology::Sighting;
use std::collections::BTreeSet;

/// A transaction that has run for longer would be cut off by the stop, in seconds.
const LONG_TRANSACTION_S: u64 = 30;
/// How long the pause of writes may wait for what is in flight before the stop, in seconds.
const DRAIN_S: u32 = 10;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let blocked = |why: String| vec![blocked(Strategy::SingleServer, seen.cluster.as_str(), why)];
    let candidates = candidates(seen, &world, request);
    let [c] = candidates.as_slice() else {
        return Err(blocked(format!(
            "one server is to be upgraded, {} were found",
            candidates.len()
        )));
    };
    let package = common_target(request.target, &candidates).ok_or_else(|| {
        blocked(format!(
            "no one package version of {} is offered",
            request.target
        ))
    })?;
    let mut draft = Draft::new(request, seen, made_unix_ms, package.clone(), None);
    let mut stages = vec![look(&mut draft, c.name, &world)];
    stages.push(draft.fetch(&candidates));

    let why = "when unwound, writes are let in again";
    let keep = draft.on(c, Operation::KeepWritable, 60, why);
    let descend = draft.descend(c);
    let before = Gate {
        conditions: vec![
            Condition::NoTransactionOlderThan {
                seconds: LONG_TRANSACTION_S,
            },
            Condition::NoPreparedXa {
                member: c.name.clone(),
            },
        ],
        undo_conditions: Vec::new(),
        hold_ms: 0,
    };
    let before = draft.gate(c.name, before, "nothing would be cut off by a stop now");
    let replace = draft.replace(c, DRAIN_S);
    let mut as_planned = vec![
        Expectation::ServerRunning {
            version: request.target,
        },
        Expectation::PackagesAt {
            version: package.clone(),
        },
        Expectation::TakesWrites { on: false },
    ];
    // Rewritten files are compared with what was reviewed where they are rewritten.
    if draft.rewrites(c.name).is_empty() {
        let digest = c.world.config;
        as_planned.insert(2, Expectation::Config { digest });
    }
    let verified = Gate {
        conditions: as_planned
            .into_iter()
            .map(|is| member(c.name, is))
            .collect(),
        undo_conditions: Vec::new(),
        hold_ms: 0,
    };
    let why = looked_at(c.changes_version(request.target));
    let verified = draft.gate(c.name, verified, why);
    let mut ascend = draft.ascend(c);
    ascend.why = "from here on a restart lets writes in".to_owned();
    let mut allow = draft.on(c, Operation::AllowWrites, 120, "the downtime ends");
    allow.after = vec![Expectation::TakesWrites { on: true }];
    let after = Gate {
        conditions: [
            Expectation::ServerRunning {
                version: request.target,
            },
            Expectation::TakesWrites { on: true },
            Expectation::MaintenanceIs { on: false },
        ]
        .map(|is| member(c.name, is))
        .to_vec(),
        undo_conditions: Vec::new(),
        hold_ms: request.policy.soak_s.saturating_mul(1000),
    };
    let after = draft.gate(c.name, after, "the server serves on the new version");

    let (stops, opens, pivot) = (replace[0].id, allow.id, ascend.id);
    let mut steps: Vec<Step> = vec![keep, descend, before];
    steps.extend(replace);
    steps.push(verified);
    let opening = steps.len();
    steps.extend([ascend, allow, after]);
    irreversible_from(&mut steps, opening);
    stages.push(Stage {
        title: format!("{} {}", c.verb(request.target), c.name),
        lanes: vec![Lane {
            member: c.name.clone(),
            steps,
        }],
    });
    let pivot = Pivot {
        step: pivot,
        asked_at: None,
        why: format!(
            "from here on {} takes writes on {}: putting the snapshot back would lose them",
            c.name, request.target
        ),
    };
    let finalize = draft.finalize(&candidates);

    let mut risks = Risks::of_hop(request.target, &candidates);
    risks.raise(
        RiskLevel::Medium,
        "nobody else serves while the server is down, and it alone has the data".to_owned(),
    );
    let outage = downtime(&stages, stops, opens);
    let mut hand_over = vec![format!(
        "{} takes no writes from {stops} to {opens}, and can't be read while it is stopped",
        c.name
    )];
    if request.policy.approve_pivot == ApprovePivot::Person {
        hand_over.push(format!(
            "before {} it waits, readable and read-only, for `refit approve`: that time is downtime, too (--approve-pivot auto goes on by itself)",
            pivot.step
        ));
    }
    let report = Report {
        order: vec![c.in_order(0, request.target, "the only server")],
        hand_over,
        can_be_undone: vec![
            format!(
                "every step before {}: `refit unwind` puts the server back",
                pivot.step
            ),
            format!("nothing from {} on: {}", pivot.step, pivot.why),
        ],
        risk: risks.into_risk(),
        warnings: warnings(results),
        estimate: total(&stages),
        downtime: Some(outage),
    };
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::SingleServer,
        target: Target {
            version: request.target,
            package_version: package,
        },
        policy: request.policy.clone(),
        made_unix_ms,
        made_from: world,
        frozen: BTreeSet::new(),
        stages,
        finalize,
        pivot: Some(pivot),
        report,
    })
}

fn member(name: &MemberName, is: Expectation) -> Condition {
    Condition::Member {
        member: name.clone(),
        is,
    }
}

/// The first stage: all is well, and, when it is undone, all is as it was.
fn look(draft: &mut Draft, name: &MemberName, world: &World) -> Stage {
    let writes = || member(name, Expectation::TakesWrites { on: true });
    let mut restored: Vec<Condition> = as_before(world).collect();
    restored.push(writes());
    let gate = Gate {
        conditions: vec![writes()],
        undo_conditions: restored,
        hold_ms: 0,
    };
    let why = "the server serves; when unwound: version, packages and option files are as before";
    Stage {
        title: "look".to_owned(),
        lanes: vec![Lane {
            member: name.clone(),
            steps: vec![draft.gate(name, gate, why)],
        }],
    }
}
