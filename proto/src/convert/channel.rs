//! Asynchronous replication channels, and who is connected as a replica.

use super::{FromWire, InvalidMessage, field, required, wire_enum};
use crate::common as wire;
use refit_shared::observation::{
    ChannelDetail, ChannelFacts, ConnectedReplica, Fact, ReplicationService, ThreadState,
};

wire_enum! {
    ReplicationService { On, Connecting, Off }
}

/// A fact that agents of earlier releases don't send is unknown, and says so.
pub(super) fn told<W, T>(name: &'static str, fact: Option<W>) -> Result<Fact<T>, InvalidMessage>
where
    Fact<T>: FromWire<W>,
{
    match fact {
        Some(fact) => field(name, fact),
        None => Ok(Fact::Unknown(
            "the agent is of an earlier release and does not tell; upgrade it".to_owned(),
        )),
    }
}

impl FromWire<wire::ChannelFacts> for ChannelFacts {
    fn from_wire(facts: wire::ChannelFacts) -> Result<Self, InvalidMessage> {
        let wire::ChannelFacts {
            name,
            source_host,
            receiving,
            applying,
            last_error,
            detail,
        } = facts;
        Ok(Self {
            name,
            source_host,
            receiving,
            applying,
            last_error,
            detail: told("detail", detail)?,
        })
    }
}

impl From<ChannelFacts> for wire::ChannelFacts {
    fn from(facts: ChannelFacts) -> Self {
        let ChannelFacts {
            name,
            source_host,
            receiving,
            applying,
            last_error,
            detail,
        } = facts;
        Self {
            name,
            source_host,
            receiving,
            applying,
            last_error,
            detail: Some(detail.into()),
        }
    }
}

impl FromWire<wire::ChannelDetail> for ChannelDetail {
    fn from_wire(detail: wire::ChannelDetail) -> Result<Self, InvalidMessage> {
        let wire::ChannelDetail {
            source_port,
            source_uuid,
            user,
            auto_position,
            connect_retry_s,
            retry_count,
            ssl,
            get_public_key,
            auto_failover,
            delay_s,
            filters,
            received,
            receiver,
            applier,
            lag_ms,
        } = detail;
        Ok(Self {
            source_port: field("source_port", source_port)?,
            source_uuid: source_uuid
                .map(|uuid| field("source_uuid", uuid))
                .transpose()?,
            user,
            auto_position,
            connect_retry_s,
            retry_count,
            ssl,
            get_public_key,
            auto_failover,
            delay_s,
            filters,
            received: field("received", received)?,
            receiver: required("receiver", receiver)?,
            applier: required("applier", applier)?,
            lag_ms,
        })
    }
}

impl From<ChannelDetail> for wire::ChannelDetail {
    fn from(detail: ChannelDetail) -> Self {
        let ChannelDetail {
            source_port,
            source_uuid,
            user,
            auto_position,
            connect_retry_s,
            retry_count,
            ssl,
            get_public_key,
            auto_failover,
            delay_s,
            filters,
            received,
            receiver,
            applier,
            lag_ms,
        } = detail;
        Self {
            source_port: source_port.into(),
            source_uuid: source_uuid.map(Into::into),
            user,
            auto_position,
            connect_retry_s,
            retry_count,
            ssl,
            get_public_key,
            auto_failover,
            delay_s,
            filters,
            received: received.into(),
            receiver: Some(receiver.into()),
            applier: Some(applier.into()),
            lag_ms,
        }
    }
}

impl FromWire<wire::ThreadState> for ThreadState {
    fn from_wire(state: wire::ThreadState) -> Result<Self, InvalidMessage> {
        let wire::ThreadState {
            service,
            errno,
            error,
        } = state;
        Ok(Self {
            service: field("service", service)?,
            errno,
            error,
        })
    }
}

impl From<ThreadState> for wire::ThreadState {
    fn from(state: ThreadState) -> Self {
        let ThreadState {
            service,
            errno,
            error,
        } = state;
        Self {
            service: wire::ReplicationService::from(service).into(),
            errno,
            error,
        }
    }
}

impl FromWire<wire::ConnectedReplica> for ConnectedReplica {
    fn from_wire(replica: wire::ConnectedReplica) -> Result<Self, InvalidMessage> {
        let wire::ConnectedReplica {
            server_id,
            host,
            port,
            uuid,
        } = replica;
        Ok(Self {
            server_id,
            host,
            port: field("port", port)?,
            uuid: uuid.map(|uuid| field("uuid", uuid)).transpose()?,
        })
    }
}

impl From<ConnectedReplica> for wire::ConnectedReplica {
    fn from(replica: ConnectedReplica) -> Self {
        let ConnectedReplica {
            server_id,
            host,
            port,
            uuid,
        } = replica;
        Self {
            server_id,
            host,
            port: port.into(),
            uuid: uuid.map(Into::into),
        }
    }
}
