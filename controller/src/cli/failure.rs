//! What an operator reads when something did not work: what happened, what is still safe, what to type next.

use super::Exit;
use refit_proto::operator::{ErrorCode, Malformed, Refusal};
use refit_proto::tls::{Peer, PeerFault};
use serde::Serialize;
use tonic::{Code, Status};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The controller's stable code, where it has given one.
    pub code: Option<&'static str>,
    pub what: String,
    pub reasons: Vec<String>,
    pub safe: String,
    pub next: Vec<String>,
    #[serde(skip)]
    pub exit: Exit,
    /// The connection was lost or never made; trying again may help.
    #[serde(skip)]
    pub transient: bool,
}

impl Failure {
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            code: None,
            what: what.into(),
            reasons: Vec::new(),
            safe: String::new(),
            next: Vec::new(),
            exit,
            transient: false,
        }
    }

    /// Bad input: nothing was changed.
    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what).safe("Nothing was changed.")
    }

    #[must_use]
    pub fn safe(mut self, safe: impl Into<String>) -> Self {
        self.safe = safe.into();
        self
    }
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next.push(command.into());
        self
    }
    #[must_use]
    pub fn reasons(mut self, reasons: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.reasons.extend(reasons.into_iter().map(Into::into));
        self
    }

    /// What a failed call means: the controller's own refusal, a broken connection, a refused certificate.
    pub fn of_status(status: &Status, peer: &Peer) -> Self {
        if let Some(refusal) = Refusal::of_status(status) {
            return refusal.into();
        }
        if let Some(fault) = PeerFault::of(status, peer) {
            return Self::of_fault(&fault);
        }
        let at = &peer.address;
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => Self::new(
                Exit::Refused,
                format!(
                    "the controller at {at} refused this certificate: {}",
                    status.message()
                ),
            )
            .safe("Nothing was changed.")
            .next("refit pki issue operator NAME --ca DIR --out DIR"),
            Code::Unimplemented => Self::new(
                Exit::Failed,
                format!(
                    "the controller at {at} does not know this call: {}",
                    status.message()
                ),
            )
            .safe("Nothing was changed. `refit` is probably newer than the controller."),
            Code::Unavailable | Code::Cancelled => Self::gone(peer, status),
            // Made on this side: the connection broke in the middle of an answer.
            _ if std::error::Error::source(status).is_some() => Self::gone(peer, status),
            code => Self::new(
                Exit::Failed,
                format!("the controller at {at}: {code}: {}", status.message()),
            )
            .next("refit health"),
        }
    }

    fn gone(peer: &Peer, status: &Status) -> Self {
        let mut failure = Self::new(
            Exit::Failed,
            format!(
                "the controller at {} has gone away: {}",
                peer.address,
                status.message()
            ),
        )
        .safe(GOES_ON);
        failure.transient = true;
        failure
    }

    fn of_fault(fault: &PeerFault) -> Self {
        if fault.kind.is_network() {
            let mut failure = Self::new(Exit::Failed, fault.to_string()).safe(GOES_ON);
            failure.transient = true;
            failure
        } else {
            Self::refused(fault.to_string()).next("refit pki inspect DIR")
        }
    }
}

const GOES_ON: &str = "Rollouts do not depend on this command: agents finish what they have begun, and the controller goes on when it is back.";

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let exit = match refusal.code {
            ErrorCode::RequestInvalid
            | ErrorCode::ClusterUnknown
            | ErrorCode::ClusterUnseen
            | ErrorCode::TargetInvalid
            | ErrorCode::TargetUnavailable
            | ErrorCode::PlanBlocked
            | ErrorCode::PlanMalformed
            | ErrorCode::PlanEdited
            | ErrorCode::PlanUnknown
            | ErrorCode::PlanStale
            | ErrorCode::PlanRefused
            | ErrorCode::RehearsalRefused
            | ErrorCode::RolloutUnknown
            | ErrorCode::RolloutActive
            | ErrorCode::RolloutState
            | ErrorCode::RolloutMoved
            | ErrorCode::RolloutNoWayBack => Exit::Refused,
            ErrorCode::JournalFailed
            | ErrorCode::JournalCorrupt
            | ErrorCode::ControllerSuperseded
            | ErrorCode::ControllerStopping
            | ErrorCode::RequestDeadline
            | ErrorCode::RehearsalFailed
            | ErrorCode::Internal => Exit::Failed,
        };
        Self {
            code: Some(refusal.code.as_str()),
            what: refusal.what,
            reasons: refusal.reasons,
            safe: refusal.safe,
            next: refusal.next,
            exit,
            transient: refusal.code == ErrorCode::ControllerStopping,
        }
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::new(
            Exit::Failed,
            format!("the controller's answer can't be read: {malformed}"),
        )
        .safe("`refit` and the controller are probably of different versions.")
    }
}
