//! What came of a row, and where that is kept.

use super::rows::Row;
use crate::world::faults::{Trouble, When};
use refit_shared::saga::{End, ParkReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::time::Duration;

/// What came of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// False: the step never came to where it was to strike.
    pub struck: bool,
    /// Where the rollout rests: Upgraded, Restored, or what it is parked with.
    pub rest: String,
    /// Why it waited for a person on the way.
    pub parks: Vec<String>,
    pub longest_gap_ms: u64,
    /// Of writes, on a lease.
    pub longest_pause_ms: u64,
    /// How many writes were acknowledged; each was looked for on every member.
    pub acknowledged: u64,
    /// Nothing here: it passed.
    pub wrongs: Vec<String>,
}

/// Whether this is all that is wrong: the rollout rests without its end, or nobody takes writes while it is parked. What was lost, or
/// served by somebody who must not, is never it.
fn needs_a_hand(multi_primary: bool, wrong: &str) -> bool {
    const RESTS: [&str; 3] = [
        "it never came to rest",
        "parks again and again: ",
        "it ended None, not ",
    ];
    const NOBODY_WRITES: [&str; 4] = [
        ": nobody takes writes",
        ": the primary does not take writes",
        ": the group has no primary",
        ": no member takes writes",
    ];
    // A multi-primary member that a view change opens between the last look and STOP; the server closes it again by itself then.
    const OPENED: &str = ": STOP GROUP_REPLICATION without super_read_only first";
    RESTS.iter().any(|rests| wrong.starts_with(rests))
        || wrong.starts_with("parked (") && NOBODY_WRITES.iter().any(|what| wrong.ends_with(what))
        || multi_primary && wrong.ends_with(OPENED)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Verdict {
    pub fn of(row: &Row) -> Self {
        let told = row.run();
        let mut wrongs = told.wrongs.clone();
        let rest = match (&told.end, told.parks.last()) {
            (Some(end), _) => end.to_string(),
            (None, Some(reason)) => format!("parked: {reason}"),
            (None, None) => "nowhere".to_owned(),
        };
        allow(row, &mut wrongs);
        match &told.end {
            Some(end) if *end == row.end => {}
            // MySQL does not let it join again (MY-011521), so that nothing leads back: it stays parked, and says so.
            None if row.is_shut_out() && told.parks.iter().any(says_shut_out) => {
                wrongs.retain(|wrong| wrong != "it never came to rest");
            }
            // What can't be undone any more because of the trouble is refused with the reason, and stays upgraded.
            Some(End::Upgraded) if told.refused.is_some() => {}
            end => wrongs.push(format!("it ended {end:?}, not {}", row.end)),
        }
        Self {
            struck: told.struck,
            rest,
            parks: told.parks.iter().map(ToString::to_string).collect(),
            longest_gap_ms: ms(told.longest_gap),
            longest_pause_ms: ms(told.longest_pause),
            acknowledged: told.acknowledged,
            wrongs,
        }
    }

    pub fn passed(&self) -> bool {
        self.wrongs.is_empty()
    }

    /// Whether the row fails the build. All of them do where members of a group are upgraded one after the other. Elsewhere a rollout may
    /// still come to rest where `refit resume` alone does not help and a person has to act on a host (begin a group
    /// again): such rows count as failed on the page, which names them, and nothing may have been lost in them either.
    pub fn fails_the_build(&self, row: &Row) -> bool {
        let rests = |wrong: &String| needs_a_hand(row.is_multi_primary, wrong);
        let excused = row.may_need_a_hand && self.wrongs.iter().all(rests);
        !(self.passed() || excused)
    }

    pub fn in_full(&self, name: &str) -> String {
        format!(
            "{name}: {}, rests {}, struck: {}, longest write gap {} ms\n  parks: {:#?}\n  wrong: {:#?}",
            if self.passed() { "passed" } else { "FAILED" },
            self.rest,
            self.struck,
            self.longest_gap_ms,
            self.parks,
            self.wrongs
        )
    }
}

fn says_shut_out(reason: &ParkReason) -> bool {
    reason.to_string().contains("ONLINE, 2 are needed")
}

/// What is not Refit's to bring about.
fn allow(row: &Row, wrongs: &mut Vec<String>) {
    // Once the role had been given back, and that was on record, where it goes when its host fails is the group's own choice.
    let moves_roles = matches!(
        row.strike.trouble,
        Trouble::HostPower
            | Trouble::Mysqld
            | Trouble::CutFromMembers
            | Trouble::PrimaryPower
            | Trouble::PersonMovesPrimary
    );
    // So it is once the rollout was Restored.
    let restored = row.strike.when == When::After && row.step == "s00 gate undo";
    if moves_roles && (restored || row.step.contains("appoint_primary")) {
        wrongs.retain(|wrong| !wrong.ends_with("was not given back"));
    }
}

/// Verdicts of one program, a line each.
#[derive(Debug)]
pub struct Kept {
    file: File,
    verdicts: BTreeMap<String, Verdict>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    row: String,
    verdict: Verdict,
}

impl Kept {
    /// Reads what an earlier run of this very program has left. Another program's verdicts count for nothing.
    pub fn open(folder: &Path) -> Self {
        let own = std::env::current_exe().expect("a running program has a path");
        let bytes = std::fs::read(own).expect("it can be read");
        let digest = refit_shared::ids::Digest::of(&bytes);
        std::fs::create_dir_all(folder).expect("the folder for verdicts can be made");
        let path = folder.join(format!("{}.jsonl", digest.short()));
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .expect("the file for verdicts can be opened");
        let verdicts = BufReader::new(&file)
            .lines()
            .map_while(Result::ok)
            // A line that was torn by an interruption is run again.
            .filter_map(|line| serde_json::from_str::<Line>(&line).ok())
            .map(|line| (line.row, line.verdict))
            .collect();
        Self { file, verdicts }
    }

    pub fn has(&self, row: &str) -> bool {
        self.verdicts.contains_key(row)
    }

    pub fn verdict(&self, row: &str) -> Option<&Verdict> {
        self.verdicts.get(row)
    }

    pub fn keep(&mut self, row: &str, verdict: &Verdict) {
        let line = Line {
            row: row.to_owned(),
            verdict: verdict.clone(),
        };
        let mut text = serde_json::to_string(&line).expect("plain data serialises");
        text.push('\n');
        self.file
            .write_all(text.as_bytes())
            .expect("verdicts can be kept");
        self.verdicts.insert(row.to_owned(), verdict.clone());
    }
}

#[test]
fn only_rest_is_excused_never_a_loss() {
    let parked = "parked (step s41 on db1 failed: no space [host])";
    for (multi_primary, wrong, excused) in [
        (false, "it never came to rest", true),
        (false, "it ended None, not Upgraded", true),
        (false, &*format!("{parked}: nobody takes writes"), true),
        (
            false,
            &*format!("{parked}: db1: the primary does not take writes"),
            true,
        ),
        (
            false,
            &*format!("{parked}: write 7, which was acknowledged, is missing on db2"),
            false,
        ),
        (
            false,
            &*format!("{parked}: db2: writable outside its group"),
            false,
        ),
        (
            false,
            "at its end, Upgraded: db2 does not run 9.7.4-2 on data of 9.7.4-2",
            false,
        ),
        (
            false,
            "db1: STOP GROUP_REPLICATION without super_read_only first",
            false,
        ),
        (
            true,
            "db1: STOP GROUP_REPLICATION without super_read_only first",
            true,
        ),
    ] {
        assert_eq!(needs_a_hand(multi_primary, wrong), excused, "{wrong}");
    }
}
