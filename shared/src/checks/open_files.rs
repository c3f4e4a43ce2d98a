//! The limit on open files.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "openFiles",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"File Not Found and Similar Errors\"; every table is opened when the dictionary is upgraded",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/not-enough-file-handles.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::OpenFiles],
    title: "mysqld may open enough files",
    description: "An upgrade opens every table; with too few file handles it fails half way or becomes slow.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// Log files, sockets and temporary files beside the tables.
const BESIDE: u64 = 1000;
/// mysqld keeps table_open_cache (4000 by default) tables open, never all of them.
const ENOUGH: u64 = 10_000;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, _, listing) in subject.answers(&CHECK, Question::OpenFiles, &mut found) {
        let tables = match subject
            .seen
            .server(name)
            .map(|server| server.table_count.require())
        {
            Ok(Ok(tables)) => *tables,
            Ok(Err(why)) => {
                found.push(CHECK.untold(name, "the number of tables", why));
                continue;
            }
            Err(why) => {
                found.push(CHECK.untold(name, "the server", &why));
                continue;
            }
        };
        let needed = (tables + BESIDE).min(ENOUGH);
        if listing.total < needed {
            found.push(CHECK.warning(
                name,
                format!(
                    "mysqld may open {} files; with {tables} tables it needs {needed}",
                    listing.total
                ),
                format!(
                    "systemctl edit mysql: [Service] LimitNOFILE={}",
                    ENOUGH.max(needed)
                ),
            ));
        }
    }
    found
}
