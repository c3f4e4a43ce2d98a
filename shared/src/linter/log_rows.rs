//! For sources that are made to log rows: it is done before the first server is taken out, every replica is seen to have passed
//! that point before it, and each one again before it is taken out: a source may have restarted meanwhile. Source: MySQL manual, "Upgrading or Downgrading a Replication Topology"; MYSQL.md §3.2.

use super::{Violation, breaks, kind};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::MemberName;
use crate::operation::OperationKind as Kind;
use crate::plan::{Action, Gate, Plan, Step};
use std::collections::BTreeSet;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    let switched = plan.steps().filter(|s| kind(s) == Some(Kind::LogRows));
    let members: BTreeSet<&MemberName> = switched.map(|step| &step.member).collect();
    if members.is_empty() {
        return;
    }
    let takes_out = |step: &&Step| {
        matches!(
            kind(step),
            Some(Kind::StopReplica | Kind::StopServer | Kind::PauseWrites)
        )
    };
    let Some(first) = plan.steps().find(takes_out) else {
        return;
    };
    let before = || plan.steps().take_while(|step| step.id < first.id);
    let mut pending: BTreeSet<&MemberName> = members.clone();
    let mut passed = false;
    for step in before() {
        match &step.action {
            Action::Operate { .. } if kind(step) == Some(Kind::LogRows) => {
                pending.remove(&step.member);
            }
            Action::Gate(gate) => passed |= pending.is_empty() && sees(plan, gate, &members),
            Action::Operate { .. } => {}
        }
    }
    if !passed {
        breaks(
            found,
            "sources log rows, and every replica has passed that point, before a server is taken out",
            Some(first.id),
            "no gate between has seen it",
        );
    }
    for lane in plan.stages.iter().flat_map(|stage| &stage.lanes) {
        let mut seen = false;
        for step in &lane.steps {
            match &step.action {
                Action::Gate(gate) => {
                    seen |= has_passed(plan, gate, &lane.member) && log_rows(gate, &members)
                }
                Action::Operate { .. } if kind(step) == Some(Kind::StopReplica) && !seen => breaks(
                    found,
                    "sources log rows, and a replica has passed all that they had logged, before it is taken out",
                    Some(step.id),
                    "no gate of its lane has seen it",
                ),
                Action::Operate { .. } => {}
            }
        }
    }
}

/// Every replica has passed that point, and its links work.
fn sees(plan: &Plan, gate: &Gate, members: &BTreeSet<&MemberName>) -> bool {
    let links: usize = plan
        .made_from
        .members
        .values()
        .map(|m| m.channels.len())
        .sum();
    let work = gate
        .conditions
        .iter()
        .filter(|c| matches!(c, Condition::Replicates { .. }))
        .count();
    let mut replicas = plan.made_from.members.keys();
    work >= links && replicas.all(|name| has_passed(plan, gate, name)) && log_rows(gate, members)
}

/// The replica has passed what each server above it had executed when the gate began to hold.
fn has_passed(plan: &Plan, gate: &Gate, name: &MemberName) -> bool {
    let above = above(plan, name);
    let asks = |c: &Condition| matches!(c, Condition::HasPassed { member, sources } if member == name && sources.iter().collect::<BTreeSet<_>>() == above);
    above.is_empty() || (gate.hold_ms > 0 && gate.conditions.iter().any(asks))
}

fn log_rows(gate: &Gate, members: &BTreeSet<&MemberName>) -> bool {
    let rows = |name: &&MemberName| {
        gate.conditions.iter().any(|c| {
            matches!(c, Condition::Member { member, is: Expectation::LogFormat { is } } if member == *name && is == "ROW")
        })
    };
    members.iter().all(rows)
}

/// All that the member replicated from when the plan was made, at any number of levels.
fn above<'p>(plan: &'p Plan, member: &MemberName) -> BTreeSet<&'p MemberName> {
    let world = &plan.made_from.members;
    let mut above = BTreeSet::new();
    loop {
        let reading = world
            .iter()
            .filter(|(name, _)| *name == member || above.contains(name));
        let uuids: BTreeSet<_> = reading
            .flat_map(|(_, one)| one.channels.values().flatten())
            .collect();
        let sources = world.iter().filter(|(_, one)| uuids.contains(&one.uuid));
        let more: BTreeSet<&MemberName> = sources.map(|(name, _)| name).collect();
        if more.is_subset(&above) {
            return above;
        }
        above.extend(more);
    }
}
