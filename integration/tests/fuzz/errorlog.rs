//! mysqld's error log: any line may come at any time, and a start has come to something all the same.

use crate::{fuzz, text_of};
use proptest::collection::vec;
use proptest::prelude::*;
use refit_agent::errorlog::{Follower, Line, Shutdown, Startup};
use std::io::Write;

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "2026-11-20T17:04:31.000000Z ", "0 ", "1 ", "[System] ", "[ERROR] ", "[Warning] ", "[Note] ", "[MY-010116] ", "[MY-010931] ",
    "[MY-013576] ", "[MY-013577] ", "[MY-013327] ", "[MY-013413] ", "[MY-011090] ", "[MY-013381] ", "[MY-010910] ", "[MY-010119] ",
    "[MY-014060] ", "[MY-012526] ", "[MY-000067] ", "[MY-010232] ", "[MY-13172] ", "[MY-", "]", "[Server] ", "[InnoDB] ", "[Repl] ",
    "/usr/sbin/mysqld (mysqld 9.7.4-2) starting as process 4711", "/usr/sbin/mysqld: ready for connections. Version: '9.7.4'",
    "Server upgrade from '80408' to '90704' started.", "Server upgrade from '80408' to '90704' completed.", "from '", "' to '",
    "Data dictionary upgrade from version '80300' to '90200' completed.", "Shutdown complete (mysqld 9.7.4)", "(mysqld ", "9.7.4", "99999999999",
    "InnoDB initialization has started.", "\n", "\r\n", "\0", "é", "unknown variable 'a=b'", "Aborting", "mysqld got signal 11 ;",
];

#[test]
fn a_start_and_a_stop_come_to_something_whatever_is_said() {
    let lines = vec(text_of(WORDS), 0..12);
    fuzz("error log", &lines, |lines| {
        let (mut startup, mut shutdown) = (Startup::new(), Shutdown::new());
        for line in &lines {
            if let Some(parsed) = Line::parse(line) {
                prop_assert!(line.contains(parsed.text), "{parsed:?}");
            }
            startup.feed(line);
            shutdown.feed(line);
            let _ = (startup.verdict(true).to_string(), startup.past_no_return());
            let _ = (shutdown.is_clean(), shutdown.version());
        }
        // Without a process nothing more will come.
        let verdict = startup.verdict(false);
        prop_assert!(verdict.is_final(), "{verdict:?}");
        Ok(())
    });
}

/// However a text is cut into writes, the same lines come out.
#[test]
fn a_followed_log_gives_the_lines_that_were_written() {
    let strategy = (
        vec("[a-z0-9 ]{0,30}", 1..8),
        vec(any::<prop::sample::Index>(), 0..6),
    );
    fuzz("followed log", &strategy, |(lines, cuts)| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("error.log");
        let mut file = std::fs::File::create(&path).expect("a file");
        let mut tail = Follower::from_end(&path).expect("an empty log");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut got = Vec::new();
        for cut in cuts.windows(2) {
            file.write_all(&text.as_bytes()[cut[0]..cut[1]])
                .expect("written");
            got.extend(tail.lines().expect("read"));
        }
        prop_assert_eq!(got, lines);
        Ok(())
    });
}
