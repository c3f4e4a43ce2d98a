//! Views as text: pure functions, `view -> String`, with golden tests. Colour only where the style says so.

pub mod audit;
pub mod check;
pub mod check_html;
pub mod check_list;
pub mod config;
pub mod failure;
pub mod fleet;
pub mod path;
pub mod pins;
pub mod pki;
pub mod plan;
pub mod progress;
pub mod rehearsal;
pub mod rollout;
pub mod table;
pub mod ticket;
pub mod time;

/// Whether escape codes may be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    pub const PLAIN: Style = Style { colour: false };

    pub fn new(colour: bool) -> Self {
        Self { colour }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }
    pub fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }
    pub fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
}

/// What came from a host or a server is printed, not obeyed: control characters would reach the terminal.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
