//! For every plan: steps are numbered, have deadlines, and stand in their member's lane.

use super::{Violation, breaks};
use crate::ids::StepId;
use crate::plan::Plan;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
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
