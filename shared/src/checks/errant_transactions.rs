//! No member has transactions that nobody else has.

use super::{ANY_STRATEGY, Check, Finding, GROUPS, Subject};

pub const CHECK: Check = Check {
    id: "errantTransactions",
    title: "No errant transactions",
    description: "A member with transactions of its own is refused when it rejoins (MY-011526), so it must not be taken out.",
    kinds: GROUPS,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, _) in subject.seen.servers() {
        if let Some(errant) = subject
            .seen
            .errant(name)
            .filter(|errant| !errant.is_empty())
        {
            found.push(CHECK.error(
                name,
                format!("only this member has {errant}"),
                "commit empty transactions with these GTIDs on the primary (SET gtid_next=…; BEGIN; COMMIT), or rebuild the member",
            ));
        }
    }
    found
}
