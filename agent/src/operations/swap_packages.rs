//! Installs exactly the pinned packages without letting a maintainer script run mysqld, then holds them; the undo installs what
//! was there before and puts the holds back.

use super::context::refuse;
use super::{Action, Notes, OpContext, stopping};
use crate::host::{Host, HostError};
use async_trait::async_trait;
use refit_shared::observation::{PackageFacts, PackagePin};
use refit_shared::receipt::{Failure, FailureCode, Probe};
use std::collections::BTreeSet;

/// Which of the packages were held before this rollout touched them.
const HELD_BEFORE: &str = "held-before";

pub struct SwapPackages {
    pub from: Vec<PackagePin>,
    pub to: Vec<PackagePin>,
}

#[async_trait]
impl Action for SwapPackages {
    async fn probe(&self, host: &Host, _: &OpContext) -> Result<Probe, Failure> {
        let found = host.packages.facts().await.map_err(HostError::clean)?;
        let held = names(&self.to).iter().all(|name| found.held.contains(name));
        Ok(if !is_whole(host, &found).await? {
            Probe::Partial(describe(&found))
        } else if has(&found, &self.to) {
            if held {
                Probe::Done
            } else {
                Probe::Partial("installed, but not held".to_owned())
            }
        } else if has(&found, &self.from) {
            Probe::NotDone
        } else {
            Probe::Partial(describe(&found))
        })
    }

    async fn perform(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        stopping::require_held_down(host).await?;
        let found = self.only_ours(host).await?;
        self.have_cached(host, cx, &self.to).await?;
        if remembered(cx).await?.is_none() {
            let held: BTreeSet<String> = names(&self.from)
                .into_iter()
                .filter(|name| found.held.contains(name))
                .collect();
            cx.memory
                .put(HELD_BEFORE, &held)
                .await
                .map_err(HostError::clean)?;
        }
        install(host, cx, &self.to).await
    }

    async fn undo(&self, host: &Host, cx: &OpContext) -> Result<Notes, Failure> {
        let held = remembered(cx).await?;
        let found = self.only_ours(host).await?;
        let mut notes = if is_whole(host, &found).await? && has(&found, &self.from) {
            vec!["the packages are as they were".to_owned()]
        } else {
            stopping::require_held_down(host).await?;
            self.have_cached(host, cx, &self.from).await?;
            install(host, cx, &self.from).await?
        };
        // Nothing remembered: the swap never began, so no hold was touched either.
        if let Some(held) = held {
            let (keep, release): (Vec<_>, Vec<_>) = names(&self.from)
                .into_iter()
                .partition(|name| held.contains(name));
            for (names, on) in [(keep, true), (release, false)] {
                if !names.is_empty() {
                    host.packages
                        .set_held(&names, on)
                        .await
                        .map_err(HostError::partial)?;
                }
            }
            notes.push("holds are as they were".to_owned());
        }
        Ok(notes)
    }
}

impl SwapPackages {
    /// The cache was filled before anything was stopped. Where it has been damaged or cleared since, it is filled again: the
    /// server is down already, and nobody could do it by hand without leaving the plan.
    async fn have_cached(
        &self,
        host: &Host,
        cx: &OpContext,
        pins: &[PackagePin],
    ) -> Result<(), Failure> {
        if host.packages.verify_fetched(pins).await.is_ok() {
            return Ok(());
        }
        cx.phase.say("the package cache is damaged; fetching again");
        host.packages
            .fetch(pins, &cx.phase)
            .await
            .map_err(HostError::clean)?;
        host.packages
            .verify_fetched(pins)
            .await
            .map_err(HostError::clean)
    }

    /// Each package is at one of the two versions of the plan, or somebody else has been at work.
    async fn only_ours(&self, host: &Host) -> Result<PackageFacts, Failure> {
        let found = host.packages.facts().await.map_err(HostError::clean)?;
        if found.frozen_by_other {
            return Err(refuse(
                "/etc/mysql/FROZEN is there and Refit did not put it there",
            ));
        }
        let known = |name: &String| {
            self.from
                .iter()
                .chain(&self.to)
                .any(|pin| pin.name == *name && found.installed.get(name) == Some(&pin.version))
        };
        // A package that an interrupted run left half installed is at neither; repairing it is part of the swap.
        match names(&self.from)
            .iter()
            .find(|name| !known(name) && !found.broken.contains(*name))
        {
            None => Ok(found),
            Some(name) => Err(refuse(format!(
                "package {name} is {}, which is neither version of this plan",
                found
                    .installed
                    .get(name)
                    .map_or("not installed".to_owned(), ToString::to_string)
            ))),
        }
    }
}

/// No installation was cut short. Packages that are all there are not enough: cut short right behind dpkg, they are frozen, and the
/// unit would refuse to start for good.
async fn is_whole(host: &Host, found: &PackageFacts) -> Result<bool, Failure> {
    let frozen = host.packages.frozen().await.map_err(HostError::clean)?;
    Ok(found.broken.is_empty() && !frozen)
}

async fn remembered(cx: &OpContext) -> Result<Option<BTreeSet<String>>, Failure> {
    cx.memory.get(HELD_BEFORE).await.map_err(HostError::clean)
}

async fn install(host: &Host, cx: &OpContext, pins: &[PackagePin]) -> Result<Notes, Failure> {
    cx.phase.say("finishing what an earlier package run left");
    host.packages
        .repair(&cx.phase)
        .await
        .map_err(HostError::partial)?;
    cx.phase.say("installing packages");
    host.packages
        .install(pins, &cx.phase)
        .await
        .map_err(HostError::partial)?;
    let found = host.packages.facts().await.map_err(HostError::partial)?;
    if !has(&found, pins) || !found.broken.is_empty() {
        return Err(Failure::partial(
            FailureCode::PackageInstall,
            format!("after the installation: {}", describe(&found)),
        ));
    }
    // Nobody's unattended upgrade may move the server while a rollout is under way.
    let unheld: Vec<String> = names(pins)
        .into_iter()
        .filter(|name| !found.held.contains(name))
        .collect();
    if !unheld.is_empty() {
        host.packages
            .set_held(&unheld, true)
            .await
            .map_err(HostError::partial)?;
    }
    Ok(pins
        .iter()
        .map(|pin| format!("installed {} {}", pin.name, pin.version))
        .collect())
}

fn names(pins: &[PackagePin]) -> Vec<String> {
    pins.iter().map(|pin| pin.name.clone()).collect()
}

fn has(found: &PackageFacts, pins: &[PackagePin]) -> bool {
    pins.iter()
        .all(|pin| found.installed.get(&pin.name) == Some(&pin.version))
}

fn describe(found: &PackageFacts) -> String {
    let mut parts: Vec<String> = found
        .installed
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    parts.extend(found.broken.iter().map(|name| format!("{name} is broken")));
    parts.join(", ")
}
