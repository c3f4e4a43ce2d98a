//! For rebuilds of tables: each server by itself, replicas first, and nothing else is done to it. A replica does not replicate
//! meanwhile, and not by itself after a restart either; a member of a group is out of it, and the primary goes last. Sources: MySQL manual, "Upgrading or Downgrading a Replication Topology";
//! MYSQL.md §3.8.

use super::{Violation, breaks, kind, position, primary_last, rebuild_in_group, rebuild_offline};
use crate::condition::Condition;
use crate::ids::{MemberName, ServerUuid};
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Action, Lane, Plan, Strategy};
use std::collections::BTreeSet;

/// All that such a plan may order.
const ORDERS: [Kind; 15] = [
    Kind::KeepReplica,
    Kind::InspectTables,
    Kind::EnterMaintenance,
    Kind::StopReplica,
    Kind::RebuildTables,
    Kind::StartReplica,
    Kind::LeaveMaintenance,
    Kind::KeepPrimary,
    Kind::LeaveGroup,
    Kind::JoinGroup,
    Kind::AppointPrimary,
    Kind::KeepWritable,
    Kind::StopServer,
    Kind::RebuildOffline,
    Kind::AllowWrites,
];

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    if plan.strategy != Strategy::RebuildTables {
        for step in plan
            .steps()
            .filter(|s| matches!(kind(s), Some(Kind::RebuildTables | Kind::RebuildOffline)))
        {
            let rule = "tables are rebuilt only by a plan for that";
            breaks(found, rule, Some(step.id), plan.strategy.flag());
        }
        return;
    }
    for step in plan.steps() {
        if let Some(other) = kind(step).filter(|k| !ORDERS.contains(k)) {
            let rule = "a plan to rebuild tables does nothing else";
            breaks(found, rule, Some(step.id), other.as_str());
        }
    }
    let grouped = plan.made_from.group.is_some();
    if grouped {
        primary_last::judge(plan, found);
        rebuild_in_group::role_goes_back(plan, found);
    }
    let mut inspected: BTreeSet<&MemberName> = BTreeSet::new();
    let mut rebuilt: BTreeSet<&MemberName> = BTreeSet::new();
    for stage in &plan.stages {
        let at_once = stage.lanes.iter().filter(|lane| rebuilds(lane).is_some());
        if at_once.count() > 1 {
            let rule = "tables are rebuilt on one server at a time";
            breaks(found, rule, None, &*stage.title);
        }
        for lane in &stage.lanes {
            if position(lane, Kind::InspectTables).is_some() {
                inspected.insert(&lane.member);
            }
            rebuild_offline::judge(plan, lane, found);
            let Some(at) = rebuilds(lane) else {
                continue;
            };
            if !inspected.iter().copied().eq(plan.made_from.members.keys()) {
                let rule = "all servers' tables are inspected before the first is rebuilt";
                breaks(found, rule, Some(lane.steps[at].id), "not all are");
            }
            if grouped {
                rebuild_in_group::out_of_the_group(plan, lane, at, found);
            } else {
                one(plan, lane, at, &rebuilt, found);
            }
            rebuilt.insert(&lane.member);
        }
    }
    let missing: Vec<&MemberName> = plan
        .made_from
        .members
        .keys()
        .filter(|name| !rebuilt.contains(name))
        .collect();
    if !missing.is_empty() {
        let rule = "tables are rebuilt on every server";
        breaks(found, rule, None, format!("not on {missing:?}"));
    }
    let lists: BTreeSet<_> = plan.steps().filter_map(tables).collect();
    if lists.len() != 1 || lists.iter().any(|list| list.is_empty()) {
        let rule = "every server inspects and rebuilds the same tables";
        breaks(found, rule, None, format!("{} lists", lists.len()));
    }
}

/// Where the lane rebuilds, either way.
fn rebuilds(lane: &Lane) -> Option<usize> {
    position(lane, Kind::RebuildTables).or(position(lane, Kind::RebuildOffline))
}

fn tables(step: &crate::plan::Step) -> Option<&Vec<crate::table::TableName>> {
    match step.operation() {
        Some(
            Operation::InspectTables { tables, .. }
            | Operation::RebuildTables { tables }
            | Operation::RebuildOffline { tables, .. },
        ) => Some(tables),
        _ => None,
    }
}

/// One server's lane, which rebuilds at its step number `at`.
fn one(
    plan: &Plan,
    lane: &Lane,
    at: usize,
    rebuilt: &BTreeSet<&MemberName>,
    found: &mut Vec<Violation>,
) {
    let id = lane.steps[at].id;
    let members = &plan.made_from.members;
    let Some(own) = members.get(&lane.member) else {
        return; // numbering says so
    };
    let reads_from = |uuid: &ServerUuid, name: &MemberName| {
        members[name]
            .channels
            .values()
            .any(|source| source.as_ref() == Some(uuid))
    };
    if let Some(below) = members
        .keys()
        .find(|name| reads_from(&own.uuid, name) && !rebuilt.contains(name))
    {
        let rule = "a server's tables are rebuilt after those of all that replicate from it";
        breaks(found, rule, Some(id), below.as_str());
    }
    if !own.channels.is_empty() {
        let wanted = [
            Kind::EnterMaintenance,
            Kind::StopReplica,
            Kind::RebuildTables,
            Kind::StartReplica,
            Kind::LeaveMaintenance,
        ];
        let places: Vec<Option<usize>> = wanted.iter().map(|k| position(lane, *k)).collect();
        if places.iter().any(Option::is_none) || !places.is_sorted() {
            let rule = "a replica does not replicate while its tables are rebuilt";
            breaks(found, rule, Some(id), format!("{places:?} of {wanted:?}"));
        }
    }
    let links: usize = members.values().map(|m| m.channels.len()).sum();
    // keep_writable, which does nothing but undo, may stand before it.
    let first = usize::from(kind(&lane.steps[0]) == Some(Kind::KeepWritable));
    let guarded = match &lane.steps[first.min(lane.steps.len() - 1)].action {
        Action::Gate(gate) => {
            let seen = gate.conditions.iter();
            seen.filter(|c| matches!(c, Condition::Replicates { .. }))
                .count()
                >= links
        }
        Action::Operate { .. } => false,
    };
    if !guarded {
        let rule = "a gate that has seen every replica follow stands before a rebuild";
        breaks(found, rule, Some(id), "none");
    }
}
