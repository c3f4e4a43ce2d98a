//! What a rehearsal takes from the target's error log: how long the upgrade's phases took, and the lines that matter. Pure.

use crate::errorlog::{Level, Line};
use refit_shared::observation::Seconds;

/// Lines that are worth a person's attention; a server may repeat itself.
const MOST: usize = 40;
const ERROR: &str = "[ERROR]";

/// Said of every clone because of how it is started, and of no upgrade.
const OF_THE_CLONE: [u32; 2] = [
    10075, // no server_uuid: it gets one of its own
    10161, // an option needs --log-bin
];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Story {
    dictionary: Span,
    system_tables: Span,
    lines: Vec<String>,
    left_out: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Span {
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
}

impl Span {
    fn seconds(&self) -> Option<Seconds> {
        let (from, to) = (self.from?, self.to?);
        let ms = to.as_millisecond().checked_sub(from.as_millisecond())?;
        u64::try_from(ms).ok().map(Seconds)
    }
}

impl Story {
    pub(super) fn feed(&mut self, raw: &str) {
        let Some(line) = Line::parse(raw) else {
            return;
        };
        let at: Option<jiff::Timestamp> = line.time.parse().ok();
        match line.code {
            11090 => self.dictionary.from = at,
            13413 => self.dictionary.to = at,
            13381 | 14064 if line.text.contains("started") => self.system_tables.from = at,
            13381 | 14064 if line.text.contains("completed") => self.system_tables.to = at,
            _ => {}
        }
        let level = match line.level {
            Level::Error => ERROR,
            Level::Warning => "[Warning]",
            Level::System | Level::Note => return,
        };
        if OF_THE_CLONE.contains(&line.code) && line.level == Level::Warning {
            return;
        }
        let text: String = format!("{level} {line}").chars().take(400).collect();
        if self.lines.contains(&text) {
            return;
        }
        if self.lines.len() < MOST {
            self.lines.push(text);
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn dictionary(&self) -> Option<Seconds> {
        self.dictionary.seconds()
    }

    pub(super) fn system_tables(&self) -> Option<Seconds> {
        self.system_tables.seconds()
    }

    /// The first few errors, which are the reason of those after them.
    pub(super) fn errors(&self) -> Vec<String> {
        let errors = self.lines.iter().filter(|line| line.starts_with(ERROR));
        errors.take(3).cloned().collect()
    }

    pub(super) fn into_lines(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.lines.push(format!("and {} more", self.left_out));
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_timed_and_what_matters_is_kept() {
        let mut story = Story::default();
        for line in [
            "2026-11-20T12:00:00.000000Z 1 [System] [MY-011090] [Server] Data dictionary upgrading from version '80300' to '90200'.",
            "2026-11-20T12:00:02.500000Z 1 [System] [MY-013413] [Server] Data dictionary upgrade from version '80300' to '90200' completed.",
            "2026-11-20T12:00:03.000000Z 4 [System] [MY-013381] [Server] Server upgrade from '80408' to '90704' started.",
            "2026-11-20T12:00:07.250000Z 4 [System] [MY-013381] [Server] Server upgrade from '80408' to '90704' completed.",
            "2026-11-20T12:00:07.300000Z 0 [Warning] [MY-010161] [Server] You need to use --log-bin to make --binlog-format work.",
            "2026-11-20T12:00:07.500000Z 0 [Warning] [MY-099999] [Server] something new",
            "2026-11-20T12:00:07.600000Z 0 [Warning] [MY-099999] [Server] something new",
            "2026-11-20T12:00:07.700000Z 0 [Note] [MY-000001] [Server] talk",
            "not a line",
        ] {
            story.feed(line);
        }
        assert_eq!(story.dictionary(), Some(Seconds(2500)));
        assert_eq!(story.system_tables(), Some(Seconds(4250)));
        assert_eq!(story.into_lines(), ["[Warning] MY-099999 something new"]);
        assert_eq!(Story::default().dictionary(), None);
    }
}
