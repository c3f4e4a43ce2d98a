//! What of a server's configuration a target would not take, or would take otherwise.

use super::ConfigFiles;
use super::names::{is_server_group, meaning};
use super::read::{Problem, Setting};
use crate::rules::variables::defaults::{DEFAULTS, Default};
use crate::rules::variables::removed::{self, FORBIDDEN, Forbidden, Instead, Removed};
use crate::rules::variables::renamed;
use crate::version::MysqlVersion;
use std::fmt;

/// Something found, with its place.
#[derive(Debug, Clone)]
pub enum Found {
    /// mysqld complains of the file whatever its version.
    Broken(Problem),
    /// The target does not know the option. `loose`: it only warns.
    Removed {
        setting: Setting,
        entry: &'static Removed,
        loose: bool,
    },
    /// The target refuses the value.
    Forbidden {
        setting: Setting,
        entry: &'static Forbidden,
    },
    /// The target knows the option under a newer name and, for now, under this.
    Renamed { setting: Setting, new: &'static str },
    /// Nothing sets it, and its default changes between these versions.
    DefaultChanges {
        entry: &'static Default,
        from: MysqlVersion,
        to: MysqlVersion,
    },
    /// Its default changes, and its present value was set at runtime only: a restart loses it, with or without an upgrade.
    AtRuntimeOnly {
        entry: &'static Default,
        value: String,
    },
    /// SET PERSIST has set something that the target does not know, and ignores silently.
    PersistedRemoved {
        name: String,
        entry: &'static Removed,
    },
    /// SET PERSIST beats what an option file says.
    PersistedBeats {
        name: String,
        persisted: String,
        setting: Setting,
    },
}

impl Found {
    /// File and line; `None` for what is about a variable wherever it is.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Broken(problem) => Some(format!("{}:{}", problem.file, problem.line)),
            Self::Removed { setting, .. }
            | Self::Forbidden { setting, .. }
            | Self::Renamed { setting, .. } => Some(place(setting)),
            Self::DefaultChanges { .. }
            | Self::AtRuntimeOnly { .. }
            | Self::PersistedRemoved { .. }
            | Self::PersistedBeats { .. } => None,
        }
    }

    /// In words, without the place.
    pub fn what(&self) -> String {
        match self {
            Self::Broken(problem) => problem.what.clone(),
            Self::Removed { entry, .. } => {
                let gone = format!("{} is gone since {}", entry.name, entry.since);
                match entry.instead {
                    Instead::Person(what) => format!("{gone}: {what}"),
                    Instead::Nothing
                    | Instead::Rename(_)
                    | Instead::SecondsOf(_)
                    | Instead::Setting(..)
                    | Instead::RedoCapacity => gone,
                }
            }
            Self::Forbidden { entry, .. } => {
                format!(
                    "{} can't be {} since {}",
                    entry.name, entry.part, entry.since
                )
            }
            Self::Renamed { setting, new } => format!("{} is now called {new}", setting.name),
            Self::DefaultChanges { entry, from, to } => {
                let value = |version| entry.at(version).unwrap_or("what the server works out");
                let (old, new) = (value(*from), value(*to));
                format!("its default goes from {old} to {new}: {}", entry.effect)
            }
            Self::AtRuntimeOnly { entry, value } => format!(
                "{} is {value} since somebody has set it at runtime: a restart loses that, and its default changes",
                entry.name
            ),
            Self::PersistedRemoved { name, entry } => format!(
                "{name} is persisted and gone since {}: it is ignored without a word",
                entry.since
            ),
            Self::PersistedBeats {
                name,
                persisted,
                setting,
            } => format!(
                "{name} is persisted as {persisted}, which beats {}",
                place(setting)
            ),
        }
    }
}

fn place(setting: &Setting) -> String {
    format!("{}:{}", setting.file, setting.line)
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Some(place) => write!(f, "{place}: {}", self.what()),
            None => f.write_str(&self.what()),
        }
    }
}

/// A server's settings with what they mean.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Those that a server of the version reads, in its order, each with its name and whether it is loose.
    pub read: Vec<(String, bool, Setting)>,
    pub problems: Vec<Problem>,
}

impl Settings {
    pub fn of(files: &ConfigFiles, version: MysqlVersion) -> Self {
        let reading = files.read();
        let read = reading
            .settings
            .into_iter()
            .filter(|setting| is_server_group(&setting.group, version))
            .map(|setting| {
                let meaning = meaning(&setting.name);
                (meaning.name, meaning.loose, setting)
            })
            .collect();
        Self {
            read,
            problems: reading.problems,
        }
    }

    /// The last setting of a variable, under either of its names and with any modifier.
    pub fn last(&self, variable: &str) -> Option<&Setting> {
        let same = |name: &str| {
            let is = |candidate: &str| {
                (candidate == variable
                    || renamed::new_name(candidate) == Some(variable)
                    || renamed::old_name(candidate) == Some(variable))
                .then_some(())
            };
            meaning(name).of(None, is).is_some()
        };
        self.read
            .iter()
            .rev()
            .find(|(name, _, _)| same(name))
            .map(|(_, _, setting)| setting)
    }
}

/// Judges the configuration for going from one version to another. In the order of files and lines, defaults last.
pub fn judge(files: &ConfigFiles, from: MysqlVersion, to: MysqlVersion) -> Vec<Found> {
    let settings = Settings::of(files, to);
    // A version group may set what the target's does not: whoever wrote it has chosen both.
    let before = Settings::of(files, from);
    let mut found: Vec<Found> = settings
        .problems
        .iter()
        .cloned()
        .map(Found::Broken)
        .collect();
    for (name, loose, setting) in &settings.read {
        found.extend(judge_setting(name, *loose, setting, to));
    }
    for persisted in &files.persisted {
        if let Some(entry) = removed::find(&persisted.name, to) {
            found.push(Found::PersistedRemoved {
                name: persisted.name.clone(),
                entry,
            });
        } else if let Some(setting) = settings.last(&persisted.name)
            && setting.value.as_deref() != Some(persisted.value.as_str())
        {
            found.push(Found::PersistedBeats {
                name: persisted.name.clone(),
                persisted: persisted.value.clone(),
                setting: setting.clone(),
            });
        }
    }
    let grouped = uses_group_replication(files, &settings);
    found.extend(
        DEFAULTS
            .iter()
            .filter(|entry| entry.differs(from, to) && (grouped || !entry.plugin))
            .filter(|entry| removed::find(entry.name, to).is_none())
            .filter(|entry| !is_set(entry.name, files, &settings))
            .filter(|entry| before.last(entry.name).is_none())
            // Whoever has chosen a character set has chosen its collation with it.
            .filter(|entry| {
                entry.name != "collation_server"
                    || !is_set("character_set_server", files, &settings)
            })
            .map(|entry| match at_runtime(entry.name, files) {
                Some(value) => Found::AtRuntimeOnly {
                    entry,
                    value: value.clone(),
                },
                None => Found::DefaultChanges { entry, from, to },
            }),
    );
    found
}

fn is_set(name: &str, files: &ConfigFiles, settings: &Settings) -> bool {
    let same = |other: &str| {
        other == name
            || renamed::new_name(other) == Some(name)
            || renamed::old_name(other) == Some(name)
    };
    settings.last(name).is_some()
        || files.elsewhere.iter().any(|other| same(other))
        || files
            .persisted
            .iter()
            .any(|persisted| same(&persisted.name))
}

fn at_runtime<'a>(name: &str, files: &'a ConfigFiles) -> Option<&'a String> {
    files
        .at_runtime
        .get(name)
        .or_else(|| files.at_runtime.get(renamed::old_name(name)?))
}

fn uses_group_replication(files: &ConfigFiles, settings: &Settings) -> bool {
    let mentions = |text: &str| text.contains("group_replication");
    let named = files.elsewhere.iter().chain(files.at_runtime.keys());
    settings
        .read
        .iter()
        .any(|(name, _, setting)| mentions(name) || setting.value.as_deref().is_some_and(mentions))
        || files
            .persisted
            .iter()
            .any(|persisted| mentions(&persisted.name))
        || named.into_iter().any(|name| mentions(name))
}

fn judge_setting(name: &str, loose: bool, setting: &Setting, to: MysqlVersion) -> Option<Found> {
    let meaning = meaning(&setting.name);
    let value = setting.value.as_deref();
    if let Some((entry, _)) = meaning.of(value, |name| removed::find(name, to)) {
        return Some(Found::Removed {
            setting: setting.clone(),
            entry,
            loose,
        });
    }
    let parts = || value.unwrap_or_default().split(',').map(str::trim);
    let forbidden = FORBIDDEN.iter().find(|entry| {
        entry.name == name
            && entry.since <= to
            && parts().any(|part| part.eq_ignore_ascii_case(entry.part))
    });
    if let Some(entry) = forbidden {
        return Some(Found::Forbidden {
            setting: setting.clone(),
            entry,
        });
    }
    // `skip_slave_start` is a name of its own, so only the name as it is counts.
    renamed::new_name(name)
        .filter(|_| to >= renamed::SINCE)
        .map(|new| Found::Renamed {
            setting: setting.clone(),
            new,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OptionFile;
    use crate::config::persisted::PersistedSetting;

    fn judged(text: &str, persisted: &[(&str, &str)], from: &str, to: &str) -> Vec<String> {
        judged_of(&setup(text, persisted), from, to)
    }

    fn setup(text: &str, persisted: &[(&str, &str)]) -> ConfigFiles {
        ConfigFiles {
            roots: vec!["/m.cnf".to_owned()],
            files: vec![OptionFile::new("/m.cnf", text)],
            persisted: persisted
                .iter()
                .map(|(name, value)| PersistedSetting {
                    name: (*name).to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
            ..ConfigFiles::default()
        }
    }

    fn judged_of(files: &ConfigFiles, from: &str, to: &str) -> Vec<String> {
        judge(files, from.parse().unwrap(), to.parse().unwrap())
            .into_iter()
            .map(|found| match found {
                Found::Broken(problem) => format!("broken {}", problem.line),
                Found::Removed {
                    setting,
                    entry,
                    loose,
                } => {
                    format!("removed {} {} {loose}", setting.line, entry.name)
                }
                Found::Forbidden { setting, entry } => {
                    format!("forbidden {} {}", setting.line, entry.part)
                }
                Found::Renamed { setting, new } => format!("renamed {} {new}", setting.line),
                Found::DefaultChanges { entry, .. } => format!("default {}", entry.name),
                Found::AtRuntimeOnly { entry, value } => format!("runtime {} {value}", entry.name),
                Found::PersistedRemoved { name, .. } => format!("persisted {name}"),
                Found::PersistedBeats { name, .. } => format!("beats {name}"),
            })
            .collect()
    }

    #[test]
    fn each_kind_is_found_and_its_neighbour_is_not() {
        let text = "[mysqld]\ninnodb-log-file-size=48M\nloose_skip-ssl\ntls_version = TLSv1.1, TLSv1.2\nlog-slave-updates\n\
                    max_connections=5\n[mysqld-8.4]\nnew=1\n[client]\nssl\n[mysqld-9.7]\nskip-slave-start\n";
        let found = judged(
            text,
            &[
                ("tx_isolation", "x"),
                ("max_connections", "7"),
                ("gtid_mode", "ON"),
            ],
            "9.7.3",
            "9.7.4",
        );
        assert_eq!(
            found,
            [
                "removed 2 innodb_log_file_size false",
                "removed 3 ssl true",
                "forbidden 4 TLSv1.1",
                "renamed 5 log_replica_updates",
                "renamed 12 skip_replica_start",
                "persisted tx_isolation",
                "beats max_connections",
            ]
        );
        assert!(
            judged(
                "[mysqld]\nmax_connections=5\ntls_version=TLSv1.2\n",
                &[],
                "9.7.3",
                "9.7.4"
            )
            .is_empty()
        );
        assert_eq!(
            judged("max_connections=5\n", &[], "9.7.3", "9.7.4"),
            ["broken 1"]
        );
    }

    #[test]
    fn defaults_count_only_where_nothing_sets_them() {
        let all = judged("[mysqld]\n", &[], "8.4.6", "9.7.4");
        for name in [
            "gtid_mode",
            "enforce_gtid_consistency",
            "innodb_change_buffering",
            "explain_format",
        ] {
            assert!(all.contains(&format!("default {name}")), "{name}: {all:?}");
        }
        assert!(
            !all.iter().any(|line| line.contains("group_replication")),
            "{all:?}"
        );
        let group = judged(
            "[mysqld]\nplugin-load-add=group_replication.so\ngtid-mode=ON\n",
            &[("enforce_gtid_consistency", "ON")],
            "8.4.6",
            "9.7.4",
        );
        assert!(
            group.contains(&"default group_replication_ssl_mode".to_owned()),
            "{group:?}"
        );
        assert!(!group.iter().any(|line| line.contains("gtid")), "{group:?}");
        let pinned = judged(
            "[mysqld]\ngroup_replication_ssl_mode=DISABLED\nskip-log-bin\nslave_parallel_workers=2\n",
            &[],
            "5.7.44",
            "8.0.46",
        );
        for name in [
            "default group_replication_ssl_mode",
            "default log_bin",
            "default replica_parallel_workers",
        ] {
            assert!(
                !pinned.iter().any(|line| line.contains(name)),
                "{name}: {pinned:?}"
            );
        }
        assert!(judged("[mysqld]\n", &[], "9.7.3", "9.7.4").is_empty());
    }

    #[test]
    fn what_the_command_line_or_a_person_at_runtime_sets_is_no_default() {
        let mut files = setup("[mysqld]\n[mysqld-8.4]\nback_log=50\n", &[]);
        files.elsewhere.insert("gtid_mode".to_owned());
        files
            .at_runtime
            .insert("enforce_gtid_consistency".to_owned(), "ON".to_owned());
        let found = judged_of(&files, "8.4.6", "9.7.4");
        for name in ["gtid_mode", "back_log", "enforce_gtid_consistency"] {
            let default = format!("default {name}");
            assert!(!found.contains(&default), "{default}: {found:?}");
        }
        assert!(
            found.contains(&"runtime enforce_gtid_consistency ON".to_owned()),
            "{found:?}"
        );
    }
}
