//! For replication topologies: whoever replicates is never older than whom it replicates from, at no step of the plan, and there
//! are never more than two versions.
//!
//! Source: MySQL manual, "Replication Compatibility Between MySQL Versions"; MYSQL.md §3.1.

use super::{Violation, breaks};
use crate::ids::{MemberName, ServerUuid, StepId};
use crate::operation::Operation;
use crate::plan::Plan;
use crate::version::MysqlVersion;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    let mut world = World {
        versions: BTreeMap::new(),
        reads_from: BTreeMap::new(),
    };
    for (name, member) in &plan.made_from.members {
        world.versions.insert(name, member.version);
        for (channel, source) in &member.channels {
            if let Some(source) = source {
                let of_plan = plan
                    .made_from
                    .members
                    .iter()
                    .find(|(_, m)| m.uuid == *source);
                if let Some((source, _)) = of_plan {
                    world.reads_from.insert((name, channel), source);
                }
            }
        }
    }
    for step in plan
        .stages
        .iter()
        .flat_map(|s| &s.lanes)
        .flat_map(|l| &l.steps)
    {
        match step.operation() {
            Some(Operation::StartServer { version, .. }) => {
                world.versions.insert(&step.member, *version);
            }
            Some(Operation::PromoteReplica) => {
                world
                    .reads_from
                    .retain(|(name, _), _| *name != &step.member);
            }
            Some(Operation::FollowSource { source }) => match named(plan, &source.uuid) {
                Some(name) => {
                    world
                        .reads_from
                        .insert((&step.member, &source.channel), name);
                }
                None => breaks(
                    found,
                    "a server follows only members that were seen",
                    Some(step.id),
                    source.uuid.to_string(),
                ),
            },
            _ => continue,
        }
        world.judge(step.id, found);
    }
}

fn named<'p>(plan: &'p Plan, uuid: &ServerUuid) -> Option<&'p MemberName> {
    let mut members = plan.made_from.members.iter();
    members.find(|(_, m)| m.uuid == *uuid).map(|(name, _)| name)
}

struct World<'p> {
    versions: BTreeMap<&'p MemberName, MysqlVersion>,
    reads_from: BTreeMap<(&'p MemberName, &'p String), &'p MemberName>,
}

impl World<'_> {
    fn judge(&self, step: StepId, found: &mut Vec<Violation>) {
        for ((replica, _), source) in &self.reads_from {
            if self.versions.get(replica) < self.versions.get(source) {
                breaks(
                    found,
                    "a replica is never older than its source",
                    Some(step),
                    format!("{replica} and {source}"),
                );
            }
        }
        let versions: BTreeSet<_> = self.versions.values().collect();
        if versions.len() > 2 {
            breaks(
                found,
                "there are never more than two versions in a topology",
                Some(step),
                versions.len().to_string(),
            );
        }
    }
}
