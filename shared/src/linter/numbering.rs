//! For every plan: steps are numbered, have deadlines, and stand in their member's lane.

use super::{Violation, breaks};
use crate::ids::StepId;
use crate::operation::Operation;
use crate::plan::{Plan, Step, Strategy};

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
        // Both sides of a hand-over are one lane: it ends as a whole or is undone as a whole.
        let other_side = |step: &Step| {
            plan.strategy == Strategy::Switchover
                && matches!(step.operation(), Some(Operation::PromoteReplica))
        };
        let strays = lane.steps.iter().filter(|step| step.member != lane.member);
        for step in strays.filter(|step| !other_side(step)) {
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
