//! Plans: immutable, reviewed, with a digest. A plan leaves no choice to execution.
//!
//! ```text
//! Plan ─ stages in order ─ lanes side by side (one a member) ─ steps in order
//! ```
//!
//! [`document`] owns the file that people review; [`drift`] compares the world a plan was made from with the present one.

pub mod document;
pub mod drift;
pub mod freeze;
mod strategy;

pub use strategy::Strategy;

use crate::checks::Override;
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::{ClusterName, Digest, MemberName, StepId};
use crate::observation::Seconds;
use crate::operation::Operation;
use crate::version::{MysqlVersion, PackageVersion};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is to be done to one cluster, in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The format of this structure; raised when old programs could misread a newer plan.
    pub format: u32,
    pub cluster: ClusterName,
    pub strategy: Strategy,
    pub target: Target,
    pub policy: Policy,
    /// When it was made, milliseconds since 1970.
    pub made_unix_ms: i64,
    /// The world it was made from; `apply` refuses when the present one differs.
    pub made_from: drift::World,
    /// Servers whose schemas and accounts are to be left alone until all run the target; gates tell who does not
    /// ([`freeze::broken`]).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub frozen: BTreeSet<MemberName>,
    pub stages: Vec<Stage>,
    /// Run only when a person asks for it, once the rollout is Upgraded or Restored: deletes what going back would need.
    pub finalize: Stage,
    /// The step after which going back would lose data, and why. None: every step can be undone.
    pub pivot: Option<Pivot>,
    pub report: Report,
}

/// What the members shall run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub version: MysqlVersion,
    pub package_version: PackageVersion,
}

/// What the operator chose. There are no defaults for dangerous choices: `planner::Request` names each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub approve_pivot: ApprovePivot,
    /// A three-member group with one member out survives no further loss; the operator said that this is understood.
    pub accept_no_spare: bool,
    /// Give the primary role back to the member that had it.
    pub restore_primary: bool,
    /// Seconds that a cluster must stay healthy before the next member.
    pub soak_s: u32,
    /// Option files stay as they are: what the target needs of them is for a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_config: bool,
    /// Checks that the operator goes on against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Variables whose pins are taken out of the option files, as they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovePivot {
    /// `refit approve` by a person.
    Person,
    Auto,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub title: String,
    pub lanes: Vec<Lane>,
}

/// The steps of one member within a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    pub member: MemberName,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub id: StepId,
    pub member: MemberName,
    /// The group that the member belongs to at this step: a plan may move members from one group to another.
    pub group: Option<String>,
    pub action: Action,
    /// Expected of the member before the step is first begun.
    pub before: Vec<Expectation>,
    /// Expected of the member once it is done.
    pub after: Vec<Expectation>,
    pub deadline_s: u32,
    pub estimate: Estimate,
    pub reversibility: Reversibility,
    /// Why the step is there, in a few words.
    pub why: String,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Wait until the conditions hold, for a while.
    Gate(Gate),
    /// Have the member's agent do something.
    Operate { order: Operation },
}

/// Conditions that must all hold, without a break, for `hold_ms`. A gate that has been passed counts only in the controller's
/// incarnation that saw it, until the next step of its lane is begun: after a crash or a pause it is asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub conditions: Vec<Condition>,
    /// What must hold, instead, when the steps before this one are about to be undone.
    pub undo_conditions: Vec<Condition>,
    pub hold_ms: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    pub seconds: Seconds,
    pub basis: Basis,
}

/// Where an estimate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// This host took so long before.
    Measured,
    /// Reckoned from size and counts.
    Reckoned,
    /// Reckoned from the sizes of just the tables that are rebuilt.
    TableSizes,
    /// So long it took on a clone of the member's data, then (milliseconds since 1970).
    Rehearsed { at_unix_ms: i64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// Nothing is changed, so nothing is owed.
    NothingToUndo,
    Undoable,
    /// Forward only from here.
    Irreversible,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pivot {
    pub step: StepId,
    /// The step before which a person is asked, where that is an earlier one: what lies between would else wait with writes
    /// paused. Until the pivot itself is begun everything can still be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<StepId>,
    pub why: String,
}

impl Pivot {
    /// The step that is not begun without approval.
    pub fn asked_at(&self) -> StepId {
        self.asked_at.unwrap_or(self.step)
    }
}

/// What a person should read beside the steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Why this order, a line a member.
    pub order: Vec<String>,
    /// How the primary role is handed over, and back.
    pub hand_over: Vec<String>,
    pub can_be_undone: Vec<String>,
    pub risk: Risk,
    pub warnings: Vec<String>,
    pub estimate: Seconds,
    /// For how long the cluster takes no writes, where it stops taking them by design. A pause for approval comes on top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Seconds>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    pub level: RiskLevel,
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    Low,
    Medium,
    High,
}

/// Where a step stands in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub stage: usize,
    pub lane: usize,
    pub index: usize,
}

pub const PLAN_FORMAT: u32 = 1;

impl Plan {
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.all_stages()
            .flat_map(|stage| stage.lanes.iter())
            .flat_map(|lane| lane.steps.iter())
    }

    /// The stages in order, [`Plan::finalize`] last.
    pub fn all_stages(&self) -> impl DoubleEndedIterator<Item = &Stage> {
        self.stages.iter().chain(std::iter::once(&self.finalize))
    }

    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps().find(|step| step.id == id)
    }

    pub fn place(&self, id: StepId) -> Option<Place> {
        for (stage, s) in self.all_stages().enumerate() {
            for (lane, l) in s.lanes.iter().enumerate() {
                if let Some(index) = l.steps.iter().position(|step| step.id == id) {
                    return Some(Place { stage, lane, index });
                }
            }
        }
        None
    }

    /// The gate that stands directly before a step in its lane.
    pub fn gate_before(&self, id: StepId) -> Option<&Step> {
        let Place { stage, lane, index } = self.place(id)?;
        let lane = &self.all_stages().nth(stage)?.lanes[lane];
        lane.steps
            .get(index.checked_sub(1)?)
            .filter(|step| step.is_gate())
    }

    /// The members that the plan touches, in the order in which it first takes them out.
    pub fn members(&self) -> Vec<&MemberName> {
        let mut members: Vec<&MemberName> = Vec::new();
        for lane in self
            .stages
            .iter()
            .rev()
            .flat_map(|stage| stage.lanes.iter().rev())
        {
            members.retain(|m| **m != lane.member);
            members.insert(0, &lane.member);
        }
        members
    }

    /// The digest over the canonical form: what is approved, applied and journalled.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical_bytes())
    }

    /// Compact JSON in the order of the fields; maps are sorted. The same plan always gives the same bytes.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a plan is plain data with string keys")
    }
}

impl Step {
    pub fn is_gate(&self) -> bool {
        matches!(self.action, Action::Gate(_))
    }
    pub fn operation(&self) -> Option<&Operation> {
        match &self.action {
            Action::Operate { order } => Some(order),
            Action::Gate(_) => None,
        }
    }
    /// One word for tables and progress lines.
    pub fn title(&self) -> &'static str {
        match &self.action {
            Action::Gate(_) => "gate",
            Action::Operate { order } => order.kind().as_str(),
        }
    }
}
