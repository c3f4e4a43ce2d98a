//! Receipts, failures, probes and progress.

use super::ids::digest_bytes;
use super::{FromWire, InvalidMessage, Why, field, optional, required, travels, wire_enum};
use crate::common as wire;
use refit_shared::receipt::{Failure, FailureCode, Outcome, Probe, Progress, Receipt};

wire_enum! {
    FailureCode {
        Precondition, Fenced, Superseded, PackageUnavailable, PackageHashMismatch, PackageInstall, DiskSpace,
        ServerRefused, ServerDied, UncleanShutdown, Snapshot, GroupJoin, GroupLeave, GroupPrimary, Gate, Expectation,
        Deadline, Host, Sql, Replication,
    }
}

travels! {
    wire::Receipt => Receipt, "receipt";
    wire::Failure => Failure, "failure";
    wire::Probe => Probe, "probe";
    wire::Progress => Progress, "progress";
}

impl FromWire<wire::Receipt> for Receipt {
    fn from_wire(receipt: wire::Receipt) -> Result<Self, InvalidMessage> {
        let wire::Receipt {
            id,
            content,
            began_unix_ms,
            ended_unix_ms,
            outcome,
        } = receipt;
        Ok(Self {
            id: required("id", id)?,
            content: field("content", content)?,
            began_unix_ms,
            ended_unix_ms,
            outcome: required("outcome", outcome)?,
        })
    }
}

impl From<Receipt> for wire::Receipt {
    fn from(receipt: Receipt) -> Self {
        let Receipt {
            id,
            content,
            began_unix_ms,
            ended_unix_ms,
            outcome,
        } = receipt;
        Self {
            id: Some(id.into()),
            content: digest_bytes(content),
            began_unix_ms,
            ended_unix_ms,
            outcome: Some(outcome.into()),
        }
    }
}

impl FromWire<wire::Outcome> for Outcome {
    fn from_wire(outcome: wire::Outcome) -> Result<Self, InvalidMessage> {
        match outcome.outcome {
            Some(wire::outcome::Outcome::Done(wire::Done { notes })) => Ok(Outcome::Done { notes }),
            Some(wire::outcome::Outcome::Failed(failure)) => {
                field("failed", failure).map(Outcome::Failed)
            }
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

impl From<Outcome> for wire::Outcome {
    fn from(outcome: Outcome) -> Self {
        let outcome = match outcome {
            Outcome::Done { notes } => wire::outcome::Outcome::Done(wire::Done { notes }),
            Outcome::Failed(failure) => wire::outcome::Outcome::Failed(failure.into()),
        };
        Self {
            outcome: Some(outcome),
        }
    }
}

impl FromWire<wire::Failure> for Failure {
    fn from_wire(failure: wire::Failure) -> Result<Self, InvalidMessage> {
        let wire::Failure {
            code,
            message,
            partial,
        } = failure;
        Ok(Self {
            code: field("code", code)?,
            message,
            partial,
        })
    }
}

impl From<Failure> for wire::Failure {
    fn from(failure: Failure) -> Self {
        let Failure {
            code,
            message,
            partial,
        } = failure;
        Self {
            code: wire::FailureCode::from(code).into(),
            message,
            partial,
        }
    }
}

impl FromWire<wire::Probe> for Probe {
    fn from_wire(probe: wire::Probe) -> Result<Self, InvalidMessage> {
        match probe.probe {
            Some(wire::probe::Probe::NotDone(wire::NotDone {})) => Ok(Probe::NotDone),
            Some(wire::probe::Probe::Partial(found)) => Ok(Probe::Partial(found)),
            Some(wire::probe::Probe::Done(wire::FoundDone {})) => Ok(Probe::Done),
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

impl From<Probe> for wire::Probe {
    fn from(probe: Probe) -> Self {
        let probe = match probe {
            Probe::NotDone => wire::probe::Probe::NotDone(wire::NotDone {}),
            Probe::Partial(found) => wire::probe::Probe::Partial(found),
            Probe::Done => wire::probe::Probe::Done(wire::FoundDone {}),
        };
        Self { probe: Some(probe) }
    }
}

/// 0 to 100.
struct Percent(u8);

impl FromWire<u32> for Percent {
    fn from_wire(number: u32) -> Result<Self, InvalidMessage> {
        match u8::try_from(number) {
            Ok(percent @ 0..=100) => Ok(Percent(percent)),
            _ => Err(InvalidMessage::here(Why::OutOfRange {
                value: number.into(),
                least: 0,
                most: 100,
            })),
        }
    }
}

impl FromWire<wire::Progress> for Progress {
    fn from_wire(progress: wire::Progress) -> Result<Self, InvalidMessage> {
        let wire::Progress { phase, percent } = progress;
        Ok(Self {
            phase,
            percent: optional("percent", percent)?.map(|Percent(percent)| percent),
        })
    }
}

impl From<Progress> for wire::Progress {
    fn from(progress: Progress) -> Self {
        let Progress { phase, percent } = progress;
        Self {
            phase,
            percent: percent.map(u32::from),
        }
    }
}
