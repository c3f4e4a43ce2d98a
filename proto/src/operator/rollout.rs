//! One rollout as a person sees it: a picture of its journal and of the work in flight. Nothing decides by it.

use refit_shared::plan::Reversibility;
use refit_shared::receipt::Failure;
use serde::Serialize;

/// Where one rollout stands: a line of `refit list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryView {
    pub id: String,
    pub cluster: String,
    pub target_version: String,
    pub created_by: String,
    pub created_unix_ms: i64,
    pub last_unix_ms: i64,
    pub state: State,
    /// The state's reason or circumstance; empty when the state says all.
    pub why: String,
    pub finalized: bool,
}

/// Everything about one rollout at one moment. `--json` prints exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolloutView {
    #[serde(flatten)]
    pub summary: SummaryView,
    pub plan_digest: String,
    pub strategy: String,
    /// The next journal entry's sequence number: this picture was made from the entries before it.
    pub next_seq: u64,
    /// Which of its states this is: what an act must state.
    pub turn: u64,
    pub pivot: Option<PivotView>,
    /// Why it can't be unwound; `None` when it can.
    pub no_way_back: Option<String>,
    pub members: Vec<MemberBefore>,
    /// In the plan's order, those of the finalize stage last.
    pub steps: Vec<StepView>,
    pub writes: WritesView,
    pub waiting_for: Vec<String>,
    pub next: Vec<NextView>,
    pub estimate_ms: u64,
    /// For how long the cluster was estimated to take no writes, where it stops taking them by design.
    pub planned_downtime_ms: Option<u64>,
    /// The controller's clock when this picture was taken.
    pub at_unix_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Running,
    AwaitingApproval,
    Unwinding,
    Parked,
    Upgraded,
    Restored,
    Abandoned,
    Finalizing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PivotView {
    pub step: u16,
    pub why: String,
    pub approved_by: Option<String>,
    pub crossed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberBefore {
    pub name: String,
    pub version_before: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextView {
    pub command: String,
    pub effect: String,
}

/// Whether the cluster takes writes, as its agents tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WritesView {
    /// How long no member has been writable and ONLINE; 0 when one is. `None`: no agent tells.
    pub gap_ms: Option<u64>,
    pub quiet_ms: Option<u64>,
    pub largest_gap_ms: u64,
    pub writable_members: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepView {
    pub id: u16,
    pub stage: String,
    pub member: String,
    /// `gate`, or the operation's stable name.
    pub title: String,
    pub why: String,
    pub reversibility: Reversibility,
    pub estimate_ms: u64,
    pub status: StepState,
    pub attempt: u32,
    pub began_unix_ms: Option<i64>,
    pub took_ms: Option<u64>,
    pub failure: Option<Failure>,
    pub in_flight: Option<InFlightView>,
    pub notes: Vec<String>,
    pub largest_write_gap_ms: Option<u64>,
    /// Of the stage that runs only when a person asks for it.
    pub finalize: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Pending,
    Running,
    Done,
    Failed,
    Undoing,
    Undone,
    UndoFailed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InFlightView {
    pub undoing: bool,
    pub phase: String,
    pub percent: Option<u8>,
    /// Nothing is being done: something is waited for, and `phase` says what.
    pub waiting: bool,
}

/// A line of the journal, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineView {
    pub rollout: String,
    pub seq: u64,
    pub epoch: u64,
    pub at_unix_ms: i64,
    /// The event's stable name.
    pub event: String,
    pub text: String,
    pub by: Option<String>,
    pub step: Option<u16>,
    pub member: Option<String>,
}

impl State {
    /// Nothing more happens unless a person acts.
    pub fn waits_for_a_person(self) -> bool {
        match self {
            Self::Running | Self::Unwinding | Self::Finalizing => false,
            Self::AwaitingApproval
            | Self::Parked
            | Self::Upgraded
            | Self::Restored
            | Self::Abandoned => true,
        }
    }
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::AwaitingApproval => "awaiting approval",
            Self::Unwinding => "unwinding",
            Self::Parked => "parked",
            Self::Upgraded => "upgraded",
            Self::Restored => "restored",
            Self::Abandoned => "abandoned",
            Self::Finalizing => "finalizing",
        }
    }
}
