//! The simulated error log: lines as the real server writes them.

use super::port::SimPort;
use crate::errorlog::Shutdown;
use crate::host::{HostError, HostResult};
use crate::operations::{ErrorLog, LogLines, LogPlace};
use async_trait::async_trait;
use refit_shared::version::MysqlVersion;

pub(super) fn stamped(unix_ms: i64, rest: &str) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms)
        .map_or_else(|_| unix_ms.to_string(), |at| format!("{at:.6}"));
    format!("{at} 0 {rest}")
}

/// `9.7.4` as the server numbers it.
pub(super) fn id(version: MysqlVersion) -> u32 {
    u32::from(version.major) * 10_000 + u32::from(version.minor) * 100 + u32::from(version.patch)
}

pub(super) fn ready(version: MysqlVersion) -> String {
    format!(
        "[System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: '{version}'  socket: '/run/mysqld/mysqld.sock'  port: 3306  (Simulated)."
    )
}

pub(super) fn shut_down(version: MysqlVersion) -> String {
    format!(
        "[System] [MY-010910] [Server] /usr/sbin/mysqld: Shutdown complete (mysqld {version})  (Simulated)."
    )
}

pub(super) fn refusal(code: u32) -> Vec<String> {
    vec![
        format!("[ERROR] [MY-{code:06}] [Server] this start is refused"),
        "[ERROR] [MY-010119] [Server] Aborting".to_owned(),
    ]
}

pub(super) fn upgrade(from: MysqlVersion, to: MysqlVersion, series: bool) -> Vec<String> {
    let (from, to) = (id(from), id(to));
    let mut lines = Vec::new();
    if series {
        lines.push(format!(
            "[System] [MY-011090] [Server] Data dictionary upgrading from version '{from}' to '{to}'."
        ));
        lines.push(format!(
            "[System] [MY-013413] [Server] Data dictionary upgrade from version '{from}' to '{to}' completed."
        ));
    }
    for word in ["started", "completed"] {
        lines.push(format!(
            "[System] [MY-013381] [Server] Server upgrade from '{from}' to '{to}' {word}."
        ));
    }
    lines
}

#[async_trait]
impl ErrorLog for SimPort {
    async fn end(&self) -> HostResult<LogPlace> {
        self.at("log.end", |world, member| {
            Ok(LogPlace::Line(world.host(member).log.len()))
        })
        .await
    }

    async fn follow(&self, from: &LogPlace) -> HostResult<Box<dyn LogLines>> {
        let LogPlace::Line(line) = *from else {
            return Err(HostError::Unexpected(format!("no place here: {from:?}")));
        };
        self.at("log.follow", |_, _| Ok(())).await?;
        Ok(Box::new(SimLines {
            port: self.clone(),
            line,
        }))
    }

    async fn last_shutdown(&self) -> HostResult<Shutdown> {
        self.at("log.last_shutdown", |world, member| {
            let mut shutdown = Shutdown::new();
            for line in &world.host(member).log {
                shutdown.feed(line);
            }
            Ok(shutdown)
        })
        .await
    }
}

struct SimLines {
    port: SimPort,
    line: usize,
}

impl LogLines for SimLines {
    fn next(&mut self) -> HostResult<Vec<String>> {
        let log = self.port.world().log(self.port.member());
        let new = log.get(self.line..).unwrap_or_default().to_vec();
        self.line += new.len();
        Ok(new)
    }
}
