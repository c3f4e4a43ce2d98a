//! The option files as a target needs them: what is gone is commented out or put otherwise, names are the new ones, refused values
//! are taken out, and defaults that change are pinned to what they were, each with a dated comment, so that they can be released
//! one by one.

use super::edit::{LineEdit, Rewrite};
use super::judge::{Found, Settings, judge};
use super::mask::MASK;
use super::names::meaning;
use super::pins;
use super::read::Setting;
use super::{ConfigFiles, OptionFile};
use crate::plan::Policy;
use crate::rules::releases::Date;
use crate::rules::variables::defaults::Default;
use crate::rules::variables::removed::{Instead, Removed};
use crate::rules::variables::renamed;
use crate::version::MysqlVersion;
use std::collections::BTreeMap;

/// What is proposed.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub rewrites: Vec<Rewrite>,
    /// What the rewrites put right.
    pub mended: Vec<Found>,
    /// What only a person can decide.
    pub for_a_person: Vec<Found>,
    /// What the target only warns of.
    pub harmless: Vec<Found>,
}

impl Proposal {
    /// The files stay as they are: what would have been mended is for a person.
    pub fn kept(mut self) -> Self {
        self.rewrites.clear();
        self.for_a_person.append(&mut self.mended);
        self
    }
}

/// What a plan makes of a member's files: what was proposed, unless they are to stay as they are, and without the pins that are
/// released. Where no version changes nothing else is touched.
pub fn planned(
    files: &ConfigFiles,
    from: MysqlVersion,
    to: MysqlVersion,
    today: Date,
    policy: &Policy,
) -> Proposal {
    let mut proposal = propose(files, from, to, today);
    if policy.keep_config || from == to {
        proposal = proposal.kept();
    }
    let released = pins::named(files, from, &policy.release);
    proposal.rewrites = pins::without(files, proposal.rewrites, &released);
    proposal
}

/// Makes the proposal; `today` goes into the comments.
pub fn propose(files: &ConfigFiles, from: MysqlVersion, to: MysqlVersion, today: Date) -> Proposal {
    let mut maker = Maker {
        files,
        settings: Settings::of(files, to),
        to,
        tag: pins::tag(today, from, to),
        edits: BTreeMap::new(),
        mended: Vec::new(),
        for_a_person: Vec::new(),
        harmless: Vec::new(),
    };
    let mut pins = Vec::new();
    for found in judge(files, from, to) {
        match found {
            Found::Removed { loose: true, .. } => maker.harmless.push(found),
            Found::Removed {
                ref setting, entry, ..
            } => match maker.instead_of(setting, entry) {
                Some(new) => maker.replace(
                    setting,
                    format!("{} is gone since {}", entry.name, entry.since),
                    new,
                    found.clone(),
                ),
                None => maker.for_a_person.push(found),
            },
            Found::Forbidden { ref setting, .. } => {
                let new = maker.without_forbidden(setting);
                maker.replace(
                    setting,
                    "a value that is refused".to_owned(),
                    new,
                    found.clone(),
                );
            }
            Found::Renamed { ref setting, new } => {
                let line = if maker.sets(new) {
                    Vec::new()
                } else {
                    vec![renamed_line(setting, new)]
                };
                maker.replace(setting, format!("now called {new}"), line, found.clone());
            }
            Found::DefaultChanges { entry, .. } => match entry.at(from) {
                Some(old) => pins.push((maker.pin(entry, old), found)),
                None => maker.for_a_person.push(found),
            },
            Found::Broken(_)
            | Found::AtRuntimeOnly { .. }
            | Found::PersistedRemoved { .. }
            | Found::PersistedBeats { .. } => {
                maker.for_a_person.push(found);
            }
        }
    }
    maker.add_pins(pins);
    maker.end()
}

struct Maker<'a> {
    files: &'a ConfigFiles,
    settings: Settings,
    to: MysqlVersion,
    /// Begins every comment.
    tag: String,
    edits: BTreeMap<(String, u32), LineEdit>,
    mended: Vec<Found>,
    for_a_person: Vec<Found>,
    harmless: Vec<Found>,
}

impl Maker<'_> {
    /// Whether an option of exactly this name is set, whatever of its other name.
    fn sets(&self, name: &str) -> bool {
        self.settings.read.iter().any(|(set, _, _)| set == name)
    }

    fn line_of(&self, setting: &Setting) -> Option<&str> {
        let file = self.files.file(&setting.file)?;
        let line = file.text.split('\n').nth(setting.line as usize - 1)?;
        Some(line.trim_end_matches('\r'))
    }

    /// The old line as a comment, then the new ones.
    fn replace(&mut self, setting: &Setting, why: String, lines: Vec<String>, found: Found) {
        let old = match self.line_of(setting) {
            Some(old)
                if !old.contains(MASK) && !old.contains([char::REPLACEMENT_CHARACTER, '\0']) =>
            {
                old.trim().to_owned()
            }
            // What can't be read here can't be written back.
            _ => {
                self.for_a_person.push(found);
                return;
            }
        };
        let mut new = vec![format!("{} {why}; was: {old}", self.tag)];
        new.extend(lines);
        let key = (setting.file.clone(), setting.line);
        self.edits.insert(
            key,
            LineEdit {
                line: setting.line,
                replaces: true,
                new,
            },
        );
        self.mended.push(found);
    }

    /// What takes the place of an option that is gone; `None`: a person must say.
    fn instead_of(&self, setting: &Setting, entry: &Removed) -> Option<Vec<String>> {
        let value = setting.value.as_deref();
        match entry.instead {
            Instead::Nothing => Some(Vec::new()),
            Instead::Person(_) => None,
            Instead::Rename(new) if self.sets(new) => Some(Vec::new()),
            Instead::Rename(new) => Some(vec![renamed_line(setting, new)]),
            Instead::SecondsOf(new) if self.sets(new) => Some(Vec::new()),
            Instead::SecondsOf(new) => {
                let days: u64 = value?.parse().ok()?;
                Some(vec![format!("{new} = {}", days.checked_mul(86_400)?)])
            }
            Instead::Setting(name, _) if self.sets(name) => Some(Vec::new()),
            Instead::Setting(name, to) => {
                let off = value.is_some_and(|v| {
                    ["0", "off", "false"]
                        .iter()
                        .any(|o| v.eq_ignore_ascii_case(o))
                });
                Some(if off {
                    Vec::new()
                } else {
                    vec![format!("{name} = {to}")]
                })
            }
            Instead::RedoCapacity => self.redo_capacity(setting),
        }
    }

    /// Size × number of files, written where the size was; what is not set has its default (48 MiB, two files).
    fn redo_capacity(&self, setting: &Setting) -> Option<Vec<String>> {
        if self.sets("innodb_redo_log_capacity") {
            return Some(Vec::new());
        }
        let size = self.settings.last("innodb_log_file_size");
        let number = self.settings.last("innodb_log_files_in_group");
        // Once, at the last setting of the size, or of the number where there is none of the size.
        if size.or(number) != Some(setting) {
            return Some(Vec::new());
        }
        let read = |setting: Option<&Setting>, default| match setting {
            None => Some(default),
            Some(setting) => bytes(setting.value.as_deref()?),
        };
        let total = read(size, 48 << 20)?.checked_mul(read(number, 2)?)?;
        Some(vec![format!("innodb_redo_log_capacity = {total}")])
    }

    fn without_forbidden(&self, setting: &Setting) -> Vec<String> {
        use crate::rules::variables::removed::FORBIDDEN;
        let name = meaning(&setting.name).name;
        let kept: Vec<&str> = setting
            .value
            .as_deref()
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter_map(|part| {
                let refused = FORBIDDEN.iter().find(|entry| {
                    entry.name == name
                        && entry.since <= self.to
                        && part.eq_ignore_ascii_case(entry.part)
                });
                refused.map_or(Some(part), |entry| entry.instead)
            })
            .collect();
        // An empty tls_version would turn TLS off, and an empty sql_mode strictness: then the default is the safer value.
        if kept.is_empty() {
            Vec::new()
        } else {
            vec![format!("{} = {}", setting.name, kept.join(","))]
        }
    }

    fn pin(&self, entry: &Default, old: &str) -> Vec<String> {
        let comment = format!("{} {} {}", self.tag, pins::WORDS, entry.effect);
        let name = match renamed::old_name(entry.name) {
            Some(name) if self.to < renamed::SINCE => name,
            _ => entry.name,
        };
        let line = match (entry.name, entry.plugin) {
            ("log_bin", _) => "skip_log_bin".to_owned(),
            (_, true) => format!("loose_{name} = {old}"),
            (_, false) => format!("{name} = {old}"),
        };
        vec![comment, line]
    }

    /// At the end of the file that sets most for the server, so that they stand with its settings.
    fn add_pins(&mut self, pins: Vec<(Vec<String>, Found)>) {
        if pins.is_empty() {
            return;
        }
        let last = self
            .settings
            .read
            .last()
            .map(|(_, _, setting)| setting.file.as_str());
        let root = self
            .files
            .roots
            .iter()
            .rev()
            .find_map(|root| self.files.file(root));
        let Some(file) = last.and_then(|path| self.files.file(path)).or(root) else {
            // There is no file to write to.
            self.for_a_person
                .extend(pins.into_iter().map(|(_, found)| found));
            return;
        };
        let line = line_count(file) + 1;
        let mut new = vec![String::new(), "[mysqld]".to_owned()];
        for (lines, found) in pins {
            new.extend(lines);
            self.mended.push(found);
        }
        self.edits.insert(
            (file.path.clone(), line),
            LineEdit {
                line,
                replaces: false,
                new,
            },
        );
    }

    fn end(self) -> Proposal {
        let mut by_file: BTreeMap<String, Vec<LineEdit>> = BTreeMap::new();
        for ((path, _), edit) in self.edits {
            by_file.entry(path).or_default().push(edit);
        }
        let rewrite = |(path, edits): (String, Vec<LineEdit>)| {
            Some(pins::rewrite(self.files.file(&path)?, edits))
        };
        Proposal {
            rewrites: by_file.into_iter().filter_map(rewrite).collect(),
            mended: self.mended,
            for_a_person: self.for_a_person,
            harmless: self.harmless,
        }
    }
}

fn line_count(file: &OptionFile) -> u32 {
    let lines = file.text.split('\n').count();
    let ended = file.text.is_empty() || file.text.ends_with('\n');
    u32::try_from(if ended { lines - 1 } else { lines }).unwrap_or(u32::MAX)
}

/// The same setting under another name; a modifier and `loose_` stay.
fn renamed_line(setting: &Setting, new: &str) -> String {
    let loose = if meaning(&setting.name).loose {
        "loose_"
    } else {
        ""
    };
    match &setting.value {
        Some(value) => format!("{loose}{new} = {}", quoted(value)),
        None => format!("{loose}{new}"),
    }
}

/// A value so that it is read as it is.
fn quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,;+*@%=()[]{}<>|&^~?!$ ".contains(&b);
    let fine = value.bytes().all(plain) && value.trim() == value && !value.is_empty();
    if fine {
        value.to_owned()
    } else {
        let escaped = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
            .replace('\t', "\\t")
            .replace('\r', "\\r")
            .replace('\u{8}', "\\b");
        format!("\"{escaped}\"")
    }
}

/// A size with mysqld's suffixes (K, M, G, T, P, E in either case).
fn bytes(value: &str) -> Option<u64> {
    let value = value.trim();
    let (digits, shift) = match value.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (&value[..value.len() - 1], 10),
        b'm' => (&value[..value.len() - 1], 20),
        b'g' => (&value[..value.len() - 1], 30),
        b't' => (&value[..value.len() - 1], 40),
        b'p' => (&value[..value.len() - 1], 50),
        b'e' => (&value[..value.len() - 1], 60),
        _ => (value, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::edit::{apply, diff};
    use crate::ids::Digest;

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

    fn today() -> Date {
        "2026-11-20".parse().unwrap()
    }

    /// The text after the proposal, and how much is left to a person.
    fn rewritten(text: &str, from: &str, to: &str) -> (String, usize) {
        let proposal = propose(&files(text), v(from), v(to), today());
        let text = match proposal.rewrites.as_slice() {
            [] => text.to_owned(),
            [one] => {
                let bytes = apply(text.as_bytes(), &one.edits).unwrap();
                assert_eq!(one.after, Some(Digest::of(&bytes)));
                String::from_utf8(bytes).unwrap()
            }
            more => panic!("{more:?}"),
        };
        (text, proposal.for_a_person.len())
    }

    #[test]
    fn what_is_gone_is_put_otherwise_and_the_old_line_stays_as_a_comment() {
        for (line, from, to, expected) in [
            (
                "expire_logs_days = 7",
                "8.0.46",
                "8.0.46",
                "expire_logs_days = 7\n",
            ),
            ("query-cache-size=0", "8.0.45", "8.0.46", ""),
            (
                "tx_isolation='READ-COMMITTED' # why",
                "8.0.45",
                "8.0.46",
                "transaction_isolation = READ-COMMITTED\n",
            ),
            (
                "innodb_log_file_size=1G",
                "9.7.3",
                "9.7.4",
                "innodb_redo_log_capacity = 2147483648\n",
            ),
            (
                "tls_version = TLSv1.1,TLSv1.2",
                "9.7.3",
                "9.7.4",
                "tls_version = TLSv1.2\n",
            ),
            ("tls_version = TLSv1", "9.7.3", "9.7.4", ""),
            (
                "character-set-server=utf8",
                "9.7.3",
                "9.7.4",
                "character-set-server = utf8mb3\n",
            ),
            (
                "loose-slave_net_timeout=5",
                "9.7.3",
                "9.7.4",
                "loose_replica_net_timeout = 5\n",
            ),
            ("skip-slave-start", "9.7.3", "9.7.4", "skip_replica_start\n"),
            (
                "slave_load_tmpdir = \"/a #b\"",
                "9.7.3",
                "9.7.4",
                "replica_load_tmpdir = \"/a #b\"\n",
            ),
            ("skip-host-cache", "9.7.3", "9.7.4", "host_cache_size = 0\n"),
        ] {
            let (found, left) = rewritten(&format!("[mysqld]\n{line}\nx=1\n"), from, to);
            let changed = found != format!("[mysqld]\n{line}\nx=1\n");
            let rest: String = found
                .lines()
                .filter(|l| !l.starts_with("# Refit") && *l != "[mysqld]" && *l != "x=1")
                .map(|l| format!("{l}\n"))
                .collect();
            assert_eq!(rest, expected, "{line}: {found}");
            assert_eq!(left, 0, "{line}");
            assert_eq!(
                changed,
                found.contains(&format!("was: {line}\n")),
                "{found}"
            );
        }
        let (days, _) = rewritten("[mysqld]\nexpire_logs_days = 7\n", "8.3.0", "8.3.0");
        assert!(
            days.contains("\nbinlog_expire_logs_seconds = 604800\n"),
            "{days}"
        );
        let (both, _) = rewritten(
            "[mysqld]\ninnodb_log_file_size=100M\ninnodb_log_files_in_group=4\n",
            "9.7.3",
            "9.7.4",
        );
        assert_eq!(
            both.matches("\ninnodb_redo_log_capacity = 419430400\n")
                .count(),
            1,
            "{both}"
        );
        let (set, _) = rewritten(
            "[mysqld]\nlog_slave_updates=1\nlog_replica_updates=0\n",
            "9.7.3",
            "9.7.4",
        );
        assert_eq!(
            set.matches("\nlog_replica_updates").count(),
            1,
            "never both names: {set}"
        );
    }

    #[test]
    fn what_a_person_must_decide_is_left_to_a_person() {
        for line in [
            "mysql_native_password=ON",
            "ssl=0",
            "innodb_log_file_size=lots",
        ] {
            let text = format!("[mysqld]\n{line}\n");
            assert_eq!(
                rewritten(&text, "9.7.3", "9.7.4"),
                (text.clone(), 1),
                "{line}"
            );
        }
    }

    #[test]
    fn defaults_that_change_are_pinned_to_what_they_were() {
        let (text, _) = rewritten(
            "[client]\nx=1\n[mysqld]\nplugin-load-add=group_replication.so\n",
            "8.4.6",
            "9.7.4",
        );
        for line in [
            "\n[mysqld]\n# Refit 2026-11-20, 8.4.6 to 9.7.4: its default is another: ",
            "\nloose_group_replication_ssl_mode = DISABLED\n",
            "\ngtid_mode = OFF\n",
            "\ninnodb_change_buffering = none\n",
        ] {
            assert!(text.contains(line), "{line:?} is missing in {text}");
        }
        let (seven, _) = rewritten("[mysqld]\n", "5.7.44", "8.0.20");
        assert!(
            seven.contains("\nskip_log_bin\n") && seven.contains("\nlog_slave_updates = OFF\n"),
            "{seven}"
        );
    }

    #[test]
    fn lines_with_secrets_are_never_written() {
        let mut files = files("[mysqld]\nmax_connections=1\n#x\nskip-slave-start\n");
        files.files[0].text = "[mysqld]\npassword= ********\n#x\nskip-slave-start\n".to_owned();
        let proposal = propose(&files, v("9.7.3"), v("9.7.4"), today());
        assert_eq!(proposal.rewrites[0].after, None, "only the host can tell");
        assert_eq!(proposal.rewrites[0].edits.len(), 1);
    }

    proptest::proptest! {
        /// What was proposed needs no further proposal, and the diff fits the text.
        #[test]
        fn a_proposal_is_final(
            lines in proptest::collection::vec(
                proptest::sample::select(vec![
                    "[mysqld]", "[mysqld-9.7]", "[client]", "[mysqld-8.4]", "skip-slave-start", "log_slave_updates=1", "log_replica_updates=0",
                    "query_cache_size=0", "innodb_log_file_size=1M", "innodb_log_files_in_group = 3", "tls_version=TLSv1,TLSv1.2",
                    "sql_mode = ORACLE", "tx_isolation = \"READ-COMMITTED\"", "master-info-repository=TABLE", "loose_new=1", "# note",
                    "", "gtid_mode=ON", "skip_host_cache", "expire_logs_days=3", "slave_load_tmpdir='a\\\\b'", "mysql_native_password=ON",
                ]),
                0..14,
            ),
            ended in proptest::bool::ANY,
        ) {
            let mut text = format!("[mysqld]\n{}", lines.join("\n"));
            if ended {
                text.push('\n');
            }
            let before = files(&text);
            let first = propose(&before, v("8.4.6"), v("9.7.4"), today());
            let mut after = text.clone();
            for rewrite in &first.rewrites {
                proptest::prop_assert!(!diff("/m.cnf", &text, &rewrite.edits).unwrap().is_empty());
                after = String::from_utf8(apply(text.as_bytes(), &rewrite.edits).unwrap()).unwrap();
            }
            let second = propose(&files(&after), v("8.4.6"), v("9.7.4"), today());
            proptest::prop_assert!(second.rewrites.is_empty(), "{after}\n{:?}", second.rewrites);
            proptest::prop_assert_eq!(second.for_a_person.len(), first.for_a_person.len());
        }
    }
}
