//! A member can log in to its donor after the donor was restarted.

use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "recoveryLogin",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Distributed Recovery\" and \"Caching SHA-2 Pluggable Authentication\"; server error 2061 (MYSQL.md §3.4)",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/group-replication-distributed-recovery-connections.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::OldAuthentication, Question::ChannelUsers],
    title: "Members can log in to donors that were restarted",
    description: "A restart empties the cache of caching_sha2_password, so that the recovery account's next login needs TLS or the donor's public key: with group_replication_recovery_use_ssl=OFF and neither a public key nor leave to ask for it, a member can not catch up from a donor that was upgraded before it (2061).",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

const CHANNEL: &str = "group_replication_recovery";

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let users = subject.answers(&CHECK, Question::ChannelUsers, &mut found);
    let old = subject.answers(&CHECK, Question::OldAuthentication, &mut found);
    for (name, server, _) in subject.seen.groups() {
        let is = |variable: &str, value: &str| {
            server.variables.get(variable).is_some_and(|v| v == value)
        };
        let has_key = server
            .variables
            .get("group_replication_recovery_public_key_path")
            .is_some_and(|path| !path.is_empty());
        if !is("group_replication_recovery_use_ssl", "OFF")
            || !is("group_replication_recovery_get_public_key", "OFF")
            || has_key
        {
            continue;
        }
        let mut users = users.iter().filter(|(member, _, _)| *member == name);
        let user = users.find_map(|(_, _, listing)| {
            let mut rows = listing.rows.iter();
            rows.find(|row| row.name == CHANNEL)
                .map(|row| row.detail.as_str())
        });
        // Without an account of its own the channel uses none that could fail so.
        let Some(user) = user else { continue };
        let of_user = format!("{user}@");
        let native = old.iter().any(|(_, _, listing)| {
            let mut rows = listing.rows.iter();
            rows.any(|row| row.name.starts_with(&of_user) && row.detail == "mysql_native_password")
        });
        if !native {
            found.push(CHECK.error(
                name,
                format!("recovers as {user} without TLS and without the donor's public key: from a donor that was restarted that fails (2061)"),
                "SET PERSIST group_replication_recovery_use_ssl = ON, or group_replication_recovery_get_public_key = ON",
            ));
        }
    }
    found
}
