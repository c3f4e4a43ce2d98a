//! Which planner makes, or made, a plan.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A way to upgrade a cluster. Which fit which kind of cluster is said in [`crate::planner::choose`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    InGroupRolling,
    /// Every member is stopped, upgraded side by side, and started again; nobody takes writes meanwhile.
    Offline,
    /// One server that replicates from nobody: stopped, upgraded, started.
    SingleServer,
    /// Replicas one after the other, each after all that replicate from it; the source last, restarted in place.
    ReplicasFirst,
    /// The same, but the source hands the writes over to an upgraded replica and is upgraded as a replica of that one.
    Switchover,
    /// Back within a long-term series: the source first, then its replicas.
    SourceFirst,
    /// No upgrade: tables are rebuilt on each server by itself, and no GTID is written.
    RebuildTables,
}

impl Strategy {
    pub const ALL: [Strategy; 7] = [
        Self::InGroupRolling,
        Self::Offline,
        Self::SingleServer,
        Self::ReplicasFirst,
        Self::Switchover,
        Self::SourceFirst,
        Self::RebuildTables,
    ];

    /// As it is typed: `--strategy in-group-rolling`.
    pub fn flag(self) -> &'static str {
        match self {
            Self::InGroupRolling => "in-group-rolling",
            Self::Offline => "offline",
            Self::SingleServer => "single-server",
            Self::ReplicasFirst => "replicas-first",
            Self::Switchover => "switchover",
            Self::SourceFirst => "source-first",
            Self::RebuildTables => "rebuild-tables",
        }
    }

    pub fn parse(flag: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.flag() == flag)
    }

    /// The whole cluster stops taking writes for a while, by design: for longer than a hand-over takes.
    pub fn stops_writes(self) -> bool {
        match self {
            Self::InGroupRolling | Self::Switchover | Self::RebuildTables => false,
            Self::Offline | Self::SingleServer | Self::ReplicasFirst | Self::SourceFirst => true,
        }
    }

    /// Members are taken out one after the other, and the rest serves reads at least.
    pub fn is_rolling(self) -> bool {
        match self {
            Self::InGroupRolling
            | Self::ReplicasFirst
            | Self::Switchover
            | Self::SourceFirst
            | Self::RebuildTables => true,
            Self::Offline | Self::SingleServer => false,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InGroupRolling => "in-group rolling",
            Self::Offline => "offline",
            Self::SingleServer => "single server",
            Self::ReplicasFirst => "replicas first",
            Self::Switchover => "replicas first, switchover",
            Self::SourceFirst => "source first",
            Self::RebuildTables => "rebuild tables",
        })
    }
}
