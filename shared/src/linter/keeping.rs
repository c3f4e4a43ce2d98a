//! For every plan: what going back needs is deleted only when a person asks for it.

use super::{Violation, breaks, kind};
use crate::operation::OperationKind as Kind;
use crate::plan::Plan;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
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
