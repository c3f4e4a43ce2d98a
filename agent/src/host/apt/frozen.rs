//! Debian's switch that makes mysql-server's maintainer scripts leave everything alone: `/etc/mysql/FROZEN`.
//!
//! While it exists the scripts start nothing, run no mysqld on the data directory (which would write a transaction of its
//! own: MYSQL.md §8.1), and the unit refuses to start. Ours begins with [`MARK`]; one without it is somebody else's.

use crate::host::files::disk;
use crate::host::{HostError, HostResult};
use std::io;
use std::path::{Path, PathBuf};

const MARK: &str = "refit-agent: ";

#[derive(Debug)]
pub(super) struct Frozen(PathBuf);

impl Frozen {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    fn error(&self, action: &'static str) -> impl Fn(io::Error) -> HostError {
        let what = self.0.display().to_string();
        move |source| HostError::Io {
            action,
            what: what.clone(),
            source,
        }
    }

    /// `None`: it does not exist. Debian's own is a symbolic link that may dangle.
    fn ours(&self) -> HostResult<Option<bool>> {
        match std::fs::symlink_metadata(&self.0) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.error("look at")(e)),
            Ok(meta) if !meta.is_file() => Ok(Some(false)),
            Ok(_) => {
                let text = std::fs::read(&self.0).map_err(self.error("read"))?;
                Ok(Some(text.starts_with(MARK.as_bytes())))
            }
        }
    }

    pub(super) fn by_other(&self) -> HostResult<bool> {
        Ok(self.ours()? == Some(false))
    }

    pub(super) fn by_us(&self) -> HostResult<bool> {
        Ok(self.ours()? == Some(true))
    }

    /// Puts it there, durably: from now on until [`Frozen::thaw`] a power cut leaves it in place.
    pub(super) fn freeze(&self) -> HostResult<()> {
        if self.by_other()? {
            return Err(HostError::Packages(format!(
                "{} exists and is not Refit's: somebody has frozen MySQL on this host; look at it and remove it first",
                self.0.display()
            )));
        }
        let text = format!(
            "{MARK}the MySQL packages of this host are being changed. Until that is done, maintainer scripts leave\n\
             the data directory alone and mysqld does not start. Do not remove this file while the agent works;\n\
             the agent removes it itself.\n"
        );
        disk::write_durably(&self.0, text.as_bytes(), 0o644)
    }

    /// Removes ours.
    pub(super) fn thaw(&self) -> HostResult<()> {
        if self.ours()? == Some(true) {
            std::fs::remove_file(&self.0).map_err(self.error("remove"))?;
            disk::sync_parent(&self.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_froze_stays_frozen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("FROZEN");
        let frozen = Frozen::new(&path);
        assert!(!frozen.by_other().unwrap());
        frozen.thaw().unwrap();
        assert!(!frozen.by_us().unwrap());
        frozen.freeze().unwrap();
        frozen.freeze().unwrap();
        assert!(frozen.by_us().unwrap() && !frozen.by_other().unwrap());
        frozen.thaw().unwrap();
        assert!(!path.exists());
        std::os::unix::fs::symlink("../nowhere", &path).unwrap();
        assert!(frozen.by_other().unwrap());
        assert!(frozen.freeze().is_err());
        frozen.thaw().unwrap();
        assert!(std::fs::symlink_metadata(&path).is_ok());
    }
}
