//! The members that a plan is to upgrade, and what of the packages it pins for them.

use super::Request;
use crate::config::pins;
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

/// Members that are not at the target yet, or have a pin that is to be released, by name. All others are left alone.
pub fn candidates<'a>(
    seen: &'a Sighting,
    world: &'a World,
    request: &Request,
) -> Vec<Candidate<'a>> {
    let mut members = everybody(seen, world);
    let has_pin = |c: &Candidate<'_>| {
        let files = seen.config(c.name).ok();
        files.is_some_and(|files| {
            let release = &request.policy.release;
            !pins::named(&files, c.world.version, release).is_empty()
        })
    };
    members.retain(|c| c.world.version != request.target || has_pin(c));
    members
}

/// The newest package version of the target that every host offers whole that is to get it. Agents list newest first. Where nobody
/// changes the version: what is installed.
pub fn common_target(target: MysqlVersion, all: &[Candidate<'_>]) -> Option<PackageVersion> {
    let candidates: Vec<&Candidate<'_>> =
        all.iter().filter(|c| c.changes_version(target)).collect();
    if candidates.is_empty() {
        let installed = all.iter().map(|c| c.world.package_version.clone());
        return installed.max();
    }
    let offers = |c: &&Candidate<'_>| match c.seen.packages.known() {
        Some(packages) => offered(packages, target),
        None => Vec::new(),
    };
    let offers: Vec<Vec<PackageVersion>> = candidates.iter().map(offers).collect();
    in_all(&offers)
}

/// The first one of the first list that is in all of them.
pub fn in_all(offers: &[Vec<PackageVersion>]) -> Option<PackageVersion> {
    let mut first = offers.first()?.iter();
    first
        .find(|version| offers.iter().all(|offer| offer.contains(version)))
        .cloned()
}

/// The package versions of the target that a host offers whole, newest first.
pub fn offered(packages: &PackageFacts, target: MysqlVersion) -> Vec<PackageVersion> {
    let of_target = |pin: &&PackagePin| pin.version.mysql_version().ok() == Some(target);
    packages
        .available
        .iter()
        .filter(of_target)
        .map(|pin| pin.version.clone())
        .filter(|version| pins(packages, version).is_some())
        .collect()
}

impl Candidate<'_> {
    /// Otherwise it is only restarted.
    pub fn changes_version(&self, target: MysqlVersion) -> bool {
        self.world.version != target
    }

    /// What is done to it, for titles.
    pub fn verb(&self, target: MysqlVersion) -> &'static str {
        match target.cmp(&self.world.version) {
            std::cmp::Ordering::Less => "downgrade",
            std::cmp::Ordering::Equal => "restart",
            std::cmp::Ordering::Greater => "upgrade",
        }
    }

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

/// The configured packages at one version, where the host offers all of them.
pub fn pins(packages: &PackageFacts, version: &PackageVersion) -> Option<Vec<PackagePin>> {
    let pin = |name: &String| {
        packages
            .available
            .iter()
            .find(|pin| pin.name == *name && pin.version == *version)
            .cloned()
    };
    packages.installed.keys().map(pin).collect()
}
