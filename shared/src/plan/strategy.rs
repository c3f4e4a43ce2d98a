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
}

impl Strategy {
    pub const ALL: [Strategy; 3] = [Self::InGroupRolling, Self::Offline, Self::SingleServer];

    /// As it is typed: `--strategy in-group-rolling`.
    pub fn flag(self) -> &'static str {
        match self {
            Self::InGroupRolling => "in-group-rolling",
            Self::Offline => "offline",
            Self::SingleServer => "single-server",
        }
    }

    pub fn parse(flag: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.flag() == flag)
    }

    /// The whole cluster stops taking writes for a while, by design.
    pub fn stops_writes(self) -> bool {
        match self {
            Self::InGroupRolling => false,
            Self::Offline | Self::SingleServer => true,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InGroupRolling => "in-group rolling",
            Self::Offline => "offline",
            Self::SingleServer => "single server",
        })
    }
}
