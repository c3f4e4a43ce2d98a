//! The simulated server, as one asks it over its socket.

use super::Shape;
use super::port::SimPort;
use super::state::{Channel, HostState, PERSISTED, Receiver, Server, TxId, World};
use crate::host::{HostError, HostResult, LogFormat, Machine, Mysql, Pulse, Rebuilt, Replication};
use async_trait::async_trait;
use refit_shared::gtid::GtidSet;
use refit_shared::ids::{MemberName, ServerUuid};
use refit_shared::observation::{ChannelFacts, Fact, GroupFacts, MemberState, ServerFacts};
use refit_shared::operation::SourceAddress;
use refit_shared::rules::system_tables::by_program;
use refit_shared::survey::{Address, Listing, Question, Row, Survey, Unreached};
use refit_shared::table::{TableFacts, TableName};
use refit_shared::version::MysqlVersion;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn away(host: &HostState) -> HostError {
    HostError::ServerAway(format!("the unit is {:?}", host.unit.state()).to_lowercase())
}

fn running<'w>(world: &'w World, member: &MemberName) -> HostResult<&'w Server> {
    let host = world.host(member);
    host.server().ok_or_else(|| away(host))
}

fn running_mut<'w>(world: &'w mut World, member: &MemberName) -> HostResult<&'w mut Server> {
    running(world, member)?;
    Ok(world
        .host_mut(member)
        .server_mut()
        .expect("it was there just now"))
}

/// Refused while a replication thread runs.
fn stopped(world: &World, member: &MemberName, statement: &str) -> HostResult<()> {
    running(world, member)?;
    if !world.threads_run(member) {
        return Ok(());
    }
    let why = "This operation cannot be performed with running replication threads";
    Err(sql(statement, 3081, why.to_owned()))
}

fn sql(statement: &str, code: u16, message: String) -> HostError {
    HostError::Sql {
        statement: statement.to_owned(),
        code,
        message,
    }
}

/// Transactions as a GTID set: under the group's name, or in a replication topology under the UUID of where each was committed.
pub(super) fn gtids(world: &World, transactions: &BTreeSet<TxId>) -> HostResult<GtidSet> {
    if !world.shape.is_topology() {
        return under(&world.group_name, transactions);
    }
    let mut all = GtidSet::default();
    for host in world.hosts.iter() {
        let (name, host) = host;
        let own = transactions
            .iter()
            .filter(|tx| world.commits.get(tx).is_some_and(|(at, _)| at == name));
        all = all.union(&under(host.uuid.as_str(), &own.copied().collect())?);
    }
    Ok(all)
}

fn under(group: &str, transactions: &BTreeSet<TxId>) -> HostResult<GtidSet> {
    let mut text = String::new();
    let mut run: Option<(TxId, TxId)> = None;
    let mut close = |run: Option<(TxId, TxId)>| {
        if let Some((from, to)) = run {
            text.push_str(&format!(":{from}-{to}"));
        }
    };
    for tx in transactions {
        run = match run {
            Some((from, to)) if to + 1 == *tx => Some((from, *tx)),
            other => {
                close(other);
                Some((*tx, *tx))
            }
        };
    }
    close(run);
    let text = if text.is_empty() {
        text
    } else {
        format!("{group}{text}")
    };
    text.parse()
        .map_err(|error| HostError::Unexpected(format!("{error}")))
}

fn queue(world: &World, server: &Server) -> u64 {
    if world.now < server.applied_at {
        server.queue
    } else {
        0
    }
}

fn group(world: &World, member: &MemberName, server: &Server) -> HostResult<GroupFacts> {
    let received = gtids(world, &world.host(member).data.transactions)?;
    Ok(GroupFacts {
        group_name: world.group_name.clone(),
        view_id: match server.member {
            MemberState::Offline => String::new(),
            _ => format!("17000000000000000:{}", world.view_id),
        },
        single_primary: world.shape == Shape::Group,
        own_state: server.member,
        members: world.seen_by(member),
        certifier_queue: 0,
        applier_queue: queue(world, server),
        received,
        communication_protocol: match server.member {
            MemberState::Online => Fact::Known(MysqlVersion::new(8, 0, 27)),
            other => Fact::Unknown(format!("this one is {}", other.as_str())),
        },
        weight: 50,
    })
}

/// How long clients keep sessions.
const OLD_SESSIONS: Duration = Duration::from_secs(3);
/// How long the rebuild of a table takes.
const REBUILD: Duration = Duration::from_millis(400);

/// Schema `shop` has every table that is asked for; some of these names have a meaning.
fn table(name: &TableName) -> TableFacts {
    let base = |engine: &str, locks| TableFacts::Base {
        engine: engine.to_owned(),
        bytes: 1 << 20,
        locks,
    };
    match (name.schema(), name.table()) {
        ("shop", "report") => TableFacts::NotBase("VIEW".to_owned()),
        ("shop", "archive") => base("MyISAM", false),
        ("shop", "documents") => base("InnoDB", true),
        ("shop", _) => base("InnoDB", false),
        _ => TableFacts::Missing,
    }
}

/// What must not be so while a table is rebuilt.
fn judge_rebuild(world: &mut World, member: &MemberName, table: &TableName) {
    let host = world.host(member);
    let Some(server) = host.server() else {
        return;
    };
    let replicates = server.applier || !matches!(server.receiver, Receiver::Off);
    let grouped = server.member == MemberState::Online;
    let is_source = host.data.channels.is_empty();
    let not_yet = world
        .hosts
        .iter()
        .find(|(_, other)| {
            other.data.channels.values().any(|c| c.source == *member)
                && !other.data.rebuilt.contains(table)
        })
        .map(|(name, _)| name.clone());
    if world.shape.is_topology() && is_source && !host.runs_secluded() && host.maintenance {
        let what =
            format!("rebuilds {table} with its binary log on though it was restarted for that");
        world.violate(member, what);
    }
    if replicates && !is_source {
        world.violate(member, format!("rebuilds {table} while it replicates"));
    }
    if grouped {
        world.violate(member, format!("rebuilds {table} in its group"));
    }
    if let Some(replica) = not_yet {
        world.violate(member, format!("rebuilds {table} before {replica} has"));
    }
}

fn unremarkable(question: Question) -> Listing {
    let survey = Survey::unremarkable([question]);
    survey
        .answer(question)
        .expect("it was just answered")
        .clone()
}

#[async_trait]
impl Machine for SimPort {
    async fn ask(&self, question: Question) -> HostResult<Listing> {
        self.at("machine.ask", |_, _| {
            if question.of_the_machine() {
                return Ok(unremarkable(question));
            }
            let why = format!("{question} is not about the machine");
            Err(HostError::Unexpected(why))
        })
        .await
    }

    async fn unreached(&self, addresses: &[Address]) -> HostResult<BTreeMap<Address, Unreached>> {
        self.at("machine.unreached", |world, member| {
            let tried = addresses.iter().filter_map(|address| {
                let why = world.unreached(member, &address.host).err()?;
                Some((address.clone(), why))
            });
            Ok(tried.collect())
        })
        .await
    }
}

fn channels(world: &World, member: &MemberName) -> Vec<ChannelFacts> {
    world.channels(member, |set| gtids(world, set).unwrap_or_default())
}

impl SimPort {
    async fn threads(&self, point: &'static str, receiver: bool, applier: bool) -> HostResult<()> {
        self.at(point, move |world, member| {
            running(world, member)?;
            if world.host(member).data.channels.is_empty() {
                let why = "The server is not configured as replica".to_owned();
                return Err(sql("START REPLICA", 1200, why));
            }
            world.start_threads(member, receiver, applier);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Mysql for SimPort {
    async fn facts(&self) -> HostResult<ServerFacts> {
        self.at("mysql.facts", |world, member| {
            let server = running(world, member)?;
            let host = world.host(member);
            let version = host.running_version().ok_or_else(|| away(host))?;
            let on = |on: bool| if on { "ON" } else { "OFF" }.to_owned();
            let grouped = world.shape.is_group();
            let of_the_group = [
                ("start_on_boot", server.start_on_boot),
                ("bootstrap_group", server.bootstrap),
            ];
            let of_the_group = of_the_group.map(|(name, value)| {
                let variable = format!("group_replication_{name}");
                (variable, on(value))
            });
            let variables: BTreeMap<String, String> = [
                (
                    "binlog_expire_logs_seconds".to_owned(),
                    "2592000".to_owned(),
                ),
                (
                    "group_replication_ssl_mode".to_owned(),
                    "REQUIRED".to_owned(),
                ),
                ("group_replication_recovery_use_ssl".to_owned(), on(true)),
                ("plugins".to_owned(), String::new()),
                ("lower_case_table_names".to_owned(), "0".to_owned()),
                ("gtid_mode".to_owned(), on(true)),
                ("enforce_gtid_consistency".to_owned(), on(true)),
                ("log_bin".to_owned(), on(!host.runs_secluded())),
                ("skip_networking".to_owned(), on(host.runs_secluded())),
                (
                    "binlog_format".to_owned(),
                    server.log_format.as_str().to_owned(),
                ),
            ]
            .into_iter()
            .chain(of_the_group.into_iter().filter(|_| grouped))
            .collect();
            Ok(ServerFacts {
                version,
                version_string: format!("{version}-1"),
                uuid: host.uuid.clone(),
                server_id: u64::from(host.number),
                report_host: member.to_string(),
                port: 3306,
                uptime_s: 1000,
                read_only: server.super_read_only,
                super_read_only: server.super_read_only && !server.admits,
                offline_mode: false,
                gtid_executed: gtids(world, &host.data.transactions)?,
                gtid_purged: GtidSet::default(),
                explicit_variables: variables.keys().cloned().collect(),
                variables,
                table_count: Fact::Known(100),
                long_transactions: Fact::Known(Vec::new()),
                prepared_xa: Fact::Known(0),
                schema_statements: Fact::Known(Vec::new()),
                channels: Fact::Known(channels(world, member)),
                replicas: Fact::Known(world.connected(member)),
                group: Fact::Known(match grouped {
                    true => Some(group(world, member, server)?),
                    false => None,
                }),
            })
        })
        .await
    }

    async fn group(&self) -> HostResult<Option<GroupFacts>> {
        self.at("mysql.group", |world, member| {
            let server = running(world, member)?;
            match world.shape {
                Shape::Group | Shape::MultiPrimary => Ok(Some(group(world, member, server)?)),
                Shape::Alone | Shape::Replicas | Shape::Chain => Ok(None),
            }
        })
        .await
    }

    async fn pulse(&self) -> HostResult<Pulse> {
        self.at("mysql.pulse", |world, member| {
            let server = running(world, member)?;
            let waiting = queue(world, server);
            let executed = world.host(member).data.transactions.len() as u64;
            Ok(Pulse {
                state: world.shape.is_group().then_some(server.member),
                primary: server.member == MemberState::Online && world.has_role(member),
                super_read_only: server.super_read_only && !server.admits,
                offline_mode: false,
                transactions_executed: executed.saturating_sub(waiting),
                applier_queue: waiting,
            })
        })
        .await
    }

    async fn uuid(&self) -> HostResult<ServerUuid> {
        self.at("mysql.uuid", |world, member| {
            running(world, member)?;
            Ok(world.host(member).uuid.clone())
        })
        .await
    }

    async fn set_super_read_only(&self, on: bool) -> HostResult<()> {
        self.at("mysql.set_super_read_only", |world, member| {
            running(world, member)?;
            if !on {
                world.judge_opening(member);
            }
            let server = running_mut(world, member)?;
            server.super_read_only = on;
            server.admits = false;
            let outside = server.member != MemberState::Online;
            if !on && world.shape.is_group() && outside {
                world.violate(member, "was made writable outside its group");
            }
            Ok(())
        })
        .await
    }

    async fn super_read_only(&self) -> HostResult<bool> {
        self.at("mysql.super_read_only", |world, member| {
            let server = running(world, member)?;
            Ok(server.super_read_only && !server.admits)
        })
        .await
    }

    async fn writing_transactions(&self) -> HostResult<u64> {
        self.at("mysql.writing_transactions", |world, member| {
            let until = running(world, member)?.writing_until;
            Ok(u64::from(until.is_some_and(|until| world.now < until)))
        })
        .await
    }

    async fn stop_group_replication(&self, _: Duration) -> HostResult<()> {
        self.at("mysql.stop_group_replication", |world, member| {
            let server = running(world, member)?;
            if !server.super_read_only {
                world.violate(
                    member,
                    "STOP GROUP_REPLICATION without super_read_only first",
                );
            }
            world.leave(member);
            Ok(())
        })
        .await
    }

    async fn start_group_replication(&self, _: Duration) -> HostResult<()> {
        self.at("mysql.start_group_replication", |world, member| {
            let server = running(world, member)?;
            if !server.super_read_only && server.member == MemberState::Offline {
                world.violate(member, "START GROUP_REPLICATION on a writable server");
            }
            world
                .join(member)
                .map_err(|why| sql("START GROUP_REPLICATION", 3092, why))
        })
        .await
    }

    async fn set_bootstrap_group(&self, on: bool) -> HostResult<()> {
        self.at("mysql.set_bootstrap_group", |world, member| {
            running_mut(world, member)?.bootstrap = on;
            Ok(())
        })
        .await
    }

    async fn appoint_primary(&self, uuid: &ServerUuid, _: Duration) -> HostResult<()> {
        self.at("mysql.appoint_primary", |world, member| {
            running(world, member)?;
            let refused = |why| sql("SELECT group_replication_set_as_primary(?)", 1123, why);
            if !world.is_online(member) {
                let why = "Member must be ONLINE and in the majority partition".to_owned();
                return Err(refused(why));
            }
            let appointed = world
                .hosts
                .iter()
                .find(|(_, host)| host.uuid == *uuid)
                .map(|(name, _)| name.clone());
            let appointed = appointed.ok_or_else(|| refused("no such member".to_owned()))?;
            world.appoint(&appointed).map_err(refused)
        })
        .await
    }

    async fn set_fast_shutdown(&self, mode: u8) -> HostResult<()> {
        self.at("mysql.set_fast_shutdown", |world, member| {
            let server = running_mut(world, member)?;
            server.slow_shutdown = match mode {
                0 => true,
                1 => false,
                other => {
                    let why = format!("innodb_fast_shutdown = {other} is never asked for");
                    return Err(HostError::Unexpected(why));
                }
            };
            Ok(())
        })
        .await
    }

    async fn set_start_on_boot(&self, on: bool) -> HostResult<()> {
        self.at("mysql.set_start_on_boot", |world, member| {
            running_mut(world, member)?.start_on_boot = on;
            Ok(())
        })
        .await
    }

    async fn replication(&self) -> HostResult<Replication> {
        self.at("mysql.replication", |world, member| {
            running(world, member)?;
            Ok(Replication {
                channels: channels(world, member),
                executed: gtids(world, &world.host(member).data.transactions)?,
            })
        })
        .await
    }

    async fn start_replica(&self) -> HostResult<()> {
        self.threads("mysql.start_replica", true, true).await
    }

    async fn start_receivers(&self) -> HostResult<()> {
        self.threads("mysql.start_receivers", true, false).await
    }

    async fn start_appliers(&self) -> HostResult<()> {
        self.threads("mysql.start_appliers", false, true).await
    }

    async fn stop_replica(&self) -> HostResult<()> {
        self.at("mysql.stop_replica", |world, member| {
            running(world, member)?;
            world.stop_threads(member, true);
            Ok(())
        })
        .await
    }

    async fn stop_receivers(&self) -> HostResult<()> {
        self.at("mysql.stop_receivers", |world, member| {
            running(world, member)?;
            world.stop_threads(member, false);
            Ok(())
        })
        .await
    }

    async fn forget_sources(&self) -> HostResult<()> {
        self.at("mysql.forget_sources", |world, member| {
            stopped(world, member, "RESET REPLICA ALL")?;
            world.host_mut(member).data.channels.clear();
            world.reset_relay(member, false);
            Ok(())
        })
        .await
    }

    async fn change_source(&self, source: &SourceAddress, known: bool) -> HostResult<()> {
        self.at("mysql.change_source", |world, member| {
            running(world, member)?;
            let found = world
                .hosts
                .keys()
                .find(|name| name.as_str() == source.host)
                .cloned();
            let found = found.ok_or_else(|| {
                sql(
                    "CHANGE REPLICATION SOURCE TO",
                    1210,
                    "no such host".to_owned(),
                )
            })?;
            stopped(world, member, "CHANGE REPLICATION SOURCE TO")?;
            let channels = &mut world.host_mut(member).data.channels;
            let before = channels.get(&source.channel).cloned();
            let same = before
                .as_ref()
                .is_some_and(|channel| (&channel.source, channel.port) == (&found, source.port));
            let channel = match before {
                Some(channel) if known => Channel {
                    source: found,
                    port: source.port,
                    ..channel
                },
                Some(_) | None => Channel {
                    source: found,
                    port: source.port,
                    ssl: source.ssl,
                    get_public_key: source.get_public_key,
                    connect_retry_s: source.connect_retry_s,
                    retry_count: source.retry_count,
                },
            };
            channels.insert(source.channel.clone(), channel);
            world.reset_relay(member, same);
            Ok(())
        })
        .await
    }

    async fn persist_read_only(&self, on: bool) -> HostResult<()> {
        self.at("mysql.persist_read_only", |world, member| {
            running(world, member)?;
            if !on {
                world.judge_opening(member);
            }
            let word = if on { "ON" } else { "OFF" };
            let host = world.host_mut(member);
            host.config.insert(
                PERSISTED.to_owned(),
                format!("super_read_only={word}").into_bytes(),
            );
            let server = running_mut(world, member)?;
            server.super_read_only = on;
            server.admits = false;
            Ok(())
        })
        .await
    }

    async fn discard_logs(&self) -> HostResult<()> {
        self.at("mysql.discard_logs", |world, member| {
            stopped(world, member, "RESET REPLICA")?;
            world.reset_relay(member, false);
            Ok(())
        })
        .await
    }

    async fn log_format(&self) -> HostResult<LogFormat> {
        self.at("mysql.log_format", |world, member| {
            Ok(running(world, member)?.log_format)
        })
        .await
    }

    async fn set_log_format(&self, format: LogFormat) -> HostResult<()> {
        self.at("mysql.set_log_format", |world, member| {
            let now = world.now;
            let server = running_mut(world, member)?;
            if format == LogFormat::Row && server.log_format != LogFormat::Row {
                server.old_sessions_until = Some(now + OLD_SESSIONS);
            }
            server.log_format = format;
            Ok(())
        })
        .await
    }

    async fn sessions_without_rows(&self) -> HostResult<Vec<String>> {
        self.at("mysql.sessions_without_rows", |world, member| {
            let until = running(world, member)?.old_sessions_until;
            let any = until.is_some_and(|until| world.now < until);
            Ok(any
                .then(|| "app@client (1 session)".to_owned())
                .into_iter()
                .collect())
        })
        .await
    }

    async fn tables(&self, tables: &[TableName]) -> HostResult<Vec<TableFacts>> {
        let facts = tables.iter().map(table).collect();
        self.at("mysql.tables", |world, member| {
            running(world, member)?;
            Ok(facts)
        })
        .await
    }

    async fn admit_administrators(&self, on: bool) -> HostResult<()> {
        self.at("mysql.admit_administrators", |world, member| {
            let server = running_mut(world, member)?;
            if on && !server.super_read_only {
                let why = "read_only is OFF: super_read_only alone would keep nobody out";
                return Err(HostError::Unexpected(why.to_owned()));
            }
            server.super_read_only = true;
            server.admits = on;
            Ok(())
        })
        .await
    }

    async fn rebuild_table(&self, table: &TableName, _: bool, _: Duration) -> HostResult<Rebuilt> {
        self.take(REBUILD).await;
        self.at("mysql.rebuild_table", |world, member| {
            let server = running(world, member)?;
            if server.super_read_only && !server.admits {
                let why = "The MySQL server is running with the --super-read-only option";
                return Err(sql("ALTER TABLE", 1290, why.to_owned()));
            }
            judge_rebuild(world, member, table);
            let executed = gtids(world, &world.host(member).data.transactions)?;
            let data = &mut world.host_mut(member).data;
            data.rebuilt.insert(table.clone());
            Ok(Rebuilt {
                before: executed.clone(),
                after: executed,
            })
        })
        .await
    }

    async fn upgrade_system_tables(&self, _: Duration) -> HostResult<()> {
        self.take(REBUILD).await;
        self.at("mysql.upgrade_system_tables", |world, member| {
            let server = running(world, member)?;
            if server.super_read_only && !server.admits {
                let why = "The MySQL server is running with the --super-read-only option";
                return Err(sql("mysql_upgrade", 1290, why.to_owned()));
            }
            let open = !server.super_read_only;
            let version = world.host(member).running_version();
            let version = version.ok_or_else(|| away(world.host(member)))?;
            if !by_program(version) {
                world.violate(member, format!("mysql_upgrade was run on {version}"));
            }
            if open {
                world.violate(member, "mysql_upgrade was run where clients may write");
            }
            let data = &mut world.host_mut(member).data;
            data.system_tables = version;
            data.restart_wanted = true;
            Ok(())
        })
        .await
    }

    fn replication_user(&self) -> Option<String> {
        Some("replica".to_owned())
    }

    async fn ask(&self, question: Question) -> HostResult<Listing> {
        self.at("mysql.ask", |world, member| {
            running(world, member)?;
            if question == Question::LoadedLibraries {
                let loaded = world.host(member).libraries.iter();
                let rows: Vec<Row> = loaded.map(|(row, _)| row.clone()).collect();
                return Ok(Listing {
                    total: rows.len() as u64,
                    rows,
                });
            }
            Ok(unremarkable(question))
        })
        .await
    }
}
