//! The server's packages, through dpkg and apt. Packages that the configuration does not name are never changed.
//!
//! ```text
//! facts    dpkg-query, apt-cache show          index.rs   (pure parsing)
//! fetch    apt-get download ─> our own cache   fetch.rs   verified by SHA-256
//! install  dpkg -i of the cached files         install.rs under FROZEN, so that no maintainer script runs mysqld
//! ```
//!
//! `dpkg -i` rather than `apt-get install`: apt marks the packages as manually installed and wants its indexes, dpkg takes
//! exactly the files that were verified. That their dependencies fit is tried with `apt-get --simulate` when they are
//! fetched, before anything is stopped.

mod fetch;
mod frozen;
mod index;
mod install;
mod lock;

use super::{HostError, HostResult, Packages, Phase};
use crate::process::Program;
use async_trait::async_trait;
use refit_shared::observation::{PackageFacts, PackagePin};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Questions to dpkg and apt; a first one after an index changed rebuilds apt's cache.
const QUESTION: Duration = Duration::from_secs(60);

/// The packages of one server on a Debian host.
#[derive(Debug)]
pub struct Apt {
    names: Vec<String>,
    /// Our own cache: verified package files, and what dpkg said.
    cache: PathBuf,
    frozen: frozen::Frozen,
    places: Places,
    /// A package manager of ours holds the lock.
    busy: AtomicBool,
    hashed: fetch::Hashed,
}

/// Debian's own places.
#[derive(Debug, Clone)]
struct Places {
    locks: [PathBuf; 2],
    archives: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            locks: ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"].map(PathBuf::from),
            archives: PathBuf::from("/var/cache/apt/archives"),
        }
    }
}

impl Apt {
    pub fn new(packages: &[String], cache: &Path, frozen_file: &Path) -> Self {
        Self {
            names: packages.to_vec(),
            cache: cache.to_owned(),
            frozen: frozen::Frozen::new(frozen_file),
            places: Places::default(),
            busy: AtomicBool::new(false),
            hashed: fetch::Hashed::default(),
        }
    }

    /// Refuses pins of packages that are not ours, none, or two of one package.
    fn judge(&self, pins: &[PackagePin]) -> HostResult<()> {
        if pins.is_empty() {
            return Err(HostError::Packages("no package is named".to_owned()));
        }
        for (at, pin) in pins.iter().enumerate() {
            if !self.names.contains(&pin.name) {
                return Err(HostError::Packages(format!(
                    "package {} is not among those that the agent's configuration names ({})",
                    pin.name,
                    self.names.join(", ")
                )));
            }
            if pins[..at]
                .iter()
                .any(|other| other.name == pin.name && other.version == pin.version)
            {
                return Err(HostError::Packages(format!(
                    "package {} is pinned twice",
                    pin.name
                )));
            }
        }
        Ok(())
    }

    /// Every package that dpkg knows.
    async fn dpkg(&self) -> HostResult<Vec<index::Installed>> {
        let finished = Program::new("dpkg-query", QUESTION)
            .args(["--show", "--showformat", index::DPKG_FORMAT])
            .succeed()
            .await?;
        Ok(index::installed(&finished.stdout))
    }

    /// What the repositories offer of our packages.
    async fn offered(&self) -> HostResult<Vec<PackagePin>> {
        let finished = Program::new("apt-cache", QUESTION)
            .args(["show", "--all-versions", "--"])
            .args(&self.names)
            .run()
            .await?;
        // 100: some package is in no repository at all. What was found is still shown.
        match finished.status.code() {
            Some(0 | 100) => Ok(index::offered(&finished.stdout, &self.names)),
            _ => Err(finished.failed()),
        }
    }

    /// Bytes of the host itself, on a thread where waiting for the disk is fine.
    async fn blocking<T: Send + 'static>(
        work: impl FnOnce() -> HostResult<T> + Send + 'static,
    ) -> HostResult<T> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| HostError::Unexpected(format!("a file operation panicked: {e}")))?
    }
}

#[async_trait]
impl Packages for Apt {
    async fn facts(&self) -> HostResult<PackageFacts> {
        let (known, offered) = tokio::try_join!(self.dpkg(), self.offered())?;
        let ours = |package: &&index::Installed| self.names.contains(&package.name);
        let mut facts = PackageFacts {
            installed: known
                .iter()
                .filter(ours)
                .filter(|package| package.present())
                .filter_map(|package| Some((package.name.clone(), package.version.clone()?)))
                .collect(),
            held: known
                .iter()
                .filter(ours)
                .filter(|package| package.held())
                .map(|package| package.name.clone())
                .collect(),
            broken: known
                .iter()
                .filter(|package| package.broken())
                .map(|package| package.name.clone())
                .collect(),
            available: offered,
            locked_by_other: !self.busy.load(Ordering::Relaxed) && self.locked().await?,
            frozen_by_other: self.frozen.by_other()?,
        };
        // The version to go back to counts as available where a file of it is at hand, whatever the repositories keep.
        for (name, version) in &facts.installed {
            let known = |pin: &PackagePin| &pin.name == name && &pin.version == version;
            if !facts.available.iter().any(known) {
                facts.available.extend(self.at_hand(name, version).await?);
            }
        }
        facts.available.sort();
        Ok(facts)
    }

    async fn fetch(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()> {
        self.judge(pins)?;
        self.fetch_all(pins, phase).await
    }

    async fn fetched_files(&self, pins: &[PackagePin]) -> HostResult<Vec<PathBuf>> {
        self.judge(pins)?;
        self.verified_files(pins).await
    }

    async fn verify_fetched(&self, pins: &[PackagePin]) -> HostResult<()> {
        self.judge(pins)?;
        self.verified_files(pins).await.map(drop)
    }

    async fn frozen(&self) -> HostResult<bool> {
        self.frozen.by_us()
    }

    async fn repair(&self, phase: &Phase) -> HostResult<()> {
        self.finish_interrupted(phase).await
    }

    async fn install(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()> {
        self.judge(pins)?;
        self.install_files(pins, phase).await
    }

    async fn set_held(&self, names: &[String], held: bool) -> HostResult<()> {
        if let Some(foreign) = names.iter().find(|name| !self.names.contains(name)) {
            return Err(HostError::Packages(format!(
                "package {foreign} is not among those that the agent's configuration names"
            )));
        }
        self.hold(names, held).await
    }

    async fn drop_fetched(&self) -> HostResult<()> {
        match std::fs::remove_dir_all(&self.cache) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(HostError::Io {
                action: "delete",
                what: self.cache.display().to_string(),
                source: e,
            }),
            _ => Ok(()),
        }
    }
}
