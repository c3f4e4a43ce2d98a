//! A line for each row that was played; `docs/crash-matrix.md` is made from them.

use super::base::Base;
use super::{Row, setting};
use refit_shared::ids::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    pub row: String,
    pub base: String,
    /// How many rows the base has.
    pub of: usize,
    /// The step's status when it struck; nothing: it did not.
    pub struck_at: Option<String>,
    pub not_struck: Option<String>,
    pub rests: String,
    /// Why it waited for a person on the way.
    pub parks: Vec<String>,
    pub acked: u64,
    pub lost: u64,
    pub unknown: u64,
    pub largest_gap_ms: f64,
    /// Nothing here: it passed.
    pub wrongs: Vec<String>,
    pub versions: String,
    pub seed: u64,
    pub at: String,
    pub commit: String,
    /// Of the programs that played it.
    pub programs: String,
}

impl Line {
    pub fn of(base: &Base, row: &Row, of: usize, seed: u64) -> Self {
        Self {
            row: row.name.clone(),
            base: base.name.to_owned(),
            of,
            struck_at: None,
            not_struck: None,
            rests: "nowhere".to_owned(),
            parks: Vec::new(),
            acked: 0,
            lost: 0,
            unknown: 0,
            largest_gap_ms: 0.0,
            wrongs: Vec::new(),
            versions: base.versions(),
            seed,
            at: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
            commit: setting("REFIT_MATRIX_COMMIT").unwrap_or_else(|| "unknown".to_owned()),
            programs: digest_of_programs(),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.wrongs.is_empty() {
            "passed"
        } else {
            "FAILED"
        };
        write!(
            f,
            "{verdict}: {}: struck {:?}{}, rests {}, {} acknowledged, {} lost, {} unknown, longest gap {:.0} ms, parks {:?}, wrong {:?}",
            self.row,
            self.struck_at,
            self.not_struck
                .iter()
                .map(|why| format!(" ({why})"))
                .collect::<String>(),
            self.rests,
            self.acked,
            self.lost,
            self.unknown,
            self.largest_gap_ms,
            self.parks,
            self.wrongs
        )
    }
}

fn digest_of_programs() -> String {
    let programs = crate::play::programs();
    let digests: Vec<String> = ["refit", "refit-agent", "refit-controller"]
        .iter()
        .map(|name| {
            let bytes = std::fs::read(programs.join(name)).expect("the programs are built");
            Digest::of(&bytes).to_string()
        })
        .collect();
    Digest::of(digests.join(" ").as_bytes()).short().to_string()
}

/// The file of lines, where one is wanted.
#[derive(Debug)]
pub struct Record {
    file: Option<File>,
    /// Rows that these programs have played.
    played: BTreeSet<String>,
}

impl Record {
    pub fn open(path: Option<String>) -> Self {
        let Some(path) = path else {
            return Self {
                file: None,
                played: BTreeSet::new(),
            };
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => panic!("{path}: {error}"),
        };
        let own = digest_of_programs();
        let played = text
            .lines()
            // A line that was torn by an interruption is played again.
            .filter_map(|line| serde_json::from_str::<Line>(line).ok())
            .filter(|line| line.programs == own)
            .map(|line| line.row)
            .collect();
        let file = OpenOptions::new().append(true).create(true).open(&path);
        Self {
            file: Some(file.unwrap_or_else(|error| panic!("{path}: {error}"))),
            played,
        }
    }

    pub fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    pub fn has(&self, row: &str) -> bool {
        self.played.contains(row)
    }

    pub fn keep(&mut self, line: &Line) {
        let Some(file) = &mut self.file else {
            return;
        };
        let mut text = serde_json::to_string(line).expect("plain data serialises");
        text.push('\n');
        file.write_all(text.as_bytes()).expect("lines can be kept");
        self.played.insert(line.row.clone());
    }
}
