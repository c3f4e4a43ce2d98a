//! The members that a plan is to upgrade, and what of the packages it pins for them.

use crate::ids::MemberName;
use crate::observation::{Observation, PackageFacts, PackagePin};
use crate::plan::drift::{MemberWorld, World};
use crate::topology::Sighting;
use crate::version::{MysqlVersion, PackageVersion};

/// One member as a planner sees it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub name: &'a MemberName,
    pub world: &'a MemberWorld,
    pub seen: &'a Observation,
}

/// Every member, by name.
pub fn everybody<'a>(seen: &'a Sighting, world: &'a World) -> Vec<Candidate<'a>> {
    seen.observed()
        .filter_map(|(name, seen)| {
            let world = world.members.get(name)?;
            Some(Candidate { name, world, seen })
        })
        .collect()
}

/// Members that are not at the target yet, by name. Those at it already are left alone.
pub fn candidates<'a>(
    seen: &'a Sighting,
    world: &'a World,
    target: MysqlVersion,
) -> Vec<Candidate<'a>> {
    let mut members = everybody(seen, world);
    members.retain(|c| c.world.version != target);
    members
}

/// The newest package version of the target that every host offers whole. Agents list newest first.
pub fn common_target(target: MysqlVersion, candidates: &[Candidate<'_>]) -> Option<PackageVersion> {
    let offered = |c: &Candidate<'_>| -> Vec<PackageVersion> {
        let Some(packages) = c.seen.packages.known() else {
            return Vec::new();
        };
        let of_target = |pin: &&PackagePin| pin.version.mysql_version().ok() == Some(target);
        packages
            .available
            .iter()
            .filter(of_target)
            .map(|pin| pin.version.clone())
            .filter(|v| pins(packages, v).is_some())
            .collect()
    };
    let first = candidates.first()?;
    offered(first)
        .into_iter()
        .find(|version| candidates.iter().all(|c| offered(c).contains(version)))
}

impl Candidate<'_> {
    /// Exactly the configured packages at one version, with their hashes. Checks and [`common_target`] have seen that the
    /// host offers them.
    pub fn pins(&self, version: &PackageVersion) -> Vec<PackagePin> {
        let packages = self
            .seen
            .packages
            .known()
            .expect("checked: packages are known");
        pins(packages, version).expect("checked: both versions are offered")
    }

    /// `1. db2: 9.7.3 → 9.7.4 (why it stands here)`.
    pub fn in_order(&self, position: usize, target: MysqlVersion, why: &str) -> String {
        let (place, name, from) = (position + 1, self.name, self.world.version);
        if from == target {
            format!("{place}. {name}: stays at {target} ({why})")
        } else {
            format!("{place}. {name}: {from} → {target} ({why})")
        }
    }
}

fn pins(packages: &PackageFacts, version: &PackageVersion) -> Option<Vec<PackagePin>> {
    let pin = |name: &String| {
        packages
            .available
            .iter()
            .find(|pin| pin.name == *name && pin.version == *version)
            .cloned()
    };
    packages.installed.keys().map(pin).collect()
}
