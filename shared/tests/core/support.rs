//! Clusters to plan for, in a few words.

use refit_shared::config::persisted::PersistedSetting;
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::ids::{ClusterName, Digest, Epoch, MemberName, ServerUuid};
use refit_shared::observation::*;
use refit_shared::plan::{ApprovePivot, Policy};
use refit_shared::planner::Request;
use refit_shared::survey::{Survey, everything};
use refit_shared::table::{TableFacts, TableName};
use refit_shared::topology::Sighting;
use refit_shared::version::{MysqlVersion, PackageVersion};
use std::collections::{BTreeMap, BTreeSet};

pub const GROUP: &str = "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb";

/// A healthy group: member `i` is `dbi`, the first one the primary. `offered` are the package versions of every host.
pub fn group(versions: &[&str], offered: &[&str]) -> Sighting {
    let view: Vec<GroupMember> = versions
        .iter()
        .enumerate()
        .map(|(i, version)| GroupMember {
            uuid: uuid(i),
            host: format!("db{}", i + 1),
            port: 3306,
            state: MemberState::Online,
            role: if i == 0 {
                MemberRole::Primary
            } else {
                MemberRole::Secondary
            },
            version: version.parse().unwrap(),
        })
        .collect();
    let surveys = (0..versions.len()).map(|i| {
        let name = member(&format!("db{}", i + 1));
        let mut survey = Survey::unremarkable(everything());
        survey.tables = Some(Fact::Known(tables(&["shop.items", "shop.orders"])));
        (name, Fact::Known(survey))
    });
    let surveys = surveys.collect();
    let members = (0..versions.len()).map(|i| {
        let name = member(&format!("db{}", i + 1));
        (
            name,
            Fact::Known(observation(i, versions[i], &view, offered)),
        )
    });
    Sighting {
        cluster: ClusterName::new("shop").unwrap(),
        members: members.collect(),
        surveys,
    }
}

/// Servers that replicate asynchronously: member `i` is `dbi`; `links` are (replica, source) by number. Several links of one
/// replica are channels named after their sources. Only those that replicate from nobody take writes.
pub fn replicas(versions: &[&str], links: &[(usize, usize)], offered: &[&str]) -> Sighting {
    let mut seen = group(versions, offered);
    let executed = format!("{}:1-100", uuid(0));
    for i in 0..versions.len() {
        let own: Vec<usize> = links
            .iter()
            .filter(|(replica, _)| *replica == i + 1)
            .map(|(_, source)| *source)
            .collect();
        let channels = own.iter().map(|source| {
            let name = if own.len() > 1 {
                format!("db{source}")
            } else {
                String::new()
            };
            channel(name, *source, &executed)
        });
        let channels: Vec<ChannelFacts> = channels.collect();
        let connected = links
            .iter()
            .filter(|(_, source)| *source == i + 1)
            .map(|(replica, _)| ConnectedReplica {
                server_id: *replica as u64,
                host: format!("db{replica}"),
                port: 3306,
                uuid: Some(uuid(replica - 1)),
            });
        let connected: Vec<ConnectedReplica> = connected.collect();
        change_server(&mut seen, &format!("db{}", i + 1), |server| {
            server.group = Fact::Known(None);
            server.gtid_executed = executed.parse().unwrap();
            server.super_read_only = !channels.is_empty();
            server.read_only = !channels.is_empty();
            server.channels = Fact::Known(channels);
            server.replicas = Fact::Known(connected);
            for (name, value) in [
                ("gtid_mode", "ON"),
                ("enforce_gtid_consistency", "ON"),
                ("binlog_format", "ROW"),
                ("log_bin", "ON"),
                ("log_replica_updates", "ON"),
            ] {
                server.variables.insert(name.to_owned(), value.to_owned());
            }
        });
    }
    seen
}

/// InnoDB tables of 1 GiB.
pub fn tables(names: &[&str]) -> BTreeMap<TableName, TableFacts> {
    let facts = TableFacts::Base {
        engine: "InnoDB".to_owned(),
        bytes: 1 << 30,
        locks: false,
    };
    let names = names.iter().map(|name| name.parse().unwrap());
    names.map(|name| (name, facts.clone())).collect()
}

fn channel(name: String, source: usize, received: &str) -> ChannelFacts {
    let on = || ThreadState {
        service: ReplicationService::On,
        errno: 0,
        error: String::new(),
    };
    ChannelFacts {
        name,
        source_host: format!("db{source}"),
        receiving: true,
        applying: true,
        last_error: String::new(),
        detail: Fact::Known(ChannelDetail {
            source_port: 3306,
            source_uuid: Some(uuid(source - 1)),
            user: "repl".into(),
            auto_position: true,
            connect_retry_s: 60,
            retry_count: 86400,
            ssl: true,
            get_public_key: false,
            auto_failover: false,
            delay_s: 0,
            filters: vec![],
            received: received.parse().unwrap(),
            receiver: on(),
            applier: on(),
            lag_ms: Some(0),
        }),
    }
}

/// The only channel of a replica.
pub fn channel_of(server: &mut ServerFacts) -> &mut ChannelDetail {
    match &mut server.channels {
        Fact::Known(channels) => match &mut channels[0].detail {
            Fact::Known(detail) => detail,
            Fact::Unknown(why) => panic!("{why}"),
        },
        Fact::Unknown(why) => panic!("{why}"),
    }
}

/// The same with several primaries: those of the lowest version take writes, whatever MEMBER_ROLE says.
pub fn multi_primary(versions: &[&str], offered: &[&str]) -> Sighting {
    let mut seen = group(versions, offered);
    let parse = |version: &str| version.parse::<MysqlVersion>().unwrap();
    let lowest = versions.iter().map(|version| parse(version)).min();
    let names: Vec<String> = seen.members.keys().map(ToString::to_string).collect();
    for name in names {
        change_server(&mut seen, &name, |server| {
            let read_only = Some(server.version) != lowest;
            (server.read_only, server.super_read_only) = (read_only, read_only);
            let Fact::Known(Some(group)) = &mut server.group else {
                panic!("it is in a group")
            };
            group.single_primary = false;
            for member in &mut group.members {
                member.role = MemberRole::Primary;
            }
        });
    }
    seen
}

/// A standalone server, `db1`, that takes writes.
pub fn alone(version: &str, offered: &[&str]) -> Sighting {
    let mut seen = group(&[version], offered);
    change_server(&mut seen, "db1", |server| server.group = Fact::Known(None));
    seen
}

pub fn member(name: &str) -> MemberName {
    MemberName::new(name).unwrap()
}

fn uuid(i: usize) -> ServerUuid {
    ServerUuid::new(format!("00000000-0000-0000-0000-00000000000{}", i + 1)).unwrap()
}

fn observation(i: usize, version: &str, view: &[GroupMember], offered: &[&str]) -> Observation {
    let names = ["mysql-server", "mysql-server-core"];
    let installed = PackageVersion::new(format!("{version}-1")).unwrap();
    let pin = |name: &str, version: &str| PackagePin {
        name: name.to_owned(),
        version: PackageVersion::new(version).unwrap(),
        sha256: Digest::of(format!("{name}{version}").as_bytes()).to_string(),
    };
    let pins = ["ssl_mode", "recovery_use_ssl"].map(|v| format!("group_replication_{v}"));
    let explicit: BTreeSet<String> = pins
        .into_iter()
        .chain(["gtid_mode", "enforce_gtid_consistency"].map(str::to_owned))
        .collect();
    Observation {
        member: member(&format!("db{}", i + 1)),
        cluster: ClusterName::new("shop").unwrap(),
        at_unix_ms: 0,
        agent: AgentFacts {
            version: "0.1.0".into(),
            highest_epoch: Epoch(1),
            working_on: None,
            in_maintenance: false,
            holding_server_down: false,
            replication_user: Some("replica".into()),
            measured_s: BTreeMap::new(),
            rehearsals: Vec::new(),
        },
        host: HostFacts {
            hostname: format!("db{}", i + 1),
            os: "Debian".into(),
            boot_id: Fact::Known("b".into()),
            uptime_s: Fact::Known(1000),
        },
        service: Fact::Known(ServiceState::Active),
        packages: Fact::Known(PackageFacts {
            installed: names
                .iter()
                .map(|n| ((*n).to_owned(), installed.clone()))
                .collect(),
            available: offered
                .iter()
                .flat_map(|v| names.map(|n| pin(n, v)))
                .collect(),
            held: BTreeSet::new(),
            broken: BTreeSet::new(),
            locked_by_other: false,
            frozen_by_other: false,
        }),
        config_digest: Fact::Known(Digest::of(b"config")),
        storage: Fact::Known(StorageFacts {
            paths: vec![DataPath {
                role: PathRole::DataDir,
                path: "/var/lib/mysql".into(),
                bytes: 1 << 30,
                filesystem: "btrfs".into(),
            }],
            snapshot_method: SnapshotMethod::BtrfsSubvolume,
            snapshot_needs_bytes: 0,
            snapshot_free_bytes: 50 << 30,
            data_free_bytes: 50 << 30,
        }),
        server: Fact::Known(ServerFacts {
            version: version.parse().unwrap(),
            version_string: format!("{version}-1"),
            uuid: view[i].uuid.clone(),
            server_id: i as u64 + 1,
            report_host: view[i].host.clone(),
            port: 3306,
            uptime_s: 100,
            read_only: i != 0,
            super_read_only: i != 0,
            offline_mode: false,
            gtid_executed: format!("{GROUP}:1-100").parse().unwrap(),
            gtid_purged: "".parse().unwrap(),
            variables: BTreeMap::from(
                [
                    ("binlog_expire_logs_seconds", "2592000"),
                    ("lower_case_table_names", "0"),
                    ("plugins", ""),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            explicit_variables: explicit,
            table_count: Fact::Known(200),
            long_transactions: Fact::Known(vec![]),
            prepared_xa: Fact::Known(0),
            schema_statements: Fact::Known(Vec::new()),
            channels: Fact::Known(vec![]),
            replicas: Fact::Known(vec![]),
            group: Fact::Known(Some(GroupFacts {
                group_name: GROUP.into(),
                view_id: "17:3".into(),
                single_primary: true,
                own_state: MemberState::Online,
                members: view.to_vec(),
                certifier_queue: 0,
                applier_queue: (3 - i.min(3)) as u64,
                received: "".parse().unwrap(),
                communication_protocol: Fact::Known(MysqlVersion::new(8, 0, 27)),
                weight: 50,
            })),
        }),
    }
}

/// A request with the choices of a careful operator of a three-member group.
pub fn request(target: &str) -> Request {
    Request {
        target: target.parse().unwrap(),
        policy: Policy {
            approve_pivot: ApprovePivot::Person,
            accept_no_spare: true,
            restore_primary: true,
            soak_s: 2,
            keep_config: false,
            overrides: Vec::new(),
            release: Vec::new(),
        },
        strategy: None,
        promote: None,
        tables: Vec::new(),
        advised: None,
        restart_source: false,
        validate_config: false,
    }
}

/// Changes what one member reports of its server.
pub fn change_server(seen: &mut Sighting, name: &str, change: impl FnOnce(&mut ServerFacts)) {
    change_member(seen, name, |observation| match &mut observation.server {
        Fact::Known(server) => change(server),
        Fact::Unknown(why) => panic!("{why}"),
    });
}

pub fn change_member(seen: &mut Sighting, name: &str, change: impl FnOnce(&mut Observation)) {
    match seen.members.get_mut(&member(name)).unwrap() {
        Fact::Known(observation) => change(observation),
        Fact::Unknown(why) => panic!("{why}"),
    }
}

/// Every member's option file says so, and `mysqld-auto.cnf` that.
pub fn configured(from: &str, text: &str, persisted: &[(&str, &str)]) -> Sighting {
    let mut seen = group(&[from; 3], &["9.7.4-2", &format!("{from}-1")]);
    let config = ConfigFiles {
        roots: vec!["/etc/mysql/my.cnf".to_owned()],
        files: vec![OptionFile::new("/etc/mysql/my.cnf", text)],
        persisted: persisted
            .iter()
            .map(|(name, value)| PersistedSetting {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            })
            .collect(),
        ..ConfigFiles::default()
    };
    for name in ["db1", "db2", "db3"] {
        match seen.surveys.get_mut(&member(name)).unwrap() {
            Fact::Known(survey) => survey.config = Some(config.clone()),
            Fact::Unknown(why) => panic!("{why}"),
        }
    }
    seen
}
