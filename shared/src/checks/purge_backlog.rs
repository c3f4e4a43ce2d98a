//! Old row versions that a slow shutdown must purge.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "purgeBacklog",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"innodb_fast_shutdown\"; information_schema.innodb_metrics",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/innodb-purge-configuration.html"),
    },
    applies: When::SeriesChanges,
    overriding: Overriding::Allowed,
    needs: &[Question::HistoryLength],
    title: "Little waits for the purge",
    description: "Before a change of series the old mysqld is shut down with a full purge; a long history list makes that take minutes to hours.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// A slow shutdown purges some hundred thousand undo records a second on good disks.
const MANY: u64 = 1_000_000;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, _, listing) in subject.answers(&CHECK, Question::HistoryLength, &mut found) {
        if listing.total > MANY {
            found.push(CHECK.warning(
                name,
                format!("the history list holds {} undo records: the shutdown will take long", listing.total),
                "end long transactions and let the purge catch up: SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'",
            ));
        }
    }
    found
}
