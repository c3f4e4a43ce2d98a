//! Arbitrary observations and beats.

use super::{
    attempt_id, cluster, digest, epoch, kind, member, package_version, pin, text, texts, uuid,
    version,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use refit_shared::gtid::GtidSet;
use refit_shared::observation::{
    AgentFacts, Beat, ChannelDetail, ChannelFacts, ConnectedReplica, DataPath, Fact, GroupFacts,
    GroupMember, HostFacts, LongTransaction, MemberRole, MemberState, Observation, PackageFacts,
    PathRole, ReplicationService, SchemaStatement, Seconds, ServerFacts, ServiceState,
    SnapshotMethod, StorageFacts, ThreadState,
};
use refit_shared::rehearsal::Rehearsal;

pub fn fact<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Fact<T>> {
    prop_oneof![
        3 => value.prop_map(Fact::Known),
        1 => text().prop_map(Fact::Unknown),
    ]
}

pub fn gtid_set() -> impl Strategy<Value = GtidSet> {
    let part = (
        uuid(),
        option::of("[a-z_][a-z0-9_]{0,8}"),
        1..1000u64,
        0..1000u64,
    );
    vec(part, 0..4).prop_map(|parts| {
        let print = |(uuid, tag, from, more): (_, Option<String>, u64, u64)| {
            let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
            format!("{uuid}{tag}:{from}-{}", from + more)
        };
        let text: Vec<String> = parts.into_iter().map(print).collect();
        text.join(",").parse().expect("follows the grammar")
    })
}

fn rehearsal() -> impl Strategy<Value = Rehearsal> {
    let times = (
        option::of(any::<u64>().prop_map(Seconds)),
        any::<u64>().prop_map(Seconds),
        any::<u64>().prop_map(Seconds),
        option::of(any::<u64>().prop_map(Seconds)),
        option::of(any::<u64>().prop_map(Seconds)),
    );
    let what = (
        attempt_id(),
        any::<i64>(),
        version(),
        option::of(version()),
        text(),
        any::<bool>(),
        select(vec![
            SnapshotMethod::BtrfsSubvolume,
            SnapshotMethod::Reflink,
            SnapshotMethod::Copy,
        ]),
    );
    let found = (
        option::of(any::<u64>()),
        option::of(text()),
        any::<u64>(),
        any::<u64>(),
        vec(text(), 0..3),
        vec(text(), 0..3),
        vec(text(), 0..3),
        vec(text(), 0..3),
    );
    (what, times, found).prop_map(
        |(
            (id, at_unix_ms, target, from, data, foreign, method),
            (recovered, cloned, started, dictionary, system_tables),
            (
                peak_memory_bytes,
                refused,
                tables_opened,
                views_opened,
                broken,
                broken_before,
                lines,
                limits,
            ),
        )| Rehearsal {
            id,
            at_unix_ms,
            target,
            from,
            data,
            foreign,
            method,
            recovered,
            cloned,
            started,
            dictionary,
            system_tables,
            peak_memory_bytes,
            refused,
            tables_opened,
            views_opened,
            broken,
            broken_before,
            lines,
            limits,
        },
    )
}

fn agent() -> impl Strategy<Value = AgentFacts> {
    (
        text(),
        epoch(),
        option::of(text()),
        any::<bool>(),
        any::<bool>(),
        btree_map(kind(), any::<u64>().prop_map(Seconds), 0..4),
        option::of(text()),
        vec(rehearsal(), 0..2),
    )
        .prop_map(
            |(
                version,
                highest_epoch,
                working_on,
                in_maintenance,
                holding_server_down,
                measured_s,
                replication_user,
                rehearsals,
            )| {
                AgentFacts {
                    version,
                    highest_epoch,
                    working_on,
                    in_maintenance,
                    holding_server_down,
                    replication_user,
                    measured_s,
                    rehearsals,
                }
            },
        )
}

fn host() -> impl Strategy<Value = HostFacts> {
    (text(), text(), fact(text()), fact(any::<u64>())).prop_map(
        |(hostname, os, boot_id, uptime_s)| HostFacts {
            hostname,
            os,
            boot_id,
            uptime_s,
        },
    )
}

fn service() -> impl Strategy<Value = ServiceState> {
    select(vec![
        ServiceState::Active,
        ServiceState::Activating,
        ServiceState::Deactivating,
        ServiceState::Inactive,
        ServiceState::Failed,
    ])
}

fn packages() -> impl Strategy<Value = PackageFacts> {
    (
        btree_map(text(), package_version(), 0..3),
        vec(pin(), 0..3),
        texts(),
        texts(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(installed, available, held, broken, locked_by_other, frozen_by_other)| PackageFacts {
                installed,
                available,
                held,
                broken,
                locked_by_other,
                frozen_by_other,
            },
        )
}

fn data_path() -> impl Strategy<Value = DataPath> {
    let role = select(vec![
        PathRole::DataDir,
        PathRole::BinaryLogs,
        PathRole::RelayLogs,
        PathRole::RedoLogs,
        PathRole::UndoLogs,
        PathRole::InnodbHome,
        PathRole::Other,
    ]);
    (role, text(), any::<u64>(), text()).prop_map(|(role, path, bytes, filesystem)| DataPath {
        role,
        path,
        bytes,
        filesystem,
    })
}

fn storage() -> impl Strategy<Value = StorageFacts> {
    let method = select(vec![
        SnapshotMethod::BtrfsSubvolume,
        SnapshotMethod::Reflink,
        SnapshotMethod::Copy,
    ]);
    (vec(data_path(), 0..3), method, any::<[u64; 3]>()).prop_map(
        |(paths, snapshot_method, [needs, free, data_free])| StorageFacts {
            paths,
            snapshot_method,
            snapshot_needs_bytes: needs,
            snapshot_free_bytes: free,
            data_free_bytes: data_free,
        },
    )
}

pub fn member_state() -> impl Strategy<Value = MemberState> {
    select(vec![
        MemberState::Online,
        MemberState::Recovering,
        MemberState::Offline,
        MemberState::Error,
        MemberState::Unreachable,
    ])
}

fn group_member() -> impl Strategy<Value = GroupMember> {
    let role = select(vec![
        MemberRole::Primary,
        MemberRole::Secondary,
        MemberRole::None,
    ]);
    (
        uuid(),
        text(),
        any::<u16>(),
        member_state(),
        role,
        version(),
    )
        .prop_map(|(uuid, host, port, state, role, version)| GroupMember {
            uuid,
            host,
            port,
            state,
            role,
            version,
        })
}

fn group() -> impl Strategy<Value = GroupFacts> {
    (
        (text(), text(), any::<bool>(), member_state()),
        vec(group_member(), 0..3),
        any::<[u64; 2]>(),
        gtid_set(),
        fact(version()),
        any::<u8>(),
    )
        .prop_map(
            |(
                (group_name, view_id, single_primary, own_state),
                members,
                [certifier_queue, applier_queue],
                received,
                communication_protocol,
                weight,
            )| GroupFacts {
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
            },
        )
}

fn long_transaction() -> impl Strategy<Value = LongTransaction> {
    (any::<u64>(), text(), any::<u64>()).prop_map(|(thread_id, user, running_s)| LongTransaction {
        thread_id,
        user,
        running_s,
    })
}

fn thread() -> impl Strategy<Value = ThreadState> {
    (
        select(vec![
            ReplicationService::On,
            ReplicationService::Connecting,
            ReplicationService::Off,
        ]),
        any::<u32>(),
        text(),
    )
        .prop_map(|(service, errno, error)| ThreadState {
            service,
            errno,
            error,
        })
}

fn channel_detail() -> impl Strategy<Value = ChannelDetail> {
    (
        (any::<u16>(), option::of(uuid()), text(), gtid_set()),
        any::<[bool; 4]>(),
        any::<[u32; 2]>(),
        (any::<u64>(), option::of(any::<u64>())),
        vec(text(), 0..3),
        (thread(), thread()),
    )
        .prop_map(
            |(
                (source_port, source_uuid, user, received),
                [auto_position, ssl, get_public_key, auto_failover],
                [connect_retry_s, delay_s],
                (retry_count, lag_ms),
                filters,
                (receiver, applier),
            )| ChannelDetail {
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
            },
        )
}

fn channel() -> impl Strategy<Value = ChannelFacts> {
    (
        (text(), text(), any::<bool>(), any::<bool>(), text()),
        fact(channel_detail()),
    )
        .prop_map(
            |((name, source_host, receiving, applying, last_error), detail)| ChannelFacts {
                name,
                source_host,
                receiving,
                applying,
                last_error,
                detail,
            },
        )
}

fn replica() -> impl Strategy<Value = ConnectedReplica> {
    (any::<u64>(), text(), any::<u16>(), option::of(uuid())).prop_map(
        |(server_id, host, port, uuid)| ConnectedReplica {
            server_id,
            host,
            port,
            uuid,
        },
    )
}

fn schema_statement() -> impl Strategy<Value = SchemaStatement> {
    (option::of(text()), text(), any::<u64>(), any::<i64>()).prop_map(
        |(schema, text, times, last_unix_ms)| SchemaStatement {
            schema,
            text,
            times,
            last_unix_ms,
        },
    )
}

fn server() -> impl Strategy<Value = ServerFacts> {
    (
        (version(), text(), uuid(), text(), any::<u16>()),
        any::<[u64; 2]>(),
        any::<[bool; 3]>(),
        (gtid_set(), gtid_set()),
        (btree_map(text(), text(), 0..3), texts()),
        (
            fact(any::<u64>()),
            fact(vec(long_transaction(), 0..3)),
            fact(any::<u64>()),
            fact(vec(schema_statement(), 0..3)),
            fact(vec(channel(), 0..3)),
            fact(vec(replica(), 0..3)),
            fact(option::of(group())),
        ),
    )
        .prop_map(
            |(
                (version, version_string, uuid, report_host, port),
                [server_id, uptime_s],
                [read_only, super_read_only, offline_mode],
                (gtid_executed, gtid_purged),
                (variables, explicit_variables),
                (
                    table_count,
                    long_transactions,
                    prepared_xa,
                    schema_statements,
                    channels,
                    replicas,
                    group,
                ),
            )| ServerFacts {
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
            },
        )
}

pub fn observation() -> impl Strategy<Value = Observation> {
    (
        (member(), cluster(), any::<i64>()),
        agent(),
        host(),
        fact(service()),
        fact(packages()),
        fact(digest()),
        fact(storage()),
        fact(server()),
    )
        .prop_map(
            |(
                (member, cluster, at_unix_ms),
                agent,
                host,
                service,
                packages,
                config_digest,
                storage,
                server,
            )| Observation {
                member,
                cluster,
                at_unix_ms,
                agent,
                host,
                service,
                packages,
                config_digest,
                storage,
                server,
            },
        )
}

pub fn beat() -> impl Strategy<Value = Beat> {
    (
        member(),
        any::<i64>(),
        fact(member_state()),
        any::<bool>(),
        any::<[u64; 2]>(),
    )
        .prop_map(
            |(member, at_unix_ms, state, writable, [transactions_executed, applier_queue])| Beat {
                member,
                at_unix_ms,
                state,
                writable,
                transactions_executed,
                applier_queue,
            },
        )
}
