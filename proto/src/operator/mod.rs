//! The operator's API as domain values: what the controller answers and the command line renders.
//!
//! Owns: the plain views (they serialise, so `--json` prints exactly them), how they are made from the pure core's types, the
//! stable error codes, and total conversions between all of these and the wire. Does not own: deciding or printing anything.
//!
//! ```text
//! shared types ──of──> views <──convert──> wire messages        Refusal <──convert──> gRPC status
//! ```

mod configuration;
mod error;
mod fleet;
mod judgement;
mod rollout;
mod rollout_wire;

pub use crate::generated::refit::operator::v1 as wire;
pub use configuration::{Configuration, FileRewrite, MemberConfig, PinView};
pub use error::{CODE_KEY, DETAIL_KEY, ErrorCode, Refusal};
pub use fleet::{AgentView, ClusterView, MemberView};
pub use judgement::{Judgement, ManualView};
pub use rollout::{
    InFlightView, LineView, MemberBefore, NextView, PivotView, RolloutView, State, StepState,
    StepView, SummaryView, WritesView,
};

/// A message that no peer of this version would send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}.{field}: {why}")]
pub struct Malformed {
    pub message: &'static str,
    pub field: &'static str,
    pub why: String,
}

impl Malformed {
    pub(crate) fn new(
        message: &'static str,
        field: &'static str,
        why: impl std::fmt::Display,
    ) -> Self {
        Self {
            message,
            field,
            why: why.to_string(),
        }
    }
}
