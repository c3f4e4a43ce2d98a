//! What keeps mysqld quiet while it is being upgraded: a drop-in for mysqld, one for its unit, and the hold.
//!
//! The unit's drop-in *asserts* that the hold is absent: a `systemctl start` by anybody then fails with a message
//! ("Assertion failed"), where a condition would silently do nothing.

use super::persisted::Persisted;
use super::{disk, options};
use crate::host::{HostError, HostResult};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const MYSQLD: &str = "\
# Written by refit-agent for the time of an upgrade and removed by it afterwards. Do not edit.
# After a start the server stays out of its group, read-only, and replicates from nobody, until the agent says otherwise.
[mysqld]
loose_group_replication_start_on_boot = OFF
super_read_only = ON
skip_replica_start = ON
";

/// What mysqld ends with where it wants its supervisor to start it again (`MYSQLD_RESTART_EXIT`): the RESTART statement, and CLONE
/// once the data are replaced. `RestartForceExitStatus` counts whatever `Restart` says (systemd.service(5)).
pub const RESTART_STATUS: i32 = 16;

#[derive(Debug, Clone)]
pub(super) struct Maintenance {
    pub(super) mysqld_file: PathBuf,
    pub(super) option_file: PathBuf,
    pub(super) unit_file: PathBuf,
    pub(super) hold: PathBuf,
}

/// Whether the unit's drop-in has a server started again that ends by itself with this status: what a simulated service manager
/// goes by.
#[cfg(any(test, feature = "sim"))]
pub fn restarts_after(status: i32) -> bool {
    let paths = Maintenance {
        mysqld_file: PathBuf::new(),
        option_file: PathBuf::new(),
        unit_file: PathBuf::new(),
        hold: PathBuf::new(),
    };
    let text = paths.unit_text();
    let forced = text
        .lines()
        .filter_map(|line| line.strip_prefix("RestartForceExitStatus="));
    forced
        .flat_map(str::split_whitespace)
        .any(|listed| listed == status.to_string())
}

impl Maintenance {
    fn unit_text(&self) -> String {
        format!(
            "# Written by refit-agent for the time of an upgrade and removed by it afterwards. Do not edit.\n\
             # While {hold} exists the upgrade needs mysqld to stay down: `refit show` says why.\n\
             [Unit]\nAssertPathExists=!{hold}\n\n\
             # A slow shutdown or an upgrade of the data dictionary must never be killed, and a failed start not repeated. Who ends\n\
             # with {RESTART_STATUS} asks to be started again: a member that its group lets clone.\n\
             [Service]\nTimeoutStartSec=infinity\nTimeoutStopSec=infinity\nRestart=no\n\
             RestartForceExitStatus={RESTART_STATUS}\n",
            hold = self.hold.display()
        )
    }

    pub(super) fn write(&self, persisted: &Persisted) -> HostResult<()> {
        disk::write_drop_in(&self.unit_file, &self.unit_text())?;
        refit_faults::hit!("maintenance.enter/half")?;
        disk::write_durably(&self.mysqld_file, MYSQLD.as_bytes(), 0o644)?;
        let read = options::files(&self.option_file)
            .map_err(disk::error("read the option files from", &self.option_file))?;
        if !read.contains(&self.mysqld_file) {
            return Err(HostError::Unexpected(format!(
                "mysqld would not read {}: {} does not include its directory",
                self.mysqld_file.display(),
                self.option_file.display()
            )));
        }
        persisted.strip()
    }

    pub(super) fn remove(&self, persisted: &Persisted) -> HostResult<()> {
        persisted.unstrip()?;
        disk::remove_durably(&self.mysqld_file)?;
        refit_faults::hit!("maintenance.leave/half")?;
        disk::remove_durably(&self.hold)?;
        disk::remove_durably(&self.unit_file)?;
        let dir = self.unit_file.parent().unwrap_or(Path::new("/"));
        match fs::remove_dir(dir) {
            // Somebody else's drop-ins are in it.
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(disk::error("remove", dir)(e)),
            Ok(()) => disk::sync_parent(dir),
        }
    }

    /// All of it is in place.
    pub(super) fn is_written(&self, persisted: &Persisted) -> HostResult<bool> {
        // What counts, not every byte: an agent of another release may have written it.
        let wanted = options::parse(MYSQLD);
        let found = options::parse(&text_of(&self.mysqld_file)?);
        Ok(wanted.iter().all(|option| found.contains(option))
            && self.unit_minds_the_hold()?
            && persisted.is_stripped()?)
    }

    fn unit_minds_the_hold(&self) -> HostResult<bool> {
        let assertion = format!("AssertPathExists=!{}", self.hold.display());
        Ok(text_of(&self.unit_file)?
            .lines()
            .any(|line| line == assertion))
    }

    pub(super) fn set_hold(&self, on: bool) -> HostResult<()> {
        if refit_faults::hit!("hold.set/before")? == refit_faults::Go::Drop {
            return Ok(());
        }
        if !on {
            return disk::remove_durably(&self.hold);
        }
        // Without its drop-in a hold would be an empty promise.
        if !self.unit_minds_the_hold()? {
            return Err(HostError::Unexpected(format!(
                "the server can't be held down: {} is not in place",
                self.unit_file.display()
            )));
        }
        disk::write_durably(
            &self.hold,
            b"refit-agent keeps mysqld down. Do not remove: `refit show` says why, `refit unwind` goes back.\n",
            0o644,
        )?;
        refit_faults::hit!("hold.set/after")?;
        Ok(())
    }

    pub(super) fn held(&self) -> HostResult<bool> {
        Ok(disk::exists(&self.hold)? && self.unit_minds_the_hold()?)
    }
}

/// Empty where there is no file.
fn text_of(path: &Path) -> HostResult<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(disk::error("read", path)(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (tempfile::TempDir, Maintenance, Persisted) {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("etc/conf.d")).unwrap();
        fs::create_dir_all(at("data")).unwrap();
        fs::write(
            at("etc/my.cnf"),
            format!("!includedir {}\n", at("etc/conf.d").display()),
        )
        .unwrap();
        let maintenance = Maintenance {
            mysqld_file: at("etc/conf.d/zzzz.cnf"),
            option_file: at("etc/my.cnf"),
            unit_file: at("systemd/mysql.service.d/90-refit.conf"),
            hold: at("hold"),
        };
        let persisted = Persisted::new(&at("data"), dir.path());
        (dir, maintenance, persisted)
    }

    #[test]
    fn writing_and_removing_may_be_repeated_and_leave_no_trace() {
        let (dir, maintenance, persisted) = world();
        assert!(!maintenance.is_written(&persisted).unwrap());
        maintenance.remove(&persisted).unwrap();
        for _ in 0..2 {
            maintenance.write(&persisted).unwrap();
            assert!(maintenance.is_written(&persisted).unwrap());
        }
        assert!(!maintenance.held().unwrap());
        for on in [true, true, false, false, true] {
            maintenance.set_hold(on).unwrap();
            assert_eq!(maintenance.held().unwrap(), on);
        }
        // Half removed is not in maintenance, and can be removed.
        fs::remove_file(&maintenance.mysqld_file).unwrap();
        assert!(!maintenance.is_written(&persisted).unwrap());
        for _ in 0..2 {
            maintenance.remove(&persisted).unwrap();
            assert!(!maintenance.held().unwrap());
        }
        assert!(!dir.path().join("systemd/mysql.service.d").exists());
    }

    #[test]
    fn a_drop_in_that_mysqld_would_not_read_is_an_error() {
        let (_dir, maintenance, persisted) = world();
        fs::write(&maintenance.option_file, "[mysqld]\n").unwrap();
        let error = maintenance.write(&persisted).unwrap_err().to_string();
        assert!(error.contains("does not include"), "{error}");
    }

    #[test]
    fn a_hold_without_the_drop_in_that_minds_it_is_refused() {
        let (_dir, maintenance, _persisted) = world();
        assert!(maintenance.set_hold(true).is_err());
        maintenance.set_hold(false).unwrap();
    }

    #[test]
    fn other_drop_ins_of_the_unit_stay() {
        let (_dir, maintenance, persisted) = world();
        maintenance.write(&persisted).unwrap();
        let other = maintenance.unit_file.with_file_name("override.conf");
        fs::write(&other, "[Service]\n").unwrap();
        maintenance.remove(&persisted).unwrap();
        assert!(other.exists());
    }
}
