//! No member has transactions that nobody else has.

use super::{ANY_STRATEGY, Check, Finding, GROUPS, Level, Overriding, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "errantTransactions",
    level: Level::Error,
    reference: Reference {
        source: "server error MY-011526, seen on real servers",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html"),
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "the member could not rejoin, and its transactions would be lost",
    ),
    needs: &[],
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
