//! Facts: a value, or the reason why there is none. A fact that is neither is an error.

use super::ids::digest_bytes;
use super::{FromWire, InvalidMessage, Why, each, field, messages};
use crate::common as wire;
use refit_shared::ids::Digest;
use refit_shared::observation::{
    ChannelDetail, ChannelFacts, ConnectedReplica, Fact, GroupFacts, LongTransaction, MemberState,
    PackageFacts, SchemaStatement, ServerFacts, ServiceState, StorageFacts,
};
use refit_shared::version::MysqlVersion;

/// `Message (its module) of Type, by how the value goes out`
macro_rules! facts {
    ($($wire:ident ($module:ident) of $type:ty, $out:expr;)*) => {$(
        impl FromWire<wire::$wire> for Fact<$type> {
            fn from_wire(fact: wire::$wire) -> Result<Self, InvalidMessage> {
                match fact.fact {
                    Some(wire::$module::Fact::Value(value)) => field("value", value).map(Fact::Known),
                    Some(wire::$module::Fact::UnknownReason(reason)) => Ok(Fact::Unknown(reason)),
                    None => Err(InvalidMessage::here(Why::Missing)),
                }
            }
        }
        impl From<Fact<$type>> for wire::$wire {
            fn from(fact: Fact<$type>) -> Self {
                let out: fn($type) -> _ = $out;
                let fact = match fact {
                    Fact::Known(value) => wire::$module::Fact::Value(out(value)),
                    Fact::Unknown(reason) => wire::$module::Fact::UnknownReason(reason),
                };
                Self { fact: Some(fact) }
            }
        }
    )*};
}

facts! {
    TextFact (text_fact) of String, |text| text;
    CountFact (count_fact) of u64, |count| count;
    DigestFact (digest_fact) of Digest, digest_bytes;
    VersionFact (version_fact) of MysqlVersion, String::from;
    ServiceStateFact (service_state_fact) of ServiceState, |state| wire::ServiceState::from(state).into();
    MemberStateFact (member_state_fact) of MemberState, |state| wire::MemberState::from(state).into();
    PackageFact (package_fact) of PackageFacts, wire::PackageFacts::from;
    StorageFact (storage_fact) of StorageFacts, wire::StorageFacts::from;
    ServerFact (server_fact) of ServerFacts, wire::ServerFacts::from;
    LongTransactionsFact (long_transactions_fact) of Vec<LongTransaction>, |list| wire::LongTransactions { transactions: messages(list) };
    ChannelsFact (channels_fact) of Vec<ChannelFacts>, |list| wire::Channels { channels: messages(list) };
    ChannelDetailFact (channel_detail_fact) of ChannelDetail, wire::ChannelDetail::from;
    SchemaStatementsFact (schema_statements_fact) of Vec<SchemaStatement>, |list| wire::SchemaStatements { statements: messages(list) };
    ReplicasFact (replicas_fact) of Vec<ConnectedReplica>, |list| wire::ConnectedReplicas { replicas: messages(list) };
    GroupFact (group_fact) of Option<GroupFacts>, group;
}

impl FromWire<wire::LongTransactions> for Vec<LongTransaction> {
    fn from_wire(list: wire::LongTransactions) -> Result<Self, InvalidMessage> {
        each("transactions", list.transactions)
    }
}

impl FromWire<wire::Channels> for Vec<ChannelFacts> {
    fn from_wire(list: wire::Channels) -> Result<Self, InvalidMessage> {
        each("channels", list.channels)
    }
}

impl FromWire<wire::SchemaStatements> for Vec<SchemaStatement> {
    fn from_wire(list: wire::SchemaStatements) -> Result<Self, InvalidMessage> {
        let wire::SchemaStatements { statements } = list;
        each("statements", statements)
    }
}

impl FromWire<wire::ConnectedReplicas> for Vec<ConnectedReplica> {
    fn from_wire(list: wire::ConnectedReplicas) -> Result<Self, InvalidMessage> {
        each("replicas", list.replicas)
    }
}

impl FromWire<wire::Group> for Option<GroupFacts> {
    fn from_wire(group: wire::Group) -> Result<Self, InvalidMessage> {
        match group.group {
            Some(wire::group::Group::Configured(facts)) => field("configured", facts).map(Some),
            Some(wire::group::Group::None(wire::NoGroup {})) => Ok(None),
            None => Err(InvalidMessage::here(Why::Missing)),
        }
    }
}

fn group(facts: Option<GroupFacts>) -> wire::Group {
    let group = match facts {
        Some(facts) => wire::group::Group::Configured(facts.into()),
        None => wire::group::Group::None(wire::NoGroup {}),
    };
    wire::Group { group: Some(group) }
}
