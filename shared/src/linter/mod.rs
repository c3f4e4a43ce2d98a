//! Judges every plan before it may be kept or applied. Shares no code with the planners: a planner's bug must not be able to
//! hide itself here.
//!
//! One file a rule, by what the rule is for: some hold for every plan, some for groups, some for one strategy.

mod directions;
mod freeze;
mod group_lane;
mod hand_over;
mod keeping;
mod log_rows;
mod numbering;
mod offline;
mod offline_topology;
mod out;
mod overriding;
mod pivot;
mod primary_last;
mod rebuild;
mod rebuild_in_group;
mod rebuild_offline;
mod replica_lane;
mod restarts;
mod rewrites;
mod secluded;
mod single_lane;
mod starts;
mod system_tables;

use crate::ids::StepId;
use crate::operation::OperationKind as Kind;
use crate::plan::{Action, Lane, Plan, Step, Strategy};
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
    numbering::judge(plan, &mut found);
    out::judge(plan, &mut found);
    for lane in plan.stages.iter().flat_map(|stage| &stage.lanes) {
        starts::judge(plan, lane, &mut found);
        match plan.strategy {
            Strategy::InGroupRolling => group_lane::judge(plan, lane, &mut found),
            Strategy::Offline | Strategy::RebuildTables => {}
            Strategy::SingleServer => single_lane::judge(plan, lane, &mut found),
            Strategy::ReplicasFirst | Strategy::Switchover | Strategy::SourceFirst => {
                replica_lane::judge(plan, lane, &mut found);
            }
        }
    }
    match plan.strategy {
        Strategy::InGroupRolling => primary_last::judge(plan, &mut found),
        Strategy::Offline if plan.made_from.group.is_some() => offline::judge(plan, &mut found),
        Strategy::Offline => {
            offline_topology::judge(plan, &mut found);
            hand_over::judge(plan, &mut found);
        }
        Strategy::SingleServer | Strategy::RebuildTables => {}
        Strategy::ReplicasFirst | Strategy::Switchover | Strategy::SourceFirst => {
            directions::judge(plan, &mut found);
            hand_over::judge(plan, &mut found);
        }
    }
    rebuild::judge(plan, &mut found);
    secluded::judge(plan, &mut found);
    log_rows::judge(plan, &mut found);
    freeze::judge(plan, &mut found);
    pivot::judge(plan, &mut found);
    keeping::judge(plan, &mut found);
    rewrites::judge(plan, &mut found);
    restarts::judge(plan, &mut found);
    system_tables::judge(plan, &mut found);
    overriding::judge(plan, &mut found);
    found
}

/// In a multi-primary group every member has the role.
fn is_multi_primary(plan: &Plan) -> bool {
    plan.made_from
        .members
        .values()
        .filter(|m| m.primary)
        .count()
        > 1
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

/// A member that changes no version is taken down for its option files: their rewrite stands where the swap of packages would.
fn for_member(plan: &Plan, lane: &Lane, wanted: Kind) -> Kind {
    let was = plan.made_from.members.get(&lane.member);
    let stays = was.is_some_and(|m| m.version == plan.target.version);
    if wanted == Kind::SwapPackages && stays {
        Kind::RewriteConfig
    } else {
        wanted
    }
}

fn position(lane: &Lane, wanted: Kind) -> Option<usize> {
    lane.steps
        .iter()
        .position(|step| kind(step) == Some(wanted))
}
