//! The target's packages, and those to go back to, are in a repository of every host.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::version::{MysqlVersion, PackageVersion};
use std::collections::BTreeSet;

pub const CHECK: Check = Check {
    id: "packagesAvailable",
    level: Level::Error,
    reference: Reference {
        source: "the signed index of the host's package repositories",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "without both packages there is nothing to install, or no way back",
    ),
    needs: &[],
    title: "Packages of the target, and to go back to, are available",
    description: "Both are fetched and verified before anything is stopped, so both must be offered with a hash.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, seen) in subject.seen.observed() {
        let packages = match seen.packages.require() {
            Ok(packages) => packages,
            Err(why) => {
                found.push(CHECK.untold(name, "the packages", why));
                continue;
            }
        };
        let offers = |version: &PackageVersion| {
            packages.installed.keys().all(|package| {
                packages
                    .available
                    .iter()
                    .any(|pin| pin.name == *package && pin.version == *version)
            })
        };
        let versions: BTreeSet<&PackageVersion> =
            packages.available.iter().map(|pin| &pin.version).collect();
        let of_target =
            |version: &&&PackageVersion| version.mysql_version().ok() == Some(subject.target);
        if !versions
            .iter()
            .any(|version| of_target(&version) && offers(version))
        {
            let mut known: Vec<MysqlVersion> = versions
                .iter()
                .filter_map(|version| version.mysql_version().ok())
                .collect();
            known.dedup();
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            found.push(CHECK.error(
                name,
                format!("no repository offers MySQL {} (offered: {})", subject.target, if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }),
                format!("add the repository that carries it and run apt-get update on {name}, or choose an offered version"),
            ));
        }
        match packages.installed_version() {
            Err(why) => found.push(CHECK.error(name, why, "bring all server packages to one version first")),
            Ok(installed) if !offers(installed) => found.push(CHECK.error(
                name,
                format!("the installed version {installed} is in no repository any more, so there would be no way back"),
                format!("keep {installed} in a repository until the upgrade is finalized"),
            )),
            Ok(_) => {}
        }
    }
    found
}
