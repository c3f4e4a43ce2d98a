//! `mysqld-auto.cnf`, what SET PERSIST wrote. It beats option files *and* the command line (tried with 9.7), so a persisted
//! `group_replication_start_on_boot` would undo the maintenance drop-in: during maintenance such entries are taken out, and
//! put back byte for byte when nothing else has changed meanwhile.

use super::disk;
use crate::host::{HostError, HostResult};
use serde_json::{Map, Value};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

/// What the maintenance drop-in sets; names of every version that could be persisted.
pub(super) const SHADOWED: [&str; 5] = [
    "group_replication_start_on_boot",
    "read_only",
    "skip_replica_start",
    "skip_slave_start",
    "super_read_only",
];

/// The file and our copy of it as it was before maintenance.
#[derive(Debug, Clone)]
pub(super) struct Persisted {
    pub(super) file: PathBuf,
    original: PathBuf,
}

impl Persisted {
    pub(super) fn new(datadir: &Path, state_dir: &Path) -> Self {
        Self {
            file: datadir.join("mysqld-auto.cnf"),
            original: state_dir.join("mysqld-auto.cnf.original"),
        }
    }

    fn parse(&self, text: &[u8]) -> HostResult<Value> {
        serde_json::from_slice(text).map_err(|e| {
            HostError::Unexpected(format!(
                "{} is not as mysqld writes it: {e}",
                self.file.display()
            ))
        })
    }

    /// The content as it is without maintenance: what a backup keeps and a digest is made of.
    pub(super) fn content(&self) -> HostResult<Option<Vec<u8>>> {
        let Some(present) = read(&self.file)? else {
            return Ok(None);
        };
        match read(&self.original)? {
            Some(original) if present == self.stripped(&original)? => Ok(Some(original)),
            Some(original) => Ok(Some(self.merged(&present, &original)?)),
            None => Ok(Some(present)),
        }
    }

    /// Takes the shadowed entries out of the file; the original is kept first. Where there are none, nothing happens.
    pub(super) fn strip(&self) -> HostResult<()> {
        let Some(present) = read(&self.file)? else {
            return Ok(());
        };
        let stripped = self.stripped(&present)?;
        if stripped == present {
            return Ok(());
        }
        // An original that is there already is the older truth of a maintenance that was cut short.
        if read(&self.original)?.is_none() {
            disk::write_durably(&self.original, &present, 0o600)?;
        }
        self.replace(&stripped)
    }

    /// Puts the entries back.
    pub(super) fn unstrip(&self) -> HostResult<()> {
        if read(&self.original)?.is_none() {
            return Ok(());
        }
        if let Some(content) = self.content()? {
            self.replace(&content)?;
        }
        disk::remove_durably(&self.original)
    }

    pub(super) fn is_stripped(&self) -> HostResult<bool> {
        match read(&self.file)? {
            None => Ok(true),
            Some(present) => Ok(self.stripped(&present)? == present),
        }
    }

    /// No maintenance has taken anything out of it.
    pub(super) fn file_is_whole(&self) -> HostResult<bool> {
        Ok(read(&self.original)?.is_none())
    }

    /// The original is no longer the truth: the file is about to be another one.
    pub(super) fn forget(&self) -> HostResult<()> {
        disk::remove_durably(&self.original)
    }

    /// Without the shadowed entries; the same bytes where there are none.
    fn stripped(&self, text: &[u8]) -> HostResult<Vec<u8>> {
        let mut value = self.parse(text)?;
        let mut taken = Vec::new();
        take(&mut value, "", &mut taken);
        if taken.is_empty() {
            return Ok(text.to_owned());
        }
        Ok(to_bytes(&value))
    }

    /// mysqld has persisted something since: its file, with what we took out put back in.
    fn merged(&self, present: &[u8], original: &[u8]) -> HostResult<Vec<u8>> {
        let mut value = self.parse(present)?;
        let mut taken = Vec::new();
        take(&mut self.parse(original)?, "", &mut taken);
        for (section, name, entry) in taken {
            let Some(root) = value.as_object_mut() else {
                continue;
            };
            let section = root
                .entry(section)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Some(section) = section.as_object_mut() {
                section.entry(name).or_insert(entry);
            }
        }
        Ok(to_bytes(&value))
    }

    /// Owner and mode stay as they are.
    fn replace(&self, content: &[u8]) -> HostResult<()> {
        let meta = fs::metadata(&self.file).map_err(disk::error("look at", &self.file))?;
        let temporary = self.file.with_extension("cnf.refit-new");
        disk::write_durably(&temporary, content, meta.mode() & 0o7777)?;
        chown(&temporary, Some(meta.uid()), Some(meta.gid()))
            .map_err(disk::error("set the owner of", &temporary))?;
        fs::rename(&temporary, &self.file).map_err(disk::error("replace", &self.file))?;
        disk::sync_parent(&self.file)
    }
}

fn read(path: &Path) -> HostResult<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(disk::error("read", path)(e)),
    }
}

fn to_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value always serialises")
}

/// Entries are `{"Value": …, "Metadata": …}` one level below a section (the file's versions 1 and 2).
fn take(value: &mut Value, section: &str, taken: &mut Vec<(String, String, Value)>) {
    let Some(object) = value.as_object_mut() else {
        return;
    };
    for name in SHADOWED {
        if object
            .get(name)
            .is_some_and(|entry| entry.get("Value").is_some())
            && let Some(entry) = object.remove(name)
        {
            taken.push((section.to_owned(), name.to_owned(), entry));
        }
    }
    for (name, inner) in object.iter_mut() {
        if inner.get("Value").is_none() {
            take(inner, name, taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = r#"{"Version": 2, "mysql_static_variables": {"group_replication_start_on_boot": {"Value": "ON", "Metadata": {"Host": "localhost", "User": "root", "Timestamp": 1795179117648574}}, "max_connections": {"Value": "200", "Metadata": {"Timestamp": 1795179117648575}}}}"#;

    fn world(content: &str) -> (tempfile::TempDir, Persisted) {
        let dir = tempfile::tempdir().unwrap();
        let persisted = Persisted::new(dir.path(), dir.path());
        fs::write(&persisted.file, content).unwrap();
        (dir, persisted)
    }

    #[test]
    fn entries_go_and_come_back_byte_for_byte() {
        let (_dir, persisted) = world(REAL);
        assert!(!persisted.is_stripped().unwrap());
        for _ in 0..2 {
            persisted.strip().unwrap();
            assert!(persisted.is_stripped().unwrap());
            let now = fs::read_to_string(&persisted.file).unwrap();
            assert!(!now.contains("start_on_boot") && now.contains("max_connections"));
            assert_eq!(persisted.content().unwrap().unwrap(), REAL.as_bytes());
        }
        for _ in 0..2 {
            persisted.unstrip().unwrap();
            assert_eq!(fs::read_to_string(&persisted.file).unwrap(), REAL);
        }
    }

    #[test]
    fn what_mysqld_persisted_meanwhile_is_kept() {
        let (_dir, persisted) = world(REAL);
        persisted.strip().unwrap();
        let newer = r#"{"Version": 2, "mysql_dynamic_variables": {"sync_binlog": {"Value": "7", "Metadata": {}}}}"#;
        fs::write(&persisted.file, newer).unwrap();
        persisted.unstrip().unwrap();
        let now: Value = serde_json::from_slice(&fs::read(&persisted.file).unwrap()).unwrap();
        assert_eq!(now["mysql_dynamic_variables"]["sync_binlog"]["Value"], "7");
        assert_eq!(
            now["mysql_static_variables"]["group_replication_start_on_boot"]["Value"],
            "ON"
        );
    }

    #[test]
    fn a_file_without_them_or_no_file_is_left_alone() {
        let plain = r#"{"Version": 2}"#;
        let (_dir, persisted) = world(plain);
        persisted.strip().unwrap();
        assert_eq!(fs::read_to_string(&persisted.file).unwrap(), plain);
        fs::remove_file(&persisted.file).unwrap();
        persisted.strip().unwrap();
        persisted.unstrip().unwrap();
        assert!(persisted.is_stripped().unwrap());
        assert_eq!(persisted.content().unwrap(), None);
    }

    #[test]
    fn a_file_that_mysqld_did_not_write_is_not_touched() {
        let (_dir, persisted) = world("{ not json");
        assert!(persisted.strip().is_err());
        assert_eq!(fs::read_to_string(&persisted.file).unwrap(), "{ not json");
    }
}
