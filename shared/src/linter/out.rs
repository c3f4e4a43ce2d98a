//! Invariant 5 of the design: never more members down than the rest can lose. Rolling strategies take one at a time.

use super::{Violation, breaks, position};
use crate::ids::MemberName;
use crate::operation::OperationKind as Kind;
use crate::plan::Plan;
use std::collections::BTreeSet;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    if !plan.strategy.is_rolling() {
        return;
    }
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
