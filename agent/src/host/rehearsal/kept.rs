//! What is kept of rehearsals, and what a data directory tells of its own past.

use crate::host::files::disk;
use crate::host::{HostError, HostResult};
use refit_shared::rehearsal::Rehearsal;
use refit_shared::version::MysqlVersion;
use std::path::{Path, PathBuf};

/// The latest rehearsal of the member's own data and of another directory, a file each.
#[derive(Debug)]
pub(super) struct Kept {
    dir: PathBuf,
}

impl Kept {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self {
            dir: state_dir.to_owned(),
        }
    }

    fn files(&self) -> [PathBuf; 2] {
        ["rehearsal.json", "rehearsal-elsewhere.json"].map(|name| self.dir.join(name))
    }

    pub(super) fn keep(&self, rehearsal: &Rehearsal) -> HostResult<()> {
        let [own, elsewhere] = self.files();
        let file = if rehearsal.foreign { elsewhere } else { own };
        let text = serde_json::to_vec_pretty(rehearsal).expect("plain data always serialises");
        disk::make_private_dir(&self.dir)?;
        disk::write_durably(&file, &text, 0o600)
    }

    pub(super) fn all(&self) -> HostResult<Vec<Rehearsal>> {
        let mut found = Vec::new();
        for file in self.files() {
            match std::fs::read(&file) {
                Ok(text) => found.push(
                    serde_json::from_slice(&text)
                        .map_err(|e| HostError::Unexpected(format!("{}: {e}", file.display())))?,
                ),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(disk::error("read", &file)(e)),
            }
        }
        Ok(found)
    }
}

/// The version that last upgraded or made a data directory; `None` where it has no such file (MYSQL.md §4.4).
pub(super) fn last_version(data: &Path) -> HostResult<Option<MysqlVersion>> {
    for (name, read) in [
        (
            "mysql_upgrade_history",
            from_history as fn(&str) -> Option<MysqlVersion>,
        ),
        ("mysql_upgrade_info", |text| {
            MysqlVersion::parse_prefix(text.trim()).ok()
        }),
    ] {
        let file = data.join(name);
        match std::fs::read_to_string(&file) {
            Ok(text) => return Ok(read(&text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(disk::error("read", &file)(e)),
        }
    }
    Ok(None)
}

fn from_history(text: &str) -> Option<MysqlVersion> {
    let history: serde_json::Value = serde_json::from_str(text).ok()?;
    let last = history["upgrade_history"].as_array()?.last()?;
    MysqlVersion::parse_prefix(last["version"].as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_tells_its_version() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(last_version(dir.path()).unwrap(), None);
        std::fs::write(dir.path().join("mysql_upgrade_info"), "8.0.28\n").unwrap();
        assert_eq!(
            last_version(dir.path()).unwrap(),
            Some(MysqlVersion::new(8, 0, 28))
        );
        let history = r#"{"file_format":"1","upgrade_history":[{"date":"x","version":"8.4.7","maturity":"LTS"},
            {"date":"y","version":"8.4.8-2","maturity":"LTS"}]}"#;
        std::fs::write(dir.path().join("mysql_upgrade_history"), history).unwrap();
        assert_eq!(
            last_version(dir.path()).unwrap(),
            Some(MysqlVersion::new(8, 4, 8))
        );
    }
}
