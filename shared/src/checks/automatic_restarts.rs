//! What else may restart or replace mysqld.

use super::listed::Verdict;
use super::{
    ALSO_WITHOUT_UPGRADE, ANY_KIND, Check, Finding, Level, Overriding, Reference, Subject, When,
};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "automaticRestarts",
    level: Level::Warning,
    reference: Reference {
        source: "apt, needrestart and unattended-upgrades on Debian and Ubuntu",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::AutomaticRestarts],
    title: "Nothing else restarts mysqld",
    description: "Refit holds mysqld and its packages while a member is out; what restarts it before or after takes a second member down.",
    kinds: ANY_KIND,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::AutomaticRestarts, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            format!("{} may restart mysqld: {}", row.name, row.detail),
            match row.name.as_str() {
                "unattended-upgrades" => "systemctl stop apt-daily-upgrade.timer for the time of the upgrade, or list mysql in Unattended-Upgrade::Package-Blacklist",
                "needrestart" => "in /etc/needrestart/conf.d: $nrconf{override_rc}{qr(^mysql)} = 0;",
                _ => "switch it off for the time of the upgrade",
            },
        ))
    })
}
