//! The others keep their binary logs for as long as a member may be out.

use super::{ANY_KIND, Check, Finding, Level, Overriding, ROLLING, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "binlogRetention",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"Distributed Recovery\"",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/group-replication-distributed-recovery.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Binary logs are kept long enough",
    description: "A member catches up from the others' binary logs; they must reach back past its absence, and past the time in which it may be unwound.",
    kinds: ANY_KIND,
    strategies: ROLLING,
    run,
};

/// Below a day, an unwind on the next morning would find the logs gone.
const LEAST_S: u64 = 86_400;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        let Some(kept) = server
            .variables
            .get("binlog_expire_logs_seconds")
            .and_then(|text| text.parse::<u64>().ok())
        else {
            found.push(CHECK.untold(
                name,
                "binlog_expire_logs_seconds",
                "the server did not report it as a number",
            ));
            continue;
        };
        // 0 means that they are never purged.
        if kept != 0 && kept < LEAST_S {
            found.push(CHECK.warning(name, format!("binary logs are purged after {kept} s"), format!("SET GLOBAL binlog_expire_logs_seconds = {LEAST_S} until the upgrade is finalized")));
        }
    }
    found
}
