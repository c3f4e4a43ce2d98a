//! For an offline upgrade of a replication topology: every source is closed for good and every replica stopped before any server
//! is, and writes are let in only when all are back, at the pivot.

use super::{Violation, breaks, for_member, kind, position};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::MemberName;
use crate::operation::OperationKind as Kind;
use crate::plan::{Action, Plan, Step};
use std::collections::BTreeSet;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    let steps: Vec<&Step> = plan
        .stages
        .iter()
        .flat_map(|stage| &stage.lanes)
        .flat_map(|lane| &lane.steps)
        .collect();
    let of = |wanted: Kind| {
        let steps = steps.iter();
        steps
            .filter(move |step| kind(step) == Some(wanted))
            .copied()
    };
    let everybody = plan.made_from.members.iter();
    let (sources, replicas): (Vec<_>, Vec<_>) =
        everybody.partition(|(_, member)| member.channels.is_empty());
    let names = |members: &[(&MemberName, &crate::plan::drift::MemberWorld)]| {
        members
            .iter()
            .map(|(name, _)| (*name).clone())
            .collect::<BTreeSet<_>>()
    };
    let Some(first_stop) = of(Kind::StopServer).map(|step| step.id).min() else {
        return breaks(found, "servers are stopped to be upgraded", None, "none is");
    };
    let last_start = of(Kind::StartServer).map(|step| step.id).max();
    for (rule, wanted, who) in [
        (
            "every source is closed for good before a server stops",
            Kind::DemoteSource,
            names(&sources),
        ),
        (
            "every replica is stopped before a server stops",
            Kind::StopReplica,
            names(&replicas),
        ),
    ] {
        let done: BTreeSet<MemberName> = of(wanted)
            .filter(|step| step.id < first_stop)
            .map(|step| step.member.clone())
            .collect();
        if done != who {
            breaks(
                found,
                rule,
                Some(first_stop),
                format!("{} of {}", done.len(), who.len()),
            );
        }
    }
    for (rule, wanted, who) in [
        (
            "every source takes writes again",
            Kind::AllowWrites,
            names(&sources),
        ),
        (
            "every replica follows again",
            Kind::StartReplica,
            names(&replicas),
        ),
    ] {
        let done: BTreeSet<MemberName> = of(wanted)
            .filter(|step| Some(step.id) > last_start)
            .map(|step| step.member.clone())
            .collect();
        if done != who {
            breaks(
                found,
                rule,
                last_start,
                format!("{} of {}", done.len(), who.len()),
            );
        }
    }
    let opens = steps.iter().find(|step| {
        let leaves = matches!(kind(step), Some(Kind::LeaveMaintenance | Kind::AllowWrites));
        leaves && names(&sources).contains(&step.member)
    });
    let pivot = plan.pivot.as_ref().map(|pivot| pivot.step);
    if opens.map(|step| step.id) != pivot {
        breaks(
            found,
            "writes are let in at the pivot",
            pivot,
            "they are elsewhere",
        );
    }
    let target = |c: &Condition| matches!(c, Condition::Member { is: Expectation::ServerRunning { version }, .. } if *version == plan.target.version);
    let seen = pivot
        .and_then(|pivot| plan.gate_before(pivot))
        .is_some_and(|gate| match &gate.action {
            Action::Gate(gate) => {
                gate.conditions.iter().filter(|c| target(c)).count() == plan.made_from.members.len()
            }
            Action::Operate { .. } => false,
        });
    if !seen {
        breaks(
            found,
            "all run the target before writes are let in",
            pivot,
            "not asked",
        );
    }
    for lane in plan.stages.iter().flat_map(|stage| &stage.lanes) {
        let wanted = [
            Kind::StopServer,
            Kind::SnapshotData,
            Kind::SwapPackages,
            Kind::StartServer,
        ];
        let places: Vec<Option<usize>> = wanted
            .iter()
            .map(|k| position(lane, for_member(plan, lane, *k)))
            .collect();
        if places.iter().any(Option::is_some)
            && (places.iter().any(Option::is_none) || !places.is_sorted())
        {
            breaks(
                found,
                "a member's steps are complete and in order",
                lane.steps.first().map(|step| step.id),
                format!("{places:?} of {wanted:?}"),
            );
        }
    }
}
