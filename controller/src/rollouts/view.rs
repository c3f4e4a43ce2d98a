//! What an operator sees of a rollout: its state read from the journal, and what is known of the work in flight.
//!
//! A view is a picture, never the truth: the truth is the journal, and nothing decides by a view.

use refit_shared::checks::CheckResult;
use refit_shared::config::ConfigFiles;
use refit_shared::config::propose::Proposal;
use refit_shared::ids::{Attempt, ClusterName, Digest, MemberName, RolloutId, Seq, StepId, Turn};
use refit_shared::observation::{Fact, Observation, Seconds};
use refit_shared::operation::Direction;
use refit_shared::plan::{Pivot, Reversibility};
use refit_shared::receipt::Failure;
use refit_shared::saga::{Actor, End, Entry, ParkReason};
use refit_shared::topology::Sighting;
use refit_shared::version::MysqlVersion;
use std::fmt;
use std::sync::Arc;

/// A cluster of the fleet file and what its agents say now.
#[derive(Debug, Clone)]
pub struct ClusterReport {
    pub name: ClusterName,
    /// In the fleet file's order.
    pub members: Vec<MemberReport>,
    /// The rollout that occupies the cluster.
    pub rollout: Option<RolloutId>,
}

#[derive(Debug, Clone)]
pub struct MemberReport {
    pub name: MemberName,
    pub address: String,
    /// Unknown: the agent could not be asked, and why.
    pub seen: Fact<Observation>,
}

/// What the checks say about upgrading one cluster.
#[derive(Debug, Clone)]
pub struct CheckReport {
    pub cluster: ClusterName,
    pub target: MysqlVersion,
    pub seen: Sighting,
    pub results: Vec<CheckResult>,
}

/// What is proposed for the option files of one cluster.
#[derive(Debug, Clone)]
pub struct ConfigReport {
    pub cluster: ClusterName,
    /// `None`: as the members run.
    pub target: Option<MysqlVersion>,
    /// In the order of names.
    pub members: Vec<MemberConfigReport>,
}

#[derive(Debug, Clone)]
pub struct MemberConfigReport {
    pub name: MemberName,
    /// Or why it is not known.
    pub version: Result<MysqlVersion, String>,
    /// What is there and what is proposed, or why that is not known.
    pub found: Result<(ConfigFiles, Proposal), String>,
}

/// Where a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Running,
    /// `refit approve` is awaited before this step, the pivot.
    AwaitingApproval {
        step: StepId,
    },
    Unwinding,
    Parked {
        reason: ParkReason,
    },
    Finalizing,
    Ended {
        end: End,
        finalized: bool,
    },
}

impl State {
    /// Stable, for automation.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::AwaitingApproval { .. } => "awaiting_approval",
            Self::Unwinding => "unwinding",
            Self::Parked { .. } => "parked",
            Self::Finalizing => "finalizing",
            Self::Ended {
                end: End::Upgraded, ..
            } => "upgraded",
            Self::Ended {
                end: End::Restored, ..
            } => "restored",
            Self::Ended {
                end: End::Abandoned { .. },
                ..
            } => "abandoned",
        }
    }

    /// Nothing more happens unless a person acts.
    pub fn at_rest(&self) -> bool {
        matches!(self, Self::Parked { .. } | Self::Ended { .. })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::AwaitingApproval { step } => {
                write!(
                    f,
                    "waiting for `refit approve` before the pivot, step {step}"
                )
            }
            Self::Unwinding => f.write_str("unwinding"),
            Self::Parked { reason } => write!(f, "parked: {reason}"),
            Self::Finalizing => f.write_str("finalizing"),
            Self::Ended {
                end,
                finalized: false,
            } => write!(f, "{end}"),
            Self::Ended {
                end,
                finalized: true,
            } => write!(f, "{end}, finalized"),
        }
    }
}

/// A line of `refit list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub id: RolloutId,
    pub plan: Digest,
    pub cluster: ClusterName,
    pub target: MysqlVersion,
    pub state: State,
    pub created_by: Actor,
    pub created_unix_ms: i64,
    pub last_unix_ms: i64,
}

/// Everything about one rollout at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutView {
    pub summary: Summary,
    pub plan: Digest,
    pub strategy: String,
    /// Versions that the members ran when the plan was made.
    pub versions_before: Vec<(MemberName, MysqlVersion)>,
    /// The next entry of its journal: what has been read up to here is older.
    pub next_seq: Seq,
    /// What an act must state.
    pub turn: Turn,
    pub pivot: Option<Pivot>,
    pub pivot_approved: Option<Actor>,
    pub pivot_crossed: bool,
    /// `Err`: why it can't be unwound now.
    pub may_unwind: Result<(), String>,
    /// In the plan's order, those of `finalize` last.
    pub steps: Vec<StepView>,
    pub writes: Writes,
    /// What is being waited for, for people; empty when nothing is.
    pub waiting_for: Vec<String>,
    /// Commands that are safe to type next, with what each does.
    pub next_commands: Vec<NextCommand>,
    /// How long the whole plan was estimated to take.
    pub estimate: Seconds,
    /// For how long the cluster was estimated to take no writes, where it stops taking them by design.
    pub downtime: Option<Seconds>,
}

impl RolloutView {
    /// Nothing is being worked on or waited for.
    pub fn in_flight_is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.in_flight.is_none())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextCommand {
    pub command: String,
    pub effect: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    pub id: StepId,
    pub member: MemberName,
    pub stage: String,
    /// One word: `gate`, or the operation.
    pub title: &'static str,
    pub why: String,
    pub reversibility: Reversibility,
    pub estimate: Seconds,
    pub status: StepState,
    pub attempt: Attempt,
    /// Set while an agent works or a gate waits.
    pub in_flight: Option<InFlight>,
    pub intended_unix_ms: Option<i64>,
    /// Duration of the latest try, where it has ended.
    pub took_ms: Option<u64>,
    /// What the receipt of the latest try said.
    pub notes: Vec<String>,
    /// The longest time without a writable member while the step's latest try ran; `None`: not watched, or not tried.
    pub largest_write_gap_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    Pending,
    /// The intent is durable; the outcome is not known yet.
    Running,
    Done,
    Failed(Failure),
    Undoing,
    Undone,
    UndoFailed(Failure),
}

impl StepState {
    /// Stable, for automation.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::UndoFailed(_) => "undo_failed",
        }
    }
}

/// Work that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    pub direction: Direction,
    /// What the agent, or the gate, says of it: "apt: unpacking", "m2 is RECOVERING".
    pub phase: String,
    pub percent: Option<u8>,
    /// Nothing is being done: something is waited for, and `phase` says what.
    pub waiting: bool,
}

/// Whether the cluster takes writes, as the agents' beats tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writes {
    /// How long no member has been writable and ONLINE; 0 when one is. `None`: no agent tells.
    pub gap_ms: Option<u64>,
    /// How long no new transaction has been seen on the writable member. An idle cluster looks the same as a stuck one.
    pub quiet_ms: Option<u64>,
    /// The longest gap since the rollout was created.
    pub largest_gap_ms: u64,
    /// How many members can be written to.
    pub writable_members: u32,
}

/// What a watcher is sent.
#[derive(Debug, Clone)]
pub struct Update {
    /// Journal entries since the last update, in order and without a gap.
    pub entries: Vec<Entry>,
    pub view: Arc<RolloutView>,
}
