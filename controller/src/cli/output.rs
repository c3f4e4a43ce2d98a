//! Standard output and error: colour only where it was asked for or a terminal reads, JSON where it was asked for.

use super::args::Color;
use super::failure::Failure;
use super::render::{Style, failure};
use serde::Serialize;
use std::io::{IsTerminal, Write};

#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
    /// Standard output's.
    pub style: Style,
    error_style: Style,
}

impl Output {
    pub fn new(json: bool, color: Color) -> Self {
        let colour = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            // https://no-color.org
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        Self {
            json,
            style: Style::new(colour(std::io::stdout().is_terminal())),
            error_style: Style::new(colour(std::io::stderr().is_terminal())),
        }
    }

    /// Progress may be redrawn in place.
    pub fn is_terminal(&self) -> bool {
        !self.json && std::io::stdout().is_terminal()
    }

    /// A reader that has closed the pipe has seen enough.
    pub fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// The JSON of a value where it was asked for, else its text.
    pub fn show(&self, value: &impl Serialize, text: impl FnOnce(Style) -> String) {
        if self.json {
            self.print_json(value);
        } else {
            self.print(&text(self.style));
        }
    }

    pub fn print_json(&self, value: &impl Serialize) {
        let mut text =
            serde_json::to_string_pretty(value).expect("views are plain data with string keys");
        text.push('\n');
        self.print(&text);
    }

    /// A remark beside the answer: never in the way of what is parsed.
    pub fn remark(&self, text: &str) {
        eprintln!("{text}");
    }

    pub fn failure(&self, what: &Failure) {
        if self.json {
            let error = serde_json::json!({ "error": what });
            eprintln!("{error:#}");
        } else {
            eprint!("{}", failure::text(what, self.error_style));
        }
    }
}
