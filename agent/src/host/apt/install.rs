//! Installing verified files with dpkg, so that no maintainer script ever runs mysqld, and mending what was cut short.
//!
//! [`Frozen`](super::frozen) stays in place from before the first change until dpkg's database says that all is well: a
//! half-configured mysql-server whose postinst ran without it would start mysqld on the data directory.

use super::{Apt, index};
use crate::host::{HostError, HostResult, Phase};
use crate::process::{Finished, Program};
use refit_shared::observation::PackagePin;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// dpkg is never killed: after this it is left to itself, and the next attempt waits for its lock.
const DPKG: Duration = Duration::from_secs(900);
/// dpkg's exit status when somebody was quicker to take the lock (and for other trouble).
const TROUBLE: i32 = 2;
const RACES: usize = 5;

impl Apt {
    pub(super) async fn install_files(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()> {
        let files = self.verified_files(pins).await?;
        self.frozen.freeze()?;
        refit_faults::at!("packages.swap/before")?;
        let finished = self.dpkg_run("--install", &files, phase).await?;
        refit_faults::at!("packages.swap/half")?;
        if !finished.status.success() {
            return Err(HostError::Packages(finished.failed().to_string()));
        }
        self.verify_installed(pins).await?;
        // The unit file may be another one; maintainer scripts that saw FROZEN did not say so to systemd.
        Program::new("systemctl", super::QUESTION)
            .arg("daemon-reload")
            .succeed()
            .await?;
        let names: Vec<String> = pins.iter().map(|pin| pin.name.clone()).collect();
        self.hold(&names, true).await?;
        self.frozen.thaw()
    }

    async fn verify_installed(&self, pins: &[PackagePin]) -> HostResult<()> {
        let known = self.dpkg().await?;
        for pin in pins {
            let package = known.iter().find(|package| package.name == pin.name);
            match package {
                Some(package) if package.broken() => {
                    return Err(HostError::Packages(format!(
                        "package {} is half configured after dpkg said that all went well",
                        pin.name
                    )));
                }
                Some(package) if package.version.as_ref() == Some(&pin.version) => {}
                other => {
                    let version = other
                        .and_then(|package| package.version.as_ref())
                        .map_or_else(|| "not installed".to_owned(), ToString::to_string);
                    return Err(HostError::Packages(format!(
                        "package {} should be {} and is {version}",
                        pin.name, pin.version
                    )));
                }
            }
        }
        Ok(())
    }

    /// Runs dpkg to its end, whatever becomes of us, once it has the lock.
    async fn dpkg_run(
        &self,
        action: &'static str,
        what: &[PathBuf],
        phase: &Phase,
    ) -> HostResult<Finished> {
        crate::host::files::disk::make_private_dir(&self.cache)?;
        let program = Program::new("dpkg", DPKG)
            .args(["--force-confold", "--force-confdef", action])
            .args(what)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("DEBCONF_NONINTERACTIVE_SEEN", "true")
            .env("NEEDRESTART_SUSPEND", "1")
            .env("UCF_FORCE_CONFFOLD", "1");
        for _ in 1..RACES {
            self.wait_for_lock(phase).await?;
            let finished = self.dpkg_once(&program, phase).await?;
            let lost_the_race = finished.status.code() == Some(TROUBLE) && self.locked().await?;
            if !lost_the_race {
                return Ok(finished);
            }
        }
        self.wait_for_lock(phase).await?;
        self.dpkg_once(&program, phase).await
    }

    async fn dpkg_once(&self, program: &Program, phase: &Phase) -> HostResult<Finished> {
        self.busy.store(true, Ordering::Relaxed);
        let finished = program
            .run_on(&self.cache.join("dpkg.log"), |line| {
                let telling = ["Unpacking", "Setting up", "Processing triggers"];
                if telling.iter().any(|start| line.starts_with(start)) {
                    phase.say(format!("dpkg: {line}"));
                }
            })
            .await;
        self.busy.store(false, Ordering::Relaxed);
        finished
    }

    /// Configures what an interrupted run left unpacked. What that can't mend of the server's own packages (cut while being
    /// unpacked, or of two versions) stays broken and frozen, for [`Apt::install_files`] to mend.
    pub(super) async fn finish_interrupted(&self, phase: &Phase) -> HostResult<()> {
        self.wait_for_lock(phase).await?;
        let broken = self.broken().await?;
        if !broken.is_empty() {
            phase.say("dpkg: finishing an interrupted run");
            self.frozen.freeze()?;
            let finished = self
                .dpkg_run("--configure", &[PathBuf::from("--pending")], phase)
                .await?;
            let left = self.broken().await?;
            // Two of ours may be left at different versions, which only installing both again can mend.
            if left
                .iter()
                .any(|package| !self.names.contains(&package.name))
            {
                return Err(HostError::Packages(finished.failed().to_string()));
            }
            if !left.is_empty() {
                phase.say("dpkg: the server's packages must be installed again");
                return Ok(()); // still frozen
            }
        }
        self.frozen.thaw()
    }

    async fn broken(&self) -> HostResult<Vec<index::Installed>> {
        let mut known = self.dpkg().await?;
        known.retain(index::Installed::broken);
        Ok(known)
    }

    pub(super) async fn hold(&self, names: &[String], held: bool) -> HostResult<()> {
        if names.is_empty() {
            return Ok(());
        }
        Program::new("apt-mark", super::QUESTION)
            .arg(if held { "hold" } else { "unhold" })
            .arg("--")
            .args(names)
            .succeed()
            .await
            .map(drop)
    }
}
