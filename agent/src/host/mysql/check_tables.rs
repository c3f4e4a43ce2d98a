//! CHECK TABLE … FOR UPGRADE, where a person has asked for it: smallest table first, within a limit of time and size.
//!
//! For InnoDB it is a look at the table's definition; only where that finds something the server reads the table (manual, "CHECK
//! TABLE Statement"). A statement that runs can't be limited by the server (`MAX_EXECUTION_TIME` is for SELECT), hence the limit of
//! size. It writes nothing to the binary log.

use super::connection::Session;
use crate::host::{HostError, HostResult};
use refit_shared::survey::{Listing, MOST_ROWS, Row, quote};
use std::collections::BTreeMap;
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
    session
        .execute("SET SESSION lock_wait_timeout = 1, lc_messages = 'en_US'")
        .await?;
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
        let said: HostResult<Vec<(String, String, String, String)>> = session.all(&statement).await;
        let said = match said {
            Ok(said) => said
                .into_iter()
                .map(|(_, _, kind, text)| (kind, text))
                .collect(),
            Err(HostError::Sql { message, .. }) if not_asked(&message).is_some() => {
                vec![("error".to_owned(), message)]
            }
            Err(error) => return Err(error),
        };
        seen.feed(&schema, &name, said);
    }
    seen.took = began.elapsed();
    Ok(seen.listing())
}

/// Why a message is about the question, not about the table. The rows of CHECK TABLE have no numbers, hence the English text, for
/// which the session has asked: ER_OPTION_PREVENTS_STATEMENT, ER_LOCK_WAIT_TIMEOUT, ER_NO_SUCH_TABLE (it was dropped meanwhile; one
/// that only the engine has lost reads "doesn't exist in engine").
fn not_asked(text: &str) -> Option<&'static str> {
    if text.ends_with("option so it cannot execute this statement") {
        Some("the server is read-only (super_read_only), which refuses FOR UPGRADE")
    } else if text.starts_with("Lock wait timeout exceeded") {
        Some("somebody holds them locked")
    } else if text.starts_with("Table ") && text.ends_with("doesn't exist") {
        Some("they were dropped meanwhile")
    } else {
        None
    }
}

#[derive(Debug, Default)]
struct Seen {
    all: usize,
    large: usize,
    checked: usize,
    /// How many could not be asked about, by the reason.
    unasked: BTreeMap<&'static str, usize>,
    took: Duration,
    problems: Vec<Row>,
}

impl Seen {
    /// All that the server said of one table: (type, message).
    fn feed(&mut self, schema: &str, name: &str, said: Vec<(String, String)>) {
        if let Some(why) = said.iter().find_map(|(_, text)| not_asked(text)) {
            *self.unasked.entry(why).or_default() += 1;
            return;
        }
        self.checked += 1;
        let well = |(kind, text): &(String, String)| {
            kind.eq_ignore_ascii_case("status")
                && (text == "OK" || text == "Table is already up to date")
        };
        let unwell = said.into_iter().filter(|row| !well(row));
        self.problems.extend(unwell.map(|(kind, text)| Row {
            schema: schema.to_owned(),
            name: name.to_owned(),
            part: kind,
            detail: text,
        }));
    }

    /// The problems, and a row without a name that tells how far it went.
    fn listing(mut self) -> Listing {
        let mut told = format!(
            "{} of {} tables checked in {:.1} s",
            self.checked,
            self.all + self.large,
            self.took.as_secs_f32()
        );
        for (why, count) in &self.unasked {
            told.push_str(&format!("; {count} not asked, because {why}"));
        }
        let late = self.all - self.checked - self.unasked.values().sum::<usize>();
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

    fn said(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(kind, text): &(&str, &str)| ((*kind).to_owned(), (*text).to_owned());
        rows.iter().map(own).collect()
    }

    #[test]
    fn what_was_left_out_is_told_and_what_is_well_is_not() {
        let mut seen = Seen {
            all: 5,
            large: 2,
            took: Duration::from_millis(15_040),
            ..Seen::default()
        };
        seen.feed("a", "fine", said(&[("status", "OK")]));
        seen.feed(
            "a",
            "new",
            said(&[("status", "Table is already up to date")]),
        );
        seen.feed("a", "bad", said(&[("error", "Table upgrade required")]));
        seen.feed(
            "a",
            "lost",
            said(&[
                ("Error", "Table 'a.lost' doesn't exist in engine"),
                ("status", "Operation failed"),
            ]),
        );
        let listing = seen.listing();
        assert_eq!(listing.total, 4);
        assert_eq!(listing.rows[0].object(), "a.bad.error");
        assert_eq!(listing.rows[1].object(), "a.lost.Error");
        assert_eq!(
            listing.rows[3].detail,
            "4 of 7 tables checked in 15.0 s; 1 not, for want of time (limit 15 s); 2 not, larger than 1024 MiB"
        );
    }

    /// A table that the server did not look at is neither well nor unwell.
    #[test]
    fn an_answer_about_the_question_is_no_finding() {
        let mut seen = Seen {
            all: 4,
            ..Seen::default()
        };
        let read_only = "The MySQL server is running with the --super-read-only option so it cannot execute this statement";
        let failed = ("status", "Operation failed");
        seen.feed("a", "b", said(&[("Error", read_only), failed]));
        seen.feed(
            "a",
            "c",
            said(&[("Error", read_only), ("error", "Corrupt")]),
        );
        let locked = "Lock wait timeout exceeded; try restarting transaction";
        seen.feed("a", "d", said(&[("Error", locked), failed]));
        seen.feed(
            "a",
            "e",
            said(&[("Error", "Table 'a.e' doesn't exist"), failed]),
        );
        let listing = seen.listing();
        assert_eq!(listing.total, 1, "{listing:?}");
        assert_eq!(
            listing.rows[0].detail,
            "0 of 4 tables checked in 0.0 s; 1 not asked, because somebody holds them locked; \
             2 not asked, because the server is read-only (super_read_only), which refuses FOR UPGRADE; \
             1 not asked, because they were dropped meanwhile"
        );
    }
}
