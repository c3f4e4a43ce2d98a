//! The package manager.

use super::{Kept, Scene, promises, refused, same};
use crate::host::{HostError, Phase};
use anyhow::{bail, ensure};
use refit_shared::observation::{PackagePin, ServiceState};
use refit_shared::version::PackageVersion;
use std::collections::BTreeSet;

promises!("Packages", Scene:
    what_is_installed_and_offered_is_told,
    what_was_not_fetched_is_an_error_and_not_installed,
    what_is_fetched_is_there_until_it_is_dropped,
    a_version_that_nobody_offers_is_unavailable,
    other_bytes_than_the_pinned_ones_are_never_kept,
    packages_that_are_not_the_servers_are_left_alone,
    no_pin_and_one_twice_are_errors,
    holds_come_and_go_as_they_are_set,
    mending_what_is_whole_changes_nothing,
    a_swap_goes_up_and_down_without_touching_the_data,
);

fn named(pins: &[PackagePin]) -> Vec<String> {
    pins.iter().map(|pin| pin.name.clone()).collect()
}

async fn is_installed(scene: &Scene, pins: &[PackagePin]) -> Kept {
    let facts = scene.host.packages.facts().await?;
    for pin in pins {
        let version = facts.installed.get(&pin.name);
        same(&version, &Some(&pin.version), &pin.name)?;
    }
    ensure!(facts.broken.is_empty(), "{:?} are broken", facts.broken);
    let frozen = scene.host.packages.frozen().await?;
    ensure!(!frozen, "an installation is said not to have ended");
    ensure!(
        !facts.locked_by_other && !facts.frozen_by_other,
        "nobody else is at the packages: {facts:?}"
    );
    Ok(())
}

async fn what_is_installed_and_offered_is_told(scene: &Scene) -> Kept {
    is_installed(scene, &scene.present).await?;
    let facts = scene.host.packages.facts().await?;
    for pin in scene.present.iter().chain(&scene.other) {
        ensure!(facts.available.contains(pin), "{pin:?} is not available");
    }
    Ok(())
}

async fn what_was_not_fetched_is_an_error_and_not_installed(scene: &Scene) -> Kept {
    let packages = &scene.host.packages;
    packages.drop_fetched().await?;
    let what = "what was never fetched";
    refused(packages.verify_fetched(&scene.other).await, what)?;
    refused(packages.fetched_files(&scene.other).await, what)?;
    scene.stop().await?;
    let installed = packages.install(&scene.other, &Phase::silent()).await;
    refused(installed, what)?;
    is_installed(scene, &scene.present).await?;
    scene.start().await
}

async fn what_is_fetched_is_there_until_it_is_dropped(scene: &Scene) -> Kept {
    let packages = &scene.host.packages;
    let phase = Phase::silent();
    packages.drop_fetched().await?;
    for _ in 0..2 {
        packages.fetch(&scene.other, &phase).await?;
        packages.verify_fetched(&scene.other).await?;
    }
    let files = packages.fetched_files(&scene.other).await?;
    let different: BTreeSet<_> = files.iter().collect();
    same(&different.len(), &scene.other.len(), "the files, one a pin")?;
    is_installed(scene, &scene.present).await?;
    for _ in 0..2 {
        packages.drop_fetched().await?;
        refused(
            packages.verify_fetched(&scene.other).await,
            "what was dropped",
        )?;
    }
    Ok(())
}

async fn a_version_that_nobody_offers_is_unavailable(scene: &Scene) -> Kept {
    let mut pins = scene.other.clone();
    for pin in &mut pins {
        pin.version = PackageVersion::new("99.9.9-1")?;
    }
    match scene.host.packages.fetch(&pins, &Phase::silent()).await {
        Err(HostError::PackageUnavailable { .. }) => {}
        other => bail!("it is {other:?}"),
    }
    refused(
        scene.host.packages.verify_fetched(&pins).await,
        "what nobody offers",
    )
}

async fn other_bytes_than_the_pinned_ones_are_never_kept(scene: &Scene) -> Kept {
    let mut pins = scene.other.clone();
    for pin in &mut pins {
        pin.sha256 = "0".repeat(64);
    }
    let packages = &scene.host.packages;
    packages.drop_fetched().await?;
    match packages.fetch(&pins, &Phase::silent()).await {
        Err(HostError::PackageHash { .. }) => {}
        other => bail!("it is {other:?}"),
    }
    refused(packages.verify_fetched(&pins).await, "other bytes")?;
    refused(packages.verify_fetched(&scene.other).await, "other bytes")
}

async fn packages_that_are_not_the_servers_are_left_alone(scene: &Scene) -> Kept {
    let packages = &scene.host.packages;
    let mut foreign = scene.other[0].clone();
    foreign.name = "base-files".to_owned();
    let names = named(std::slice::from_ref(&foreign));
    let pins = [foreign];
    let what = "a package that is not the server's";
    refused(packages.fetch(&pins, &Phase::silent()).await, what)?;
    refused(packages.verify_fetched(&pins).await, what)?;
    refused(packages.install(&pins, &Phase::silent()).await, what)?;
    refused(packages.set_held(&names, true).await, what)?;
    let facts = packages.facts().await?;
    ensure!(
        !facts.held.contains(&names[0]) && !facts.installed.contains_key(&names[0]),
        "{what} is told: {facts:?}"
    );
    Ok(())
}

async fn no_pin_and_one_twice_are_errors(scene: &Scene) -> Kept {
    let packages = &scene.host.packages;
    let (phase, pin) = (Phase::silent(), scene.other[0].clone());
    for pins in [Vec::new(), vec![pin.clone(), pin]] {
        let what = format!("{} pins", pins.len());
        refused(packages.fetch(&pins, &phase).await, &what)?;
        refused(packages.verify_fetched(&pins).await, &what)?;
        refused(packages.fetched_files(&pins).await, &what)?;
        refused(packages.install(&pins, &phase).await, &what)?;
    }
    Ok(())
}

async fn holds_come_and_go_as_they_are_set(scene: &Scene) -> Kept {
    let packages = &scene.host.packages;
    let names = named(&scene.present);
    let before = packages.facts().await?.held;
    packages.set_held(&[], true).await?;
    same(&packages.facts().await?.held, &before, "the holds")?;
    for held in [true, false] {
        for _ in 0..2 {
            packages.set_held(&names, held).await?;
            let wanted: BTreeSet<String> = if held {
                names.iter().cloned().collect()
            } else {
                BTreeSet::new()
            };
            same(&packages.facts().await?.held, &wanted, "the holds")?;
        }
    }
    let before: Vec<String> = before.into_iter().collect();
    Ok(packages.set_held(&before, true).await?)
}

async fn mending_what_is_whole_changes_nothing(scene: &Scene) -> Kept {
    scene.stop().await?;
    scene.host.packages.repair(&Phase::silent()).await?;
    is_installed(scene, &scene.present).await?;
    scene.start().await
}

async fn a_swap_goes_up_and_down_without_touching_the_data(scene: &Scene) -> Kept {
    let (packages, phase) = (&scene.host.packages, Phase::silent());
    let held = packages.facts().await?.held;
    packages.fetch(&scene.other, &phase).await?;
    packages.fetch(&scene.present, &phase).await?;
    scene.stop().await?;
    let (data, options) = (scene.hand.data()?, scene.host.files.config_digest().await?);
    for pins in [&scene.other, &scene.present] {
        for _ in 0..2 {
            packages.install(pins, &phase).await?;
            is_installed(scene, pins).await?;
            let facts = packages.facts().await?;
            for name in named(pins) {
                ensure!(facts.held.contains(&name), "{name} is not held");
            }
            let state = scene.host.service.state().await?;
            same(&state, &ServiceState::Inactive, "the unit's state")?;
            ensure!(scene.hand.data()? == data, "the data were touched");
            let now = scene.host.files.config_digest().await?;
            same(&now, &options, "the digest of the option files")?;
        }
    }
    let names = named(&scene.present);
    packages.set_held(&names, false).await?;
    let held: Vec<String> = held.into_iter().collect();
    packages.set_held(&held, true).await?;
    packages.drop_fetched().await?;
    scene.start().await?;
    let facts = scene.host.mysql.facts().await?;
    let version = scene.present[0].version.mysql_version()?;
    same(&facts.version, &version, "the version that serves")
}
