//! Sessions with the local server: opened when needed, reused when idle, never used past their deadline.

use super::credentials::Credentials;
use crate::host::{HostError, HostResult};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Error, OptsBuilder};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Idle connections that are kept: one for questions, one beside a long statement, one to spare.
const IDLE: usize = 3;
const CONNECT: Duration = Duration::from_secs(5);

/// The server answers, but nobody can ask it anything. (Access denied is not among them: that is for a person to mend.)
const SERVER_ERRORS_THAT_MEAN_AWAY: [u16; 3] = [
    1053, // ER_SERVER_SHUTDOWN
    3168, // ER_SERVER_ISNT_AVAILABLE
    1040, // ER_CON_COUNT_ERROR: too many connections, and nobody can ask
];

#[derive(Debug)]
pub(super) struct Sessions {
    socket: PathBuf,
    credentials: Credentials,
    idle: Mutex<Vec<Conn>>,
}

/// One connection in use until its deadline. Dropped without [`Session::keep`] it is closed: after an error or a timeout
/// nobody knows what it is in the middle of.
pub(super) struct Session<'s> {
    sessions: &'s Sessions,
    conn: Option<Conn>,
    deadline: Instant,
    given: Duration,
}

impl Sessions {
    pub(super) fn new(socket: &Path, credentials: Credentials) -> Self {
        Self {
            socket: socket.to_owned(),
            credentials,
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn take_idle(&self) -> Option<Conn> {
        self.idle
            .lock()
            .expect("no code panics while it holds this lock")
            .pop()
    }

    /// Closes connections that nobody uses: their sessions keep settings of when they began.
    pub(super) fn drop_idle(&self) {
        while let Some(conn) = self.take_idle() {
            drop(conn);
        }
    }

    /// A session that everything asked of it must be done with within `deadline`.
    pub(super) async fn get(&self, deadline: Duration) -> HostResult<Session<'_>> {
        let until = Instant::now() + deadline;
        while let Some(mut conn) = self.take_idle() {
            // The server may have been restarted since.
            if let Ok(Ok(())) = tokio::time::timeout(CONNECT, conn.ping()).await {
                return Ok(self.session(conn, until, deadline));
            }
        }
        let (user, password) = self.credentials.read().map_err(|e| HostError::Io {
            action: "read",
            what: e.path.display().to_string(),
            source: std::io::Error::other(e.why),
        })?;
        let opts = OptsBuilder::default()
            .socket(Some(self.socket.display().to_string()))
            .user(Some(user))
            .pass(password)
            .prefer_socket(true);
        let conn = tokio::time::timeout(CONNECT, Conn::new(opts))
            .await
            .map_err(|_| HostError::ServerAway(format!("no answer within {CONNECT:?}")))?
            .map_err(|e| connect_error(&self.socket, e))?;
        let mut session = self.session(conn, until, deadline);
        session
            .execute("SET SESSION lock_wait_timeout = 5, max_execution_time = 20000")
            .await?;
        // Questions must be answered by what is here now, never wait for the group. Unknown where there is no such plugin.
        match session
            .execute("SET SESSION group_replication_consistency = 'EVENTUAL'")
            .await
        {
            Ok(())
            | Err(HostError::Sql {
                code: UNKNOWN_VARIABLE,
                ..
            }) => Ok(session),
            Err(e) => Err(e),
        }
    }

    fn session(&self, conn: Conn, deadline: Instant, given: Duration) -> Session<'_> {
        Session {
            sessions: self,
            conn: Some(conn),
            deadline,
            given,
        }
    }
}

/// ER_UNKNOWN_SYSTEM_VARIABLE
pub(super) const UNKNOWN_VARIABLE: u16 = 1193;

impl Session<'_> {
    /// The work is done and the connection is in order: the next one may have it.
    pub(super) fn keep(mut self) {
        if let Some(conn) = self.conn.take() {
            let mut idle = self
                .sessions
                .idle
                .lock()
                .expect("no code panics while it holds this lock");
            if idle.len() < IDLE {
                idle.push(conn);
            }
        }
    }

    async fn within<T>(
        &mut self,
        statement: &str,
        work: impl AsyncFnOnce(&mut Conn) -> Result<T, Error>,
    ) -> HostResult<T> {
        let closed = || HostError::ServerAway("the connection was given up".to_owned());
        let mut conn = self.conn.take().ok_or_else(closed)?;
        match tokio::time::timeout_at(self.deadline, work(&mut conn)).await {
            Err(_) => Err(HostError::Timeout {
                what: statement.to_owned(),
                after: self.given,
            }),
            Ok(Ok(value)) => {
                self.conn = Some(conn);
                Ok(value)
            }
            Ok(Err(e)) => {
                let error = statement_error(statement, e);
                // An error of the statement leaves the connection in order.
                if matches!(error, HostError::Sql { .. }) {
                    self.conn = Some(conn);
                }
                Err(error)
            }
        }
    }

    /// The first row. Statements are written in this module's siblings; nothing from outside becomes part of one.
    pub(super) async fn one<T>(&mut self, question: &str) -> HostResult<Option<T>>
    where
        T: FromRow + Send + 'static,
    {
        self.within(question, async |conn| conn.query_first(question).await)
            .await
    }

    pub(super) async fn all<T>(&mut self, question: &str) -> HostResult<Vec<T>>
    where
        T: FromRow + Send + 'static,
    {
        self.within(question, async |conn| conn.query(question).await)
            .await
    }

    pub(super) async fn execute(&mut self, statement: &str) -> HostResult<()> {
        self.within(statement, async |conn| conn.query_drop(statement).await)
            .await
    }
}

impl Session<'_> {
    /// A statement that nobody may read in an error: only what it is called is told.
    pub(super) async fn execute_unnamed(
        &mut self,
        name: &'static str,
        statement: &str,
    ) -> HostResult<()> {
        self.within(name, async |conn| conn.query_drop(statement).await)
            .await
    }
}

fn connect_error(socket: &Path, error: Error) -> HostError {
    match error {
        Error::Server(e) if SERVER_ERRORS_THAT_MEAN_AWAY.contains(&e.code) => {
            HostError::ServerAway(e.message)
        }
        Error::Server(e) => HostError::Sql {
            statement: format!("connect to {}", socket.display()),
            code: e.code,
            message: e.message,
        },
        Error::Io(mysql_async::IoError::Io(e)) => {
            HostError::ServerAway(format!("{}: {e}", socket.display()))
        }
        other => HostError::ServerAway(format!("{}: {other}", socket.display())),
    }
}

fn statement_error(statement: &str, error: Error) -> HostError {
    match error {
        Error::Server(e) if SERVER_ERRORS_THAT_MEAN_AWAY.contains(&e.code) => {
            HostError::ServerAway(e.message)
        }
        Error::Server(e) => HostError::Sql {
            statement: statement.to_owned(),
            code: e.code,
            message: e.message,
        },
        other => HostError::ServerAway(format!("{statement}: {other}")),
    }
}
