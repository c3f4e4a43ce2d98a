//! The package manager's locks: somebody else's run is waited for, never disturbed.

use super::Apt;
use crate::host::{HostError, HostResult, Phase};
use rustix::process::{Flock, FlockType, fcntl_getlk};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How long another run of apt or dpkg is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

impl Apt {
    /// Does another process hold a lock of dpkg's?
    pub(super) async fn locked(&self) -> HostResult<bool> {
        let locks = self.places.locks.clone();
        Self::blocking(move || {
            for lock in &locks {
                if is_locked(lock).map_err(|source| HostError::Io {
                    action: "look at the lock",
                    what: lock.display().to_string(),
                    source,
                })? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
    }

    /// Returns when nobody else is changing packages.
    pub(super) async fn wait_for_lock(&self, phase: &Phase) -> HostResult<()> {
        let until = Instant::now() + PATIENCE;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while self.locked().await? {
            phase.say("waiting for another run of apt or dpkg to end");
            if Instant::now() >= until {
                return Err(HostError::Timeout {
                    what: "another run of apt or dpkg".to_owned(),
                    after: PATIENCE,
                });
            }
            tick.tick().await;
        }
        Ok(())
    }
}

/// Asks the kernel whether a process other than ours holds a lock on the file.
fn is_locked(path: &Path) -> io::Result<bool> {
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    let wanted = Flock::from(FlockType::WriteLock);
    Ok(fcntl_getlk(&file, &wanted)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Program;

    #[tokio::test]
    async fn a_lock_of_another_process_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("lock");
        assert!(!is_locked(&lock).unwrap());
        std::fs::write(&lock, "").unwrap();
        assert!(!is_locked(&lock).unwrap());
        // `flock --fcntl` is not in every util-linux; perl, which dpkg needs, can do it everywhere.
        let script = "use Fcntl; open(my $f, '+<', $ARGV[0]); my $l = pack('s s x4 l! l! i', F_WRLCK, 0, 0, 0, 0); \
                      fcntl($f, F_SETLK, $l) or die; open(my $r, '>', $ARGV[1]); close $r; sleep 600";
        let ready = dir.path().join("ready");
        let holder = Program::new("perl", Duration::from_secs(60))
            .args(["-e", script])
            .arg(&lock)
            .arg(&ready);
        let held = tokio::spawn(async move { holder.run().await });
        tokio::time::timeout(Duration::from_secs(30), async {
            while !ready.exists() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        assert!(is_locked(&lock).unwrap());
        held.abort(); // the program ends with its caller
        tokio::time::timeout(Duration::from_secs(30), async {
            while is_locked(&lock).unwrap() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}
