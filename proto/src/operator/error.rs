//! Refusals with stable codes, and their way through gRPC: status + metadata, and back.

use super::wire;
use prost::Message;
use std::fmt;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// The metadata key of the code, as text.
pub const CODE_KEY: &str = "refit-error-code";
/// The metadata key of the encoded [`wire::ErrorDetail`].
pub const DETAIL_KEY: &str = "refit-error-bin";

/// HTTP/2 headers are bounded (16 KiB by default); longer lists are cut, and say so.
const MAX_REASONS: usize = 20;
const MAX_TEXT: usize = 400;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $grpc:ident;)*) => {
        /// Stable error codes; listed with their meaning in `operator.proto`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant),* }
        impl ErrorCode {
            pub const ALL: &'static [ErrorCode] = &[$(Self::$variant),*];
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),* } }
            pub fn grpc(self) -> Code { match self { $(Self::$variant => Code::$grpc),* } }
        }
    };
}

codes! {
    RequestInvalid = "request.invalid", InvalidArgument;
    ClusterUnknown = "cluster.unknown", NotFound;
    ClusterUnseen = "cluster.unseen", Unavailable;
    TargetInvalid = "target.invalid", InvalidArgument;
    TargetUnavailable = "target.unavailable", FailedPrecondition;
    PlanBlocked = "plan.blocked", FailedPrecondition;
    PlanMalformed = "plan.malformed", InvalidArgument;
    PlanEdited = "plan.edited", InvalidArgument;
    PlanUnknown = "plan.unknown", NotFound;
    PlanStale = "plan.stale", FailedPrecondition;
    PlanRefused = "plan.refused", FailedPrecondition;
    RehearsalRefused = "rehearsal.refused", FailedPrecondition;
    RehearsalFailed = "rehearsal.failed", Aborted;
    RolloutUnknown = "rollout.unknown", NotFound;
    RolloutActive = "rollout.active", AlreadyExists;
    RolloutState = "rollout.state", FailedPrecondition;
    RolloutMoved = "rollout.moved", FailedPrecondition;
    RolloutNoWayBack = "rollout.no_way_back", FailedPrecondition;
    JournalFailed = "journal.failed", Unavailable;
    JournalCorrupt = "journal.corrupt", DataLoss;
    ControllerSuperseded = "controller.superseded", Aborted;
    ControllerStopping = "controller.stopping", Unavailable;
    RequestDeadline = "request.deadline", DeadlineExceeded;
    Internal = "internal", Internal;
}

impl ErrorCode {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why the controller did not do what an operator asked. Nothing was changed, except where the code says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} [{code}]")]
pub struct Refusal {
    pub code: ErrorCode,
    pub what: String,
    pub reasons: Vec<String>,
    pub safe: String,
    pub next: Vec<String>,
}

impl Refusal {
    pub fn new(code: ErrorCode, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            reasons: Vec::new(),
            safe: String::new(),
            next: Vec::new(),
        }
    }
    #[must_use]
    pub fn reasons(mut self, reasons: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.reasons.extend(reasons.into_iter().map(Into::into));
        self
    }
    #[must_use]
    pub fn safe(mut self, safe: impl Into<String>) -> Self {
        self.safe = safe.into();
        self
    }
    /// A command that makes sense next; may be given several times.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next.push(command.into());
        self
    }

    /// The refusal inside a status, where the peer is a controller that made one.
    pub fn of_status(status: &Status) -> Option<Refusal> {
        let metadata = status.metadata();
        let code = ErrorCode::parse(metadata.get(CODE_KEY)?.to_str().ok()?)?;
        let detail = metadata
            .get_bin(DETAIL_KEY)
            .and_then(|value| value.to_bytes().ok())
            .and_then(|bytes| wire::ErrorDetail::decode(bytes).ok());
        Some(match detail {
            Some(detail) => Refusal {
                code,
                what: detail.what,
                reasons: detail.reasons,
                safe: detail.safe,
                next: detail.next,
            },
            None => Refusal::new(code, status.message()),
        })
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        let more = refusal.reasons.len().saturating_sub(MAX_REASONS);
        let mut reasons: Vec<String> = refusal
            .reasons
            .iter()
            .take(MAX_REASONS)
            .map(|reason| cut(reason))
            .collect();
        if more > 0 {
            reasons.push(format!("and {more} more"));
        }
        let detail = wire::ErrorDetail {
            code: refusal.code.as_str().to_owned(),
            what: cut(&refusal.what),
            reasons,
            safe: cut(&refusal.safe),
            next: refusal.next.iter().map(|command| cut(command)).collect(),
        };
        let mut metadata = MetadataMap::new();
        metadata.insert(CODE_KEY, MetadataValue::from_static(refusal.code.as_str()));
        metadata.insert_bin(
            DETAIL_KEY,
            MetadataValue::from_bytes(&detail.encode_to_vec()),
        );
        Status::with_metadata(refusal.code.grpc(), cut(&refusal.what), metadata)
    }
}

/// At most [`MAX_TEXT`] characters.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_documented_and_come_back() {
        let documentation = include_str!("../../proto/refit/operator/v1/operator.proto");
        for code in ErrorCode::ALL {
            let line = documentation
                .lines()
                .find(|line| line.starts_with(&format!("//   {} ", code.as_str())))
                .unwrap_or_else(|| panic!("{code} is not documented in operator.proto"));
            // `Code` prints a sentence; its Debug name in the proto's spelling is what the table shows.
            let name = format!("{:?}", code.grpc());
            let stated = line.split_whitespace().nth(2).unwrap().replace('_', "");
            assert_eq!(stated.to_lowercase(), name.to_lowercase(), "{code}");

            let refusal = Refusal::new(*code, "what")
                .reasons(["a", "ü"])
                .safe("all")
                .next("refit list");
            let status = Status::from(refusal.clone());
            assert_eq!(status.code(), code.grpc());
            assert_eq!(Refusal::of_status(&status), Some(refusal));
        }
    }

    #[test]
    fn long_refusals_fit_into_headers() {
        let refusal = Refusal::new(ErrorCode::PlanBlocked, "ü".repeat(10_000))
            .reasons((0..1000).map(|i| format!("{i} {}", "é".repeat(5000))));
        let back = Refusal::of_status(&Status::from(refusal)).unwrap();
        assert_eq!(back.reasons.len(), MAX_REASONS + 1);
        assert_eq!(back.reasons.last().unwrap(), "and 980 more");
        assert_eq!(back.what.chars().count(), MAX_TEXT + 1);
    }

    #[test]
    fn other_statuses_are_no_refusals() {
        assert_eq!(Refusal::of_status(&Status::internal("x")), None);
    }
}
