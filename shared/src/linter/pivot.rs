//! For every plan: steps can be undone up to the pivot and not behind it, and a change of series has one.

use super::{Violation, breaks};
use crate::plan::{Plan, Reversibility};

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
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
