//! For a group that is upgraded in place, a member after the other: who takes writes last, and nobody twice.

use super::{Violation, breaks, kind};
use crate::ids::MemberName;
use crate::operation::OperationKind as Kind;
use crate::plan::{Plan, Step};

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    let leaves: Vec<&Step> = plan
        .steps()
        .filter(|step| kind(step) == Some(Kind::LeaveGroup))
        .collect();
    if super::is_multi_primary(plan) {
        lowest_last(plan, &leaves, found);
    }
    let primary = plan
        .made_from
        .members
        .iter()
        .find(|(_, m)| m.primary && !super::is_multi_primary(plan))
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

/// While versions differ only members of the lowest one take writes.
fn lowest_last(plan: &Plan, leaves: &[&Step], found: &mut Vec<Violation>) {
    let version = |step: &Step| {
        plan.made_from
            .members
            .get(&step.member)
            .map(|member| member.version)
    };
    for pair in leaves.windows(2) {
        if version(pair[0]) < version(pair[1]) {
            breaks(
                found,
                "members of the lowest version are upgraded last",
                Some(pair[0].id),
                format!("{} before {}", pair[0].member, pair[1].member),
            );
        }
    }
}
