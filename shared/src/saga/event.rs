//! The events of a rollout's journal.

use crate::ids::{Attempt, ClusterName, Digest, Epoch, MemberName, RolloutId, Seq, StepId};
use crate::receipt::{Failure, Outcome};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub rollout: RolloutId,
    /// Dense from 0 within the rollout.
    pub seq: Seq,
    /// The controller's incarnation that wrote it.
    pub epoch: Epoch,
    /// Milliseconds since 1970. For people; no decision rests on it.
    pub at_unix_ms: i64,
    pub event: Event,
}

/// What can happen to a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    RolloutCreated {
        cluster: ClusterName,
        plan: Digest,
        by: Actor,
    },
    /// Durable before the effect: from here undo is owed.
    StepIntended {
        step: StepId,
        attempt: Attempt,
    },
    /// Durable before the next decision.
    StepResolved {
        step: StepId,
        attempt: Attempt,
        outcome: Outcome,
    },
    UnwindDecided {
        cause: UnwindCause,
        scope: Scope,
    },
    UndoIntended {
        step: StepId,
        attempt: Attempt,
    },
    UndoResolved {
        step: StepId,
        attempt: Attempt,
        outcome: Outcome,
    },
    PivotApproved {
        by: Actor,
    },
    Parked {
        reason: ParkReason,
    },
    Resumed {
        by: Actor,
    },
    RolloutClosed {
        end: End,
    },
    /// A person asked to give up the way back.
    FinalizeDecided {
        by: Actor,
    },
    Finalized,
    /// Only directly behind the creation, in a journal that was rebuilt: where the agent's ledger says that a step stands, or
    /// what follows of it for a gate.
    Recovered {
        step: StepId,
        attempt: Attempt,
        found: Found,
    },
}

/// Where the latest try at a step stands, as its agent remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Performing it was begun and has no receipt.
    Open,
    Done,
    Failed(Failure),
    /// Undoing it was begun and has no receipt.
    UndoOpen,
    Undone,
    UndoFailed(Failure),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("begun, not ended"),
            Self::Done => f.write_str("done"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::UndoOpen => f.write_str("undo begun, not ended"),
            Self::Undone => f.write_str("undone"),
            Self::UndoFailed(failure) => write!(f, "undo failed: {failure}"),
        }
    }
}

/// Who did something: the name in an operator's certificate, or the plan's own policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub name: String,
    /// What they gave as their reason; empty when none was asked for.
    pub reason: String,
}

impl Actor {
    pub fn policy(reason: impl Into<String>) -> Self {
        Self {
            name: "policy".to_owned(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_str() {
            "" => f.write_str(&self.name),
            reason => write!(f, "{} ({reason})", self.name),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum UnwindCause {
    Operator { by: Actor },
    StepFailed { step: StepId, failure: Failure },
}

/// How much is to be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// Everything that the rollout has done.
    All,
    /// The steps of one member in one stage; the others stay as they are and the rollout parks.
    Lane {
        stage: usize,
        lane: usize,
        member: MemberName,
    },
}

/// Why a rollout waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ParkReason {
    Operator {
        by: Actor,
    },
    /// A step failed where nothing is owed or nothing can be undone.
    StepFailed {
        step: StepId,
        member: MemberName,
        failure: Failure,
    },
    /// A step of a member failed, and the member has been put back.
    MemberRestored {
        step: StepId,
        member: MemberName,
        failure: Failure,
    },
    UndoFailed {
        step: StepId,
        member: MemberName,
        failure: Failure,
    },
    /// The agent could not be asked for too long: whether the step was done is not known.
    OutcomeUnknown {
        step: StepId,
        member: MemberName,
        why: String,
    },
    /// The journal was lost, and this rollout was put together again from what the agents remember.
    Rebuilt {
        by: Actor,
        /// What could not be known, a line each.
        unknown: Vec<String>,
    },
}

impl fmt::Display for ParkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { by } => write!(f, "paused by {by}"),
            Self::StepFailed {
                step,
                member,
                failure,
            } => write!(f, "step {step} on {member} failed: {failure}"),
            Self::MemberRestored {
                step,
                member,
                failure,
            } => {
                write!(
                    f,
                    "step {step} on {member} failed, and {member} has been put back as it was: {failure}"
                )
            }
            Self::UndoFailed {
                step,
                member,
                failure,
            } => {
                write!(f, "undoing step {step} on {member} failed: {failure}")
            }
            Self::OutcomeUnknown { step, member, why } => {
                write!(
                    f,
                    "whether step {step} on {member} was done is not known: {why}"
                )
            }
            Self::Rebuilt { by, unknown } => {
                write!(f, "rebuilt from the agents' ledgers by {by}")?;
                if !unknown.is_empty() {
                    write!(f, "; not known: {}", unknown.join("; "))?;
                }
                Ok(())
            }
        }
    }
}

/// How a rollout came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    Upgraded,
    /// The world is as it was before: packages, option files, data directory version, membership, primary.
    Restored,
    /// Left as it was by a person.
    Abandoned {
        by: Actor,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upgraded => f.write_str("Upgraded"),
            Self::Restored => f.write_str("Restored"),
            Self::Abandoned { by } => write!(f, "Abandoned by {by}"),
        }
    }
}
