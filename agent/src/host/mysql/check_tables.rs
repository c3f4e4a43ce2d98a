//! CHECK TABLE … FOR UPGRADE, where a person has asked for it: smallest table first, within a limit of time and size.
//!
//! For InnoDB it is a look at the table's definition; only where that finds something the server reads the table (manual, "CHECK
//! TABLE Statement"). A statement that runs can't be limited by the server (`MAX_EXECUTION_TIME` is for SELECT), hence the limit of
//! size. It writes nothing to the binary log.

use super::connection::Session;
use crate::host::HostResult;
use refit_shared::survey::{Listing, MOST_ROWS, Row, quote};
use std::time::Duration;
use tokio::time::Instant;

/// Tables above this are left out and told.
const MOST_BYTES: u64 = 1 << 30;
/// No table is begun after this; shorter than the question's limit.
const TIME: Duration = Duration::from_secs(15);

const TABLES: &str = "SELECT /*+ MAX_EXECUTION_TIME(5000) */ table_schema, table_name, \
     COALESCE(data_length, 0) + COALESCE(index_length, 0) bytes FROM information_schema.tables WHERE table_type = 'BASE TABLE' \
     AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY bytes, table_schema, table_name";

pub(super) async fn check(session: &mut Session<'_>) -> HostResult<Listing> {
    let began = Instant::now();
    // A table that somebody has locked is left alone; figures that the server has at hand will do.
    session.execute("SET SESSION lock_wait_timeout = 1").await?;
    let tables: Vec<(String, String, u64)> = session.all(TABLES).await?;
    let (fitting, large): (Vec<_>, Vec<_>) = tables
        .into_iter()
        .partition(|(_, _, bytes)| *bytes <= MOST_BYTES);
    let mut seen = Seen {
        all: fitting.len(),
        large: large.len(),
        ..Seen::default()
    };
    for (schema, name, _) in fitting {
        if began.elapsed() >= TIME {
            break;
        }
        let statement = format!(
            "CHECK TABLE {}.{} FOR UPGRADE",
            quote(&schema),
            quote(&name)
        );
        let said: Vec<(String, String, String, String)> = session.all(&statement).await?;
        seen.checked += 1;
        for (_, _, kind, text) in said {
            seen.feed(&schema, &name, kind, text);
        }
    }
    seen.took = began.elapsed();
    Ok(seen.listing())
}

#[derive(Debug, Default)]
struct Seen {
    all: usize,
    large: usize,
    checked: usize,
    took: Duration,
    problems: Vec<Row>,
}

impl Seen {
    fn feed(&mut self, schema: &str, name: &str, kind: String, text: String) {
        // A table that was dropped in between is no problem of the upgrade, and the server says so in an error of its own.
        if kind.eq_ignore_ascii_case("status") && text == "OK" {
            return;
        }
        self.problems.push(Row {
            schema: schema.to_owned(),
            name: name.to_owned(),
            part: kind,
            detail: text,
        });
    }

    /// The problems, and a row without a name that tells how far it went.
    fn listing(mut self) -> Listing {
        let mut told = format!(
            "{} of {} tables checked in {:.1} s",
            self.checked,
            self.all + self.large,
            self.took.as_secs_f32()
        );
        let late = self.all - self.checked;
        if late > 0 {
            told.push_str(&format!(
                "; {late} not, for want of time (limit {} s)",
                TIME.as_secs()
            ));
        }
        if self.large > 0 {
            told.push_str(&format!(
                "; {} not, larger than {} MiB",
                self.large,
                MOST_BYTES >> 20
            ));
        }
        let total = self.problems.len() as u64 + 1;
        self.problems.truncate(MOST_ROWS - 1);
        self.problems.push(Row {
            detail: told,
            ..Row::default()
        });
        Listing {
            total,
            rows: self.problems,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_told_and_what_is_well_is_not() {
        let mut seen = Seen {
            all: 5,
            large: 2,
            checked: 4,
            took: Duration::from_millis(15_040),
            problems: Vec::new(),
        };
        seen.feed("a", "fine", "status".to_owned(), "OK".to_owned());
        seen.feed(
            "a",
            "bad",
            "error".to_owned(),
            "Table upgrade required".to_owned(),
        );
        let listing = seen.listing();
        assert_eq!(listing.total, 2);
        assert_eq!(listing.rows[0].object(), "a.bad.error");
        assert_eq!(
            listing.rows[1].detail,
            "4 of 7 tables checked in 15.0 s; 1 not, for want of time (limit 15 s); 2 not, larger than 1024 MiB"
        );
    }
}
