//! Checks: pure judgements over what was seen, before anything is touched. One file a check; this is their registry.
//!
//! Adding a check is a new file and a line in [`ALL`].

mod agents;
mod async_channels;
mod binlog_retention;
mod cluster_kind;
mod disk_space;
mod errant_transactions;
mod group_defaults;
mod group_join;
mod group_members;
mod leftovers;
mod long_transactions;
mod package_state;
mod prepared_xa;
mod replication_queues;
mod server_takes_writes;
mod spare_member;
mod target_package;
mod target_version;

use crate::plan::{Policy, Strategy};
use crate::planner::choose::{Chosen, Unfit, choose};
use crate::topology::{Kind, Sighting};
use crate::version::MysqlVersion;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a check judges.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub seen: &'a Sighting,
    pub target: MysqlVersion,
    pub policy: &'a Policy,
    /// The strategy that was asked for; `None`: the one that fits.
    pub strategy: Option<Strategy>,
}

impl Subject<'_> {
    /// What kind of cluster this is and how it would be upgraded.
    pub fn chosen(&self) -> Result<Chosen, Unfit> {
        choose(self.seen, self.strategy)
    }
}

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Stable; MySQL Shell's id where the check is the same.
    pub id: &'static str,
    pub title: &'static str,
    /// What it is for, and what to do in general.
    pub description: &'static str,
    /// The kinds of cluster that it is for: [`ANY_KIND`], [`GROUPS`], …
    pub kinds: &'static [Kind],
    /// The strategies that it is for: [`ANY_STRATEGY`], [`ROLLING`], …
    pub strategies: &'static [Strategy],
    pub run: fn(Subject<'_>) -> Vec<Finding>,
}

pub const ANY_KIND: &[Kind] = &Kind::ALL;
pub const GROUPS: &[Kind] = &[Kind::SinglePrimaryGroup, Kind::MultiPrimaryGroup];
pub const ANY_STRATEGY: &[Strategy] = &Strategy::ALL;
/// Strategies that take one member after the other out while the rest serves.
pub const ROLLING: &[Strategy] = &[Strategy::InGroupRolling];

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub check: String,
    pub level: Level,
    /// What it is about: a member, a cluster, a package.
    pub object: String,
    pub description: String,
    /// What to do, with the statement or command where there is one.
    pub fix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Blocks the upgrade.
    Error,
    Warning,
    Notice,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
        })
    }
}

/// What one check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    pub id: String,
    pub title: String,
    pub description: String,
    pub findings: Vec<Finding>,
}

/// Every check, in the order in which they are shown.
pub const ALL: &[Check] = &[
    agents::CHECK,
    cluster_kind::CHECK,
    group_members::CHECK,
    target_version::CHECK,
    group_join::CHECK,
    target_package::CHECK,
    package_state::CHECK,
    leftovers::CHECK,
    server_takes_writes::CHECK,
    spare_member::CHECK,
    disk_space::CHECK,
    errant_transactions::CHECK,
    prepared_xa::CHECK,
    long_transactions::CHECK,
    replication_queues::CHECK,
    async_channels::CHECK,
    group_defaults::CHECK,
    binlog_retention::CHECK,
];

/// Runs every check that applies. Where no kind or strategy could be told, that is what `clusterKind` says, and only checks
/// that are for every kind and strategy are run beside it.
pub fn run(subject: Subject<'_>) -> Vec<CheckResult> {
    let chosen = subject.chosen().ok();
    let one = |check: &Check| CheckResult {
        id: check.id.to_owned(),
        title: check.title.to_owned(),
        description: check.description.to_owned(),
        findings: (check.run)(subject),
    };
    ALL.iter()
        .filter(|check| check.applies(chosen))
        .map(one)
        .collect()
}

/// Findings of one level.
pub fn of_level(results: &[CheckResult], level: Level) -> impl Iterator<Item = &Finding> {
    results
        .iter()
        .flat_map(|result| &result.findings)
        .filter(move |finding| finding.level == level)
}

impl Check {
    fn applies(&self, chosen: Option<Chosen>) -> bool {
        match chosen {
            Some(chosen) => {
                self.kinds.contains(&chosen.kind) && self.strategies.contains(&chosen.strategy)
            }
            None => self.kinds == ANY_KIND && self.strategies == ANY_STRATEGY,
        }
    }

    fn finding(
        &self,
        level: Level,
        object: impl fmt::Display,
        description: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding {
            check: self.id.to_owned(),
            level,
            object: object.to_string(),
            description: description.into(),
            fix: fix.into(),
        }
    }
    fn error(
        &self,
        object: impl fmt::Display,
        description: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        self.finding(Level::Error, object, description, fix)
    }
    fn warning(
        &self,
        object: impl fmt::Display,
        description: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        self.finding(Level::Warning, object, description, fix)
    }
    /// A fact that the check needs is missing: that blocks, since "could not tell" is not "fine".
    fn untold(&self, object: impl fmt::Display, what: &str, why: &str) -> Finding {
        self.error(
            object,
            format!("{what} could not be read: {why}"),
            "see that the agent can read it, then check again",
        )
    }
}
