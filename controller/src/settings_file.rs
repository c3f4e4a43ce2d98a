//! Reading TOML files so that *every* mistake is reported at once, each with its line and column.
//!
//! serde stops at the first mistake, and an operator who writes a fleet file of 2,000 servers should not learn of them one
//! by one. So the tree is walked by hand: [`Tables`] takes keys out, notes what is wrong and goes on.

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something wrong at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub at: Range<usize>,
    pub message: String,
}

/// A file that can't be used, with all that is wrong in it. Plain text by `Display` (one line a mistake, `file:line:column`);
/// with the source around each place through miette.
#[derive(Debug)]
pub struct InvalidFile {
    name: String,
    text: NamedSource<String>,
    mistakes: Vec<(usize, usize, Mistake)>,
}

impl InvalidFile {
    pub fn new(name: &str, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| (mistake.at.start, mistake.at.end));
        let placed = |mistake: Mistake| {
            let (line, column) = place(text, mistake.at.start);
            (line, column, mistake)
        };
        Self {
            name: name.to_owned(),
            text: NamedSource::new(name, text.to_owned()).with_language("toml"),
            mistakes: mistakes.into_iter().map(placed).collect(),
        }
    }

    /// Line and column (both from 1) and what is wrong, in the file's order.
    pub fn mistakes(&self) -> impl Iterator<Item = (usize, usize, &str)> {
        self.mistakes
            .iter()
            .map(|(line, column, mistake)| (*line, *column, mistake.message.as_str()))
    }
}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

impl fmt::Display for InvalidFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{} has {count} mistake{plural}", self.name)?;
        for (line, column, mistake) in &self.mistakes {
            write!(f, "\n{}:{line}:{column}: {}", self.name, mistake.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidFile {}

impl Diagnostic for InvalidFile {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.mistakes.iter().map(|(_, _, mistake)| {
            LabeledSpan::new_with_span(Some(mistake.message.clone()), mistake.at.clone())
        })))
    }
}

/// Collects what is wrong while a file is read.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub fn note(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.0.push(Mistake {
            at,
            message: message.into(),
        });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok` when nothing was wrong.
    pub fn end<T>(self, name: &str, text: &str, read: Option<T>) -> Result<T, InvalidFile> {
        match read {
            Some(read) if self.0.is_empty() => Ok(read),
            _ => Err(InvalidFile::new(name, text, self.0)),
        }
    }
}

/// Parses a text as far as that is possible; syntax errors go to `mistakes`.
pub fn parse<'i>(text: &'i str, mistakes: &mut Mistakes) -> Spanned<DeTable<'i>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        mistakes.note(at, error.message());
    }
    table
}

/// One table being read. What nobody took is an unknown key.
#[derive(Debug)]
pub struct Table<'a, 'i> {
    /// For messages: `cluster`, `[tls]`.
    what: &'a str,
    at: Range<usize>,
    table: &'a DeTable<'i>,
    taken: BTreeSet<&'static str>,
}

impl<'a, 'i> Table<'a, 'i> {
    pub fn root(root: &'a Spanned<DeTable<'i>>, what: &'a str) -> Self {
        // The whole file is no useful place to point at.
        Self::new(root.get_ref(), 0..0, what)
    }

    fn new(table: &'a DeTable<'i>, at: Range<usize>, what: &'a str) -> Self {
        Self {
            what,
            at,
            table,
            taken: BTreeSet::new(),
        }
    }

    /// Reads a value as a table.
    pub fn of(value: &'a Spanned<DeValue<'i>>, what: &'a str, m: &mut Mistakes) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Self::new(table, value.span(), what)),
            other => {
                m.note(
                    value.span(),
                    format!("{what} must be a table, this is a {}", other.type_str()),
                );
                None
            }
        }
    }

    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.taken.insert(key);
        self.table.get(key)
    }

    fn required(
        &mut self,
        key: &'static str,
        m: &mut Mistakes,
    ) -> Option<&'a Spanned<DeValue<'i>>> {
        let value = self.take(key);
        if value.is_none() {
            m.note(self.at.clone(), format!("{} needs `{key}`", self.what));
        }
        value
    }

    /// A table that may be missing.
    pub fn table(
        &mut self,
        key: &'static str,
        what: &'a str,
        m: &mut Mistakes,
    ) -> Option<Table<'a, 'i>> {
        let value = self.take(key)?;
        Table::of(value, what, m)
    }

    /// A table that must be there.
    pub fn required_table(
        &mut self,
        key: &'static str,
        what: &'a str,
        m: &mut Mistakes,
    ) -> Option<Table<'a, 'i>> {
        let value = self.required(key, m)?;
        Table::of(value, what, m)
    }

    /// The values of an array that must be there, and the array's place.
    pub fn array(
        &mut self,
        key: &'static str,
        m: &mut Mistakes,
    ) -> Option<(Range<usize>, Vec<&'a Spanned<DeValue<'i>>>)> {
        let value = self.required(key, m)?;
        match value.get_ref() {
            DeValue::Array(array) => Some((value.span(), array.iter().collect())),
            other => {
                m.note(
                    value.span(),
                    format!("`{key}` must be an array, this is a {}", other.type_str()),
                );
                None
            }
        }
    }

    /// A string that must be there, read by `read`; its place too.
    pub fn text<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
        m: &mut Mistakes,
    ) -> Option<Spanned<T>> {
        let value = self.required(key, m)?;
        read_text(key, value, read, m)
    }

    /// A string that may be missing; `Some(None)` then.
    pub fn optional_text<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
        m: &mut Mistakes,
    ) -> Option<Option<Spanned<T>>> {
        match self.take(key) {
            None => Some(None),
            Some(value) => read_text(key, value, read, m).map(Some),
        }
    }

    /// A whole number within a range, or `otherwise` when it is missing.
    pub fn number_or(
        &mut self,
        key: &'static str,
        allowed: std::ops::RangeInclusive<u64>,
        otherwise: u64,
        m: &mut Mistakes,
    ) -> Option<u64> {
        let Some(value) = self.take(key) else {
            return Some(otherwise);
        };
        let number = match value.get_ref() {
            DeValue::Integer(digits) => u64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        match number.filter(|number| allowed.contains(number)) {
            Some(number) => Some(number),
            None => {
                let (from, to) = (allowed.start(), allowed.end());
                m.note(
                    value.span(),
                    format!("`{key}` must be a whole number from {from} to {to}"),
                );
                None
            }
        }
    }

    /// Notes every key that nobody took.
    pub fn end(self, m: &mut Mistakes) {
        for key in self
            .table
            .keys()
            .filter(|key| !self.taken.contains(key.get_ref().as_ref()))
        {
            let known: Vec<&str> = self.taken.iter().copied().collect();
            m.note(
                key.span(),
                format!(
                    "{} has no key `{}`; known: {}",
                    self.what,
                    key.get_ref(),
                    known.join(", ")
                ),
            );
        }
    }
}

fn read_text<T, E: fmt::Display>(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    read: impl FnOnce(&str) -> Result<T, E>,
    m: &mut Mistakes,
) -> Option<Spanned<T>> {
    match value.get_ref() {
        DeValue::String(text) => match read(text) {
            Ok(read) => Some(Spanned::new(value.span(), read)),
            Err(why) => {
                m.note(value.span(), why.to_string());
                None
            }
        },
        other => {
            m.note(
                value.span(),
                format!("`{key}` must be a string, this is a {}", other.type_str()),
            );
            None
        }
    }
}
