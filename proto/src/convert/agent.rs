//! The agent's requests and replies.

use super::ids::digest_bytes;
use super::{FromWire, InvalidMessage, Why, field, optional, required, travels};
use crate::agent as wire;
use crate::exchange::{
    BeatsRequest, CarryOutEvent, LedgerEntry, LedgerRequest, ObserveRequest, ProbeReply, Refusal,
};
use refit_shared::ids::Epoch;
use std::time::Duration;

travels! {
    wire::ObserveRequest => ObserveRequest, "observe_request";
    wire::CarryOutEvent => CarryOutEvent, "carry_out_event";
    wire::ProbeReply => ProbeReply, "probe_reply";
    wire::BeatsRequest => BeatsRequest, "beats_request";
    wire::LedgerRequest => LedgerRequest, "ledger_request";
    wire::LedgerEntry => LedgerEntry, "ledger_entry";
}

impl FromWire<wire::ObserveRequest> for ObserveRequest {
    fn from_wire(request: wire::ObserveRequest) -> Result<Self, InvalidMessage> {
        let wire::ObserveRequest { cluster, member } = request;
        Ok(Self {
            cluster: field("cluster", cluster)?,
            member: field("member", member)?,
        })
    }
}

impl From<ObserveRequest> for wire::ObserveRequest {
    fn from(request: ObserveRequest) -> Self {
        let ObserveRequest { cluster, member } = request;
        Self {
            cluster: cluster.into(),
            member: member.into(),
        }
    }
}

impl FromWire<wire::CarryOutEvent> for CarryOutEvent {
    fn from_wire(event: wire::CarryOutEvent) -> Result<Self, InvalidMessage> {
        use wire::carry_out_event::Event;
        match event.event {
            Some(Event::Progress(progress)) => field("progress", progress).map(Self::Progress),
            Some(Event::Receipt(receipt)) => field("receipt", receipt).map(Self::Receipt),
            Some(Event::Refusal(refusal)) => field("refusal", refusal).map(Self::Refusal),
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

impl From<CarryOutEvent> for wire::CarryOutEvent {
    fn from(event: CarryOutEvent) -> Self {
        use wire::carry_out_event::Event;
        let event = match event {
            CarryOutEvent::Progress(progress) => Event::Progress(progress.into()),
            CarryOutEvent::Receipt(receipt) => Event::Receipt(receipt.into()),
            CarryOutEvent::Refusal(refusal) => Event::Refusal(refusal.into()),
        };
        Self { event: Some(event) }
    }
}

impl FromWire<wire::Refusal> for Refusal {
    fn from_wire(refusal: wire::Refusal) -> Result<Self, InvalidMessage> {
        let wire::Refusal {
            failure,
            highest_epoch,
        } = refusal;
        Ok(Self {
            failure: required("failure", failure)?,
            highest_epoch: optional("highest_epoch", highest_epoch)?,
        })
    }
}

impl From<Refusal> for wire::Refusal {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            failure,
            highest_epoch,
        } = refusal;
        Self {
            failure: Some(failure.into()),
            highest_epoch: highest_epoch.map(|Epoch(epoch)| epoch),
        }
    }
}

impl FromWire<wire::ProbeReply> for ProbeReply {
    fn from_wire(reply: wire::ProbeReply) -> Result<Self, InvalidMessage> {
        use wire::probe_reply::Reply;
        match reply.reply {
            Some(Reply::Found(probe)) => field("found", probe).map(Self::Found),
            Some(Reply::Refusal(refusal)) => field("refusal", refusal).map(Self::Refusal),
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

impl From<ProbeReply> for wire::ProbeReply {
    fn from(reply: ProbeReply) -> Self {
        use wire::probe_reply::Reply;
        let reply = match reply {
            ProbeReply::Found(probe) => Reply::Found(probe.into()),
            ProbeReply::Refusal(refusal) => Reply::Refusal(refusal.into()),
        };
        Self { reply: Some(reply) }
    }
}

impl FromWire<wire::BeatsRequest> for BeatsRequest {
    fn from_wire(request: wire::BeatsRequest) -> Result<Self, InvalidMessage> {
        let wire::BeatsRequest {
            cluster,
            member,
            every_ms,
        } = request;
        let every = Duration::from_millis(every_ms.into());
        if !(Self::SHORTEST..=Self::LONGEST).contains(&every) {
            let why = Why::OutOfRange {
                value: every_ms.into(),
                least: milliseconds(Self::SHORTEST).into(),
                most: milliseconds(Self::LONGEST).into(),
            };
            return Err(InvalidMessage::new("every_ms", why));
        }
        Ok(Self {
            cluster: field("cluster", cluster)?,
            member: field("member", member)?,
            every,
        })
    }
}

impl From<BeatsRequest> for wire::BeatsRequest {
    fn from(request: BeatsRequest) -> Self {
        let BeatsRequest {
            cluster,
            member,
            every,
        } = request;
        Self {
            cluster: cluster.into(),
            member: member.into(),
            every_ms: milliseconds(every),
        }
    }
}

/// Too long a time becomes the longest one that can be written, which the receiver refuses.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

impl FromWire<wire::LedgerRequest> for LedgerRequest {
    fn from_wire(request: wire::LedgerRequest) -> Result<Self, InvalidMessage> {
        let wire::LedgerRequest {
            cluster,
            member,
            rollout,
        } = request;
        Ok(Self {
            cluster: field("cluster", cluster)?,
            member: field("member", member)?,
            rollout: optional("rollout", rollout)?,
        })
    }
}

impl From<LedgerRequest> for wire::LedgerRequest {
    fn from(request: LedgerRequest) -> Self {
        let LedgerRequest {
            cluster,
            member,
            rollout,
        } = request;
        Self {
            cluster: cluster.into(),
            member: member.into(),
            rollout: rollout.map(String::from),
        }
    }
}

impl FromWire<wire::LedgerEntry> for LedgerEntry {
    fn from_wire(entry: wire::LedgerEntry) -> Result<Self, InvalidMessage> {
        let wire::LedgerEntry {
            order,
            content,
            began_unix_ms,
            receipt,
        } = entry;
        Ok(Self {
            order: required("order", order)?,
            content: field("content", content)?,
            began_unix_ms,
            receipt: optional("receipt", receipt)?,
        })
    }
}

impl From<LedgerEntry> for wire::LedgerEntry {
    fn from(entry: LedgerEntry) -> Self {
        let LedgerEntry {
            order,
            content,
            began_unix_ms,
            receipt,
        } = entry;
        Self {
            order: Some(order.into()),
            content: digest_bytes(content),
            began_unix_ms,
            receipt: receipt.map(Into::into),
        }
    }
}
