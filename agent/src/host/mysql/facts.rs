//! What an observation reports of the server. Each part that can fail on its own is a fact of its own.

use super::channels;
use super::connection::Session;
use super::group::{self, parse_gtids, unexpected};
use crate::host::{HostError, HostResult};
use refit_shared::ids::ServerUuid;
use refit_shared::observation::{Fact, LongTransaction, SchemaStatement, ServerFacts};
use refit_shared::version::MysqlVersion;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const DEADLINE: Duration = Duration::from_secs(15);

/// The variables that are reported. Names that a version doesn't have are simply absent.
const VARIABLES: &[&str] = &[
    "admin_address",
    "authentication_policy",
    "auto_generate_certs",
    "binlog_expire_logs_seconds",
    "binlog_format",
    "binlog_transaction_dependency_history_size",
    "character_set_server",
    "collation_server",
    "datadir",
    "default_table_encryption",
    "enforce_gtid_consistency",
    "event_scheduler",
    "group_replication_advertise_recovery_endpoints",
    "group_replication_allow_local_lower_version_join",
    "group_replication_autorejoin_tries",
    "group_replication_bootstrap_group",
    "group_replication_communication_stack",
    "group_replication_consistency",
    "group_replication_enforce_update_everywhere_checks",
    "group_replication_exit_state_action",
    "group_replication_group_name",
    "group_replication_group_seeds",
    "group_replication_gtid_assignment_block_size",
    "group_replication_local_address",
    "group_replication_member_expel_timeout",
    "group_replication_member_weight",
    "group_replication_paxos_single_leader",
    "group_replication_preemptive_garbage_collection",
    "group_replication_recovery_get_public_key",
    "group_replication_recovery_public_key_path",
    "group_replication_recovery_use_ssl",
    "group_replication_single_primary_mode",
    "group_replication_ssl_mode",
    "group_replication_start_on_boot",
    "group_replication_unreachable_majority_timeout",
    "group_replication_view_change_uuid",
    "gtid_mode",
    "have_ssl",
    "innodb_buffer_pool_size",
    "innodb_change_buffering",
    "innodb_fast_shutdown",
    "innodb_flush_log_at_trx_commit",
    "innodb_page_size",
    "innodb_redo_log_capacity",
    "log_bin",
    "skip_networking",
    "log_bin_basename",
    "log_error",
    "log_replica_updates",
    "log_slave_updates",
    "lower_case_table_names",
    "max_connections",
    "offline_mode",
    "persisted_globals_load",
    "port",
    "read_only",
    "relay_log_basename",
    "replica_parallel_workers",
    "replica_preserve_commit_order",
    "report_host",
    "require_secure_transport",
    "rpl_semi_sync_master_enabled",
    "rpl_semi_sync_master_timeout",
    "rpl_semi_sync_master_wait_for_slave_count",
    "rpl_semi_sync_replica_enabled",
    "rpl_semi_sync_slave_enabled",
    "rpl_semi_sync_source_enabled",
    "rpl_semi_sync_source_timeout",
    "rpl_semi_sync_source_wait_for_replica_count",
    "secure_file_priv",
    "server_id",
    "server_uuid",
    "skip_replica_start",
    "slave_parallel_workers",
    "slave_preserve_commit_order",
    "socket",
    "sql_mode",
    "super_read_only",
    "sync_binlog",
    "tls_version",
    "transaction_write_set_extraction",
    "version",
    "version_comment",
    "version_compile_machine",
];

/// Shorter transactions are everyday life; who asks for a stricter limit gets all from here.
const LONG_S: u64 = 1;

/// Transactions of clients: not the agent's own, not the applier's, not of an XA that nobody holds.
const LONG: &str = "SELECT x.trx_mysql_thread_id, t.processlist_user, \
     CAST(GREATEST(TIMESTAMPDIFF(SECOND, x.trx_started, NOW()), 0) AS UNSIGNED) \
     FROM information_schema.innodb_trx x \
     JOIN performance_schema.threads t ON t.processlist_id = x.trx_mysql_thread_id \
     WHERE x.trx_mysql_thread_id NOT IN (0, CONNECTION_ID()) AND t.name LIKE '%one_connection'";
/// Bounded on its own: with a hundred thousand tables it takes a while.
const TABLES: &str = "SELECT /*+ MAX_EXECUTION_TIME(3000) */ COUNT(*) FROM information_schema.tables \
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')";
/// Digests, so that no literal is in it; temporary tables are a session's own affair. The latest first, of the last day.
const SCHEMA_STATEMENTS: &str = "SELECT /*+ MAX_EXECUTION_TIME(2000) */ schema_name, digest_text, count_star, \
     CAST(UNIX_TIMESTAMP(last_seen) * 1000 AS SIGNED) \
     FROM performance_schema.events_statements_summary_by_digest \
     WHERE last_seen > NOW() - INTERVAL 1 DAY \
     AND digest_text REGEXP '^(CREATE|ALTER|DROP|RENAME|GRANT|REVOKE|SET PASSWORD) ' \
     AND digest_text NOT LIKE 'CREATE TEMPORARY %' AND digest_text NOT LIKE 'DROP TEMPORARY %' \
     ORDER BY last_seen DESC LIMIT 20";
const KEEPS_DIGESTS: &str = "SELECT COUNT(*) FROM performance_schema.setup_consumers \
     WHERE name IN ('global_instrumentation', 'statements_digest') AND enabled = 'YES' AND @@performance_schema";
/// One statement, so that the purged set is of the same moment as the executed one.
const GTIDS: &str = "SELECT @@GLOBAL.gtid_executed, @@GLOBAL.gtid_purged";
const EXPLICIT: &str = "SELECT variable_name FROM performance_schema.variables_info \
     WHERE variable_source NOT IN ('COMPILED', 'DYNAMIC') \
     UNION SELECT variable_name FROM performance_schema.persisted_variables";
const PLUGINS: &str = "SELECT plugin_name FROM information_schema.plugins WHERE plugin_library IS NOT NULL AND plugin_status = 'ACTIVE'";

pub(super) async fn read(session: &mut Session<'_>) -> HostResult<ServerFacts> {
    let names: Vec<String> = VARIABLES.iter().map(|name| format!("'{name}'")).collect();
    let question = format!(
        "SELECT variable_name, variable_value FROM performance_schema.global_variables WHERE variable_name IN ({})",
        names.join(", ")
    );
    let rows: Vec<(String, Option<String>)> = session.all(&question).await?;
    let mut variables: BTreeMap<String, String> = rows
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or_default()))
        .collect();
    let plugins: Vec<String> = session.all(PLUGINS).await?;
    let explicit: Vec<String> = session.all(EXPLICIT).await?;
    let (executed, purged): (String, String) = session
        .one(GTIDS)
        .await?
        .ok_or_else(|| HostError::Unexpected("gtid_executed: no row".to_owned()))?;
    let uptime: Option<(String, u64)> = session.one("SHOW GLOBAL STATUS LIKE 'Uptime'").await?;
    let text = |name: &str| variables.get(name).cloned().unwrap_or_default();
    let on = |name: &str| text(name) == "ON";
    let facts = ServerFacts {
        version: MysqlVersion::parse_prefix(&text("version")).map_err(unexpected("version"))?,
        version_string: text("version"),
        uuid: ServerUuid::new(text("server_uuid")).map_err(unexpected("server_uuid"))?,
        server_id: text("server_id").parse().map_err(unexpected("server_id"))?,
        report_host: text("report_host"),
        port: text("port").parse().map_err(unexpected("port"))?,
        uptime_s: uptime
            .map(|(_, seconds)| seconds)
            .ok_or_else(|| HostError::Unexpected("Uptime: no row".to_owned()))?,
        read_only: on("read_only"),
        super_read_only: on("super_read_only"),
        offline_mode: on("offline_mode"),
        gtid_executed: parse_gtids("gtid_executed", &executed)?,
        gtid_purged: parse_gtids("gtid_purged", &purged)?,
        table_count: fact(count(session, TABLES).await)?,
        long_transactions: fact(long_transactions(session).await)?,
        prepared_xa: fact(prepared_xa(session).await)?,
        schema_statements: fact(schema_statements(session).await)?,
        channels: fact(channels::read(session).await)?,
        replicas: fact(channels::replicas(session).await)?,
        group: fact(group::read(session).await)?,
        explicit_variables: explicit.into_iter().collect::<BTreeSet<_>>(),
        variables: BTreeMap::new(),
    };
    variables.insert("plugins".to_owned(), plugins.join(","));
    Ok(ServerFacts { variables, ..facts })
}

/// An error of one statement makes one fact unknown; a server that went away makes all of them so.
fn fact<T>(result: HostResult<T>) -> HostResult<Fact<T>> {
    match result {
        Ok(value) => Ok(Fact::Known(value)),
        Err(e @ (HostError::Sql { .. } | HostError::Unexpected(_))) => {
            Ok(Fact::Unknown(e.to_string()))
        }
        Err(e) => Err(e),
    }
}

async fn count(session: &mut Session<'_>, question: &str) -> HostResult<u64> {
    let count: Option<u64> = session.one(question).await?;
    count.ok_or_else(|| HostError::Unexpected(format!("{question}: no row")))
}

async fn long_transactions(session: &mut Session<'_>) -> HostResult<Vec<LongTransaction>> {
    let rows: Vec<(u64, Option<String>, u64)> = session.all(LONG).await?;
    Ok(rows
        .into_iter()
        .filter(|(_, _, running_s)| *running_s >= LONG_S)
        .map(|(thread_id, user, running_s)| LongTransaction {
            thread_id,
            user: user.unwrap_or_default(),
            running_s,
        })
        .collect())
}

async fn schema_statements(session: &mut Session<'_>) -> HostResult<Vec<SchemaStatement>> {
    if count(session, KEEPS_DIGESTS).await? < 2 {
        return Err(HostError::Unexpected(
            "the server keeps no statement digests (performance_schema, consumer statements_digest)"
                .to_owned(),
        ));
    }
    let rows: Vec<(Option<String>, String, u64, i64)> = session.all(SCHEMA_STATEMENTS).await?;
    let statement = |(schema, text, times, last_unix_ms)| SchemaStatement {
        schema,
        text,
        times,
        last_unix_ms,
    };
    Ok(rows.into_iter().map(statement).collect())
}

async fn prepared_xa(session: &mut Session<'_>) -> HostResult<u64> {
    let rows: Vec<mysql_async::Row> = session.all("XA RECOVER").await?;
    Ok(rows.len() as u64)
}
