//! What a MySQL server and its group report about themselves.

use super::channel::told;
use super::{FromWire, InvalidMessage, each, field, map, messages, required, set};
use crate::common as wire;
use refit_shared::observation::{
    GroupFacts, GroupMember, LongTransaction, SchemaStatement, ServerFacts,
};

impl FromWire<wire::ServerFacts> for ServerFacts {
    fn from_wire(facts: wire::ServerFacts) -> Result<Self, InvalidMessage> {
        let wire::ServerFacts {
            version,
            version_string,
            uuid,
            server_id,
            report_host,
            port,
            uptime_s,
            read_only,
            super_read_only,
            offline_mode,
            gtid_executed,
            gtid_purged,
            variables,
            explicit_variables,
            table_count,
            long_transactions,
            prepared_xa,
            channels,
            group,
            replicas,
            schema_statements,
        } = facts;
        Ok(Self {
            version: field("version", version)?,
            version_string,
            uuid: field("uuid", uuid)?,
            server_id,
            report_host,
            port: field("port", port)?,
            uptime_s,
            read_only,
            super_read_only,
            offline_mode,
            gtid_executed: field("gtid_executed", gtid_executed)?,
            gtid_purged: field("gtid_purged", gtid_purged)?,
            variables: map("variables", variables)?,
            explicit_variables: set("explicit_variables", explicit_variables)?,
            table_count: required("table_count", table_count)?,
            long_transactions: required("long_transactions", long_transactions)?,
            prepared_xa: required("prepared_xa", prepared_xa)?,
            schema_statements: told("schema_statements", schema_statements)?,
            channels: required("channels", channels)?,
            replicas: told("replicas", replicas)?,
            group: required("group", group)?,
        })
    }
}

impl From<ServerFacts> for wire::ServerFacts {
    fn from(facts: ServerFacts) -> Self {
        let ServerFacts {
            version,
            version_string,
            uuid,
            server_id,
            report_host,
            port,
            uptime_s,
            read_only,
            super_read_only,
            offline_mode,
            gtid_executed,
            gtid_purged,
            variables,
            explicit_variables,
            table_count,
            long_transactions,
            prepared_xa,
            schema_statements,
            channels,
            replicas,
            group,
        } = facts;
        Self {
            version: version.into(),
            version_string,
            uuid: uuid.into(),
            server_id,
            report_host,
            port: port.into(),
            uptime_s,
            read_only,
            super_read_only,
            offline_mode,
            gtid_executed: gtid_executed.into(),
            gtid_purged: gtid_purged.into(),
            variables,
            explicit_variables: messages(explicit_variables),
            table_count: Some(table_count.into()),
            long_transactions: Some(long_transactions.into()),
            prepared_xa: Some(prepared_xa.into()),
            schema_statements: Some(schema_statements.into()),
            channels: Some(channels.into()),
            replicas: Some(replicas.into()),
            group: Some(group.into()),
        }
    }
}

impl FromWire<wire::LongTransaction> for LongTransaction {
    fn from_wire(transaction: wire::LongTransaction) -> Result<Self, InvalidMessage> {
        let wire::LongTransaction {
            thread_id,
            user,
            running_s,
        } = transaction;
        Ok(Self {
            thread_id,
            user,
            running_s,
        })
    }
}

impl From<LongTransaction> for wire::LongTransaction {
    fn from(transaction: LongTransaction) -> Self {
        let LongTransaction {
            thread_id,
            user,
            running_s,
        } = transaction;
        Self {
            thread_id,
            user,
            running_s,
        }
    }
}

impl FromWire<wire::SchemaStatement> for SchemaStatement {
    fn from_wire(statement: wire::SchemaStatement) -> Result<Self, InvalidMessage> {
        let wire::SchemaStatement {
            schema,
            text,
            times,
            last_unix_ms,
        } = statement;
        Ok(Self {
            schema,
            text,
            times,
            last_unix_ms,
        })
    }
}

impl From<SchemaStatement> for wire::SchemaStatement {
    fn from(statement: SchemaStatement) -> Self {
        let SchemaStatement {
            schema,
            text,
            times,
            last_unix_ms,
        } = statement;
        Self {
            schema,
            text,
            times,
            last_unix_ms,
        }
    }
}

impl FromWire<wire::GroupFacts> for GroupFacts {
    fn from_wire(facts: wire::GroupFacts) -> Result<Self, InvalidMessage> {
        let wire::GroupFacts {
            group_name,
            view_id,
            single_primary,
            own_state,
            members,
            certifier_queue,
            applier_queue,
            received,
            communication_protocol,
            weight,
        } = facts;
        Ok(Self {
            group_name,
            view_id,
            single_primary,
            own_state: field("own_state", own_state)?,
            members: each("members", members)?,
            certifier_queue,
            applier_queue,
            received: field("received", received)?,
            communication_protocol: required("communication_protocol", communication_protocol)?,
            weight: field("weight", weight)?,
        })
    }
}

impl From<GroupFacts> for wire::GroupFacts {
    fn from(facts: GroupFacts) -> Self {
        let GroupFacts {
            group_name,
            view_id,
            single_primary,
            own_state,
            members,
            certifier_queue,
            applier_queue,
            received,
            communication_protocol,
            weight,
        } = facts;
        Self {
            group_name,
            view_id,
            single_primary,
            own_state: wire::MemberState::from(own_state).into(),
            members: messages(members),
            certifier_queue,
            applier_queue,
            received: received.into(),
            communication_protocol: Some(communication_protocol.into()),
            weight: weight.into(),
        }
    }
}

impl FromWire<wire::GroupMember> for GroupMember {
    fn from_wire(member: wire::GroupMember) -> Result<Self, InvalidMessage> {
        let wire::GroupMember {
            uuid,
            host,
            port,
            state,
            role,
            version,
        } = member;
        Ok(Self {
            uuid: field("uuid", uuid)?,
            host,
            port: field("port", port)?,
            state: field("state", state)?,
            role: field("role", role)?,
            version: field("version", version)?,
        })
    }
}

impl From<GroupMember> for wire::GroupMember {
    fn from(member: GroupMember) -> Self {
        let GroupMember {
            uuid,
            host,
            port,
            state,
            role,
            version,
        } = member;
        Self {
            uuid: uuid.into(),
            host,
            port: port.into(),
            state: wire::MemberState::from(state).into(),
            role: wire::MemberRole::from(role).into(),
            version: version.into(),
        }
    }
}
