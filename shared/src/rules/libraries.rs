//! Libraries that a server loads, and what it costs to start without one: mysqld only logs that a library is missing (MY-010901,
//! MY-013129) and serves without what is in it.
//!
//! Source: MySQL manual, "INFORMATION_SCHEMA PLUGINS" (types), "Installing and Uninstalling Plugins", "Installing and Uninstalling
//! Components", "Keyring Component Installation", "Installing and Uninstalling Loadable Functions".

use crate::survey::{Fate, Listing, Row};
use std::collections::BTreeMap;

/// What is in a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// A plugin of this type.
    Plugin(&'a str),
    /// Installed, and not loaded now.
    Unloaded,
    Component,
    /// A component that the manifest beside mysqld loads.
    Keyring,
    /// Loadable functions.
    Functions,
}

/// A row of [`crate::survey::Question::LoadedLibraries`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Library<'a> {
    /// The plugin, the component's URN, or the functions.
    pub name: &'a str,
    pub file: &'a str,
    pub content: Content<'a>,
}

/// What a server without it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Data, replication or logins depend on it.
    Blocks(&'static str),
    Hurts(&'static str),
    /// It has none of it now either.
    None,
}

/// Where a row's file is.
pub fn path(row: &Row) -> String {
    format!("{}/{}", row.schema.trim_end_matches('/'), row.part)
}

impl<'a> Library<'a> {
    /// Err: the row's detail is none that the question gives.
    pub fn of(row: &'a Row) -> Result<Self, String> {
        let content = match row.detail.as_str() {
            "plugin" => Content::Unloaded,
            "component" => Content::Component,
            "keyring component" => Content::Keyring,
            "function" => Content::Functions,
            other => match other.strip_prefix("plugin ") {
                Some(kind) => Content::Plugin(kind),
                None => return Err(format!("{}: {other:?} is no kind of library", row.name)),
            },
        };
        Ok(Self {
            name: &row.name,
            file: &row.part,
            content,
        })
    }

    /// `in_group`: the server is a member of a group, where others may need all data from it.
    pub fn loss(&self, in_group: bool) -> Loss {
        let unlocked = Loss::Blocks("encrypted tables could not be opened");
        match self.content {
            Content::Unloaded => Loss::None,
            Content::Keyring => unlocked,
            Content::Component if self.name.contains("component_keyring") => unlocked,
            Content::Component if self.name.ends_with("component_classic_hashing") => {
                Loss::Blocks("columns, views and routines that call MD5 or SHA could not be read")
            }
            Content::Component => Loss::Hurts("the server would start without it"),
            Content::Functions => Loss::Blocks(
                "statements that call them would fail, also those that a replica applies",
            ),
            Content::Plugin(kind) => match kind {
                "KEYRING" => unlocked,
                "AUTHENTICATION" => Loss::Blocks("accounts that log in with it could not"),
                "GROUP REPLICATION" => Loss::Blocks("the server could join no group"),
                "REPLICATION" => Loss::Blocks(
                    "writes would be acknowledged that no replica has (semi-synchronous replication)",
                ),
                "CLONE" if in_group => {
                    Loss::Blocks("a member that needs all data could not be given them by cloning")
                }
                "CLONE" => Loss::Hurts("the server could neither clone nor be cloned"),
                "STORAGE ENGINE" => Loss::Blocks("its tables could not be opened"),
                "FTPARSER" => Loss::Blocks("tables with an index that uses it could not be opened"),
                "AUDIT" => {
                    Loss::Hurts("what it records, rewrites or refuses would be so no longer")
                }
                "VALIDATE PASSWORD" => Loss::Hurts("new passwords would not be judged"),
                _ => Loss::Hurts("the server would start without it"),
            },
        }
    }

    /// `plugin clone`, for people.
    pub fn in_words(&self) -> String {
        match self.content {
            Content::Plugin(_) | Content::Unloaded => format!("plugin {}", self.name),
            Content::Component => format!(
                "component {}",
                self.name.strip_prefix("file://").unwrap_or(self.name)
            ),
            Content::Keyring => format!("keyring component {}", self.name),
            Content::Functions => format!("loadable function {}", self.name),
        }
    }

    /// The statement that makes the server load it no longer; `None`: it is loaded without one.
    pub fn uninstall(&self) -> Option<String> {
        match self.content {
            Content::Plugin(_) | Content::Unloaded => {
                Some(format!("UNINSTALL PLUGIN {}", self.name))
            }
            Content::Component => Some(format!("UNINSTALL COMPONENT '{}'", self.name)),
            Content::Functions => {
                let each = self.name.split(", ");
                let each: Vec<String> = each.map(|name| format!("DROP FUNCTION {name}")).collect();
                Some(each.join("; "))
            }
            Content::Keyring => None,
        }
    }
}

/// Whether the server is a member of a group, as what it loads tells.
pub fn in_group(rows: &[Row]) -> bool {
    rows.iter()
        .any(|row| row.detail == "plugin GROUP REPLICATION")
}

/// What the server would be without that the target does not bring, and may not be without. A library that stays is none of it: that it
/// can't be loaded is what the target's mysqld says. Err: what becomes of one is not known.
pub fn losses(loaded: &Listing, fates: &BTreeMap<String, Fate>) -> Result<Vec<String>, String> {
    let unnamed = loaded.total.saturating_sub(loaded.rows.len() as u64);
    if unnamed > 0 {
        return Err(format!(
            "{unnamed} more libraries are loaded and were not looked for"
        ));
    }
    let in_group = in_group(&loaded.rows);
    let mut all = Vec::new();
    for row in &loaded.rows {
        let (library, path) = (Library::of(row)?, path(row));
        let fate = fates.get(&path);
        match fate.ok_or_else(|| format!("{path} was not looked for"))? {
            Fate::Shipped | Fate::Stays { .. } => {}
            Fate::Goes { .. } | Fate::Absent => {
                if let Loss::Blocks(cost) = library.loss(in_group) {
                    all.push(format!("{} ({path}): {cost}", library.in_words()));
                }
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, detail: &str) -> Row {
        Row {
            schema: "/usr/lib/mysql/plugin/".to_owned(),
            name: name.to_owned(),
            part: "x.so".to_owned(),
            detail: detail.to_owned(),
        }
    }

    /// MYSQL.md §4 and §5: mysqld starts without it; what that means differs.
    #[test]
    fn what_data_replication_and_logins_depend_on_blocks() {
        let blocks = |name: &str, detail: &str, in_group| {
            let row = row(name, detail);
            let loss = Library::of(&row).unwrap().loss(in_group);
            matches!(loss, Loss::Blocks(_))
        };
        for (name, detail) in [
            ("keyring_okv", "plugin KEYRING"),
            ("authentication_ldap_simple", "plugin AUTHENTICATION"),
            ("group_replication", "plugin GROUP REPLICATION"),
            ("rpl_semi_sync_source", "plugin REPLICATION"),
            ("FEDERATED", "plugin STORAGE ENGINE"),
            ("mecab", "plugin FTPARSER"),
            ("file://component_keyring_kms", "component"),
            ("file://component_classic_hashing", "component"),
            ("component_keyring_file", "keyring component"),
            ("ours", "function"),
        ] {
            assert!(blocks(name, detail, false), "{name}");
        }
        assert!(blocks("clone", "plugin CLONE", true));
        for (name, detail) in [
            ("clone", "plugin CLONE"),
            ("audit_log", "plugin AUDIT"),
            ("validate_password", "plugin VALIDATE PASSWORD"),
            ("mysqlx", "plugin DAEMON"),
            ("file://component_log_sink_json", "component"),
        ] {
            assert!(!blocks(name, detail, false), "{name}");
        }
        let gone = row("old", "plugin");
        assert_eq!(Library::of(&gone).unwrap().loss(true), Loss::None);
        assert!(Library::of(&row("x", "weather")).is_err());
    }

    #[test]
    fn a_library_is_named_and_taken_out_as_it_was_put_in() {
        let said = |name: &str, detail: &str| {
            let row = row(name, detail);
            let library = Library::of(&row).unwrap();
            (library.in_words(), library.uninstall().unwrap_or_default())
        };
        let text = |words: &str, statement: &str| (words.to_owned(), statement.to_owned());
        assert_eq!(
            said("clone", "plugin CLONE"),
            text("plugin clone", "UNINSTALL PLUGIN clone")
        );
        assert_eq!(
            said("file://component_x", "component"),
            text(
                "component component_x",
                "UNINSTALL COMPONENT 'file://component_x'"
            )
        );
        assert_eq!(
            said("a, b", "function"),
            text("loadable function a, b", "DROP FUNCTION a; DROP FUNCTION b")
        );
        assert_eq!(
            said("component_keyring_file", "keyring component"),
            text("keyring component component_keyring_file", "")
        );
        assert_eq!(path(&row("x", "plugin")), "/usr/lib/mysql/plugin/x.so");
    }

    /// What is not known is not fine.
    #[test]
    fn a_library_whose_fate_is_not_known_is_an_error() {
        let loaded = Listing {
            total: 1,
            rows: vec![row("ours", "plugin AUTHENTICATION")],
        };
        let file = path(&loaded.rows[0]);
        let fates = |fate| BTreeMap::from([(file.clone(), fate)]);
        assert_eq!(losses(&loaded, &fates(Fate::Shipped)), Ok(vec![]));
        assert_eq!(losses(&loaded, &fates(Fate::Absent)).unwrap().len(), 1);
        assert!(losses(&loaded, &BTreeMap::new()).is_err());
        let more = Listing { total: 2, ..loaded };
        assert!(losses(&more, &fates(Fate::Shipped)).is_err());
    }
}
