//! The target is a version that each member can be upgraded to in place.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::plan::Strategy;
use crate::rules::releases::ReleaseTable;
use crate::rules::upgrade_path::{Vendor, downgrade, upgrade};

pub const CHECK: Check = Check {
    id: "upgradePath",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Upgrade Paths\"",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/upgrade-paths.html"),
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "the target server would refuse the data directory, or the group the member",
    ),
    needs: &[],
    title: "The target can be reached in place",
    description: "MySQL is upgraded patch to patch, series to next series, and never past a long-term release; downgraded in place it is only between patch releases of one long-term series.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let versions: Vec<_> = subject
        .seen
        .servers()
        .map(|(_, server)| server.version)
        .collect();
    let down = subject
        .chosen()
        .is_ok_and(|chosen| chosen.strategy == Strategy::SourceFirst);
    for (name, server) in subject.seen.servers() {
        if down {
            let vendor = Vendor::Upstream;
            let judged = downgrade(
                &ReleaseTable::built_in(),
                vendor,
                server.version,
                subject.target,
            );
            if let Err(refused) = judged {
                found.push(CHECK.error(
                    name,
                    refused.to_string(),
                    "give a lower patch release of the same long-term series, not above any member's version",
                ));
            }
        } else if subject.target < server.version {
            found.push(CHECK.error(
                name,
                format!("runs {}; the target {} is lower: an upgrade can't go down", server.version, subject.target),
                "give a target above every member's version; to go back within a rollout use `refit unwind`",
            ));
        } else if let Err(refused) =
            upgrade(&ReleaseTable::built_in(), server.version, subject.target)
        {
            found.push(CHECK.error(
                name,
                refused.to_string(),
                "upgrade to the release that it names first",
            ));
        }
    }
    // A release of pins is something to do, and the check pinRelease judges whether it can be done.
    if subject.policy.release.is_empty()
        && !versions.is_empty()
        && versions.iter().all(|version| *version == subject.target)
    {
        found.push(CHECK.error(
            &subject.seen.cluster,
            format!("every member runs {} already", subject.target),
            "nothing to do",
        ));
    }
    found
}
