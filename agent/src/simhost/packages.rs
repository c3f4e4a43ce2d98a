//! The simulated package manager.

use super::PACKAGES;
use super::port::SimPort;
use super::state::World;
use crate::host::{HostError, HostResult, Packages, Phase};
use async_trait::async_trait;
use refit_shared::ids::MemberName;
use refit_shared::observation::{PackageFacts, PackagePin};
use std::path::PathBuf;

#[async_trait]
impl Packages for SimPort {
    async fn facts(&self) -> HostResult<PackageFacts> {
        self.at("packages.facts", |world, member| {
            let host = world.host(member);
            Ok(PackageFacts {
                installed: host.installed.clone(),
                available: host.offered.clone(),
                held: host.held.clone(),
                broken: host.broken.clone(),
                locked_by_other: false,
                frozen_by_other: false,
            })
        })
        .await
    }

    async fn fetch(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()> {
        judge(pins)?;
        for pin in pins {
            phase.say(format!("fetching {} {}", pin.name, pin.version));
            self.at("packages.fetch", |world, member| {
                let host = world.host_mut(member);
                let offered = host
                    .offered
                    .iter()
                    .find(|offer| offer.name == pin.name && offer.version == pin.version);
                match offered {
                    None => Err(HostError::PackageUnavailable {
                        name: pin.name.clone(),
                        version: pin.version.to_string(),
                    }),
                    Some(offer) if offer.sha256 != pin.sha256 => Err(HostError::PackageHash {
                        name: pin.name.clone(),
                        version: pin.version.to_string(),
                        found: offer.sha256.clone(),
                        pinned: pin.sha256.clone(),
                    }),
                    Some(_) => {
                        host.fetched.insert(pin.clone());
                        Ok(())
                    }
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn fetched_files(&self, pins: &[PackagePin]) -> HostResult<Vec<PathBuf>> {
        self.verify_fetched(pins).await?;
        let file = |pin: &PackagePin| PathBuf::from(format!("{}_{}.deb", pin.name, pin.version));
        Ok(pins.iter().map(file).collect())
    }

    async fn verify_fetched(&self, pins: &[PackagePin]) -> HostResult<()> {
        judge(pins)?;
        self.at("packages.verify_fetched", |world, member| {
            let host = world.host(member);
            match pins.iter().find(|pin| !host.fetched.contains(pin)) {
                None => Ok(()),
                Some(pin) => Err(HostError::PackageUnavailable {
                    name: pin.name.clone(),
                    version: pin.version.to_string(),
                }),
            }
        })
        .await
    }

    async fn repair(&self, _: &Phase) -> HostResult<()> {
        self.at("packages.repair", |world, member| {
            judge_touch(world, member);
            let host = world.host_mut(member);
            host.broken.clear();
            host.frozen = false;
            Ok(())
        })
        .await
    }

    async fn frozen(&self) -> HostResult<bool> {
        self.at("packages.frozen", |world, member| {
            Ok(world.host(member).frozen)
        })
        .await
    }

    async fn install(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()> {
        self.verify_fetched(pins).await?;
        for pin in pins {
            phase.say(format!("unpacking {}", pin.name));
            self.at("packages.install/unpack", |world, member| {
                judge_touch(world, member);
                let host = world.host_mut(member);
                host.frozen = true;
                host.broken.insert(pin.name.clone());
                host.installed.insert(pin.name.clone(), pin.version.clone());
                Ok(())
            })
            .await?;
            let time = self.world().lock().timings.package;
            self.take(time).await;
        }
        self.at("packages.install/configure", |world, member| {
            let host = world.host_mut(member);
            for pin in pins {
                host.broken.remove(&pin.name);
            }
            Ok(())
        })
        .await?;
        self.at("packages.install/finish", |world, member| {
            let host = world.host_mut(member);
            host.held.extend(pins.iter().map(|pin| pin.name.clone()));
            host.frozen = false;
            Ok(())
        })
        .await
    }

    async fn set_held(&self, names: &[String], held: bool) -> HostResult<()> {
        names.iter().try_for_each(|name| judge_name(name))?;
        self.at("packages.set_held", |world, member| {
            let host = world.host_mut(member);
            for name in names {
                if held {
                    host.held.insert(name.clone());
                } else {
                    host.held.remove(name);
                }
            }
            Ok(())
        })
        .await
    }

    async fn drop_fetched(&self) -> HostResult<()> {
        self.at("packages.drop_fetched", |world, member| {
            world.host_mut(member).fetched.clear();
            Ok(())
        })
        .await
    }
}

/// The server's packages and no others, at least one and none twice.
fn judge(pins: &[PackagePin]) -> HostResult<()> {
    if pins.is_empty() {
        return Err(HostError::Packages("no package is named".to_owned()));
    }
    for (at, pin) in pins.iter().enumerate() {
        judge_name(&pin.name)?;
        let same = |other: &PackagePin| other.name == pin.name && other.version == pin.version;
        if pins[..at].iter().any(same) {
            let why = format!("package {} is pinned twice", pin.name);
            return Err(HostError::Packages(why));
        }
    }
    Ok(())
}

fn judge_name(name: &str) -> HostResult<()> {
    if PACKAGES.contains(&name) {
        return Ok(());
    }
    let why = format!("package {name} is not the server's");
    Err(HostError::Packages(why))
}

fn judge_touch(world: &mut World, member: &MemberName) {
    if world.host(member).unit.process().is_some() {
        world.violate(member, "packages were touched while mysqld was running");
    }
}
