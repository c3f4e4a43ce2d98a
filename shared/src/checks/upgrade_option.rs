//! The option `upgrade` of a person's own.

use super::configured::NEEDS;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "upgradeOption",
    level: Level::Error,
    reference: Reference {
        source: "starts with each value on real servers: MY-013377, MY-013378, MY-011563 (MYSQL.md §4.1, §10 FORCELOOP)",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/server-options.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: NEEDS,
    title: "No option file says how to upgrade",
    description: "With upgrade=NONE the new mysqld does not start where anything is to be upgraded (MY-013377); with MINIMAL it starts half upgraded, and Group Replication does not (MY-011563); with FORCE it does the whole upgrade at every start.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, _, settings) in subject.settings(&CHECK, &mut found) {
        let Some(last) = settings.last("upgrade") else {
            continue;
        };
        let value = last
            .value
            .as_deref()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let judged = match value.as_str() {
            "AUTO" => None,
            "FORCE" => Some((Level::Warning, "every start does the whole upgrade again")),
            "MINIMAL" => Some((
                Level::Error,
                "the new mysqld starts half upgraded, and no group takes it",
            )),
            "NONE" => Some((
                Level::Error,
                "the new mysqld does not start where anything is to be upgraded",
            )),
            _ => Some((Level::Error, "no mysqld starts with this value")),
        };
        if let Some((level, why)) = judged {
            found.push(CHECK.finding(
                level,
                name,
                format!("upgrade={value} in {}:{}: {why}", last.file, last.line),
                "take the line out",
            ));
        }
    }
    found
}
