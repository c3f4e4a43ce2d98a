//! No member has transactions that nobody else has.

use super::{ALSO_WITHOUT_UPGRADE, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::topology::Kind;

pub const CHECK: Check = Check {
    id: "errantTransactions",
    level: Level::Error,
    reference: Reference {
        source: "server errors MY-011526 (group) and 1236 (replica), seen on real servers",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html"),
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "the member could not rejoin or be replicated from, and its transactions would be lost",
    ),
    needs: &[],
    title: "No errant transactions",
    description: "A member of a group with transactions of its own is refused when it rejoins (MY-011526), so it must not be taken out. A replica with such ones stops replication behind it as soon as it becomes a source and no longer has them in its binary logs (1236).",
    kinds: &[
        Kind::SinglePrimaryGroup,
        Kind::MultiPrimaryGroup,
        Kind::ReplicationTopology,
    ],
    strategies: ALSO_WITHOUT_UPGRADE,
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
                format!("has transactions of its own: {errant}"),
                "commit empty transactions with these GTIDs on the primary or source (SET gtid_next=…; BEGIN; COMMIT), or rebuild the member",
            ));
        }
    }
    found
}
