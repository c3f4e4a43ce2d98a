//! Defaults that Refit has pinned in option files, found again by its own dated comments, and how one is released: its two lines go, and
//! nothing else of the file changes.
//!
//! ```text
//! # Refit 2026-11-20, 8.4.6 to 9.7.4: its default is another: flush storms on slow disks     <- names the hop, so the value that was pinned
//! innodb_io_capacity = 200                                                                   <- the pin
//! ```

use super::edit::{LineEdit, Rewrite, apply};
use super::judge::Settings;
use super::names::meaning;
use super::read::Setting;
use super::{ConfigFiles, OptionFile};
use crate::ids::Digest;
use crate::rules::releases::Date;
use crate::rules::variables::defaults::{Default, find};
use crate::rules::variables::renamed;
use crate::version::MysqlVersion;
use std::collections::BTreeMap;

/// What stands between the hop and the effect in a pin's comment; [`super::propose`] writes it.
pub const WORDS: &str = "its default is another:";

/// How every comment of Refit begins.
pub fn tag(today: Date, from: MysqlVersion, to: MysqlVersion) -> String {
    format!("# Refit {today}, {from} to {to}:")
}

/// One default that Refit has pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    pub file: String,
    /// Of the setting; the comment stands in the line before it.
    pub line: u32,
    /// The variable, under its present name.
    pub variable: &'static str,
    /// What the line sets; what Refit wrote, unless somebody has changed it since.
    pub value: String,
    /// What Refit wrote, so far as it is known.
    pub wrote: Option<&'static str>,
    pub written: Date,
    pub from: MysqlVersion,
    pub to: MysqlVersion,
}

impl Pin {
    /// Somebody has changed its value since.
    pub fn is_changed(&self) -> bool {
        self.wrote.is_some_and(|wrote| wrote != self.value)
    }

    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// Every pin of a server's files, in the order in which mysqld reads them.
pub fn pins(files: &ConfigFiles, version: MysqlVersion) -> Vec<Pin> {
    let settings = Settings::of(files, version);
    let read = settings.read.iter();
    read.filter_map(|(_, _, setting)| pin(files, setting))
        .collect()
}

/// The present name of what a line sets or pins, for the names that Refit may pin.
pub fn variable(written: &str) -> Option<&'static Default> {
    let name = meaning(written).name;
    let known = |name: &str| find(renamed::new_name(name).unwrap_or(name));
    // The only pin that is written with a modifier.
    known(&name).or_else(|| (name == "skip_log_bin").then(|| known("log_bin"))?)
}

fn pin(files: &ConfigFiles, setting: &Setting) -> Option<Pin> {
    let file = files.file(&setting.file)?;
    let comment = line_of(file, setting.line.checked_sub(1)?)?;
    let (written, from, to) = comment_of(comment)?;
    // A NUL would join it with the next line.
    line_of(file, setting.line).filter(|line| !line.contains('\0'))?;
    let entry = variable(&setting.name)?;
    let value = match &setting.value {
        Some(value) => value.clone(),
        None => if meaning(&setting.name).name.starts_with("skip_") {
            "OFF"
        } else {
            "ON"
        }
        .to_owned(),
    };
    Some(Pin {
        file: setting.file.clone(),
        line: setting.line,
        variable: entry.name,
        value,
        wrote: entry.at(from),
        written,
        from,
        to,
    })
}

fn line_of(file: &OptionFile, line: u32) -> Option<&str> {
    let at = (line as usize).checked_sub(1)?;
    let line = file.text.split('\n').nth(at)?;
    Some(line.trim_end_matches('\r'))
}

/// The date and the hop of a pin's comment.
fn comment_of(line: &str) -> Option<(Date, MysqlVersion, MysqlVersion)> {
    let (date, rest) = line.strip_prefix("# Refit ")?.split_once(", ")?;
    let (hop, rest) = rest.split_once(": ")?;
    let (from, to) = hop.split_once(" to ")?;
    rest.starts_with(WORDS).then_some(())?;
    Some((date.parse().ok()?, from.parse().ok()?, to.parse().ok()?))
}

/// The same variable, however it is written.
pub fn is_named(pin: &Pin, names: &[String]) -> bool {
    names
        .iter()
        .any(|name| variable(name).is_some_and(|entry| entry.name == pin.variable))
}

/// Those of a server's pins that have one of the names.
pub fn named(files: &ConfigFiles, version: MysqlVersion, names: &[String]) -> Vec<Pin> {
    let mut found = if names.is_empty() {
        Vec::new()
    } else {
        pins(files, version)
    };
    found.retain(|pin| is_named(pin, names));
    found
}

/// Where a variable is set besides these pins, and to what. `files.elsewhere` does not tell: a pin itself is among it. What a command
/// line sets is found when the server has started.
pub fn set_elsewhere(
    files: &ConfigFiles,
    version: MysqlVersion,
    variable_name: &str,
    besides: &[Pin],
) -> Option<(String, Option<String>)> {
    let same = |name: &str| variable(name).is_some_and(|entry| entry.name == variable_name);
    if let Some(persisted) = files.persisted.iter().find(|p| same(&p.name)) {
        let place = "mysqld-auto.cnf".to_owned();
        return Some((place, Some(persisted.value.clone())));
    }
    let is_pin = |s: &Setting| {
        besides
            .iter()
            .any(|pin| pin.file == s.file && pin.line == s.line)
    };
    let entry = find(variable_name)?;
    let settings = Settings::of(files, version);
    let read = settings.read.iter().rev().map(|(_, _, setting)| setting);
    let sets = |setting: &&Setting| {
        let known = |name: &str| {
            let present = renamed::new_name(name).unwrap_or(name);
            (present == entry.name).then_some(())
        };
        meaning(&setting.name).of(None, known).is_some()
    };
    read.filter(sets)
        .find(|setting| !is_pin(setting))
        .map(|s| (format!("{}:{}", s.file, s.line), s.value.clone()))
}

/// The rewrites, and these pins' lines taken out.
pub fn without(files: &ConfigFiles, rewrites: Vec<Rewrite>, pins: &[Pin]) -> Vec<Rewrite> {
    if pins.is_empty() {
        return rewrites;
    }
    let mut by_file: BTreeMap<String, BTreeMap<u32, LineEdit>> = rewrites
        .into_iter()
        .map(|rewrite| {
            let edits = rewrite.edits.into_iter();
            (rewrite.path, edits.map(|edit| (edit.line, edit)).collect())
        })
        .collect();
    for pin in pins {
        let edits = by_file.entry(pin.file.clone()).or_default();
        for line in [pin.line - 1, pin.line] {
            let gone = LineEdit {
                line,
                replaces: true,
                new: Vec::new(),
            };
            edits.insert(line, gone);
        }
    }
    let rewrite = |(path, edits): (String, BTreeMap<u32, LineEdit>)| {
        let file = files.file(&path)?;
        Some(rewrite(file, edits.into_values().collect()))
    };
    by_file.into_iter().filter_map(rewrite).collect()
}

/// All changes to one file, with the digests of its bytes before and after.
pub fn rewrite(file: &OptionFile, edits: Vec<LineEdit>) -> Rewrite {
    let after = file
        .is_whole()
        .then(|| apply(file.text.as_bytes(), &edits).ok())
        .flatten()
        .map(|bytes| Digest::of(&bytes));
    Rewrite {
        path: file.path.clone(),
        before: file.digest,
        after,
        edits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::mask::masked;
    use crate::config::propose::propose;
    use crate::rules::variables::defaults::DEFAULTS;

    fn files(text: &str) -> ConfigFiles {
        ConfigFiles {
            roots: vec!["/m.cnf".to_owned()],
            files: vec![OptionFile::new("/m.cnf", text)],
            ..ConfigFiles::default()
        }
    }

    fn v(text: &str) -> MysqlVersion {
        text.parse().unwrap()
    }

    /// What an upgrade makes of a file.
    fn pinned(text: &str, from: &str, to: &str) -> String {
        let before = files(text);
        let proposal = propose(&before, v(from), v(to), "2026-11-20".parse().unwrap());
        let edits = &proposal.rewrites[0].edits;
        String::from_utf8(apply(text.as_bytes(), edits).unwrap()).unwrap()
    }

    #[test]
    fn every_pin_that_is_written_is_found_again() {
        for (from, to) in [
            ("5.7.44", "8.0.20"),
            ("8.0.46", "8.4.6"),
            ("8.4.6", "9.7.4"),
        ] {
            let group = "[mysqld]\nplugin-load-add=group_replication.so\n";
            let text = pinned(group, from, to);
            assert_eq!(masked(&text), text, "no pin is taken for a secret");
            let found = pins(&files(&text), v(to));
            let expected = DEFAULTS
                .iter()
                .filter(|entry| entry.differs(v(from), v(to)) && entry.at(v(from)).is_some())
                .filter(|entry| crate::rules::variables::removed::find(entry.name, v(to)).is_none())
                .map(|entry| entry.name);
            let names: Vec<&str> = found.iter().map(|pin| pin.variable).collect();
            assert_eq!(names, expected.collect::<Vec<_>>());
            for pin in &found {
                assert!(!pin.is_changed(), "{pin:?}");
                assert_eq!((pin.from, pin.to), (v(from), v(to)));
                assert_eq!(pin.written.to_string(), "2026-11-20");
            }
        }
    }

    #[test]
    fn what_a_person_wrote_is_no_pin() {
        let tag = "# Refit 2026-11-20, 8.4.6 to 9.7.4:";
        for text in [
            "[mysqld]\ninnodb_io_capacity = 200\n".to_owned(),
            "[mysqld]\n# its default is another: x\ninnodb_io_capacity = 200\n".to_owned(),
            format!("[mysqld]\n{tag} its default is another: x\n\ninnodb_io_capacity = 200\n"),
            format!("[mysqld]\n{tag} now called x; was: y\ninnodb_io_capacity = 200\n"),
            format!("[mysqld]\n{tag} its default is another: x\nmax_connections = 200\n"),
            format!("[client]\n{tag} its default is another: x\ninnodb_io_capacity = 200\n"),
            "[mysqld]\n# Refit soon, 8.4.6 to 9.7.4: its default is another: x\ninnodb_io_capacity=1\n".to_owned(),
        ] {
            assert_eq!(pins(&files(&text), v("9.7.4")), [], "{text}");
        }
        let changed = format!("[mysqld]\n{tag} its default is another: x\nexplain_format = JSON\n");
        let found = pins(&files(&changed), v("9.7.4"));
        assert!(found[0].is_changed(), "{found:?}");
        assert_eq!(
            (found[0].value.as_str(), found[0].wrote),
            ("JSON", Some("TRADITIONAL"))
        );
    }

    #[test]
    fn only_the_lines_of_a_released_pin_go() {
        let text = pinned("[mysqld]\r\nx=1\r\n", "8.4.6", "9.7.4");
        let before = files(&text);
        let names = ["explain-format".to_owned(), "gtid_mode".to_owned()];
        let found = named(&before, v("9.7.4"), &names);
        assert_eq!(found.len(), 2);
        let rewrites = without(&before, Vec::new(), &found);
        let after = apply(text.as_bytes(), &rewrites[0].edits).unwrap();
        assert_eq!(rewrites[0].after, Some(Digest::of(&after)));
        let after = String::from_utf8(after).unwrap();
        let kept: Vec<&str> = text
            .split_inclusive('\n')
            .filter(|line| {
                !line.starts_with("explain_format =") && !line.starts_with("gtid_mode =")
            })
            .collect();
        assert_eq!(after.lines().count(), kept.len() - 2);
        assert!(!after.contains("tools that read EXPLAIN\r\n"), "{after}");
        assert!(
            after.contains("explain_json_format_version = 1\r\n"),
            "{after}"
        );
    }

    #[test]
    fn what_else_sets_it_is_told() {
        let text = pinned("[mysqld]\nx=1\n", "8.4.6", "9.7.4");
        let before = files(&format!("{text}loose-explain_format = TREE\n"));
        let all = pins(&before, v("9.7.4"));
        let lines = before.files[0].text.lines().count();
        let elsewhere = |files: &ConfigFiles, name| set_elsewhere(files, v("9.7.4"), name, &all);
        assert_eq!(
            elsewhere(&before, "explain_format"),
            Some((format!("/m.cnf:{lines}"), Some("TREE".to_owned())))
        );
        assert_eq!(elsewhere(&before, "gtid_mode"), None);
    }
}
