//! A check that protects data is not gone against, whatever the plan says.

use super::{Violation, breaks};
use crate::plan::Plan;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    for mistake in crate::checks::mistakes(&plan.policy.overrides) {
        breaks(found, "only what may be is overridden", None, mistake);
    }
}
