//! Connections to the servers, and the few statements that the client sends.

use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use super::outcome::RowKey;

/// How to reach the servers. All of them take the same account.
#[derive(Debug, Clone)]
pub struct Servers {
    /// Addresses, without the port.
    pub hosts: Vec<String>,
    /// The classic protocol's port.
    pub port: u16,
    /// The account.
    pub user: String,
    password: String,
}

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The password file could not be read.
    #[error("read the password of the application account from {path}")]
    Password {
        /// The file.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The server answered with an error, or not at all.
    #[error("{operation} on {host}")]
    Mysql {
        /// What was tried.
        operation: &'static str,
        /// On which host.
        host: String,
        /// What MySQL or the network said.
        source: mysql_async::Error,
    },
    /// The server did not answer in time.
    #[error("{operation} on {host}: no answer within {limit:?}")]
    TimedOut {
        /// What was tried.
        operation: &'static str,
        /// On which host.
        host: String,
        /// How long was waited.
        limit: Duration,
    },
}

const CONNECT_LIMIT: Duration = Duration::from_secs(1);
const ASK_LIMIT: Duration = Duration::from_secs(5);

impl Servers {
    /// Reads the password from a file; a newline at its end does not belong to it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn new(
        hosts: Vec<String>,
        port: u16,
        user: String,
        password_file: &Path,
    ) -> Result<Self, ServerError> {
        let password =
            std::fs::read_to_string(password_file).map_err(|source| ServerError::Password {
                path: password_file.into(),
                source,
            })?;
        Ok(Self {
            hosts,
            port,
            user,
            password: password.trim_end_matches(['\r', '\n']).to_owned(),
        })
    }

    /// Connects, within a second.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or takes longer.
    pub async fn connect(&self, host: &str) -> Result<Conn, ServerError> {
        // caching_sha2_password without TLS: the password travels encrypted with the server's public key. Both sizes
        // are given so that the driver does not ask for them on every connect.
        let opts = OptsBuilder::default()
            .ip_or_hostname(host)
            .tcp_port(self.port)
            .user(Some(&self.user))
            .pass(Some(&self.password))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(600));
        bounded("connect", host, CONNECT_LIMIT, Conn::new(opts)).await
    }
}

async fn bounded<T>(
    operation: &'static str,
    host: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, ServerError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(|source| ServerError::Mysql {
            operation,
            host: host.into(),
            source,
        }),
        Err(_) => Err(ServerError::TimedOut {
            operation,
            host: host.into(),
            limit,
        }),
    }
}

/// Whether this server takes writes that count: neither read_only nor super_read_only, not in offline mode, and in a group ONLINE
/// with the majority. A
/// member that was refused by its group is writable too, and must never be written to.
///
/// # Errors
/// When the server does not answer.
pub async fn is_primary(conn: &mut Conn, host: &str) -> Result<bool, ServerError> {
    const QUESTION: &str = "SELECT @@GLOBAL.read_only = 0 AND @@GLOBAL.super_read_only = 0 AND @@GLOBAL.offline_mode = 0
         AND (COUNT(*) = 0
              OR (COALESCE(SUM(member_id = @@GLOBAL.server_uuid AND member_state = 'ONLINE'), 0) = 1
                  AND 2 * SUM(member_state IN ('ONLINE', 'RECOVERING')) > COUNT(*)))
         FROM performance_schema.replication_group_members";
    let answer: Option<Option<bool>> = bounded(
        "ask for the primary",
        host,
        CONNECT_LIMIT,
        conn.query_first(QUESTION),
    )
    .await?;
    Ok(answer.flatten().unwrap_or(false)) // no row and NULL both mean: not a member of any group
}

/// Makes the table if it is not there yet.
///
/// # Errors
/// When the server refuses.
pub async fn create_table(conn: &mut Conn, host: &str) -> Result<(), ServerError> {
    const DDL: [&str; 2] = [
        "CREATE DATABASE IF NOT EXISTS refit_load",
        "CREATE TABLE IF NOT EXISTS refit_load.ledger (
            run BIGINT UNSIGNED NOT NULL,
            writer SMALLINT UNSIGNED NOT NULL,
            seq BIGINT UNSIGNED NOT NULL,
            written_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
            payload VARCHAR(200) NOT NULL,
            PRIMARY KEY (run, writer, seq))",
    ];
    for statement in DDL {
        bounded(
            "create the table",
            host,
            ASK_LIMIT,
            conn.query_drop(statement),
        )
        .await?;
    }
    Ok(())
}

/// Inserts one row, in a transaction of its own.
///
/// # Errors
/// As the server or the network says; see [`super::outcome::Outcome::of_error`].
pub async fn insert(conn: &mut Conn, run: u64, key: RowKey) -> Result<(), mysql_async::Error> {
    const ROW: &str =
        "INSERT INTO refit_load.ledger (run, writer, seq, payload) VALUES (?, ?, ?, ?)";
    const PAYLOAD: &str =
        "the quick brown fox jumps over the lazy dog, again and again, until the page is full";
    conn.exec_drop(ROW, (run, key.writer, key.seq, PAYLOAD))
        .await
}

/// The transactions that this server has.
///
/// # Errors
/// When the server does not answer.
pub async fn gtid_executed(conn: &mut Conn, host: &str) -> Result<String, ServerError> {
    let asked = conn.query_first("SELECT @@GLOBAL.gtid_executed");
    let set: Option<String> = bounded("read gtid_executed", host, ASK_LIMIT, asked).await?;
    Ok(set.unwrap_or_default().replace('\n', "")) // a SELECT without FROM always has a row
}

/// Whether this server has all these transactions.
///
/// # Errors
/// When the server does not answer.
pub async fn has_gtids(conn: &mut Conn, host: &str, set: &str) -> Result<bool, ServerError> {
    let asked = conn.exec_first("SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed)", (set,));
    let answer: Option<bool> = bounded("compare gtid_executed", host, ASK_LIMIT, asked).await?;
    Ok(answer.unwrap_or(false)) // a SELECT without FROM always has a row
}

/// Every row of a run.
///
/// # Errors
/// When the server does not answer within two minutes.
pub async fn rows(conn: &mut Conn, host: &str, run: u64) -> Result<Vec<RowKey>, ServerError> {
    let read = conn.exec_map(
        "SELECT writer, seq FROM refit_load.ledger WHERE run = ?",
        (run,),
        |(writer, seq)| RowKey { writer, seq },
    );
    bounded("read the table", host, Duration::from_secs(120), read).await
}
