//! What is done at a host and seen there past all ports: by a person, a package, a power cut.

use crate::config::AgentConfig;
use crate::host::files::{OURS, is_transient};
use anyhow::{Context, bail, ensure};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Somebody at the host.
pub trait Hand: Send + Sync + std::fmt::Debug {
    /// An option file that mysqld reads.
    fn option_file(&self) -> String;
    /// A path at which mysqld would read one more, and where there is none.
    fn missing_option_file(&self) -> String;
    /// A file that is there and is none of mysqld's option files.
    fn other_file(&self) -> String;
    /// Writes an option file, new or not.
    fn edit(&self, path: &str, content: &[u8]) -> anyhow::Result<()>;
    /// All that the data are: equal texts, equal data. While the server is down.
    fn data(&self) -> anyhow::Result<String>;
    /// The data become others. While the server is down.
    fn scribble(&self, word: &str) -> anyhow::Result<()>;
    /// All that was scribbled goes.
    fn wipe(&self) -> anyhow::Result<()>;
    /// What a power cut leaves of a snapshot that was being taken.
    fn half_a_snapshot(&self, name: &str) -> anyhow::Result<()>;
    /// kill -9.
    fn kill_server(&self, pid: u32) -> anyhow::Result<()>;
    /// What a judgement beside has left.
    fn left_beside(&self) -> Option<PathBuf>;
    /// What a rehearsal has put on the host, whether it still runs or was cut short.
    fn left_of_a_rehearsal(&self) -> Option<PathBuf>;
    /// From now on it is no wrong when maintenance is left while the server is held down. Only a simulated host watches for that.
    fn may_leave_while_held(&self) {}
}

/// At a real host, or in a directory that looks like one.
#[derive(Debug, Clone)]
pub struct HostHand {
    pub option_file: PathBuf,
    /// mysqld reads the files in it.
    pub option_dir: PathBuf,
    pub data: PathBuf,
    pub snapshots: PathBuf,
    pub beside: PathBuf,
    pub rehearsal: PathBuf,
}

const SCRIBBLED: &str = "refit-contract-";

impl HostHand {
    /// Where the configuration says, with the data directory that the server names.
    pub fn at(config: &AgentConfig, data: &Path) -> Self {
        let next_to_state = |what: &str| {
            let mut path = config.state_dir.as_os_str().to_owned();
            path.push(what);
            PathBuf::from(path)
        };
        Self {
            option_file: config.mysql.option_file.clone(),
            option_dir: config.mysql.drop_in_dir.clone(),
            data: data.to_owned(),
            snapshots: config.snapshot_dir.clone(),
            beside: next_to_state("-beside"),
            rehearsal: next_to_state("-rehearsal"),
        }
    }
}

impl Hand for HostHand {
    fn option_file(&self) -> String {
        self.option_file.display().to_string()
    }

    fn missing_option_file(&self) -> String {
        let path = self.option_dir.join("refit-contract.cnf");
        path.display().to_string()
    }

    fn other_file(&self) -> String {
        self.data.join("ibdata1").display().to_string()
    }

    fn edit(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        fs::write(path, content).with_context(|| format!("write {path}"))
    }

    fn data(&self) -> anyhow::Result<String> {
        let mut hash = blake3::Hasher::new();
        for entry in walkdir::WalkDir::new(&self.data).sort_by_file_name() {
            let entry = entry?;
            let name = entry.path().strip_prefix(&self.data)?;
            // What a restore has set aside stays until its snapshot is dropped.
            let ours = name.to_string_lossy().starts_with(OURS);
            if ours || is_transient(name) || entry.path().starts_with(&self.snapshots) {
                continue;
            }
            let meta = entry.metadata()?;
            let head = format!(
                "{}\0{:o}\0{}\0{}\0",
                name.display(),
                meta.mode(),
                meta.uid(),
                meta.gid()
            );
            hash.update(head.as_bytes());
            if meta.is_file() {
                hash.update(&fs::read(entry.path())?);
            }
        }
        Ok(hash.finalize().to_string())
    }

    fn scribble(&self, word: &str) -> anyhow::Result<()> {
        let path = self.data.join(format!("{SCRIBBLED}{word}"));
        fs::write(&path, word).with_context(|| format!("write {}", path.display()))
    }

    fn wipe(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.data)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(SCRIBBLED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn half_a_snapshot(&self, name: &str) -> anyhow::Result<()> {
        // Neither the directory that had no name yet nor one without a manifest is a snapshot.
        for place in [format!(".{name}.partial"), name.to_owned()] {
            let part = self.snapshots.join(place).join("0-data_dir");
            fs::create_dir_all(&part)?;
            fs::write(part.join("ibdata1"), "half")?;
        }
        Ok(())
    }

    fn kill_server(&self, pid: u32) -> anyhow::Result<()> {
        let raw = i32::try_from(pid)?;
        ensure!(raw > 1, "{pid} is no server");
        let pid = nix::unistd::Pid::from_raw(raw);
        match nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL) {
            Ok(()) => Ok(()),
            Err(error) => bail!("kill -9 {pid}: {error}"),
        }
    }

    fn left_beside(&self) -> Option<PathBuf> {
        self.beside.exists().then(|| self.beside.clone())
    }

    fn left_of_a_rehearsal(&self) -> Option<PathBuf> {
        let clone = self.snapshots.join(".refit-rehearsal");
        // Its sockets, and its server's unit while that is up.
        let run = PathBuf::from("/run/refit-rehearsal");
        let unit = PathBuf::from("/sys/fs/cgroup/system.slice/refit-rehearsal.service");
        let places = [clone, self.rehearsal.clone(), run, unit];
        places.into_iter().find(|place| place.exists())
    }
}
