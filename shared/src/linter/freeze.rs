//! While a topology runs two versions, schemas and accounts of its sources are watched. Source: MySQL manual, "Upgrading or Downgrading
//! a Replication Topology"; MYSQL.md §3.2.

use super::{Violation, breaks};
use crate::condition::Condition;
use crate::plan::{Action, Plan, Strategy};
use std::collections::BTreeSet;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    let rule = "schemas and accounts of every source are watched while versions differ";
    for name in &plan.frozen {
        if !plan.made_from.members.contains_key(name) {
            breaks(found, rule, None, format!("{name} is not of this cluster"));
        }
    }
    let served = matches!(
        plan.strategy,
        Strategy::ReplicasFirst | Strategy::Switchover | Strategy::SourceFirst
    );
    let members = plan.made_from.members.values();
    let differ = members.clone().any(|m| m.version != plan.target.version);
    if !served || !differ {
        return;
    }
    // Who is replicated from, as the plan's own gates have it, and replicates from nobody.
    let (mut sources, mut replicas) = (BTreeSet::new(), BTreeSet::new());
    let first = plan.stages.first().into_iter().flat_map(|s| &s.lanes);
    for step in first.flat_map(|lane| &lane.steps) {
        let Action::Gate(gate) = &step.action else {
            continue;
        };
        for condition in &gate.conditions {
            if let Condition::Replicates { member, source, .. } = condition {
                replicas.insert(member);
                sources.insert(source);
            }
        }
    }
    for name in sources.difference(&replicas) {
        if !plan.frozen.contains(*name) {
            breaks(found, rule, None, format!("{name} is not watched"));
        }
    }
}
