//! What a snapshot must hold: the data directory and every path of the server outside it (MYSQL.md §6.2). Remembered from
//! when the server could last be asked, since snapshots are taken while it is down.

use super::disk;
use crate::host::mysql::ServerPaths;
use crate::host::{HostError, HostResult};
use refit_shared::observation::PathRole;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A directory, or some of the files in it, that belongs to the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) role: PathRole,
    /// A directory, canonical.
    pub(super) path: PathBuf,
    pub(super) names: Names,
}

/// Which entries of the directory are the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Names {
    All,
    /// Names with at most one `*`.
    Matching(Vec<String>),
}

impl Names {
    pub(super) fn include(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Matching(patterns) => {
                patterns
                    .iter()
                    .any(|pattern| match pattern.split_once('*') {
                        None => name == pattern,
                        Some((head, tail)) => {
                            name.len() >= head.len() + tail.len()
                                && name.starts_with(head)
                                && name.ends_with(tail)
                        }
                    })
            }
        }
    }
}

/// Entries of ours inside a directory of the server. Hidden, so that InnoDB does not look into them (MY-013503).
pub(crate) const OURS: &str = ".refit-";

/// What mysqld makes anew at every start, relative to the data directory: not worth a copy.
pub(crate) fn is_transient(relative: &Path) -> bool {
    let name = relative
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let top = relative.components().count() == 1;
    (relative.starts_with("#innodb_temp") && !top)
        || (top
            && (name.starts_with("ibtmp")
                || [".pid", ".sock", ".sock.lock"]
                    .iter()
                    .any(|end| name.ends_with(end))))
}

pub(super) fn datadir(paths: &ServerPaths) -> HostResult<PathBuf> {
    let datadir = paths.variables.get("datadir").ok_or_else(|| {
        HostError::Unexpected("the server did not say where its datadir is".to_owned())
    })?;
    canonical(Path::new(datadir))
}

fn canonical(path: &Path) -> HostResult<PathBuf> {
    std::fs::canonicalize(path).map_err(disk::error("find", path))
}

/// Where the error log is; `None` when it goes to standard error.
pub(super) fn error_log(paths: &ServerPaths) -> HostResult<Option<PathBuf>> {
    match paths.variables.get("log_error").map(String::as_str) {
        None | Some("stderr") => Ok(None),
        Some(log) => Ok(Some(datadir(paths)?.join(log))),
    }
}

/// The directories and files to take, the data directory first; none is inside another.
pub(super) fn items(paths: &ServerPaths) -> HostResult<Vec<Item>> {
    let data = datadir(paths)?;
    let mut found = vec![Item {
        role: PathRole::DataDir,
        path: data.clone(),
        names: Names::All,
    }];
    let value = |name: &str| paths.variables.get(name).map(|text| data.join(text));
    let directories: [(PathRole, &str, &[&str]); 4] = [
        (PathRole::InnodbHome, "innodb_data_home_dir", &["ibdata*"]),
        (
            PathRole::RedoLogs,
            "innodb_log_group_home_dir",
            &["#innodb_redo", "ib_logfile*"],
        ),
        (
            PathRole::UndoLogs,
            "innodb_undo_directory",
            &["undo_*", "*.ibu"],
        ),
        (PathRole::Other, "innodb_doublewrite_dir", &["#ib_*"]),
    ];
    for (role, variable, patterns) in directories {
        if let Some(dir) = value(variable) {
            let patterns = patterns.iter().map(|p| (*p).to_owned()).collect();
            add(&mut found, role, &dir, patterns)?;
        }
    }
    let logs = [
        (PathRole::BinaryLogs, "log_bin_basename", "log_bin_index"),
        (PathRole::RelayLogs, "relay_log_basename", "relay_log_index"),
    ];
    for (role, basename, index) in logs {
        if let Some((dir, name)) = value(basename).as_deref().and_then(split) {
            // `relay-channel.000001` beside `relay.000001`
            let mut patterns = vec![format!("{name}.*")];
            if role == PathRole::RelayLogs {
                patterns.push(format!("{name}-*"));
            }
            add(&mut found, role, dir, patterns)?;
        }
        if let Some((dir, name)) = value(index).as_deref().and_then(split) {
            add(&mut found, role, dir, vec![name.to_owned()])?;
        }
    }
    for file in &paths.tablespaces {
        if let Some((dir, _)) = split(&data.join(file)) {
            add(
                &mut found,
                PathRole::Other,
                dir,
                vec!["*.ibd".to_owned(), "*.ibu".to_owned()],
            )?;
        }
    }
    add_linked_schemas(&mut found, &data)?;
    Ok(found)
}

fn split(path: &Path) -> Option<(&Path, &str)> {
    Some((path.parent()?, path.file_name()?.to_str()?))
}

fn add(found: &mut Vec<Item>, role: PathRole, dir: &Path, patterns: Vec<String>) -> HostResult<()> {
    let path = canonical(dir)?;
    let covered = |item: &Item| item.names == Names::All && path.starts_with(&item.path);
    if found.iter().any(covered) {
        return Ok(());
    }
    if let Some(Item {
        names: Names::Matching(known),
        ..
    }) = found.iter_mut().find(|item| item.path == path)
    {
        for pattern in patterns {
            if !known.contains(&pattern) {
                known.push(pattern);
            }
        }
        return Ok(());
    }
    found.push(Item {
        role,
        path,
        names: Names::Matching(patterns),
    });
    Ok(())
}

/// A schema's directory may be a symbolic link to another place.
fn add_linked_schemas(found: &mut Vec<Item>, data: &Path) -> HostResult<()> {
    for entry in std::fs::read_dir(data).map_err(disk::error("list", data))? {
        let entry = entry.map_err(disk::error("list", data))?;
        let kind = entry.file_type().map_err(disk::error("look at", data))?;
        if kind.is_symlink() && entry.path().is_dir() {
            let path = canonical(&entry.path())?;
            if !found
                .iter()
                .any(|item| item.names == Names::All && path.starts_with(&item.path))
            {
                found.push(Item {
                    role: PathRole::Other,
                    path,
                    names: Names::All,
                });
            }
        }
    }
    Ok(())
}

/// Keeps the answer for the time when the server is down.
pub(super) fn remember(file: &Path, paths: &ServerPaths) -> HostResult<()> {
    if recall(file)?.as_ref() == Some(paths) {
        return Ok(());
    }
    let text = serde_json::to_vec_pretty(paths).expect("plain data always serialises");
    disk::write_durably(file, &text, 0o600)
}

pub(super) fn recall(file: &Path) -> HostResult<Option<ServerPaths>> {
    match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| HostError::Unexpected(format!("{}: {e}", file.display()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(disk::error("read", file)(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(data: &Path, variables: &[(&str, String)], tablespaces: &[PathBuf]) -> ServerPaths {
        let mut all = vec![("datadir", format!("{}/", data.display()))];
        all.extend(variables.iter().cloned());
        ServerPaths {
            variables: all
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            tablespaces: tablespaces.to_vec(),
        }
    }

    #[test]
    fn every_path_outside_the_data_directory_is_an_item_once() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for dir in ["data/sub", "logs", "redo", "far/shop", "schema"] {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("schema"), root.join("data/linked")).unwrap();
        std::os::unix::fs::symlink(root.join("data"), root.join("link")).unwrap();
        let at = |name: &str| root.join(name).display().to_string();
        let items = items(&paths(
            &root.join("link"),
            &[
                ("log_bin_basename", at("logs/binlog")),
                ("log_bin_index", at("logs/binlog.index")),
                ("relay_log_basename", at("logs/relay")),
                ("innodb_log_group_home_dir", at("redo")),
                ("innodb_undo_directory", "./".to_owned()),
                ("innodb_data_home_dir", at("data/sub")),
            ],
            &[root.join("far/shop/t.ibd"), root.join("far/shop/u.ibd")],
        ))
        .unwrap();
        let seen: Vec<(PathRole, PathBuf)> = items
            .iter()
            .map(|item| (item.role, item.path.strip_prefix(&root).unwrap().to_owned()))
            .collect();
        assert_eq!(
            seen,
            [
                (PathRole::DataDir, "data".into()),
                (PathRole::RedoLogs, "redo".into()),
                (PathRole::BinaryLogs, "logs".into()),
                (PathRole::Other, "far/shop".into()),
                (PathRole::Other, "schema".into()),
            ]
        );
        let logs = &items[2].names;
        for name in [
            "binlog.000001",
            "binlog.index",
            "relay.000002",
            "relay-x.000001",
        ] {
            assert!(logs.include(name), "{name}");
        }
        assert!(!logs.include("error.log"));
    }

    #[test]
    fn only_what_mysqld_makes_anew_is_transient() {
        for name in [
            "ibtmp1",
            "#innodb_temp/temp_1.ibt",
            "db1.pid",
            "mysqld.sock.lock",
        ] {
            assert!(is_transient(Path::new(name)), "{name}");
        }
        for name in [
            "#innodb_temp",
            "ibdata1",
            "shop/ibtmp1",
            "shop/x.pid",
            "binlog.000001",
        ] {
            assert!(!is_transient(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn what_was_remembered_is_recalled() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("paths.json");
        assert_eq!(recall(&file).unwrap(), None);
        let said = paths(
            dir.path(),
            &[("log_error", "/var/log/e.log".to_owned())],
            &[],
        );
        remember(&file, &said).unwrap();
        assert_eq!(recall(&file).unwrap().as_ref(), Some(&said));
        assert_eq!(
            error_log(&said).unwrap().as_deref(),
            Some(Path::new("/var/log/e.log"))
        );
    }
}
