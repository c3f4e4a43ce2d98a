//! Transactions that have been running for long hold up a hand-over.

use super::{
    ALSO_WITHOUT_UPGRADE, ANY_KIND, Check, Finding, Level, Overriding, Reference, Subject, When,
};

pub const CHECK: Check = Check {
    id: "longTransactions",
    level: Level::Warning,
    reference: Reference {
        source: "what the gates before a leave wait for",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "No long-running transactions",
    description: "A gate waits for them before a member is taken out; better to end them first.",
    kinds: ANY_KIND,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, server) in subject.seen.servers() {
        match server.long_transactions.require() {
            Ok(list) => found.extend(list.iter().map(|t| {
                CHECK.warning(
                    name,
                    format!(
                        "a transaction of {} has been running for {} s",
                        t.user, t.running_s
                    ),
                    format!("let it end, or KILL {}", t.thread_id),
                )
            })),
            Err(why) => found.push(CHECK.untold(name, "running transactions", why)),
        }
    }
    found
}
