//! The package manager is idle and in order.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "packageManagerState",
    level: Level::Error,
    reference: Reference {
        source: "dpkg and apt",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Refused("the package swap would fail half way"),
    needs: &[],
    title: "The package manager is in order",
    description: "No half-installed package, nobody else holding the lock, no FROZEN marker of somebody else.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, seen) in subject.seen.observed() {
        let Some(packages) = seen.packages.known() else {
            continue;
        };
        if !packages.broken.is_empty() {
            let list: Vec<_> = packages.broken.iter().map(String::as_str).collect();
            found.push(CHECK.error(name, format!("half-installed packages: {}", list.join(", ")), "dpkg --configure -a, with /etc/mysql/FROZEN in place so that no script starts mysqld"));
        }
        if packages.locked_by_other {
            found.push(CHECK.error(
                name,
                "somebody else is using the package manager",
                "wait for it to end, and keep unattended-upgrades off during the upgrade",
            ));
        }
        if packages.frozen_by_other {
            found.push(CHECK.error(
                name,
                "/etc/mysql/FROZEN exists: somebody has frozen this server's packages",
                "find out who and why; remove the file when it is no longer needed",
            ));
        }
    }
    found
}
