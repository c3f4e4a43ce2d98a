//! The proof that mysqld ended cleanly: "Shutdown complete" (MY-010910) as the last word of the last start.

use super::line::{Level, Line};
use refit_shared::version::MysqlVersion;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a log's end is searched for the last start.
const SEARCHED: u64 = 64 << 20;

/// Reads lines in order; knows at the end whether the last word was a clean shutdown.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    gave_up: bool,
    complete: Option<Option<MysqlVersion>>,
}

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn feed(&mut self, raw: &str) {
        let Some(line) = Line::parse(raw) else {
            if raw.contains("got signal") {
                *self = Self {
                    gave_up: true,
                    complete: None,
                };
            }
            return;
        };
        match line.code {
            15015 | 10116 => *self = Self::default(),
            // A start that gives up also says "Shutdown complete"; that proves nothing of the data directory.
            10119 if line.level == Level::Error => self.gave_up = true,
            10910 => {
                let version = line
                    .text
                    .split_once("(mysqld ")
                    .and_then(|(_, rest)| MysqlVersion::parse_prefix(rest).ok());
                self.complete = Some(version);
            }
            _ => {}
        }
    }

    /// The lines end with a clean shutdown.
    pub fn is_clean(&self) -> bool {
        self.complete.is_some() && !self.gave_up
    }

    /// Which version shut down cleanly, where the line says so.
    pub fn version(&self) -> Option<MysqlVersion> {
        self.complete.flatten().filter(|_| !self.gave_up)
    }
}

/// Reads the end of the log (and, where that holds nothing of a start or a shutdown, of the rotated `<log>.1` before it).
pub fn last_shutdown(log: &Path) -> io::Result<Shutdown> {
    let mut rotated = log.as_os_str().to_owned();
    rotated.push(".1");
    let mut shutdown = Shutdown::new();
    for path in [Path::new(&rotated), log] {
        match File::open(path) {
            Ok(file) => feed_tail(&mut shutdown, file)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(shutdown)
}

fn feed_tail(shutdown: &mut Shutdown, mut file: File) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SEARCHED)))?;
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut lines).take(1 << 16).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        shutdown.feed(&String::from_utf8_lossy(&line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: &str = "\
2026-11-20T12:50:07.100000Z 0 [System] [MY-013172] [Server] Received SHUTDOWN from user <via user signal>. Shutting down mysqld (Version: 9.7.3).
2026-11-20T12:50:10.200000Z 0 [System] [MY-010910] [Server] /usr/sbin/mysqld: Shutdown complete (mysqld 9.7.3)  (Debian).
2026-11-20T12:50:10.200001Z 0 [System] [MY-015016] [Server] MySQL Server - end.
";
    const START: &str =
        "2026-11-20T12:51:57.377195Z 0 [System] [MY-015015] [Server] MySQL Server - start.\n";
    const ABORT: &str = "2026-11-20T12:51:58.1Z 0 [ERROR] [MY-010119] [Server] Aborting\n";

    fn of(text: &str) -> Shutdown {
        let mut shutdown = Shutdown::new();
        text.lines().for_each(|line| shutdown.feed(line));
        shutdown
    }

    #[test]
    fn only_the_last_start_counts() {
        assert!(!of("").is_clean());
        let stopped = of(&format!("{START}{STOP}"));
        assert!(stopped.is_clean());
        assert_eq!(stopped.version(), Some(MysqlVersion::new(9, 7, 3)));
        assert!(!of(&format!("{START}{STOP}{START}")).is_clean());
    }

    #[test]
    fn a_start_that_gave_up_or_crashed_proves_nothing() {
        assert!(!of(&format!("{START}{ABORT}{STOP}")).is_clean());
        assert!(of(&format!("{START}{ABORT}{STOP}{START}{STOP}")).is_clean());
        assert!(
            !of(&format!(
                "{START}2026-11-20T12:52:00Z UTC - mysqld got signal 11 ;\n"
            ))
            .is_clean()
        );
    }

    #[test]
    fn the_proof_is_found_in_a_file_that_was_just_rotated() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("error.log");
        assert!(!last_shutdown(&log).unwrap().is_clean());
        std::fs::write(dir.path().join("error.log.1"), format!("{START}{STOP}")).unwrap();
        std::fs::write(&log, "").unwrap();
        assert!(last_shutdown(&log).unwrap().is_clean());
        std::fs::write(&log, START).unwrap();
        assert!(!last_shutdown(&log).unwrap().is_clean());
    }
}
