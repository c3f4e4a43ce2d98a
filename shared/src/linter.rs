//! Judges every plan before it may be kept or applied. Shares no code with the planners: a planner's bug must not be able to
//! hide itself here.

use crate::condition::Condition;
use crate::ids::{MemberName, StepId};
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Action, Lane, Plan, Reversibility, Step};
use std::collections::BTreeSet;
use std::fmt;

/// A safety rule that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static str,
    pub step: Option<StepId>,
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "{} at {step}: {}", self.rule, self.detail),
            None => write!(f, "{}: {}", self.rule, self.detail),
        }
    }
}

/// Every rule that the plan breaks; empty for a plan that may be carried out.
pub fn judge(plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    numbering(plan, &mut found);
    one_out_at_a_time(plan, &mut found);
    for lane in plan.stages.iter().flat_map(|stage| &stage.lanes) {
        lane_is_whole(plan, lane, &mut found);
        starts_are_covered(plan, lane, &mut found);
    }
    primary_goes_last(plan, &mut found);
    pivot_is_where_the_way_back_ends(plan, &mut found);
    nothing_is_deleted_early(plan, &mut found);
    found
}

fn breaks(
    found: &mut Vec<Violation>,
    rule: &'static str,
    step: Option<StepId>,
    detail: impl Into<String>,
) {
    found.push(Violation {
        rule,
        step,
        detail: detail.into(),
    });
}

fn kind(step: &Step) -> Option<Kind> {
    match &step.action {
        Action::Operate { order } => Some(order.kind()),
        Action::Gate(_) => None,
    }
}

fn position(lane: &Lane, wanted: Kind) -> Option<usize> {
    lane.steps
        .iter()
        .position(|step| kind(step) == Some(wanted))
}

fn numbering(plan: &Plan, found: &mut Vec<Violation>) {
    for (expected, step) in (0u16..).zip(plan.steps()) {
        if step.id != StepId(expected) {
            breaks(
                found,
                "steps are numbered densely in order",
                Some(step.id),
                format!("s{expected:02} was due"),
            );
        }
        if step.deadline_s == 0 {
            breaks(found, "every step has a deadline", Some(step.id), "it is 0");
        }
    }
    for lane in plan.all_stages().flat_map(|stage| &stage.lanes) {
        for step in lane.steps.iter().filter(|step| step.member != lane.member) {
            breaks(
                found,
                "a lane is one member's",
                Some(step.id),
                format!("{} in the lane of {}", step.member, lane.member),
            );
        }
        if !plan.made_from.members.contains_key(&lane.member) {
            breaks(
                found,
                "a plan touches only members it has seen",
                None,
                lane.member.as_str(),
            );
        }
    }
}

/// Invariant 5 of the design: never more members down than the group can lose. In-group rolling takes one.
fn one_out_at_a_time(plan: &Plan, found: &mut Vec<Violation>) {
    for stage in &plan.stages {
        let out: BTreeSet<&MemberName> = stage
            .lanes
            .iter()
            .filter(|lane| {
                position(lane, Kind::LeaveGroup)
                    .or(position(lane, Kind::StopServer))
                    .is_some()
            })
            .map(|lane| &lane.member)
            .collect();
        if out.len() > 1 {
            breaks(
                found,
                "one member is out at a time",
                None,
                format!("stage {:?} takes out {}", stage.title, out.len()),
            );
        }
    }
}

/// What takes a member out stands behind a gate, in the order leave, stop, snapshot, swap, start, join, and ends with a gate.
fn lane_is_whole(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    let Some(leave) = position(lane, Kind::LeaveGroup).or(position(lane, Kind::StopServer)) else {
        return;
    };
    let at = lane.steps[leave].id;
    let is_pivot = plan.pivot.as_ref().is_some_and(|pivot| pivot.step == at);
    let whole = |condition: &Condition| match condition {
        Condition::OnlineTogether { witnesses, .. } => *witnesses >= 2,
        // Whoever has fallen out may be taken on only where nothing leads back.
        Condition::OnlineTogetherOrShutOut {
            witnesses, member, ..
        } => *witnesses >= 2 && is_pivot && *member == lane.member,
        _ => false,
    };
    let guarded = leave
        .checked_sub(1)
        .is_some_and(|before| match &lane.steps[before].action {
            Action::Gate(gate) => gate.conditions.iter().any(whole),
            Action::Operate { .. } => false,
        });
    if !guarded {
        breaks(
            found,
            "a gate stands directly before a member is taken out",
            Some(at),
            "none that wants all ONLINE in one view seen by two",
        );
    }
    let wanted = [
        Kind::EnterMaintenance,
        Kind::LeaveGroup,
        Kind::StopServer,
        Kind::SnapshotData,
        Kind::SwapPackages,
        Kind::StartServer,
        Kind::JoinGroup,
        Kind::LeaveMaintenance,
    ];
    let places: Vec<Option<usize>> = wanted.iter().map(|k| position(lane, *k)).collect();
    if places.iter().any(Option::is_none) || !places.is_sorted() {
        breaks(
            found,
            "a member's steps are complete and in order",
            Some(at),
            format!("{places:?} of {wanted:?}"),
        );
    }
    match lane.steps.last().map(|step| (&step.action, step.id)) {
        Some((Action::Gate(gate), _)) if !gate.undo_conditions.is_empty() => {}
        last => breaks(
            found,
            "a member's lane ends with a gate that also guards the way back",
            last.map(|(_, id)| id),
            "missing",
        ),
    }
}

/// Never a first start of a new mysqld without a snapshot of that name taken before it, on packages fetched before the stop.
fn starts_are_covered(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    for (index, step) in lane.steps.iter().enumerate() {
        let Some(Operation::StartServer { snapshot, version }) = step.operation() else {
            continue;
        };
        let taken = lane.steps[..index].iter().any(
            |s| matches!(s.operation(), Some(Operation::SnapshotData { name }) if name == snapshot),
        );
        if !taken {
            breaks(
                found,
                "a snapshot is taken before a new version starts",
                Some(step.id),
                format!("{snapshot:?} is not"),
            );
        }
        if *version != plan.target.version {
            breaks(
                found,
                "only the target is started",
                Some(step.id),
                version.to_string(),
            );
        }
    }
    for step in &lane.steps {
        let Some(Operation::SwapPackages { from, to }) = step.operation() else {
            continue;
        };
        let fetched = plan.steps().take_while(|s| s.id != step.id).any(|s| {
            s.member == step.member && matches!(s.operation(), Some(Operation::FetchPackages { target, rollback }) if target == to && rollback == from)
        });
        if !fetched {
            breaks(
                found,
                "packages of both ways are fetched before they are needed",
                Some(step.id),
                "not fetched with these hashes",
            );
        }
        let was = plan
            .made_from
            .members
            .get(&step.member)
            .map(|m| &m.package_version);
        if Operation::pinned_version(to) != Some(&plan.target.package_version)
            || Operation::pinned_version(from) != was
        {
            breaks(
                found,
                "packages go from what was seen to the target",
                Some(step.id),
                "other versions are pinned",
            );
        }
    }
}

fn primary_goes_last(plan: &Plan, found: &mut Vec<Violation>) {
    let leaves: Vec<&Step> = plan
        .steps()
        .filter(|step| kind(step) == Some(Kind::LeaveGroup))
        .collect();
    let primary = plan
        .made_from
        .members
        .iter()
        .find(|(_, m)| m.primary)
        .map(|(name, _)| name);
    for step in leaves
        .iter()
        .rev()
        .skip(1)
        .filter(|step| Some(&step.member) == primary)
    {
        breaks(
            found,
            "the primary is upgraded last",
            Some(step.id),
            step.member.as_str(),
        );
    }
    let mut members: Vec<&MemberName> = leaves.iter().map(|step| &step.member).collect();
    members.sort();
    if members.windows(2).any(|pair| pair[0] == pair[1]) {
        breaks(found, "a member is taken out once", None, "more than once");
    }
}

fn pivot_is_where_the_way_back_ends(plan: &Plan, found: &mut Vec<Violation>) {
    let changes_series = plan
        .made_from
        .members
        .values()
        .any(|m| m.version.series() != plan.target.version.series());
    if changes_series && plan.pivot.is_none() {
        breaks(found, "a change of series has a pivot", None, "none");
    }
    let pivot = plan.pivot.as_ref().map(|pivot| pivot.step);
    if let Some(id) = pivot
        && !plan
            .stages
            .iter()
            .flat_map(|s| &s.lanes)
            .flat_map(|l| &l.steps)
            .any(|s| s.id == id)
    {
        breaks(
            found,
            "the pivot is a step of the plan",
            Some(id),
            "unknown",
        );
    }
    for step in plan
        .stages
        .iter()
        .flat_map(|s| &s.lanes)
        .flat_map(|l| &l.steps)
    {
        let past = pivot.is_some_and(|pivot| step.id >= pivot);
        if past == (step.reversibility == Reversibility::Undoable)
            && (past || step.reversibility == Reversibility::Irreversible)
        {
            breaks(
                found,
                "steps can be undone up to the pivot and not behind it",
                Some(step.id),
                format!("{:?}", step.reversibility),
            );
        }
    }
}

fn nothing_is_deleted_early(plan: &Plan, found: &mut Vec<Violation>) {
    for step in plan
        .stages
        .iter()
        .flat_map(|s| &s.lanes)
        .flat_map(|l| &l.steps)
    {
        if kind(step) == Some(Kind::ReleaseArtifacts) {
            breaks(
                found,
                "what going back needs is deleted only by finalize",
                Some(step.id),
                "deleted earlier",
            );
        }
    }
}
