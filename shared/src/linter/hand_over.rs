//! For replication topologies: writes are handed over once, behind proof that nothing is lost, and while nobody takes any. A pause
//! of writes is a lease that outlives what is waited for in it, and is made lasting before anything rests on it.

use super::{Violation, breaks, kind};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::MemberName;
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Action, Gate, Plan, Step, Strategy};

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    for lane in plan.stages.iter().flat_map(|stage| &stage.lanes) {
        for (at, step) in lane.steps.iter().enumerate() {
            if let Some(Operation::PauseWrites { drain_s, lease_s }) = step.operation() {
                lease(&lane.steps[at..], *drain_s, *lease_s, found);
            }
        }
    }
    let promotions: Vec<&Step> = plan
        .steps()
        .filter(|step| kind(step) == Some(Kind::PromoteReplica))
        .collect();
    let switches = plan.strategy == Strategy::Switchover;
    let [promotion] = promotions.as_slice() else {
        if switches || !promotions.is_empty() {
            breaks(
                found,
                "writes are handed over once",
                None,
                format!("{} times", promotions.len()),
            );
        }
        return;
    };
    if plan.pivot.as_ref().map(|pivot| pivot.step) != Some(promotion.id) {
        breaks(
            found,
            "writes are let in at the pivot",
            Some(promotion.id),
            "the pivot is elsewhere",
        );
    }
    let demoted = plan
        .steps()
        .take_while(|step| step.id != promotion.id)
        .filter(|step| kind(step) == Some(Kind::DemoteSource))
        .last()
        .map(|step| &step.member);
    let proves = |gate: &Gate| {
        let closed = gate.conditions.iter().any(|c| {
            matches!(c, Condition::Member { member, is: Expectation::TakesWrites { on: false } } if Some(member) == demoted)
        });
        let whole = |of: &std::collections::BTreeSet<MemberName>| {
            of.iter().eq(plan.made_from.members.keys())
        };
        let everything = gate.conditions.iter().any(|c| {
            matches!(c, Condition::HasEverything { member, of } if *member == promotion.member && whole(of))
        });
        closed && everything
    };
    let gate = plan.gate_before(promotion.id).map(|step| &step.action);
    if !matches!(gate, Some(Action::Gate(gate)) if proves(gate)) {
        breaks(
            found,
            "a replica is promoted only behind proof over all members",
            Some(promotion.id),
            "no such gate directly before it, after the old source was demoted",
        );
    }
    let reopened = plan
        .steps()
        .skip_while(|step| step.id != promotion.id)
        .any(|step| {
            Some(&step.member) == demoted
                && matches!(kind(step), Some(Kind::AllowWrites | Kind::KeepWritable))
        });
    if reopened {
        breaks(
            found,
            "the old source takes no writes after the hand-over",
            Some(promotion.id),
            "it is opened again",
        );
    }
}

/// `steps`: from the pause on.
fn lease(steps: &[Step], drain_s: u32, lease_s: u32, found: &mut Vec<Violation>) {
    let lasting = steps
        .iter()
        .position(|step| kind(step) == Some(Kind::DemoteSource));
    let waits: Option<u32> = lasting.map(|lasting| {
        steps[1..lasting]
            .iter()
            .map(|step| {
                if step.is_gate() {
                    step.deadline_s
                } else {
                    u32::MAX / 4
                }
            })
            .sum()
    });
    match waits {
        Some(waits) if lasting > Some(1) && drain_s.saturating_add(waits) < lease_s => {}
        _ => breaks(
            found,
            "a pause of writes is a lease that outlives the gate behind it, and is then made lasting",
            Some(steps[0].id),
            format!("{lease_s} s"),
        ),
    }
}
