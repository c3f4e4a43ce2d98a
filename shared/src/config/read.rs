//! What option files say, read as mysqld reads them.
//!
//! Source: MySQL manual, "Using Option Files"; every rule here was tried with `my_print_defaults` and `mysqld --validate-config` of
//! 9.7.4, and a scenario compares this reader with them. What surprises: an option before the first group is fatal, a missing
//! `!include` is not; a group's name keeps blanks before it and loses those behind it; names are compared as they are written
//! (case counts, no abbreviations); in a value only a matching pair of quotes around the whole goes away. Not so here: a lone byte 0xa0 is
//! a blank for mysqld, and in the text that an agent sends it is replaced.

use super::OptionFile;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One option in one group, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub file: String,
    /// From 1.
    pub line: u32,
    pub group: String,
    /// As it is written.
    pub name: String,
    pub value: Option<String>,
}

/// Something in a file that mysqld complains of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    pub line: u32,
    pub what: String,
    /// mysqld does not start; otherwise it warns and goes on.
    pub fatal: bool,
}

/// All that was read, in the order in which mysqld takes it: the last one wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    pub settings: Vec<Setting>,
    pub problems: Vec<Problem>,
}

/// Includes nest no deeper.
const DEEPEST: u32 = 10;

/// Reads from the roots on. A root that is not among the files does not exist, which is fine.
pub fn read(roots: &[String], files: &[OptionFile]) -> Reading {
    let mut reader = Reader {
        files: files
            .iter()
            .map(|file| (file.path.as_str(), file))
            .collect(),
        reading: Reading::default(),
        stopped: false,
    };
    for root in roots {
        reader.file(root, 0);
    }
    reader.reading
}

struct Reader<'a> {
    files: BTreeMap<&'a str, &'a OptionFile>,
    reading: Reading,
    /// Something fatal: mysqld reads no further.
    stopped: bool,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, depth: u32) {
        let Some(file) = self.files.get(path).copied() else {
            return;
        };
        if file.world_writable {
            self.problem(
                path,
                0,
                "is writable by everybody, so mysqld ignores it".to_owned(),
                false,
            );
            return;
        }
        let mut group = None;
        for (number, line) in lines(file.text.as_bytes()) {
            if self.stopped {
                return;
            }
            match classify(&line) {
                Line::Nothing => {}
                Line::Include(target) => self.include(path, number, &target, depth),
                Line::IncludeDir(target) => self.include_dir(path, number, &target, depth),
                Line::IncludeNothing => {
                    self.problem(path, number, "an include names no file".to_owned(), true);
                }
                Line::Group(name) => group = Some(name),
                Line::BrokenGroup => {
                    self.problem(
                        path,
                        number,
                        "a group has no closing bracket".to_owned(),
                        true,
                    );
                }
                Line::Option(name, value) => match &group {
                    Some(group) => self.reading.settings.push(Setting {
                        file: path.to_owned(),
                        line: number,
                        group: group.clone(),
                        name,
                        value,
                    }),
                    None => {
                        let what = "an option comes before the first group".to_owned();
                        self.problem(path, number, what, true);
                    }
                },
            }
        }
    }

    fn problem(&mut self, file: &str, line: u32, what: String, fatal: bool) {
        self.stopped |= fatal;
        self.reading.problems.push(Problem {
            file: file.to_owned(),
            line,
            what,
            fatal,
        });
    }

    fn include(&mut self, path: &str, line: u32, target: &str, depth: u32) {
        if depth >= DEEPEST {
            self.problem(
                path,
                line,
                format!("{target} is included too deep and ignored"),
                false,
            );
        } else if self.files.contains_key(target) {
            self.file(target, depth + 1);
        } else {
            self.problem(
                path,
                line,
                format!("{target}, which is included, can't be read"),
                false,
            );
        }
    }

    fn include_dir(&mut self, path: &str, line: u32, target: &str, depth: u32) {
        if depth >= DEEPEST {
            self.problem(
                path,
                line,
                format!("{target} is included too deep and ignored"),
                false,
            );
            return;
        }
        // The map is in the order of names, as mysqld sorts a directory.
        for name in in_directory(target, self.files.keys().copied()) {
            self.file(&name, depth + 1);
        }
    }
}

/// Those of the paths that `!includedir` takes: directly in the directory, ending in `.cnf`.
fn in_directory<'a>(dir: &str, paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let dir = dir.trim_end_matches('/');
    paths
        .filter(|path| {
            path.rsplit_once('/')
                .is_some_and(|(parent, name)| parent == dir && name.ends_with(".cnf"))
        })
        .map(str::to_owned)
        .collect()
}

/// The directives of one text, for whoever has to find the files: (is a directory, target).
pub fn includes(text: &[u8]) -> Vec<(bool, String)> {
    lines(text)
        .filter_map(|(_, line)| match classify(&line) {
            Line::Include(target) => Some((false, target)),
            Line::IncludeDir(target) => Some((true, target)),
            _ => None,
        })
        .collect()
}

/// Numbered from 1, without their ends. A NUL cuts its line, which then goes on in the next one; at a line's beginning it ends the
/// file.
fn lines(text: &[u8]) -> impl Iterator<Item = (u32, Cow<'_, [u8]>)> {
    let mut rest = (1u32..).zip(text.split(|b| *b == b'\n'));
    std::iter::from_fn(move || {
        let (number, line) = rest.next()?;
        let piece = |line: &[u8]| line.iter().position(|b| *b == 0);
        let Some(mut cut) = piece(line) else {
            return Some((number, Cow::Borrowed(line)));
        };
        if cut == 0 {
            return None;
        }
        let mut whole = line[..cut].to_owned();
        while cut > 0
            && let Some((_, next)) = rest.next()
        {
            cut = piece(next).unwrap_or(0);
            let end = piece(next).unwrap_or(next.len());
            whole.extend_from_slice(&next[..end]);
        }
        Some((number, Cow::Owned(whole)))
    })
}

/// What one line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Nothing,
    Include(String),
    IncludeDir(String),
    IncludeNothing,
    Group(String),
    BrokenGroup,
    Option(String, Option<String>),
}

/// `isspace` of latin1.
fn is_blank(b: u8) -> bool {
    matches!(b, b'\t'..=b'\r' | b' ' | 0xa0)
}

fn trim_start(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line {
        if !is_blank(*first) {
            break;
        }
        line = rest;
    }
    line
}

fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., last] = line {
        if !is_blank(*last) {
            break;
        }
        line = rest;
    }
    line
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn classify(line: &[u8]) -> Line {
    let line = trim_start(line);
    match line.first() {
        None | Some(b'#' | b';') => Line::Nothing,
        Some(b'!') => directive(trim_start(&line[1..])),
        Some(b'[') => match line.iter().position(|b| *b == b']') {
            Some(end) => Line::Group(text(trim_end(&line[1..end]))),
            None => Line::BrokenGroup,
        },
        Some(_) => option(line),
    }
}

fn directive(line: &[u8]) -> Line {
    let after = |keyword: &[u8]| {
        line.strip_prefix(keyword)
            .filter(|rest| rest.is_empty() || is_blank(rest[0]))
            .map(|rest| text(trim_end(trim_start(rest))))
    };
    if let Some(target) = after(b"includedir") {
        if target.is_empty() {
            Line::IncludeNothing
        } else {
            Line::IncludeDir(target)
        }
    } else if let Some(target) = after(b"include") {
        if target.is_empty() {
            Line::IncludeNothing
        } else {
            Line::Include(target)
        }
    } else {
        Line::Nothing
    }
}

fn option(line: &[u8]) -> Line {
    let line = &line[..end_of_value(line)];
    let Some(equals) = line.iter().position(|b| *b == b'=') else {
        return Line::Option(text(trim_end(line)), None);
    };
    let name = text(trim_end(&line[..equals]));
    let value = trim_end(trim_start(&line[equals + 1..]));
    Line::Option(name, Some(text(&unescaped(unquoted(value)))))
}

/// Where a comment begins: a `#` outside quotes. A backslash protects only inside quotes.
fn end_of_value(line: &[u8]) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, b) in line.iter().enumerate() {
        if matches!(b, b'"' | b'\'') && !escaped {
            match quote {
                None => quote = Some(*b),
                Some(open) if open == *b => quote = None,
                Some(_) => {}
            }
        }
        if quote.is_none() && *b == b'#' {
            return at;
        }
        escaped = quote.is_some() && *b == b'\\' && !escaped;
    }
    line.len()
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    }
}

fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [next, after @ ..]) => {
                rest = after;
                match next {
                    b'n' => plain.push(b'\n'),
                    b't' => plain.push(b'\t'),
                    b'r' => plain.push(b'\r'),
                    b'b' => plain.push(8),
                    b's' => plain.push(b' '),
                    b'"' | b'\'' | b'\\' => plain.push(*next),
                    _ => plain.extend([b'\\', *next]),
                }
            }
            _ => plain.push(*first),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> OptionFile {
        OptionFile::new(path, text)
    }

    fn said(files: &[OptionFile]) -> Vec<String> {
        let reading = read(&[files[0].path.clone()], files);
        reading
            .settings
            .iter()
            .map(|s| match &s.value {
                Some(value) => format!("{}:{} [{}] {}={value}", s.file, s.line, s.group, s.name),
                None => format!("{}:{} [{}] {}", s.file, s.line, s.group, s.name),
            })
            .collect()
    }

    #[test]
    fn values_are_read_as_the_real_program_reads_them() {
        // Each was given to my_print_defaults of 9.7.4.
        for (line, name, value) in [
            ("a = 1 # com", "a", Some("1")),
            (r#"b = "q # not" # com"#, "b", Some("q # not")),
            ("c = 'it''s'", "c", Some("it''s")),
            (r#"d = "unterminated"#, "d", Some("\"unterminated")),
            (r#"e = a\tb\\c\qd\"e\sf"#, "e", Some("a\tb\\c\\qd\"e f")),
            ("f=", "f", Some("")),
            (r#"g = ""#, "g", Some("\"")),
            (r#"h = """#, "h", Some("")),
            ("i=  'x' y 'z'", "i", Some("x' y 'z")),
            (" indented-opt=2", "indented-opt", Some("2")),
            ("no-value2 # c", "no-value2", None),
            ("k = v;semi", "k", Some("v;semi")),
            (r"m = \#hash", "m", Some("\\")),
            (r##"n = "a\"#b" # c"##, "n", Some("a\"#b")),
            (r##"o = "a" # "c""##, "o", Some("a")),
            ("=novalue", "", Some("novalue")),
            ("p == q", "p", Some("= q")),
            ("\"quoted name\"=1", "\"quoted name\"", Some("1")),
            (r##"q="a' # b"##, "q", Some("\"a' # b")),
            (r##"s="x\" # y""##, "s", Some("x\" # y")),
            (r##"t="\\" # z"##, "t", Some("\\")),
            (r"u=\", "u", Some("\\")),
            ("v=1\r", "v", Some("1")),
        ] {
            let found = classify(line.as_bytes());
            let expected = Line::Option(name.to_owned(), value.map(str::to_owned));
            assert_eq!(found, expected, "{line}");
        }
        for line in ["", "  # c", "; c", "!foo", "!includedirx", "\x0b"] {
            assert_eq!(classify(line.as_bytes()), Line::Nothing, "{line}");
        }
        assert_eq!(
            classify(b"[mysqld ]  # x"),
            Line::Group("mysqld".to_owned())
        );
        assert_eq!(classify(b"[ mysqld]"), Line::Group(" mysqld".to_owned()));
        assert_eq!(
            classify(b"  ! include   /a b  "),
            Line::Include("/a b".to_owned())
        );
    }

    #[test]
    fn includes_are_read_where_they_stand_and_groups_do_not_leak() {
        let files = [
            file(
                "/m.cnf",
                "!includedir /d\n[mysqld]\na=1\n!include /x.cnf\nb=1\n",
            ),
            file("/d/b.cnf", "[mysqld]\nb=2"),
            file("/d/a.b.cnf", "[client]\nx"),
            file("/d/B.cnf", "[mysqld]\nupper"),
            file("/d/c.cnf.bak", "[mysqld]\nno"),
            file("/d/sub/e.cnf", "[mysqld]\nno"),
            file("/x.cnf", "[server]\ns=1\n"),
        ];
        assert_eq!(
            said(&files),
            [
                "/d/B.cnf:2 [mysqld] upper",
                "/d/a.b.cnf:2 [client] x",
                "/d/b.cnf:2 [mysqld] b=2",
                "/m.cnf:3 [mysqld] a=1",
                "/x.cnf:2 [server] s=1",
                "/m.cnf:5 [mysqld] b=1",
            ]
        );
    }

    #[test]
    fn what_mysqld_complains_of_is_told_with_its_place() {
        for (text, line, fatal, read_before) in [
            ("a=1\n[mysqld]\nb=1\n", 1, true, 0),
            ("[mysqld]\na=1\n[oops\nb=1\n", 3, true, 1),
            ("[mysqld]\na=1\n!include\nb=1\n", 3, true, 1),
            ("[mysqld]\n!include /none\na=1\nb=1\n", 2, false, 2),
            ("\u{feff}[mysqld]\na=1\n", 1, true, 0),
        ] {
            let files = [file("/m.cnf", text)];
            let reading = read(&["/m.cnf".to_owned()], &files);
            assert_eq!(reading.settings.len(), read_before, "{text}");
            let [problem] = reading.problems.as_slice() else {
                panic!("{text}: {:?}", reading.problems)
            };
            assert_eq!((problem.line, problem.fatal), (line, fatal), "{text}");
        }
        // Each was given to my_print_defaults of 9.7.4.
        for (text, read) in [
            ("[mysqld]\na=1\n\0b=1\nc=1\n", &["a=1"][..]),
            ("[mysqld]\nb\0=2\nc=3\nd=4\n", &["bc=3", "d=4"]),
            ("[mysqld]\na=1\0\nb=1\0\nc=1\nd=1\n", &["a=1b=1c=1", "d=1"]),
            ("[mysqld]\nx\0\n\0\nc=1\n", &["x", "c=1"]),
            ("[mysqld]\n  \0b=1\nc=1\n", &["c=1"]),
        ] {
            let found = said(&[file("/m.cnf", text)]);
            let names: Vec<&str> = found.iter().filter_map(|s| s.split("] ").nth(1)).collect();
            assert_eq!(names, read, "{text:?}");
        }
        let mut open = file("/m.cnf", "[mysqld]\na=1\n");
        open.world_writable = true;
        let reading = read(&["/m.cnf".to_owned()], &[open]);
        assert!(reading.settings.is_empty() && !reading.problems[0].fatal);
    }

    #[test]
    fn a_circle_ends_as_deep_as_in_mysqld() {
        let files = [file("/m.cnf", "!include /m.cnf\n[mysqld]\na=1\n")];
        // my_print_defaults prints it eleven times.
        assert_eq!(said(&files).len(), 11);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_every_place_exists(text in "[\\PC\n\r\t\\[\\]!#='\"\\\\]{0,300}") {
            let files = [file("/m.cnf", &text)];
            let count = text.split('\n').count();
            for setting in read(&["/m.cnf".to_owned()], &files).settings {
                proptest::prop_assert!((1..=count).contains(&(setting.line as usize)));
            }
        }
    }
}
