//! What one start of mysqld comes to, read from its lines: a pure machine.
//!
//! ```text
//! Waiting ─> Starting ─> InnoDb ─> [Checking ─> UpgradingDictionary ─> UpgradingServer] ─> Ready
//!                └──────────────┴── the process ends ──> Refused (it said why) | Died (it didn't)
//! ```

use super::codes::{self, DataDirAfter, Refusal};
use super::line::{Level, Line};
use refit_shared::version::MysqlVersion;
use std::collections::VecDeque;
use std::fmt;

/// How many error lines are remembered for people.
const REMEMBERED: usize = 5;

/// How far a start has come, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The new process has said nothing yet.
    Waiting,
    Starting {
        version: Option<MysqlVersion>,
    },
    InnoDb,
    /// Every event, routine, view and trigger is parsed on the new version.
    Checking,
    UpgradingDictionary {
        from: String,
        to: String,
    },
    /// System tables. Killing mysqld now can ruin the data directory for good (MYSQL.md §4.2).
    UpgradingServer {
        from: String,
        to: String,
    },
    Ready {
        version: MysqlVersion,
    },
    Refused(Refusal),
    /// The process is gone and gave no reason that we know.
    Died {
        /// The last errors it wrote, oldest first.
        last_words: Vec<String>,
        after: DataDirAfter,
    },
}

impl Verdict {
    /// Nothing more will come.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Ready { .. } | Self::Refused(_) | Self::Died { .. }
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting for mysqld's first words"),
            Self::Starting { version: None } => f.write_str("mysqld is starting"),
            Self::Starting { version: Some(v) } => write!(f, "mysqld {v} is starting"),
            Self::InnoDb => f.write_str("InnoDB is starting"),
            Self::Checking => f.write_str("mysqld checks every object for the upgrade"),
            Self::UpgradingDictionary { from, to } => {
                write!(f, "upgrading the data dictionary from {from} to {to}")
            }
            Self::UpgradingServer { from, to } => {
                write!(
                    f,
                    "upgrading system tables from {from} to {to}; must not be interrupted"
                )
            }
            Self::Ready { version } => write!(f, "mysqld {version} is ready for connections"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Died { last_words, after } => {
                write!(f, "mysqld ended without a known reason; {}", after.as_str())?;
                if !last_words.is_empty() {
                    write!(f, ". Its last words: {}", last_words.join(" / "))?;
                }
                Ok(())
            }
        }
    }
}

/// Reads the lines of one start, in order.
#[derive(Debug, Clone)]
pub struct Startup {
    phase: Verdict,
    refusal: Option<Refusal>,
    last_words: VecDeque<String>,
    /// MY-013413: the old series can't read the data directory any more.
    dictionary_upgraded: bool,
    /// MY-013381 or MY-014064: system tables have been changed.
    server_upgraded: bool,
    crashed: bool,
}

impl Default for Startup {
    fn default() -> Self {
        Self {
            phase: Verdict::Waiting,
            refusal: None,
            last_words: VecDeque::new(),
            dictionary_upgraded: false,
            server_upgraded: false,
            crashed: false,
        }
    }
}

impl Startup {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn feed(&mut self, raw: &str) {
        let Some(line) = Line::parse(raw) else {
            // The crash handler's words: what follows is a stack, and then the end.
            if raw.contains("got signal") {
                self.crashed = true;
                self.remember(raw.trim().to_owned());
            }
            return;
        };
        match line.code {
            // A new process: what an earlier one said no longer counts.
            15015 => {
                *self = Self::default();
                self.phase = Verdict::Starting { version: None };
            }
            10116 => {
                // The second line of a start where the first was MY-015015 (8.4 and later).
                if self.phase != (Verdict::Starting { version: None }) {
                    *self = Self::default();
                }
                let version = version_in_parentheses(line.text);
                self.phase = Verdict::Starting { version };
            }
            13576 => self.phase = Verdict::InnoDb,
            14095 => self.phase = Verdict::Checking,
            11090 => {
                let (from, to) = from_to(&line);
                self.phase = Verdict::UpgradingDictionary { from, to };
            }
            13413 => self.dictionary_upgraded = true,
            13381 | 14064 => {
                let (from, to) = from_to(&line);
                self.server_upgraded = true;
                self.phase = Verdict::UpgradingServer { from, to };
            }
            10931 => {
                let version = line.quoted_after("Version:");
                if let Some(version) = version.and_then(|v| MysqlVersion::parse_prefix(v).ok()) {
                    self.phase = Verdict::Ready { version };
                }
            }
            _ if line.level == Level::Error => self.error(&line),
            _ => {}
        }
    }

    fn error(&mut self, line: &Line<'_>) {
        self.remember(line.to_string());
        let Some(fatal) = codes::fatal(line.code) else {
            return;
        };
        let generic = codes::GENERIC.contains(&fatal.code);
        let known = self.refusal.as_ref();
        // The first reason counts; a generic one only until a real one comes.
        if known.is_none_or(|r| codes::GENERIC.contains(&r.code) && !generic) {
            self.refusal = Some(Refusal {
                code: fatal.code,
                meaning: fatal.meaning,
                advice: fatal.advice,
                after: fatal.after,
                said: line.to_string(),
            });
        }
    }

    fn remember(&mut self, words: String) {
        if self.last_words.len() == REMEMBERED {
            self.last_words.pop_front();
        }
        self.last_words.push_back(words.chars().take(500).collect());
    }

    /// What the lines come to while the process lives, or now that it is gone. A process that wrote an error may still
    /// live and go on, so only its end makes a refusal; and one that said "ready" may be gone a moment later.
    pub fn verdict(&self, process_alive: bool) -> Verdict {
        if process_alive && !self.crashed {
            return self.phase.clone();
        }
        // Nothing less than the snapshot helps once the upgrade has begun to change the data directory.
        let changed = self.dictionary_upgraded || self.server_upgraded;
        let worst = |after: DataDirAfter| {
            if changed {
                after.max(DataDirAfter::RestoreSnapshot)
            } else {
                after
            }
        };
        match &self.refusal {
            Some(refusal) => Verdict::Refused(Refusal {
                after: worst(refusal.after),
                ..refusal.clone()
            }),
            None => Verdict::Died {
                last_words: self.last_words.iter().cloned().collect(),
                after: if changed {
                    DataDirAfter::RestoreSnapshot
                } else {
                    DataDirAfter::NeedsPreviousVersion
                },
            },
        }
    }

    /// The old series can't read the data directory any more (MY-013413 was written).
    pub fn past_no_return(&self) -> bool {
        self.dictionary_upgraded
    }
}

fn from_to(line: &Line<'_>) -> (String, String) {
    let part = |word: &str| {
        let text = line.quoted_after(word).unwrap_or("?");
        version_of_id(text).map_or_else(|| text.to_owned(), |version| version.to_string())
    };
    (part("from"), part("to"))
}

/// `80410` is 8.4.10; the dictionary's own version numbers follow the same scheme.
fn version_of_id(text: &str) -> Option<MysqlVersion> {
    let id: u32 = text.parse().ok()?;
    let part = |n: u32| u16::try_from(n).ok();
    Some(MysqlVersion::new(
        part(id / 10_000)?,
        part(id / 100 % 100)?,
        part(id % 100)?,
    ))
}

/// `/usr/sbin/mysqld (mysqld 9.7.3) starting as process 52`
fn version_in_parentheses(text: &str) -> Option<MysqlVersion> {
    let (_, rest) = text.split_once("(mysqld ")?;
    MysqlVersion::parse_prefix(rest).ok()
}

#[cfg(test)]
#[path = "startup_tests.rs"]
mod tests;
