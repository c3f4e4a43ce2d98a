//! The local server over its socket, with mysql_async.
//!
//! ```text
//! LocalMysql ──> connection.rs   sessions, deadlines, errors
//!            ──> facts.rs        what an observation reports
//!            ──> group.rs        the group as this server sees it, and the pulse
//!            ──> channels.rs     asynchronous replication, from and to this server
//!            ──> log_format.rs   rows or statements in the binary log
//!            ──> tables.rs       tables that are to be rebuilt
//!            ──> paths.rs        where the server keeps its files
//!            ──> upgrade_program mysql_upgrade, for servers before 8.0.16
//!            ──> schema/         answers to a survey's questions
//!            ──> tour.rs         opening everything once, on a rehearsal's clone
//! ```
//!
//! Only the statements that are written here ever reach the server; nothing here writes a row, so nothing here can leave
//! a transaction of its own.

mod channels;
mod check_tables;
mod connection;
mod credentials;
mod facts;
mod group;
mod log_format;
mod paths;
mod schema;
mod tables;
mod tour;
mod upgrade_program;

pub use credentials::{Credentials, CredentialsError};
pub use paths::{AskPaths, ServerPaths};
pub use tour::{Tour, tour};

use super::files::options;
use super::{HostError, HostResult, LogFormat, Mysql, Pulse, Rebuilt, Replication};
use async_trait::async_trait;
use connection::Sessions;
use mysql_async::{Row, Value};
use refit_shared::ids::ServerUuid;
use refit_shared::observation::{GroupFacts, ServerFacts};
use refit_shared::operation::SourceAddress;
use refit_shared::survey::{Listing, Question};
use refit_shared::table::{TableFacts, TableName};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A question that the server answers from memory.
const QUESTION: Duration = Duration::from_secs(5);
/// A statement that waits for replication threads to end, and they for the transaction in hand.
const REPLICA: Duration = Duration::from_secs(120);

/// The server behind a socket. Cheap to make: connections are opened when they are needed.
#[derive(Debug)]
pub struct LocalMysql {
    sessions: Sessions,
    option_file: PathBuf,
    /// The account for a channel that is new.
    replication: Option<Credentials>,
    upgrade_program: PathBuf,
}

impl LocalMysql {
    /// `option_file`: where the server's option files start.
    pub fn new(socket: &Path, credentials: Credentials, option_file: &Path) -> Self {
        Self {
            sessions: Sessions::new(socket, credentials),
            option_file: option_file.to_owned(),
            replication: None,
            upgrade_program: PathBuf::from(upgrade_program::INSTALLED),
        }
    }

    /// With the account that the server replicates as, should it ever follow another.
    #[must_use]
    pub fn replicating_as(mut self, replication: Option<Credentials>) -> Self {
        self.replication = replication;
        self
    }

    async fn flag(&self, question: &'static str) -> HostResult<bool> {
        let mut session = self.sessions.get(QUESTION).await?;
        let value: Option<i64> = session.one(question).await?;
        session.keep();
        value
            .map(|value| value != 0)
            .ok_or_else(|| HostError::Unexpected(format!("{question}: no row")))
    }

    async fn set(&self, statement: &'static str, deadline: Duration) -> HostResult<()> {
        let mut session = self.sessions.get(deadline).await?;
        session.execute(statement).await?;
        session.keep();
        Ok(())
    }
}

/// ER_GROUP_REPLICATION_RUNNING: START GROUP_REPLICATION where it runs already.
const ALREADY_RUNNING: u16 = 3093;

#[async_trait]
impl Mysql for LocalMysql {
    async fn facts(&self) -> HostResult<ServerFacts> {
        let mut session = self.sessions.get(facts::DEADLINE).await?;
        let mut facts = facts::read(&mut session).await?;
        session.keep();
        // A variable that a file sets and somebody has changed since counts as changed only, in the server's own list.
        // Files that can't be read add nothing: "not set explicitly" is the stricter answer.
        let in_files = options::server_options(&self.option_file).unwrap_or_default();
        facts
            .explicit_variables
            .extend(in_files.into_iter().map(|option| option.name));
        Ok(facts)
    }

    async fn group(&self) -> HostResult<Option<GroupFacts>> {
        let mut session = self.sessions.get(QUESTION).await?;
        let group = group::read(&mut session).await?;
        session.keep();
        Ok(group)
    }

    async fn pulse(&self) -> HostResult<Pulse> {
        let mut session = self.sessions.get(QUESTION).await?;
        let pulse = group::pulse(&mut session).await?;
        session.keep();
        Ok(pulse)
    }

    async fn uuid(&self) -> HostResult<ServerUuid> {
        let mut session = self.sessions.get(QUESTION).await?;
        let uuid: Option<String> = session.one("SELECT @@GLOBAL.server_uuid").await?;
        session.keep();
        ServerUuid::new(uuid.unwrap_or_default()).map_err(|e| HostError::Unexpected(e.to_string()))
    }

    async fn set_super_read_only(&self, on: bool) -> HostResult<()> {
        // Waits for commits in progress and for global read locks; the caller bounds what is in flight before.
        let deadline = Duration::from_secs(60);
        match on {
            true => self.set("SET GLOBAL super_read_only = ON", deadline).await,
            // Setting read_only off implies super_read_only off.
            false => self.set("SET GLOBAL read_only = OFF", deadline).await,
        }
    }

    async fn super_read_only(&self) -> HostResult<bool> {
        self.flag("SELECT @@GLOBAL.super_read_only").await
    }

    async fn writing_transactions(&self) -> HostResult<u64> {
        let mut session = self.sessions.get(QUESTION).await?;
        // Appliers write as well, all the time; they are no client's business, and STOP lets them end. Their threads can bear
        // any user's name (whoever started them), so only the kind of thread tells.
        let question = "SELECT COUNT(*) FROM information_schema.innodb_trx x \
             JOIN performance_schema.threads t ON t.PROCESSLIST_ID = x.trx_mysql_thread_id \
             WHERE x.trx_rows_modified > 0 AND t.NAME LIKE '%one_connection'";
        let count: Option<u64> = session.one(question).await?;
        session.keep();
        count.ok_or_else(|| HostError::Unexpected(format!("{question}: no row")))
    }

    async fn stop_group_replication(&self, deadline: Duration) -> HostResult<()> {
        // Where it does not run, the server says yes to STOP.
        self.set("STOP GROUP_REPLICATION", deadline).await
    }

    async fn start_group_replication(&self, deadline: Duration) -> HostResult<()> {
        match self.set("START GROUP_REPLICATION", deadline).await {
            Err(HostError::Sql { code, .. }) if code == ALREADY_RUNNING => Ok(()),
            other => other,
        }
    }

    async fn set_bootstrap_group(&self, on: bool) -> HostResult<()> {
        match on {
            true => {
                self.set(
                    "SET GLOBAL group_replication_bootstrap_group = ON",
                    QUESTION,
                )
                .await
            }
            false => {
                self.set(
                    "SET GLOBAL group_replication_bootstrap_group = OFF",
                    QUESTION,
                )
                .await
            }
        }
    }

    async fn appoint_primary(&self, uuid: &ServerUuid, deadline: Duration) -> HostResult<()> {
        let mut session = self.sessions.get(deadline).await?;
        // The function wants a literal, no parameter; a ServerUuid is hexadecimal digits and dashes. A member that is the
        // primary already gets a friendly answer, not an error.
        let answer: Option<Value> = session
            .one(&format!(
                "SELECT group_replication_set_as_primary('{uuid}')"
            ))
            .await?;
        session.keep();
        match answer {
            Some(_) => Ok(()),
            None => Err(HostError::Unexpected(
                "group_replication_set_as_primary: no row".to_owned(),
            )),
        }
    }

    async fn set_fast_shutdown(&self, mode: u8) -> HostResult<()> {
        match mode {
            0 => self.set("SET GLOBAL innodb_fast_shutdown = 0", QUESTION),
            1 => self.set("SET GLOBAL innodb_fast_shutdown = 1", QUESTION),
            other => {
                return Err(HostError::Unexpected(format!(
                    "innodb_fast_shutdown = {other} is never asked for"
                )));
            }
        }
        .await
    }

    async fn set_start_on_boot(&self, on: bool) -> HostResult<()> {
        match on {
            true => {
                self.set("SET GLOBAL group_replication_start_on_boot = ON", QUESTION)
                    .await
            }
            false => {
                self.set("SET GLOBAL group_replication_start_on_boot = OFF", QUESTION)
                    .await
            }
        }
    }

    async fn replication(&self) -> HostResult<Replication> {
        let mut session = self.sessions.get(QUESTION).await?;
        let channels = channels::read(&mut session).await?;
        let executed: Option<String> = session.one("SELECT @@GLOBAL.gtid_executed").await?;
        session.keep();
        Ok(Replication {
            channels,
            executed: group::parse_gtids("gtid_executed", &executed.unwrap_or_default())?,
        })
    }

    async fn start_replica(&self) -> HostResult<()> {
        self.set("START REPLICA", REPLICA).await
    }

    async fn start_receivers(&self) -> HostResult<()> {
        self.set("START REPLICA IO_THREAD", REPLICA).await
    }

    async fn start_appliers(&self) -> HostResult<()> {
        self.set("START REPLICA SQL_THREAD", REPLICA).await
    }

    async fn stop_replica(&self) -> HostResult<()> {
        self.set("STOP REPLICA", REPLICA).await
    }

    async fn stop_receivers(&self) -> HostResult<()> {
        self.set("STOP REPLICA IO_THREAD", REPLICA).await
    }

    async fn forget_sources(&self) -> HostResult<()> {
        self.set("RESET REPLICA ALL", REPLICA).await
    }

    async fn change_source(&self, source: &SourceAddress, known: bool) -> HostResult<()> {
        let account = match (&self.replication, known) {
            (_, true) => None,
            (Some(credentials), false) => Some(credentials),
            (None, false) => {
                return Err(HostError::Unexpected(
                    "the agent's configuration names no replication_credentials_file".to_owned(),
                ));
            }
        };
        let statement = channels::change_source(source, account)?;
        let mut session = self.sessions.get(REPLICA).await?;
        // Backslashes in a literal mean the same whatever the server's own mode is.
        session.execute("SET SESSION sql_mode = ''").await?;
        // The statement holds a password: only its name may be told.
        session
            .execute_unnamed("CHANGE REPLICATION SOURCE TO", &statement)
            .await
    }

    async fn persist_read_only(&self, on: bool) -> HostResult<()> {
        // Waits for commits in progress and for global read locks.
        match on {
            true => self.set("SET PERSIST super_read_only = ON", REPLICA).await,
            // One statement: between two the server would be neither.
            false => {
                let both = "SET PERSIST super_read_only = OFF, PERSIST read_only = OFF";
                self.set(both, REPLICA).await
            }
        }
    }

    async fn discard_logs(&self) -> HostResult<()> {
        let mut session = self.sessions.get(REPLICA).await?;
        session.execute("RESET REPLICA").await?;
        session.execute("FLUSH LOCAL BINARY LOGS").await?;
        let logs: Vec<Row> = session.all("SHOW BINARY LOGS").await?;
        let last: Option<String> = logs.last().and_then(|row| row.get(0));
        let last = last.ok_or_else(|| {
            HostError::Unexpected("SHOW BINARY LOGS: the server has no binary log".to_owned())
        })?;
        let purge = format!("PURGE BINARY LOGS TO {}", channels::quoted(&last));
        session.execute(&purge).await?;
        session.keep();
        Ok(())
    }

    async fn log_format(&self) -> HostResult<LogFormat> {
        log_format::read(&mut self.sessions.get(QUESTION).await?).await
    }

    async fn set_log_format(&self, format: LogFormat) -> HostResult<()> {
        log_format::set(&mut self.sessions.get(QUESTION).await?, format).await
    }

    async fn sessions_without_rows(&self) -> HostResult<Vec<String>> {
        // Those of the agent itself began before, too.
        self.sessions.drop_idle();
        log_format::sessions_without_rows(&mut self.sessions.get(QUESTION).await?).await
    }

    async fn tables(&self, tables: &[TableName]) -> HostResult<Vec<TableFacts>> {
        tables::read(&mut self.sessions.get(REPLICA).await?, tables).await
    }

    async fn admit_administrators(&self, on: bool) -> HostResult<()> {
        tables::admit_administrators(&mut self.sessions.get(REPLICA).await?, on).await
    }

    async fn rebuild_table(
        &self,
        table: &TableName,
        lock_free: bool,
        deadline: Duration,
    ) -> HostResult<Rebuilt> {
        // The sessions end with these calls: none goes on with the binary log off.
        tables::rebuild(&mut self.sessions.get(deadline).await?, table, lock_free).await
    }

    async fn upgrade_system_tables(&self, deadline: Duration) -> HostResult<()> {
        upgrade_program::run(
            &self.upgrade_program,
            self.sessions.socket(),
            self.sessions.credentials(),
            deadline,
        )
        .await
    }

    fn replication_user(&self) -> Option<String> {
        let (user, _) = self.replication.as_ref()?.read().ok()?;
        Some(user)
    }

    async fn ask(&self, question: Question) -> HostResult<Listing> {
        let mut session = self.sessions.get(question.limit()).await?;
        if question.of_the_tables() {
            // Its session is not kept: its settings are its own.
            return check_tables::check(&mut session).await;
        }
        let listing = schema::ask(&mut session, question).await?;
        session.keep();
        Ok(listing)
    }
}

#[async_trait]
impl AskPaths for LocalMysql {
    async fn paths(&self) -> HostResult<ServerPaths> {
        let mut session = self.sessions.get(QUESTION).await?;
        let paths = paths::read(&mut session).await?;
        session.keep();
        Ok(paths)
    }
}
