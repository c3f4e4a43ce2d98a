//! What the facade refuses, with a stable code for automation and words for a person.

use crate::ports::JournalError;
use refit_shared::checks::Finding;
use refit_shared::ids::{ClusterName, Digest, MemberName, RolloutId, Seq, Turn};
use refit_shared::linter::Violation;
use refit_shared::version::MysqlVersion;
use std::collections::BTreeSet;

/// Why a request was not carried out. Nothing was changed unless the text says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    #[error("the fleet file has no cluster {0}; `refit fleet` lists them")]
    UnknownCluster(ClusterName),
    #[error("there is no rollout {0}; `refit list` lists them")]
    UnknownRollout(RolloutId),
    #[error(
        "this controller did not make a plan with digest {}: the plan was edited, or made by another controller. \
         Make a new one with `refit plan`", .0.short()
    )]
    UnknownPlan(Digest),
    /// Checks that block; each says what to do.
    #[error("{} finding(s) block the upgrade of {cluster}", .findings.len())]
    Blocked {
        cluster: ClusterName,
        findings: Vec<Finding>,
    },
    #[error("the plan breaks a safety rule, which is a bug in Refit: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    UnsafePlan(Vec<Violation>),
    /// The world is not the one that the plan was made from.
    #[error(
        "the plan is stale: {cluster} has changed since it was made ({}). Make a new plan with `refit plan`",
        .differences.join("; ")
    )]
    Drifted {
        cluster: ClusterName,
        differences: Vec<String>,
    },
    /// Not every member could be seen whole, so nothing can be compared or planned.
    #[error("{cluster} could not be seen whole: {}", .missing.join("; "))]
    NotSeen {
        cluster: ClusterName,
        missing: Vec<String>,
    },
    /// No version was given, and the members do not run one.
    #[error("{cluster} runs {}: give the version that all shall run with --target", .versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))]
    SeveralVersions {
        cluster: ClusterName,
        versions: BTreeSet<MysqlVersion>,
    },
    #[error("{cluster} is occupied by rollout {by}; see `refit show {by}`")]
    ClusterBusy { cluster: ClusterName, by: RolloutId },
    /// The rollout is not in a state where this can be done.
    #[error("rollout {rollout}: {why}")]
    NotNow { rollout: RolloutId, why: String },
    /// The act was meant for another turn.
    #[error(
        "rollout {rollout} has moved on: it is at turn {now}, and this was meant for turn {seen}"
    )]
    Moved {
        rollout: RolloutId,
        seen: Turn,
        now: Turn,
        /// The entries that began a turn since.
        since: Vec<Seq>,
    },
    /// Too little room is left for the journal to record a rollout to its end.
    #[error("no rollout may begin: {0}")]
    NoRoom(String),
    /// It can't be rehearsed there, or not in that way.
    #[error("the upgrade of {member} can't be rehearsed so")]
    MayNotRehearse {
        member: MemberName,
        against: Vec<String>,
    },
    /// Nothing is known of the upgrade.
    #[error("the rehearsal on {member} broke off: {why}")]
    RehearsalFailed { member: MemberName, why: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// This controller has stopped acting; its health says why.
    #[error("this controller does not act any more: {0}")]
    Stopped(String),
}

impl ApiError {
    /// Stable; never changes once released.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownCluster(_) => "unknown_cluster",
            Self::UnknownRollout(_) => "unknown_rollout",
            Self::UnknownPlan(_) => "unknown_plan",
            Self::Blocked { .. } => "blocked",
            Self::UnsafePlan(_) => "unsafe_plan",
            Self::Drifted { .. } => "drifted",
            Self::NotSeen { .. } => "not_seen",
            Self::SeveralVersions { .. } => "several_versions",
            Self::ClusterBusy { .. } => "cluster_busy",
            Self::NotNow { .. } => "not_now",
            Self::Moved { .. } => "moved",
            Self::NoRoom(_) => "no_room",
            Self::MayNotRehearse { .. } => "may_not_rehearse",
            Self::RehearsalFailed { .. } => "rehearsal_failed",
            Self::Journal(_) => "journal",
            Self::Stopped(_) => "stopped",
        }
    }
}
