//! Aligned columns without borders, two spaces apart: readable, and easy to cut in a script.

use super::{Style, clean};

/// How a cell is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
}

#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    paint: Paint,
    right: bool,
}

impl Cell {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: clean(text.as_ref()),
            paint: Paint::Plain,
            right: false,
        }
    }
    #[must_use]
    pub fn paint(mut self, paint: Paint) -> Self {
        self.paint = paint;
        self
    }
    #[must_use]
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

#[derive(Debug)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<Cell>>,
    indent: &'static str,
}

impl Table {
    pub fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|text| (*text).to_owned()).collect(),
            rows: Vec::new(),
            indent: "",
        }
    }

    #[must_use]
    pub fn indented(mut self) -> Self {
        self.indent = "  ";
        self
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub fn text(&self, style: Style) -> String {
        let count = self.head.len();
        let mut widths: Vec<usize> = self.head.iter().map(|text| width(text)).collect();
        for row in &self.rows {
            for (at, cell) in row.iter().enumerate().take(count) {
                widths[at] = widths[at].max(width(&cell.text));
            }
        }
        let mut out = String::new();
        let head: Vec<Cell> = self
            .head
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let numbers = self
                    .rows
                    .iter()
                    .any(|row| row.get(at).is_some_and(|c| c.right));
                let cell = Cell::new(text).paint(Paint::Dim);
                if numbers { cell.right() } else { cell }
            })
            .collect();
        if self.head.iter().any(|text| !text.is_empty()) {
            self.line(&head, &widths, style, &mut out);
        }
        for row in &self.rows {
            self.line(row, &widths, style, &mut out);
        }
        out
    }

    fn line(&self, cells: &[Cell], widths: &[usize], style: Style, out: &mut String) {
        let mut line = self.indent.to_owned();
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                line.push_str("  ");
            }
            let space = " ".repeat(
                widths
                    .get(at)
                    .map_or(0, |w| w.saturating_sub(width(&cell.text))),
            );
            let painted = match cell.paint {
                Paint::Plain => cell.text.clone(),
                Paint::Good => style.good(&cell.text),
                Paint::Warn => style.warn(&cell.text),
                Paint::Bad => style.bad(&cell.text),
                Paint::Dim => style.dim(&cell.text),
            };
            if cell.right {
                line.push_str(&space);
                line.push_str(&painted);
            } else {
                line.push_str(&painted);
                line.push_str(&space);
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Columns on a terminal; names and versions here are of one column a character.
fn width(text: &str) -> usize {
    text.chars().count()
}
