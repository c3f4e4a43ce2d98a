//! Defaults that changed at 9.5 and would keep the upgraded member from joining.

use super::configured::NEEDS;
use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};
use crate::config::judge::Found;
use crate::ids::MemberName;
use crate::rules::variables::defaults;
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "groupReplicationDefaults",
    level: Level::Error,
    reference: Reference {
        source: "release notes of 9.5.0; joins tried between real servers",
        link: Some("https://dev.mysql.com/doc/relnotes/mysql/9.5/en/news-9-5-0.html"),
    },
    applies: When::Crosses(&[CHANGED_AT]),
    overriding: Overriding::Refused("the upgraded member could not rejoin"),
    needs: NEEDS,
    title: "Settings whose defaults change are pinned",
    description: "From 9.5 on group_replication_ssl_mode is REQUIRED, gtid_mode and enforce_gtid_consistency are ON by default: a member that takes a new default can't talk to members that have the old one.",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

const CHANGED_AT: MysqlVersion = MysqlVersion::new(9, 5, 0);
const PINS: [&str; 4] = [
    "group_replication_ssl_mode",
    "group_replication_recovery_use_ssl",
    "gtid_mode",
    "enforce_gtid_consistency",
];

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if subject.target < CHANGED_AT {
        return found;
    }
    // What the proposal pins is pinned by the rollout.
    let configured = subject.configured(&CHECK, &mut found);
    let pinned = |name: &MemberName, pin: &str| {
        let own = configured.iter().filter(|one| one.member == name);
        own.flat_map(|one| &one.proposal.mended)
            .any(|found| matches!(found, Found::DefaultChanges { entry, .. } if entry.name == pin))
    };
    for (name, server) in subject
        .seen
        .servers()
        .filter(|(_, server)| server.version < CHANGED_AT)
    {
        for pin in PINS
            .iter()
            .filter(|pin| !server.explicit_variables.contains(**pin))
            .filter(|pin| !pinned(name, pin))
        {
            let plugin = defaults::find(pin).is_some_and(|entry| entry.plugin);
            let loose = if plugin { "loose_" } else { "" };
            let fix = match server.variables.get(*pin) {
                Some(value) => {
                    format!("set `{loose}{pin}={value}` in the option file of every member")
                }
                None => format!(
                    "set `{loose}{pin}` in the option file of every member, to what SELECT @@GLOBAL.{pin}; says now"
                ),
            };
            found.push(CHECK.error(
                name,
                format!("{pin} is not set in an option file, and its default changes at 9.5"),
                fix,
            ));
        }
    }
    found
}
