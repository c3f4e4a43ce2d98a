//! Asynchronous replication as this server sees it: the channels it replicates through, and the servers that replicate from it.
//!
//! Group Replication's own channels are part of the group's facts, not channels of the operator's.

use super::connection::Session;
use super::credentials::Credentials;
use super::group::{parse_gtids, unexpected};
use crate::host::{HostError, HostResult};
use mysql_async::prelude::FromRow;
use mysql_async::{FromRowError, Row};
use refit_shared::gtid::GtidSet;
use refit_shared::ids::ServerUuid;
use refit_shared::observation::{
    ChannelDetail, ChannelFacts, ConnectedReplica, Fact, ReplicationService, ThreadState,
};
use refit_shared::operation::SourceAddress;
use std::collections::BTreeMap;

/// One row a channel. A worker's own error comes first: of it the coordinator only says where to look.
const CHANNELS: &str = "SELECT c.channel_name, c.host, c.port, c.user, c.auto_position = '1', \
     c.connection_retry_interval, c.connection_retry_count, c.ssl_allowed <> 'NO', c.get_public_key = 'YES', \
     c.source_connection_auto_failover = '1', s.source_uuid, s.service_state, s.received_transaction_set, \
     s.last_error_number, s.last_error_message, a.service_state, ac.desired_delay, \
     COALESCE((SELECT MAX(w.last_error_number) FROM performance_schema.replication_applier_status_by_worker w \
       WHERE w.channel_name = c.channel_name AND w.last_error_number <> 0), co.last_error_number, 0) applier_errno, \
     COALESCE((SELECT MAX(w.last_error_message) FROM performance_schema.replication_applier_status_by_worker w \
       WHERE w.channel_name = c.channel_name AND w.last_error_number <> 0), co.last_error_message, '') applier_error, \
     (SELECT MAX(GREATEST(TIMESTAMPDIFF(MICROSECOND, w.applying_transaction_original_commit_timestamp, NOW(6)), 0) DIV 1000) \
       FROM performance_schema.replication_applier_status_by_worker w WHERE w.channel_name = c.channel_name \
       AND w.applying_transaction <> '' AND w.applying_transaction_original_commit_timestamp > '2000-01-01') lag_ms \
     FROM performance_schema.replication_connection_configuration c \
     JOIN performance_schema.replication_connection_status s USING (channel_name) \
     JOIN performance_schema.replication_applier_status a USING (channel_name) \
     JOIN performance_schema.replication_applier_configuration ac USING (channel_name) \
     LEFT JOIN performance_schema.replication_applier_status_by_coordinator co USING (channel_name) \
     WHERE c.channel_name NOT IN ('group_replication_applier', 'group_replication_recovery') AND c.host <> ''";
const FILTERS: &str = "SELECT channel_name, filter_name, filter_rule FROM performance_schema.replication_applier_filters";
const EXECUTED: &str = "SELECT @@GLOBAL.gtid_executed";

/// A row of [`CHANNELS`].
struct Found {
    name: String,
    source_host: String,
    source_uuid: String,
    receiver: (String, u32, String),
    applier: (String, u32, String),
    received: String,
    /// What needs no further reading.
    detail: ChannelDetail,
}

impl FromRow for Found {
    fn from_row_opt(mut row: Row) -> Result<Self, FromRowError> {
        let mut at = 0;
        macro_rules! next {
            () => {{
                at += 1;
                match row.take_opt(at - 1) {
                    Some(Ok(value)) => value,
                    Some(Err(_)) | None => return Err(FromRowError(row)),
                }
            }};
        }
        let blank = |service| ThreadState {
            service,
            errno: 0,
            error: String::new(),
        };
        let (name, source_host) = (next!(), next!());
        let mut detail = ChannelDetail {
            source_port: next!(),
            source_uuid: None,
            user: next!(),
            auto_position: next!(),
            connect_retry_s: next!(),
            retry_count: next!(),
            ssl: next!(),
            get_public_key: next!(),
            auto_failover: next!(),
            delay_s: 0,
            filters: Vec::new(),
            received: GtidSet::default(),
            receiver: blank(ReplicationService::Off),
            applier: blank(ReplicationService::Off),
            lag_ms: None,
        };
        let (source_uuid, receiving, received) = (next!(), next!(), next!());
        let receiver = (receiving, next!(), next!());
        let applying = next!();
        detail.delay_s = next!();
        let applier = (applying, next!(), next!());
        detail.lag_ms = next!();
        Ok(Self {
            name,
            source_host,
            source_uuid,
            receiver,
            applier,
            received,
            detail,
        })
    }
}

/// A string as a literal, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::from("'");
    for c in text.chars() {
        // Doubled both: right in every sql_mode that the session is given.
        if matches!(c, '\'' | '\\') {
            literal.push(c);
        }
        literal.push(c);
    }
    literal.push('\'');
    literal
}

/// The statement; `account`: for a channel that is new.
pub(super) fn change_source(
    source: &SourceAddress,
    account: Option<&Credentials>,
) -> HostResult<String> {
    let mut statement = format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST={}, SOURCE_PORT={}, SOURCE_AUTO_POSITION=1",
        quoted(&source.host),
        source.port
    );
    if let Some(account) = account {
        let (user, password) = account.read().map_err(|e| HostError::Io {
            action: "read",
            what: e.path.display().to_string(),
            source: std::io::Error::other(e.why),
        })?;
        let bit = |on: bool| u8::from(on);
        statement.push_str(&format!(
            ", SOURCE_USER={}, SOURCE_PASSWORD={}, SOURCE_SSL={}, GET_SOURCE_PUBLIC_KEY={}, \
             SOURCE_CONNECT_RETRY={}, SOURCE_RETRY_COUNT={}",
            quoted(&user),
            quoted(&password.unwrap_or_default()),
            bit(source.ssl),
            bit(source.get_public_key),
            source.connect_retry_s,
            source.retry_count
        ));
    }
    statement.push_str(&format!(" FOR CHANNEL {}", quoted(&source.channel)));
    Ok(statement)
}

/// Every channel, by name.
pub(super) async fn read(session: &mut Session<'_>) -> HostResult<Vec<ChannelFacts>> {
    let rows: Vec<Found> = session.all(CHANNELS).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut filters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let rules: Vec<(String, String, String)> = session.all(FILTERS).await?;
    for (channel, filter, rule) in rules {
        let filters = filters.entry(channel).or_default();
        filters.push(format!("{filter}={rule}"));
    }
    // After the channels were read: what they have received may be executed by now, never the other way round.
    let executed: Option<String> = session.one(EXECUTED).await?;
    let executed = parse_gtids("gtid_executed", &executed.unwrap_or_default())?;
    let mut channels = rows
        .into_iter()
        .map(|row| facts(row, &mut filters, &executed))
        .collect::<HostResult<Vec<_>>>()?;
    channels.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(channels)
}

fn facts(
    row: Found,
    filters: &mut BTreeMap<String, Vec<String>>,
    executed: &GtidSet,
) -> HostResult<ChannelFacts> {
    let mut detail = row.detail;
    detail.receiver = thread(row.receiver)?;
    detail.applier = thread(row.applier)?;
    detail.received = parse_gtids("received_transaction_set", &row.received)?;
    detail.source_uuid = match row.source_uuid.as_str() {
        "" => None,
        uuid => Some(ServerUuid::new(uuid).map_err(unexpected("source_uuid"))?),
    };
    detail.filters = filters.remove(&row.name).unwrap_or_default();
    if detail.lag_ms.is_none() && detail.received.is_subset_of(executed) {
        detail.lag_ms = Some(0);
    }
    let last_error = [&detail.receiver, &detail.applier]
        .into_iter()
        .find(|thread| thread.errno != 0)
        .map(|thread| thread.error.clone());
    Ok(ChannelFacts {
        name: row.name,
        source_host: row.source_host,
        receiving: detail.receiver.service == ReplicationService::On,
        applying: detail.applier.service == ReplicationService::On,
        last_error: last_error.unwrap_or_default(),
        detail: Fact::Known(detail),
    })
}

fn thread((service, errno, error): (String, u32, String)) -> HostResult<ThreadState> {
    let service = match service.as_str() {
        "ON" => ReplicationService::On,
        "CONNECTING" => ReplicationService::Connecting,
        "OFF" => ReplicationService::Off,
        other => {
            return Err(HostError::Unexpected(format!(
                "service_state {other:?} is not known"
            )));
        }
    };
    Ok(ThreadState {
        service,
        errno,
        error,
    })
}

/// Who is connected and reads the binary log. The statement has this name from 8.0.22 on.
pub(super) async fn replicas(session: &mut Session<'_>) -> HostResult<Vec<ConnectedReplica>> {
    type Row = (u64, String, u16, u64, String);
    let rows: Vec<Row> = session.all("SHOW REPLICAS").await?;
    let mut found = Vec::new();
    for (server_id, host, port, _, uuid) in rows {
        let uuid = match uuid.as_str() {
            "" => None,
            uuid => Some(ServerUuid::new(uuid).map_err(unexpected("Replica_UUID"))?),
        };
        found.push(ConnectedReplica {
            server_id,
            host,
            port,
            uuid,
        });
    }
    found.sort();
    Ok(found)
}
