//! Memory for the upgrade.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "memoryAvailable",
    level: Level::Warning,
    reference: Reference {
        source: "the checks of an upgrade hold every stored object (MySQL bug 118101)",
        link: None,
    },
    applies: When::SeriesChanges,
    overriding: Overriding::Allowed,
    needs: &[Question::MemoryAvailable],
    title: "Memory is left for the upgrade",
    description: "A first start on a new series reads every table, view and routine on top of the buffer pool.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

const LEAST: u64 = 512 << 20;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, _, listing) in subject.answers(&CHECK, Question::MemoryAvailable, &mut found) {
        if listing.total < LEAST {
            found.push(CHECK.warning(
                name,
                format!("{} MiB of memory are available beside mysqld", listing.total >> 20),
                "stop what else runs on the host, or lower innodb_buffer_pool_size for the first start",
            ));
        }
    }
    found
}
