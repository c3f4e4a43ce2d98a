//! The group as this server sees it (MYSQL.md §2.9), and the quick look that is taken several times a second.

use super::connection::Session;
use crate::host::{HostError, HostResult, Pulse};
use refit_shared::gtid::GtidSet;
use refit_shared::ids::ServerUuid;
use refit_shared::observation::{Fact, GroupFacts, GroupMember, MemberRole, MemberState};
use refit_shared::version::MysqlVersion;

const SETTINGS: &str = "SELECT variable_name, variable_value FROM performance_schema.global_variables \
     WHERE variable_name IN ('group_replication_group_name', 'group_replication_single_primary_mode', \
     'group_replication_member_weight', 'server_uuid')";
const MEMBERS: &str = "SELECT member_id, member_host, member_port, member_state, member_role, member_version \
     FROM performance_schema.replication_group_members";
const OWN: &str = "SELECT view_id, count_transactions_in_queue, count_transactions_remote_in_applier_queue \
     FROM performance_schema.replication_group_member_stats WHERE member_id = @@GLOBAL.server_uuid";
const RECEIVED: &str = "SELECT received_transaction_set FROM performance_schema.replication_connection_status \
     WHERE channel_name = 'group_replication_applier'";
const PROTOCOL: &str = "SELECT group_replication_get_communication_protocol()";
/// Members that are not in the group have an empty member_id here.
const PULSE: &str = "SELECT @@GLOBAL.super_read_only, @@GLOBAL.offline_mode, @@GLOBAL.gtid_executed, m.member_state, \
     m.member_role, s.count_transactions_remote_in_applier_queue FROM (SELECT 1) one \
     LEFT JOIN performance_schema.replication_group_members m ON m.member_id IN (@@GLOBAL.server_uuid, '') \
     LEFT JOIN performance_schema.replication_group_member_stats s ON s.member_id = @@GLOBAL.server_uuid LIMIT 1";

pub(super) fn unexpected<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> HostError {
    move |e| HostError::Unexpected(format!("{what}: {e}"))
}

fn state(text: &str) -> HostResult<MemberState> {
    MemberState::parse(text)
        .ok_or_else(|| HostError::Unexpected(format!("member_state {text:?} is not known")))
}

fn role(text: &str) -> HostResult<MemberRole> {
    match text {
        "PRIMARY" => Ok(MemberRole::Primary),
        "SECONDARY" => Ok(MemberRole::Secondary),
        "" => Ok(MemberRole::None),
        other => Err(HostError::Unexpected(format!(
            "member_role {other:?} is not known"
        ))),
    }
}

/// `None` where the plugin is not loaded or no group is named.
pub(super) async fn read(session: &mut Session<'_>) -> HostResult<Option<GroupFacts>> {
    let settings: Vec<(String, String)> = session.all(SETTINGS).await?;
    let setting = |name: &str| {
        settings
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    };
    let Some(group_name) = setting("group_replication_group_name").filter(|name| !name.is_empty())
    else {
        return Ok(None);
    };
    let own = ServerUuid::new(setting("server_uuid").unwrap_or_default())
        .map_err(unexpected("server_uuid"))?;
    let weight = setting("group_replication_member_weight").unwrap_or_default();
    let weight = weight
        .parse()
        .map_err(unexpected("group_replication_member_weight"))?;

    type Row = (
        String,
        Option<String>,
        Option<u16>,
        String,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Row> = session.all(MEMBERS).await?;
    let mut members = Vec::new();
    let mut own_state = MemberState::Offline;
    for (id, host, port, member_state, member_role, version) in rows {
        if id.is_empty() {
            continue; // this server before its first START GROUP_REPLICATION
        }
        let member = GroupMember {
            uuid: ServerUuid::new(id).map_err(unexpected("member_id"))?,
            host: host.unwrap_or_default(),
            port: port.unwrap_or_default(),
            state: state(&member_state)?,
            role: role(member_role.as_deref().unwrap_or_default())?,
            version: MysqlVersion::parse_prefix(version.as_deref().unwrap_or_default())
                .map_err(unexpected("member_version"))?,
        };
        if member.uuid == own {
            own_state = member.state;
        }
        members.push(member);
    }
    members.sort();

    let stats: Option<(String, u64, u64)> = session.one(OWN).await?;
    let (view_id, certifier_queue, applier_queue) = stats.unwrap_or_default();
    let received: Option<String> = session.one(RECEIVED).await?;
    let received = parse_gtids("received_transaction_set", &received.unwrap_or_default())?;
    Ok(Some(GroupFacts {
        group_name: group_name.to_owned(),
        view_id,
        single_primary: setting("group_replication_single_primary_mode") == Some("ON"),
        own_state,
        members,
        certifier_queue,
        applier_queue,
        received,
        communication_protocol: protocol(session, own_state).await?,
        weight,
    }))
}

async fn protocol(
    session: &mut Session<'_>,
    own_state: MemberState,
) -> HostResult<Fact<MysqlVersion>> {
    if own_state != MemberState::Online {
        let why = format!(
            "only an ONLINE member knows; this one is {}",
            own_state.as_str()
        );
        return Ok(Fact::Unknown(why));
    }
    match session.one::<String>(PROTOCOL).await {
        Ok(text) => Ok(
            match MysqlVersion::parse_prefix(text.as_deref().unwrap_or_default()) {
                Ok(version) => Fact::Known(version),
                Err(e) => Fact::Unknown(e.to_string()),
            },
        ),
        Err(e @ HostError::Sql { .. }) => Ok(Fact::Unknown(e.to_string())),
        Err(e) => Err(e),
    }
}

pub(super) fn parse_gtids(what: &str, text: &str) -> HostResult<GtidSet> {
    text.parse().map_err(unexpected(what))
}

pub(super) async fn pulse(session: &mut Session<'_>) -> HostResult<Pulse> {
    type Row = (
        bool,
        bool,
        String,
        Option<String>,
        Option<String>,
        Option<u64>,
    );
    let row: Option<Row> = session.one(PULSE).await?;
    let (super_read_only, offline_mode, executed, member_state, member_role, queue) =
        row.ok_or_else(|| HostError::Unexpected("pulse: no row".to_owned()))?;
    Ok(Pulse {
        state: member_state.as_deref().map(state).transpose()?,
        primary: member_role.as_deref() == Some("PRIMARY"),
        super_read_only,
        offline_mode,
        transactions_executed: parse_gtids("gtid_executed", &executed)?.count(),
        applier_queue: queue.unwrap_or_default(),
    })
}
