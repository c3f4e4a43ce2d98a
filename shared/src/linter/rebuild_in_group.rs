//! For rebuilds of tables in a group: each member is out of it meanwhile, and the primary's role goes back. Source: MYSQL.md §3.8.

use super::{Violation, breaks, group_lane, is_multi_primary, position};
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Lane, Plan};

/// A member's lane, which rebuilds at its step number `at`: within its group the member would diverge, or all would rebuild at once.
pub(super) fn out_of_the_group(plan: &Plan, lane: &Lane, at: usize, found: &mut Vec<Violation>) {
    let wanted = [
        Kind::EnterMaintenance,
        Kind::LeaveGroup,
        Kind::RebuildTables,
        Kind::JoinGroup,
        Kind::LeaveMaintenance,
    ];
    let places: Vec<Option<usize>> = wanted.iter().map(|k| position(lane, *k)).collect();
    if places.iter().any(Option::is_none) || !places.is_sorted() {
        let rule = "a member is out of its group while its tables are rebuilt";
        let id = Some(lane.steps[at].id);
        breaks(found, rule, id, format!("{places:?} of {wanted:?}"));
    }
    if let Some(leave) = position(lane, Kind::LeaveGroup) {
        group_lane::guarded(plan, lane, leave, found);
    }
    group_lane::ends_whole(lane, found);
}

/// Whoever was the primary is so again at the end, where the policy asks for it.
pub(super) fn role_goes_back(plan: &Plan, found: &mut Vec<Violation>) {
    if is_multi_primary(plan) || !plan.policy.restore_primary {
        return;
    }
    let primary = plan.made_from.members.values().find(|m| m.primary);
    let last = plan.steps().last().and_then(|step| step.operation());
    let appoints = matches!(last, Some(Operation::AppointPrimary { uuid }) if primary.is_some_and(|p| p.uuid == *uuid));
    if !appoints {
        let rule = "the primary role goes back at the end";
        breaks(found, rule, None, "it is not given back");
    }
}
