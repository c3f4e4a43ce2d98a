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
        let said = ask(session, &schema, &name).await?;
        seen.feed(&schema, &name, said);
    }
    let gone = std::mem::take(&mut seen.gone);
    if !gone.is_empty() {
        let listed: Vec<(String, String, u64)> = session.all(TABLES).await?;
        for (schema, name) in gone {
            if began.elapsed() >= TIME {
                break;
            }
            let is_it = |(s, n, _): &(String, String, u64)| (s, n) == (&schema, &name);
            let said = match listed.iter().any(is_it) {
                true => Some(ask(session, &schema, &name).await?),
                false => None,
            };
            seen.feed_again(&schema, &name, said);
        }
    }
    seen.took = began.elapsed();
    Ok(seen.listing())
}

/// What the server says of one table: (type, message).
async fn ask(
    session: &mut Session<'_>,
    schema: &str,
    name: &str,
) -> HostResult<Vec<(String, String)>> {
    let statement = format!("CHECK TABLE {}.{} FOR UPGRADE", quote(schema), quote(name));
    let said: HostResult<Vec<(String, String, String, String)>> = session.all(&statement).await;
    match said {
        Ok(said) => {
            let said = said.into_iter();
            Ok(said.map(|(_, _, kind, text)| (kind, text)).collect())
        }
        Err(HostError::Sql { message, .. }) if is_about_the_question(&message) => {
            Ok(vec![("error".to_owned(), message)])
        }
        Err(error) => Err(error),
    }
}

/// How messages begin that are about the question, not about the table, and what they say of it. The rows of CHECK TABLE have no
/// numbers, hence the English text, for which the session has asked (share/messages_to_clients.txt).
const NOT_ASKED: [(&str, &str); 5] = [
    // ER_READ_ONLY_MODE.
    (
        "Running in read-only mode",
        "the server is read-only, which refuses FOR UPGRADE",
    ),
    // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK.
    ("Lock wait timeout exceeded", "somebody holds them locked"),
    (
        "Deadlock found when trying to get lock",
        "somebody holds them locked",
    ),
    // ER_QUERY_INTERRUPTED.
    (
        "Query execution was interrupted",
        "somebody has ended the question",
    ),
    // ER_TABLE_DEF_CHANGED.
    (
        "Table definition has changed",
        "they were changed meanwhile",
    ),
];

/// Why a message is about the question.
fn not_asked(text: &str) -> Option<&'static str> {
    if text.ends_with("option so it cannot execute this statement") {
        // ER_OPTION_PREVENTS_STATEMENT: super_read_only, read_only, innodb_read_only.
        return Some("the server is read-only (super_read_only), which refuses FOR UPGRADE");
    }
    let known = NOT_ASKED.iter().find(|(begin, _)| text.starts_with(begin));
    known.map(|(_, why)| *why)
}

/// ER_NO_SUCH_TABLE, or ER_BAD_TABLE_ERROR of a view. It was dropped meanwhile; or, before 8.0, it has a definition and no data: then
/// it is still listed. One that only the engine has lost can read "doesn't exist in engine", too.
fn is_gone(text: &str) -> bool {
    (text.starts_with("Table ") && text.ends_with("doesn't exist"))
        || text.starts_with("Unknown table ")
}

fn is_about_the_question(text: &str) -> bool {
    not_asked(text).is_some() || is_gone(text)
}

/// The last row of an answer that could not be given; another one says why.
const FAILED: &str = "Operation failed";

#[derive(Debug, Default)]
struct Seen {
    all: usize,
    large: usize,
    checked: usize,
    /// How many could not be asked about, by the reason.
    unasked: BTreeMap<&'static str, usize>,
    took: Duration,
    problems: Vec<Row>,
    /// Tables that were listed and then were not there.
    gone: Vec<(String, String)>,
}

impl Seen {
    /// All that the server said of one table: (type, message).
    fn feed(&mut self, schema: &str, name: &str, said: Vec<(String, String)>) {
        if said.iter().any(|(_, text)| is_gone(text)) {
            self.gone.push((schema.to_owned(), name.to_owned()));
        } else {
            self.judge(schema, name, said);
        }
    }

    /// What it said when it was asked once more of a table that was not there; `None`: nobody lists it any more.
    fn feed_again(&mut self, schema: &str, name: &str, said: Option<Vec<(String, String)>>) {
        match said {
            Some(said) => self.judge(schema, name, said),
            None => self.leave_out("they were dropped meanwhile"),
        }
    }

    fn leave_out(&mut self, why: &'static str) {
        *self.unasked.entry(why).or_default() += 1;
    }

    fn judge(&mut self, schema: &str, name: &str, said: Vec<(String, String)>) {
        if let Some(why) = said.iter().find_map(|(_, text)| not_asked(text)) {
            self.leave_out(why);
            return;
        }
        self.checked += 1;
        let well = |(kind, text): &(String, String)| {
            kind.eq_ignore_ascii_case("status")
                && (text == "OK" || text == "Table is already up to date")
        };
        let mut unwell: Vec<_> = said.into_iter().filter(|row| !well(row)).collect();
        if unwell.len() > 1 {
            unwell.retain(|(_, text)| text != FAILED);
        }
        self.problems
            .extend(unwell.into_iter().map(|(kind, text)| Row {
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
        assert_eq!(listing.total, 3);
        assert_eq!(listing.rows[0].object(), "a.bad.error");
        assert_eq!(listing.rows[1].object(), "a.lost.Error");
        assert_eq!(
            listing.rows[2].detail,
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
        let gone = [("Error", "Table 'a.e' doesn't exist"), failed];
        seen.feed("a", "e", said(&gone));
        seen.feed_again("a", "e", None);
        let listing = seen.listing();
        assert_eq!(listing.total, 1, "{listing:?}");
        assert_eq!(
            listing.rows[0].detail,
            "0 of 4 tables checked in 0.0 s; 1 not asked, because somebody holds them locked; \
             2 not asked, because the server is read-only (super_read_only), which refuses FOR UPGRADE; \
             1 not asked, because they were dropped meanwhile"
        );
    }

    const RUNNING: &str = "The MySQL server is running with the ";
    const CANNOT: &str = " option so it cannot execute this statement";

    /// As the server words it (sql_admin.cc; messages_to_clients.txt): what of it is about the table, and what is not.
    #[test]
    fn every_kind_of_answer_is_taken_for_what_it_is() {
        let rebuild =
            "Table rebuild required. Please do \"ALTER TABLE `t` FORCE\" or dump/reload to fix it!";
        let repair =
            "Table upgrade required. Please do \"REPAIR TABLE `t`\" or dump/reload to fix it!";
        let failed = ("status", "Operation failed");
        let read_only = format!("{RUNNING}--super-read-only{CANNOT}");
        let cold = format!("{RUNNING}--innodb-read-only{CANNOT}");
        let lost = "Table 's.t' doesn't exist in engine";
        let one = |kind: &'static str, text: &str| vec![(kind, text.to_owned())];
        type Expected = Result<Vec<(&'static str, String)>, &'static str>;
        let unasked = |why: &'static str| -> Expected { Err(why) };
        let cases: Vec<(Vec<(&str, &str)>, Expected)> = vec![
            // Well.
            (vec![("status", "OK")], Ok(vec![])),
            (vec![("status", "Table is already up to date")], Ok(vec![])),
            (
                vec![("note", "so so"), ("status", "OK")],
                Ok(one("note", "so so")),
            ),
            (
                vec![("Warning", "odd"), ("status", "OK")],
                Ok(one("Warning", "odd")),
            ),
            (
                vec![(
                    "note",
                    "The storage engine for the table doesn't support check",
                )],
                Ok(one(
                    "note",
                    "The storage engine for the table doesn't support check",
                )),
            ),
            // Unwell.
            (vec![("error", rebuild)], Ok(one("error", rebuild))),
            (vec![("error", repair)], Ok(one("error", repair))),
            (
                vec![
                    ("Warning", "InnoDB: Index i is marked as corrupted"),
                    ("error", "Corrupt"),
                ],
                Ok(vec![
                    (
                        "Warning",
                        "InnoDB: Index i is marked as corrupted".to_owned(),
                    ),
                    ("error", "Corrupt".to_owned()),
                ]),
            ),
            (
                vec![("error", "Unknown - internal error 168 during operation")],
                Ok(one(
                    "error",
                    "Unknown - internal error 168 during operation",
                )),
            ),
            // It ends what another row has told, and is told where it is all that there is.
            (vec![("Error", lost), failed], Ok(one("Error", lost))),
            (
                vec![
                    ("Error", "Tablespace is missing for table `s`.`t`."),
                    failed,
                ],
                Ok(one("Error", "Tablespace is missing for table `s`.`t`.")),
            ),
            (vec![failed], Ok(one("status", "Operation failed"))),
            // About the question.
            (
                vec![("Error", &read_only), failed],
                unasked("the server is read-only"),
            ),
            (
                vec![("Error", &cold), failed],
                unasked("the server is read-only"),
            ),
            (
                vec![("Error", "Running in read-only mode"), failed],
                unasked("the server is read-only"),
            ),
            (
                vec![
                    (
                        "Error",
                        "Lock wait timeout exceeded; try restarting transaction",
                    ),
                    failed,
                ],
                unasked("somebody holds them locked"),
            ),
            (
                vec![
                    (
                        "Error",
                        "Deadlock found when trying to get lock; try restarting transaction",
                    ),
                    failed,
                ],
                unasked("somebody holds them locked"),
            ),
            (
                vec![("Error", "Query execution was interrupted"), failed],
                unasked("somebody has ended the question"),
            ),
            (
                vec![
                    (
                        "Error",
                        "Table definition has changed, please retry transaction",
                    ),
                    failed,
                ],
                unasked("they were changed meanwhile"),
            ),
        ];
        for (answer, expected) in cases {
            let mut seen = Seen {
                all: 1,
                ..Seen::default()
            };
            seen.feed("s", "t", said(&answer));
            let told: Vec<(String, String)> = seen
                .problems
                .iter()
                .map(|row| (row.part.clone(), row.detail.clone()))
                .collect();
            match expected {
                Ok(rows) => {
                    let rows: Vec<(String, String)> = rows
                        .into_iter()
                        .map(|(kind, text)| (kind.to_owned(), text))
                        .collect();
                    assert_eq!(told, rows, "{answer:?}");
                    assert_eq!((seen.checked, seen.unasked.len()), (1, 0), "{answer:?}");
                }
                Err(why) => {
                    assert_eq!(told, [], "{answer:?}");
                    assert_eq!(seen.checked, 0, "{answer:?}");
                    let reasons: Vec<&&str> = seen.unasked.keys().collect();
                    assert!(reasons[0].starts_with(why), "{answer:?}: {reasons:?}");
                }
            }
        }
    }

    /// Before 8.0 a table can have a definition and no data: the list has it, and opening it says what it says of a dropped one.
    #[test]
    fn a_table_that_is_listed_and_not_there_is_a_finding() {
        for text in ["Table 's.t' doesn't exist", "Unknown table 's.t'"] {
            let mut seen = Seen {
                all: 1,
                ..Seen::default()
            };
            let gone = said(&[("Error", text), ("status", "Operation failed")]);
            seen.feed("s", "t", gone.clone());
            assert_eq!(seen.gone.len(), 1, "it is looked for again");
            seen.feed_again("s", "t", Some(gone));
            assert_eq!((seen.checked, seen.unasked.len()), (1, 0), "{text}");
            assert_eq!(seen.problems.len(), 1, "{text}");
            assert_eq!(seen.problems[0].detail, text);
            // It came back meanwhile.
            seen.feed_again("s", "t", Some(said(&[("status", "OK")])));
            assert_eq!(seen.problems.len(), 1, "{text}");
        }
    }
}
