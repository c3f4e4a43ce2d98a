//! Package files: from the repositories into our own cache, verified; found again offline.

use super::{Apt, index};
use crate::host::files::disk;
use crate::host::{HostError, HostResult, Phase};
use crate::process::Program;
use refit_shared::observation::PackagePin;
use refit_shared::version::PackageVersion;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// Half an hour is long for a hundred megabytes, and short for a person who waits.
const DOWNLOAD: Duration = Duration::from_secs(1800);
const UPDATE: Duration = Duration::from_secs(600);

impl Apt {
    /// Where a verified file of this pin is or will be.
    fn cached(&self, pin: &PackagePin) -> PathBuf {
        self.cache
            .join(format!("{}_{}.deb", pin.name, in_file_name(&pin.version)))
    }

    pub(super) async fn fetch_all(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()> {
        let mut updated = false;
        for pin in pins {
            let target = self.cached(pin);
            if self.hash_of(&target).await? == Some(pin.sha256.clone()) {
                continue;
            }
            phase.say(format!("fetching {} {}", pin.name, pin.version));
            if self.take_from_archives(pin).await? {
                continue;
            }
            let mut offer = self.offer_of(pin).await?;
            if offer.is_none() && !updated {
                phase.say("apt-get update: the version is in no index yet");
                // A mirror that is out of reach is not the question; whether the version is known now, is.
                if let Err(error) = self.update(phase).await {
                    tracing::info!(%error, "apt-get update");
                }
                updated = true;
                offer = self.offer_of(pin).await?;
            }
            match offer {
                None => {
                    return Err(HostError::PackageUnavailable {
                        name: pin.name.clone(),
                        version: pin.version.to_string(),
                    });
                }
                Some(sha256) if sha256 != pin.sha256 => return Err(mismatch(pin, sha256)),
                Some(_) => self.download(pin).await?,
            }
        }
        self.try_dependencies(pins, phase).await
    }

    /// The repository's hash of that version, where one offers it. Where several offer different files, the pinned one.
    async fn offer_of(&self, pin: &PackagePin) -> HostResult<Option<String>> {
        let offers: Vec<String> = self
            .offered()
            .await?
            .into_iter()
            .filter(|offer| offer.name == pin.name && offer.version == pin.version)
            .map(|offer| offer.sha256)
            .collect();
        Ok(offers
            .iter()
            .find(|sha256| **sha256 == pin.sha256)
            .or(offers.first())
            .cloned())
    }

    async fn update(&self, phase: &Phase) -> HostResult<()> {
        self.wait_for_lock(phase).await?;
        Program::new("apt-get", UPDATE)
            .args(["update", "-q", "-o", "Acquire::Retries=3"])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .succeed()
            .await
            .map(drop)
    }

    async fn download(&self, pin: &PackagePin) -> HostResult<()> {
        // Empty, so that what is in it afterwards is what was asked for; never believed before its hash is known.
        let partial = self.cache.join("partial");
        disk::remove_tree(&partial)?;
        disk::make_private_dir(&partial)?;
        Program::new("apt-get", DOWNLOAD)
            // The directory is ours alone, so apt's own unprivileged user could not write to it.
            .args([
                "download",
                "-q",
                "-o",
                "APT::Sandbox::User=root",
                "-o",
                "Acquire::Retries=3",
                "--",
            ])
            .arg(format!("{}={}", pin.name, pin.version))
            .dir(&partial)
            .succeed()
            .await?;
        let file = deb_in(&partial)?.ok_or_else(|| {
            HostError::Packages(format!(
                "apt-get download {}={} left no package file",
                pin.name, pin.version
            ))
        })?;
        self.keep(pin, &file).await?;
        disk::remove_tree(&partial)
    }

    /// From apt's own archive or anything it left there. True: it is in our cache now.
    async fn take_from_archives(&self, pin: &PackagePin) -> HostResult<bool> {
        for file in self.in_archives(&pin.name, &pin.version)? {
            if self.hash_of(&file).await? == Some(pin.sha256.clone()) {
                let partial = self.cache.join("partial");
                disk::make_private_dir(&partial)?;
                let copy = partial.join("copy.deb");
                disk::copy_file(&file, &copy)?;
                self.keep(pin, &copy).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn in_archives(&self, name: &str, version: &PackageVersion) -> HostResult<Vec<PathBuf>> {
        let prefix = format!("{name}_{}_", in_file_name(version));
        let entries = match std::fs::read_dir(&self.places.archives) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(error("list", &self.places.archives)(e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(error("list", &self.places.archives))?;
            let file_name = entry.file_name();
            if file_name
                .to_str()
                .is_some_and(|n| n.starts_with(&prefix) && n.ends_with(".deb"))
            {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// Verified, durable, and only then under its name.
    async fn keep(&self, pin: &PackagePin, file: &Path) -> HostResult<()> {
        let found = self.hash_of(file).await?.unwrap_or_default();
        if found != pin.sha256 {
            return Err(mismatch(pin, found));
        }
        let target = self.cached(pin);
        disk::sync_file(file)?;
        std::fs::rename(file, &target).map_err(error("rename to", &target))?;
        disk::sync_parent(&target)
    }

    /// The installed version's files, where one is at hand, as pins.
    pub(super) async fn at_hand(
        &self,
        name: &str,
        version: &PackageVersion,
    ) -> HostResult<Option<PackagePin>> {
        let mut pin = PackagePin {
            name: name.to_owned(),
            version: version.clone(),
            sha256: String::new(),
        };
        let mut files = vec![self.cached(&pin)];
        files.extend(self.in_archives(name, version)?);
        for file in files {
            if let Some(sha256) = self.hash_of(&file).await? {
                pin.sha256 = sha256;
                return Ok(Some(pin));
            }
        }
        Ok(None)
    }

    /// The cached files of these pins, every hash verified now.
    pub(super) async fn verified_files(&self, pins: &[PackagePin]) -> HostResult<Vec<PathBuf>> {
        let mut files = Vec::new();
        for pin in pins {
            let file = self.cached(pin);
            match self.hash_of(&file).await? {
                Some(found) if found == pin.sha256 => files.push(file),
                Some(found) => return Err(mismatch(pin, found)),
                None => {
                    return Err(HostError::Packages(format!(
                        "package {} {} has not been fetched",
                        pin.name, pin.version
                    )));
                }
            }
        }
        Ok(files)
    }

    /// Would installing these change any other package? Known now, before the server is stopped.
    async fn try_dependencies(&self, pins: &[PackagePin], phase: &Phase) -> HostResult<()> {
        phase.say("trying the packages' dependencies");
        let mut by_version: BTreeMap<&PackageVersion, Vec<&PackagePin>> = BTreeMap::new();
        for pin in pins {
            by_version.entry(&pin.version).or_default().push(pin);
        }
        for (version, pins) in by_version {
            let finished = Program::new("apt-get", super::QUESTION)
                .args(["install", "--simulate", "-q", "--allow-downgrades"])
                .args([
                    "--allow-change-held-packages",
                    "--no-install-recommends",
                    "--",
                ])
                .args(pins.iter().map(|pin| self.cached(pin)))
                .succeed()
                .await?;
            let unwanted = index::unwanted(&finished.stdout, &self.names);
            if !unwanted.is_empty() {
                return Err(HostError::Packages(format!(
                    "installing version {version} would also {}; name every package that must change with the server in \
                     the agent's configuration",
                    unwanted.join(", ")
                )));
            }
        }
        Ok(())
    }
}

fn in_file_name(version: &PackageVersion) -> String {
    version.as_str().replace(':', "%3a")
}

fn mismatch(pin: &PackagePin, found: String) -> HostError {
    HostError::PackageHash {
        name: pin.name.clone(),
        version: pin.version.to_string(),
        found,
        pinned: pin.sha256.clone(),
    }
}

fn error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> HostError {
    let what = path.display().to_string();
    move |source| HostError::Io {
        action,
        what: what.clone(),
        source,
    }
}

fn deb_in(dir: &Path) -> HostResult<Option<PathBuf>> {
    for entry in std::fs::read_dir(dir).map_err(error("list", dir))? {
        let path = entry.map_err(error("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// What a file was when it was hashed. Only root writes to the places where package files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Self {
        Self {
            inode: meta.ino(),
            length: meta.len(),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Files that were hashed already: the same file is not hashed again while a server is down and waits for it.
pub(super) type Hashed = Mutex<BTreeMap<PathBuf, (Stamp, String)>>;

impl Apt {
    /// The SHA-256 of a file, in lower-case hexadecimal; `None` where there is no such file.
    async fn hash_of(&self, path: &Path) -> HostResult<Option<String>> {
        let stamp = match std::fs::metadata(path) {
            Ok(meta) => Stamp::of(&meta),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(error("look at", path)(e)),
        };
        if let Some((known, hash)) = self.hashed().get(path)
            && *known == stamp
        {
            return Ok(Some(hash.clone()));
        }
        let file = path.to_owned();
        let hash = Self::blocking(move || sha256(&file)).await?;
        self.hashed().insert(path.to_owned(), (stamp, hash.clone()));
        Ok(Some(hash))
    }

    fn hashed(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, (Stamp, String)>> {
        self.hashed
            .lock()
            .expect("no code panics while it holds this lock")
    }
}

fn sha256(path: &Path) -> HostResult<String> {
    let mut file = std::fs::File::open(path).map_err(error("open", path))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 18];
    loop {
        match file.read(&mut block).map_err(error("read", path))? {
            0 => return Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect()),
            n => hash.update(&block[..n]),
        }
    }
}
