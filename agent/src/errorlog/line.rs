//! One line of the error log: `TS thread [Level] [MY-nnnnnn] [Subsystem] text` (MySQL 8.0 and later).

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    System,
    Error,
    Warning,
    Note,
}

/// A parsed line. Lines of another shape (stack traces, continued messages) are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'l> {
    pub time: &'l str,
    pub level: Level,
    /// The number of `MY-nnnnnn`.
    pub code: u32,
    pub subsystem: &'l str,
    pub text: &'l str,
}

impl<'l> Line<'l> {
    pub fn parse(line: &'l str) -> Option<Self> {
        let (time, rest) = line.split_once(' ')?;
        let (thread, rest) = rest.trim_start().split_once(' ')?;
        if !time.starts_with(|c: char| c.is_ascii_digit()) || thread.parse::<u64>().is_err() {
            return None;
        }
        let (level, rest) = bracketed(rest)?;
        let level = match level {
            "System" => Level::System,
            "ERROR" => Level::Error,
            "Warning" => Level::Warning,
            "Note" => Level::Note,
            _ => return None,
        };
        let (code, rest) = bracketed(rest)?;
        let code = code.strip_prefix("MY-")?.parse().ok()?;
        let (subsystem, text) = bracketed(rest)?;
        Some(Self {
            time,
            level,
            code,
            subsystem,
            text: text.trim(),
        })
    }

    /// The text between the first two quotes behind `word`.
    pub(super) fn quoted_after(&self, word: &str) -> Option<&'l str> {
        let (_, rest) = self.text.split_once(word)?;
        let (_, rest) = rest.split_once('\'')?;
        rest.split_once('\'').map(|(inside, _)| inside)
    }
}

fn bracketed(text: &str) -> Option<(&str, &str)> {
    text.trim_start().strip_prefix('[')?.split_once(']')
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MY-{:06} {}", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_real_log_are_read() {
        let line = Line::parse(
            "2026-11-20T12:49:02.688890Z 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. \
             Version: '9.7.3'  socket: '/var/run/mysqld/mysqld.sock'  port: 3306  (Debian).",
        )
        .unwrap();
        assert_eq!((line.level, line.code), (Level::System, 10931));
        assert_eq!(line.subsystem, "Server");
        assert_eq!(line.quoted_after("Version:"), Some("9.7.3"));
    }

    #[test]
    fn other_lines_are_not_lines() {
        for text in [
            "",
            "stack_bottom = 0 thread_stack 0x100000",
            "2026-11-20T12:49:02Z UTC - mysqld got signal 11 ;",
            "2026-11-20T12:49:02Z 0 [Note] no code",
            "2026-11-20T12:49:02Z 0 [Odd] [MY-010931] [Server] x",
        ] {
            assert_eq!(Line::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", tail in "[\\[\\]MY0-9 -]*") {
            let _ = Line::parse(&text);
            if let Some(line) = Line::parse(&format!("2026 0 [Note] [{tail}")) {
                let _ = line.quoted_after("'");
            }
        }
    }
}
