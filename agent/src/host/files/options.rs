//! MySQL's option files: which ones there are, and what they say (reference manual, "Using Option Files").

use std::io;
use std::path::{Path, PathBuf};

/// One option of one group. Names are written with `_`, without `loose_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionLine {
    pub group: String,
    pub name: String,
    pub value: Option<String>,
}

/// Includes nest no deeper than this in mysqld either.
const DEEPEST: usize = 10;

/// The options of a text, without following its includes.
pub fn parse(text: &str) -> Vec<OptionLine> {
    let mut group = String::new();
    let mut options = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';', '!']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            group = rest.split(']').next().unwrap_or_default().trim().to_owned();
            continue;
        }
        let line = without_comment(line);
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim(), Some(unquoted(value.trim()))),
            None => (line.trim(), None),
        };
        let name = name.replace('-', "_").to_ascii_lowercase();
        let name = name.strip_prefix("loose_").unwrap_or(&name).to_owned();
        options.push(OptionLine {
            group: group.clone(),
            name,
            value,
        });
    }
    options
}

/// A `#` outside quotes begins a comment.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', Some(_)) => escaped = true,
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('#', None) => return &line[..at],
            _ => {}
        }
    }
    line
}

fn unquoted(value: &str) -> String {
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('b') => plain.push('\u{8}'),
            Some('s') => plain.push(' '),
            Some('\\') => plain.push('\\'),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    plain
}

/// The file and all that it includes, in the order in which mysqld reads them. A file that does not exist is left out.
pub fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(root, 0, &mut found)?;
    Ok(found)
}

fn collect(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > DEEPEST || found.iter().any(|known| known == path) {
        return Ok(());
    }
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    found.push(path.to_owned());
    for line in text.lines().map(str::trim) {
        if let Some(dir) = line.strip_prefix("!includedir") {
            let mut names = match std::fs::read_dir(dir.trim()) {
                Ok(entries) => entries
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect::<io::Result<Vec<_>>>()?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            names.sort();
            for name in names {
                if name.extension().is_some_and(|extension| extension == "cnf") {
                    collect(&name, depth + 1, found)?;
                }
            }
        } else if let Some(file) = line.strip_prefix("!include") {
            collect(Path::new(file.trim()), depth + 1, found)?;
        }
    }
    Ok(())
}

/// What the files say to mysqld: groups `[mysqld]`, `[server]` and `[mysqld-X.Y]`.
pub fn server_options(root: &Path) -> io::Result<Vec<OptionLine>> {
    let mut options = Vec::new();
    for file in files(root)? {
        let text = std::fs::read(&file)?;
        options.extend(parse(&String::from_utf8_lossy(&text)));
    }
    options.retain(|option| {
        option.group == "server" || option.group == "mysqld" || option.group.starts_with("mysqld-")
    });
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(group: &str, name: &str, value: Option<&str>) -> OptionLine {
        OptionLine {
            group: group.to_owned(),
            name: name.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    #[test]
    fn options_are_read_as_mysqld_reads_them() {
        let text = "# comment\n; too\n[mysqld]\nskip-name-resolve\nloose-group_replication_start_on_boot = ON # why\n\
                    init_connect=\"SET x='#1'\"\n [client]\npassword = 'a b\\\\c'\n";
        assert_eq!(
            parse(text),
            [
                option("mysqld", "skip_name_resolve", None),
                option("mysqld", "group_replication_start_on_boot", Some("ON")),
                option("mysqld", "init_connect", Some("SET x='#1'")),
                option("client", "password", Some("a b\\c")),
            ]
        );
    }

    #[test]
    fn includes_are_followed_in_order_and_circles_end() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("conf.d")).unwrap();
        let root = format!(
            "!includedir {}\n!include {}\n[mysqld]\nport=1\n",
            at("conf.d").display(),
            at("extra.cnf").display()
        );
        std::fs::write(at("my.cnf"), root).unwrap();
        std::fs::write(
            at("extra.cnf"),
            format!("!include {}\n", at("my.cnf").display()),
        )
        .unwrap();
        std::fs::write(at("conf.d/b.cnf"), "[mysqld]\nb=1\n").unwrap();
        std::fs::write(
            at("conf.d/a.cnf"),
            "[mysqldump]\nquick\n[mysqld-9.7]\na=1\n",
        )
        .unwrap();
        std::fs::write(at("conf.d/a.cnf.dpkg-dist"), "[mysqld]\nold=1\n").unwrap();
        assert_eq!(
            files(&at("my.cnf")).unwrap(),
            ["my.cnf", "conf.d/a.cnf", "conf.d/b.cnf", "extra.cnf"].map(at)
        );
        let names: Vec<String> = server_options(&at("my.cnf"))
            .unwrap()
            .into_iter()
            .map(|option| option.name)
            .collect();
        assert_eq!(names, ["port", "a", "b"]);
        assert!(files(&at("none.cnf")).unwrap().is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\PC\n]{0,200}") {
            let _ = parse(&text);
        }
    }
}
