//! Settings that must be the same on every member.

use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};
use std::collections::BTreeMap;

pub const CHECK: Check = Check {
    id: "groupSettings",
    level: Level::Error,
    reference: Reference {
        source: "server source, plugin/group_replication gcs_event_handlers.cc",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/group-replication-requirements.html"),
    },
    applies: When::Always,
    overriding: Overriding::Refused("a member that differs is refused when it rejoins"),
    needs: &[],
    title: "Members agree on what must be equal",
    description: "A joining member is refused when its settings differ from the group's, so a difference that nobody noticed keeps the first upgraded member out.",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

const EQUAL: [&str; 5] = [
    "group_replication_communication_stack",
    "group_replication_gtid_assignment_block_size",
    "group_replication_single_primary_mode",
    "group_replication_enforce_update_everywhere_checks",
    "lower_case_table_names",
];

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for variable in EQUAL {
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, server, _) in subject.seen.groups() {
            // A version that does not have the variable has nothing to differ in.
            if let Some(value) = server.variables.get(variable) {
                values.entry(value).or_default().push(name.as_str());
            }
        }
        if values.len() > 1 {
            let told: Vec<String> = values
                .iter()
                .map(|(value, names)| format!("{value} on {}", names.join(", ")))
                .collect();
            found.push(CHECK.error(
                &subject.seen.cluster,
                format!("{variable} differs: {}", told.join("; ")),
                "give it the same value in the option files of every member",
            ));
        }
    }
    found
}
