//! Reading a TOML text field by field, collecting mistakes with their line and column instead of stopping at the first.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
    source_line: String,
    marked: usize,
}

/// All mistakes of one file, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMistakes {
    file: Option<PathBuf>,
    pub mistakes: Vec<Mistake>,
}

impl ConfigMistakes {
    pub(super) fn in_file(mut self, path: &Path) -> Self {
        self.file = Some(path.to_owned());
        self
    }
}

impl std::error::Error for ConfigMistakes {}

impl fmt::Display for ConfigMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.mistakes.len() == 1 { "" } else { "s" };
        write!(f, "{} mistake{plural}", self.mistakes.len())?;
        if let Some(file) = &self.file {
            write!(f, " in {}", file.display())?;
        }
        for m in &self.mistakes {
            write!(f, "\n{}:{}: {}", m.line, m.column, m.message)?;
            if !m.source_line.is_empty() {
                let indent = " ".repeat(m.column - 1);
                let marks = "^".repeat(m.marked.max(1));
                write!(f, "\n  | {}\n  | {indent}{marks}", m.source_line)?;
            }
        }
        Ok(())
    }
}

/// Where mistakes are collected, with the text that they are in.
struct Report<'t> {
    text: &'t str,
    found: RefCell<Vec<(usize, Mistake)>>,
}

impl Report<'_> {
    fn add(&self, span: Range<usize>, message: String) {
        let mut start = span.start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |at| start + at);
        let source_line = &self.text[line_start..line_end];
        let until = span.end.clamp(start, line_end);
        let marked = self
            .text
            .get(start..until)
            .map_or(1, |part| part.chars().count());
        let mistake = Mistake {
            line: before.matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            message,
            source_line: source_line
                .trim_end()
                .replace(|c: char| c.is_control(), " "),
            marked,
        };
        self.found.borrow_mut().push((start, mistake));
    }
}

/// One table of the file. Keys that nobody asks for are mistakes.
pub(super) struct Section<'a, 't> {
    name: String,
    span: Range<usize>,
    table: &'a DeTable<'t>,
    asked: Vec<&'static str>,
    report: &'a Report<'t>,
}

/// What a field's parser makes of a value, or what is wrong with it.
pub(super) type Parsed<T> = Result<T, String>;

/// Parses `text` and lets `body` take the fields out. `body` returns `None` only after it has reported a mistake.
pub(super) fn read<T>(
    text: &str,
    body: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
) -> Result<T, ConfigMistakes> {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let report = Report {
        text,
        found: RefCell::default(),
    };
    for error in &syntax {
        report.add(error.span().unwrap_or(0..0), error.message().to_owned());
    }
    let value = if syntax.is_empty() {
        section(String::new(), 0..0, document.get_ref(), &report, body)
    } else {
        None
    };
    let mut found = report.found.into_inner();
    match value {
        Some(value) if found.is_empty() => Ok(value),
        _ => {
            found.sort_by_key(|(offset, _)| *offset);
            Err(ConfigMistakes {
                file: None,
                mistakes: found.into_iter().map(|(_, mistake)| mistake).collect(),
            })
        }
    }
}

fn section<'a, 't, T>(
    name: String,
    span: Range<usize>,
    table: &'a DeTable<'t>,
    report: &'a Report<'t>,
    body: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
) -> Option<T> {
    let mut section = Section {
        name,
        span,
        table,
        asked: Vec::new(),
        report,
    };
    let value = body(&mut section);
    for key in table.keys() {
        if !section.asked.iter().any(|asked| asked == key.get_ref()) {
            let known = section.asked.join(", ");
            let message = format!(
                "unknown key {:?}; known here: {known}",
                key.get_ref().as_ref()
            );
            report.add(key.span(), message);
        }
    }
    value
}

impl<'a, 't> Section<'a, 't> {
    fn full(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
        self.table
            .iter()
            .find(|(k, _)| k.get_ref() == key)
            .map(|(_, value)| value)
    }

    /// A mistake that concerns the key (or, where it is absent, the section).
    pub(super) fn mistake(&self, key: &str, message: &str) {
        let span = self.value(key).map_or(self.span.clone(), Spanned::span);
        self.report
            .add(span, format!("{} {message}", self.full(key)));
    }

    /// `None` after a mistake, `Some(None)` when the key is absent.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&DeValue<'t>) -> Parsed<T>,
    ) -> Option<Option<T>> {
        self.asked.push(key);
        let Some(value) = self.value(key) else {
            return Some(None);
        };
        match parse(value.get_ref()) {
            Ok(parsed) => Some(Some(parsed)),
            Err(message) => {
                self.report
                    .add(value.span(), format!("{}: {message}", self.full(key)));
                None
            }
        }
    }

    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&DeValue<'t>) -> Parsed<T>,
    ) -> Option<T> {
        let value = self.optional(key, parse)?;
        if value.is_none() {
            self.mistake(key, "is missing");
        }
        value
    }

    pub(super) fn section<T>(
        &mut self,
        key: &'static str,
        body: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(key);
        match self.value(key) {
            None => {
                self.mistake(key, "is missing");
                None
            }
            Some(value) => self.table_of(key, value, body),
        }
    }

    /// A section that may be left out when every key in it may be.
    pub(super) fn optional_section<T>(
        &mut self,
        key: &'static str,
        body: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(key);
        match self.value(key) {
            None => section(self.full(key), 0..0, &DeTable::new(), self.report, body),
            Some(value) => self.table_of(key, value, body),
        }
    }

    fn table_of<T>(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'t>>,
        body: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        match value.get_ref() {
            DeValue::Table(table) => {
                section(self.full(key), value.span(), table, self.report, body)
            }
            _ => {
                self.mistake(key, "must be a table");
                None
            }
        }
    }
}

/// Text that is not empty and carries no control characters.
pub(super) fn text(value: &DeValue<'_>) -> Parsed<String> {
    match value.as_str() {
        None => Err("must be a text in quotes".to_owned()),
        Some("") => Err("must not be empty".to_owned()),
        Some(text) if text.chars().any(char::is_control) => {
            Err("must not contain control characters".to_owned())
        }
        Some(text) => Ok(text.to_owned()),
    }
}

pub(super) fn name<T, E: fmt::Display>(
    parse: impl Fn(String) -> Result<T, E>,
) -> impl Fn(&DeValue<'_>) -> Parsed<T> {
    move |value| parse(text(value)?).map_err(|e| e.to_string())
}

pub(super) fn address(value: &DeValue<'_>) -> Parsed<SocketAddr> {
    let text = text(value)?;
    text.parse().map_err(|_| {
        format!("{text:?} is not an address with a port, for example \"0.0.0.0:8400\"")
    })
}

pub(super) fn address_or_off(value: &DeValue<'_>) -> Parsed<Option<SocketAddr>> {
    if value.as_str() == Some("off") {
        return Ok(None);
    }
    address(value)
        .map(Some)
        .map_err(|why| format!("{why}, or \"off\""))
}

/// An absolute path without `.` and `..`.
pub(super) fn path(value: &DeValue<'_>) -> Parsed<PathBuf> {
    let path = PathBuf::from(text(value)?);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match path.is_absolute() && plain {
        true => Ok(path),
        false => Err(format!(
            "{:?} is not an absolute path without \"..\"",
            path.display()
        )),
    }
}

/// A directory of ours or of the server: a path, but not the root.
pub(super) fn directory(value: &DeValue<'_>) -> Parsed<PathBuf> {
    let path = path(value)?;
    match path.parent() {
        Some(_) => Ok(path.components().collect()),
        None => Err("must not be the root directory".to_owned()),
    }
}

pub(super) fn directories(value: &DeValue<'_>) -> Parsed<Vec<PathBuf>> {
    let list = value
        .as_array()
        .ok_or("must be a list of directories in brackets")?;
    list.iter().map(|item| directory(item.get_ref())).collect()
}

pub(super) fn number(value: &DeValue<'_>, allowed: std::ops::RangeInclusive<u32>) -> Parsed<u32> {
    let wrong = || {
        format!(
            "must be a whole number from {} to {}",
            allowed.start(),
            allowed.end()
        )
    };
    let number = value.as_integer().ok_or_else(wrong)?;
    let number = u32::from_str_radix(number.as_str(), number.radix()).map_err(|_| wrong())?;
    if allowed.contains(&number) {
        Ok(number)
    } else {
        Err(wrong())
    }
}

pub(super) fn unit(value: &DeValue<'_>) -> Parsed<String> {
    let text = text(value)?;
    let fine = |b: u8| b.is_ascii_alphanumeric() || b":-_.@\\".contains(&b);
    match text.strip_suffix(".service") {
        Some(stem) if !stem.is_empty() && stem.bytes().all(fine) => Ok(text),
        _ => Err(format!(
            "{text:?} is not the name of a service unit, for example \"mysql.service\""
        )),
    }
}

/// Debian policy §5.6.7: at least two of a-z, 0-9, `+`, `-`, `.`, beginning with a letter or digit.
pub(super) fn packages(value: &DeValue<'_>) -> Parsed<Vec<String>> {
    let list = value
        .as_array()
        .ok_or("must be a list of package names in brackets")?;
    let mut names: Vec<String> = Vec::new();
    for item in list {
        let name = text(item.get_ref())?;
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
        let start = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if name.len() < 2 || !name.bytes().all(fine) || !name.bytes().next().is_some_and(start) {
            return Err(format!("{name:?} is not a package name"));
        }
        if names.contains(&name) {
            return Err(format!("{name:?} is named twice"));
        }
        names.push(name);
    }
    match names.is_empty() {
        true => Err("must name at least one package".to_owned()),
        false => Ok(names),
    }
}
