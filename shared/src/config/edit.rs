//! Changes to a file, line by line: applied to its bytes on the host, shown as a diff to a person. Everything that is not edited stays
//! byte for byte.

use crate::ids::Digest;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// One place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineEdit {
    /// From 1. One behind the last line: the lines are added at the end.
    pub line: u32,
    /// The line goes away; otherwise the new ones come before it.
    pub replaces: bool,
    /// Without line ends.
    pub new: Vec<String>,
}

/// All changes to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    pub path: String,
    /// Of the bytes that the changes were made for; other bytes are never changed.
    pub before: Digest,
    /// Of the bytes after it. `None` where only the host can tell, because the file has secrets.
    pub after: Option<Digest>,
    /// In the order of lines, one a line.
    pub edits: Vec<LineEdit>,
}

/// Why changes can't be made to a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditRefused {
    #[error("line {line} is changed, and the file has {count}")]
    NoSuchLine { line: u32, count: usize },
    #[error("changes are not in the order of lines, or two are of line {0}")]
    Order(u32),
    #[error("a new line has a line end in it")]
    LineEnd,
}

/// The lines of a text with their `\r`, without their `\n`, and whether the last one ends with `\n`.
fn lines(text: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    let ended = lines.last().is_some_and(|last| last.is_empty());
    if ended {
        lines.pop();
    }
    (lines, ended)
}

fn check(edits: &[LineEdit], count: usize) -> Result<(), EditRefused> {
    let mut last = 0;
    for edit in edits {
        if edit.line <= last {
            return Err(EditRefused::Order(edit.line));
        }
        last = edit.line;
        let end = if edit.replaces { count } else { count + 1 };
        if edit.line as usize > end {
            return Err(EditRefused::NoSuchLine {
                line: edit.line,
                count,
            });
        }
        let broken = |line: &String| line.contains(['\n', '\r', '\0']);
        if edit.new.iter().any(broken) {
            return Err(EditRefused::LineEnd);
        }
    }
    Ok(())
}

/// The text with the changes made. New lines end as the file's first line does.
pub fn apply(text: &[u8], edits: &[LineEdit]) -> Result<Vec<u8>, EditRefused> {
    let (lines, ended) = lines(text);
    check(edits, lines.len())?;
    if edits.is_empty() {
        return Ok(text.to_owned());
    }
    let end: &[u8] = if lines.first().is_some_and(|line| line.ends_with(b"\r")) {
        b"\r\n"
    } else {
        b"\n"
    };
    let mut out = Vec::with_capacity(text.len());
    let mut edits = edits.iter().peekable();
    for (number, line) in (1u32..).zip(&lines) {
        let edit = edits.next_if(|edit| edit.line == number);
        for new in edit.iter().flat_map(|edit| &edit.new) {
            out.extend_from_slice(new.as_bytes());
            out.extend_from_slice(end);
        }
        if edit.is_none_or(|edit| !edit.replaces) {
            out.extend_from_slice(line);
            if ended || (number as usize) < lines.len() {
                out.push(b'\n');
            }
        }
    }
    for new in edits.flat_map(|edit| &edit.new) {
        if !out.is_empty() && out.last() != Some(&b'\n') {
            out.extend_from_slice(end);
        }
        out.extend_from_slice(new.as_bytes());
        out.extend_from_slice(end);
    }
    Ok(out)
}

/// Lines around a change that a diff shows.
const AROUND: usize = 3;

/// The changes as a unified diff of the text that was seen. `Err` where they do not fit it.
pub fn diff(path: &str, text: &str, edits: &[LineEdit]) -> Result<String, EditRefused> {
    let (lines, _) = lines(text.as_bytes());
    check(edits, lines.len())?;
    // (mark, text) for every line, old and new.
    let mut marked: Vec<(char, String)> = Vec::new();
    let mut edits = edits.iter().peekable();
    for number in 1u32..=u32::try_from(lines.len()).unwrap_or(u32::MAX) + 1 {
        let edit = edits.next_if(|edit| edit.line == number);
        let old = lines.get(number as usize - 1).map(|line| {
            String::from_utf8_lossy(line)
                .trim_end_matches('\r')
                .to_owned()
        });
        let replaced = edit.is_some_and(|edit| edit.replaces);
        if let (true, Some(old)) = (replaced, &old) {
            marked.push(('-', old.clone()));
        }
        let new = edit.iter().flat_map(|edit| &edit.new);
        marked.extend(new.map(|line| ('+', line.clone())));
        if let (false, Some(old)) = (replaced, old) {
            marked.push((' ', old));
        }
    }
    let mut out = String::new();
    let mut at = 0;
    while let Some(first) = (at..marked.len()).find(|i| marked[*i].0 != ' ') {
        let start = first.saturating_sub(AROUND).max(at);
        let mut last = first;
        while let Some(next) =
            (last + 1..marked.len().min(last + 2 * AROUND + 2)).find(|i| marked[*i].0 != ' ')
        {
            last = next;
        }
        let stop = (last + 1 + AROUND).min(marked.len());
        if out.is_empty() {
            let _ = write!(out, "--- {path}\n+++ {path}\n");
        }
        let count = |range: &[(char, String)], other: char| {
            range.iter().filter(|(mark, _)| *mark != other).count()
        };
        let position = |in_hunk: usize, before: usize| {
            if in_hunk == 0 { before } else { before + 1 }
        };
        let (olds, news) = (
            count(&marked[start..stop], '+'),
            count(&marked[start..stop], '-'),
        );
        let old_start = position(olds, count(&marked[..start], '+'));
        let new_start = position(news, count(&marked[..start], '-'));
        let _ = writeln!(out, "@@ -{old_start},{olds} +{new_start},{news} @@");
        for (mark, line) in &marked[start..stop] {
            let _ = writeln!(out, "{mark}{line}");
        }
        at = stop;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(line: u32, replaces: bool, new: &[&str]) -> LineEdit {
        LineEdit {
            line,
            replaces,
            new: new.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn only_what_is_edited_changes() {
        for (text, edits, expected) in [
            (
                "a\nb\nc\n",
                vec![edit(2, true, &["x", "y"])],
                "a\nx\ny\nc\n",
            ),
            ("a\nb\n", vec![edit(2, false, &["x"])], "a\nx\nb\n"),
            ("a\nb", vec![edit(2, true, &[])], "a\n"),
            ("a\nb", vec![edit(3, false, &["x"])], "a\nb\nx\n"),
            ("a\nb\n", vec![edit(3, false, &["x"])], "a\nb\nx\n"),
            ("a\r\nb\r\n", vec![edit(1, true, &["x"])], "x\r\nb\r\n"),
            ("", vec![edit(1, false, &["x"])], "x\n"),
            ("a\n\n", vec![edit(2, true, &["x"])], "a\nx\n"),
            ("a", vec![], "a"),
        ] {
            let found = apply(text.as_bytes(), &edits).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), expected, "{text:?}");
        }
        let bytes = b"\xff\xfe\n[mysqld]\n";
        assert_eq!(
            apply(bytes, &[edit(2, false, &["x"])]).unwrap(),
            b"\xff\xfe\nx\n[mysqld]\n"
        );
    }

    #[test]
    fn changes_that_do_not_fit_are_refused() {
        for edits in [
            vec![edit(3, true, &[])],
            vec![edit(4, false, &[])],
            vec![edit(2, true, &[]), edit(1, true, &[])],
            vec![edit(1, true, &[]), edit(1, false, &["x"])],
            vec![edit(0, true, &[])],
            vec![edit(1, true, &["a\nb"])],
        ] {
            assert!(apply(b"a\nb\n", &edits).is_err(), "{edits:?}");
            assert!(diff("f", "a\nb\n", &edits).is_err(), "{edits:?}");
        }
    }

    #[test]
    fn a_diff_is_one_that_patch_takes() {
        let text = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n";
        let edits = [
            edit(2, true, &["two"]),
            edit(14, false, &["more"]),
            edit(16, false, &["end"]),
        ];
        assert_eq!(
            diff("/my.cnf", text, &edits).unwrap(),
            "--- /my.cnf\n+++ /my.cnf\n@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n@@ -11,5 +11,7 @@\n 11\n 12\n 13\n+more\n 14\n 15\n+end\n"
        );
        assert_eq!(
            diff("/my.cnf", "", &[edit(1, false, &["x"])]).unwrap(),
            "--- /my.cnf\n+++ /my.cnf\n@@ -0,0 +1,1 @@\n+x\n"
        );
        assert_eq!(diff("/my.cnf", text, &[]).unwrap(), "");
    }
}
