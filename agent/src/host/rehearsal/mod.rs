//! Rehearsing an upgrade on this host: the target's mysqld on a throw-away clone of the data.
//!
//! ```text
//! <snapshot_dir>/.refit-rehearsal/data    the clone; beside it logs and temporary files (files/clone.rs)
//! <state>-rehearsal/before, /after        option files for both servers, the target's packages unpacked
//! /run/refit-rehearsal/                   the socket; what the servers see of all this
//! refit-rehearsal.service                 a transient unit: no network, limits; live directories, sockets and processes out of
//!                                         sight (unit.rs)
//! ```
//!
//! A clone of data in use is first recovered and cleanly stopped by the installed mysqld, as an upgrade would find it: redo of a
//! crashed older server may be refused by a newer one (MYSQL.md §4.5), and that would say nothing of the upgrade.
//!
//! Whatever happens, everything is removed: at the end, and at the agent's next start when it was killed; systemd ends the
//! servers by itself when their time is up.

mod arguments;
mod kept;
mod lines;
mod unit;

use super::beside::{MYSQLD, OptionTree, Unpacked, libraries};
use super::files::{Clone, HostFiles, Original, disk};
use super::mysql::{Credentials, Tour, tour};
use super::{HostError, HostResult, Phase};
use crate::errorlog::{Follower, Shutdown, Startup, Verdict, last_shutdown};
use arguments::Server;
use async_trait::async_trait;
use kept::Kept;
use lines::Story;
use refit_shared::observation::Seconds;
use refit_shared::operation::AttemptId;
use refit_shared::rehearsal::Rehearsal;
use refit_shared::version::MysqlVersion;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use unit::Bus;

/// What is rehearsed.
#[derive(Debug, Clone)]
pub struct Piece {
    pub id: AttemptId,
    pub target: MysqlVersion,
    /// The version that is installed and, where it is up, serves.
    pub installed: Option<MysqlVersion>,
    /// The target's package files, verified.
    pub packages: Vec<PathBuf>,
    /// The option files as they are, and as the target gets them.
    pub present: OptionTree,
    pub candidate: OptionTree,
    /// The server is up.
    pub running: bool,
    pub copy: bool,
    pub data_directory: Option<String>,
    pub deadline: Instant,
}

/// The stage on which upgrades are rehearsed.
#[async_trait]
pub trait Rehearsals: Send + Sync + std::fmt::Debug {
    /// Rehearses, and leaves nothing but what [`Rehearsals::kept`] tells. That the target does not start is a finding, no error.
    async fn rehearse(&self, piece: &Piece, phase: &Phase) -> HostResult<Rehearsal>;
    /// Ends and removes all that a rehearsal may have left; nothing there is fine.
    async fn clear(&self) -> HostResult<()>;
    /// The latest, of the member's own data and of another directory.
    async fn kept(&self) -> HostResult<Vec<Rehearsal>>;
}

/// How much of the host a rehearsal may take, and which directories beside the server's own it may clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    pub memory_mb: u32,
    pub cpu_percent: u32,
    pub data_directories: Vec<PathBuf>,
}

/// See the module.
#[derive(Debug)]
pub struct Stage {
    files: std::sync::Arc<HostFiles>,
    programs: PathBuf,
    run: PathBuf,
    kept: Kept,
    credentials: (String, Option<PathBuf>),
    /// The member's own, wherever it is.
    live_socket: PathBuf,
    bounds: Bounds,
    /// One at a time; clearing waits for it.
    busy: tokio::sync::Mutex<()>,
}

/// Between two looks at a server that starts or stops.
const LOOK: Duration = Duration::from_millis(100);
/// systemd's own limit lies behind the order's.
const GRACE: Duration = Duration::from_secs(60);
const INSTALLED: &str = "/usr/sbin/mysqld";

/// How a server of the rehearsal came up.
struct Started {
    verdict: Verdict,
    took: Seconds,
    story: Story,
    peak_memory_bytes: Option<u64>,
}

impl Stage {
    pub fn new(
        files: std::sync::Arc<HostFiles>,
        state_dir: &Path,
        credentials: (String, Option<PathBuf>),
        live_socket: PathBuf,
        bounds: Bounds,
    ) -> Self {
        let mut programs = state_dir.as_os_str().to_owned();
        programs.push("-rehearsal");
        Self {
            files,
            programs: programs.into(),
            run: PathBuf::from("/run/refit-rehearsal"),
            kept: Kept::new(state_dir),
            credentials,
            live_socket,
            bounds,
            busy: tokio::sync::Mutex::new(()),
        }
    }

    fn place(&self) -> PathBuf {
        self.files.rehearsal_place()
    }

    fn socket(&self) -> PathBuf {
        self.run.join("mysqld.sock")
    }

    async fn remove_all(&self) -> HostResult<()> {
        // Most hosts have never rehearsed anything: nothing is asked of systemd then.
        if disk::exists(&self.run)? || disk::exists(&self.place())? {
            Bus::connect().await?.kill().await?;
        }
        self.files.clear_rehearsal_place().await?;
        disk::remove_tree(&self.programs)?;
        disk::remove_tree(&self.run)
    }

    fn original(&self, piece: &Piece) -> HostResult<Original> {
        let Some(named) = &piece.data_directory else {
            return Ok(Original::Own {
                in_use: piece.running,
            });
        };
        let path = std::fs::canonicalize(named).map_err(disk::error("find", Path::new(named)))?;
        let allowed = self
            .bounds
            .data_directories
            .iter()
            .any(|dir| std::fs::canonicalize(dir).is_ok_and(|dir| path.starts_with(dir)));
        if allowed {
            Ok(Original::At(path))
        } else {
            Err(HostError::Unexpected(format!(
                "{named} is not below a directory that rehearsal.data_directories in the agent's configuration names"
            )))
        }
    }

    async fn play(&self, piece: &Piece, phase: &Phase) -> HostResult<Rehearsal> {
        let original = self.original(piece)?;
        disk::make_private_dir(&self.place())?;
        phase.say("cloning the data");
        let began = Instant::now();
        let clone = self.files.clone_data(&original, piece.copy, phase).await?;
        refit_faults::at!("rehearsal.clone/half")?;
        let cloned = seconds(began);
        let owner =
            std::fs::metadata(&clone.original).map_err(disk::error("look at", &clone.original))?;
        let owner = (owner.uid(), owner.gid());
        let data = self.place().join("data");
        let from = if piece.running {
            piece.installed
        } else {
            kept::last_version(&data)?
        };
        self.prepare(owner)?;
        phase.say("unpacking the target's packages");
        let after = Unpacked::at(&self.programs.join("after"));
        after.unpack(&piece.packages).await?;

        let mut before = None;
        let mut recovered = None;
        if piece.running {
            let began = Instant::now();
            before = Some(self.recover(piece, &clone, owner, phase).await?);
            recovered = Some(seconds(began));
        }
        let root = self.programs.join("after/root");
        let server = Server {
            version: Some(piece.target),
            program: root.join(MYSQLD),
            base: root.join("usr"),
            libraries: Some(libraries(&root)),
            options: after.stage(&piece.candidate)?,
            log: "target.log",
            recovers: false,
        };
        give(&self.programs.join("after/options"), owner)?;
        phase.say(format!("mysqld {} starts on the clone", piece.target));
        let bus = Bus::connect().await?;
        let started = self
            .start(&bus, piece, &clone, owner, &server, phase)
            .await?;
        let mut rehearsal = Rehearsal {
            id: piece.id.clone(),
            at_unix_ms: 0,
            target: piece.target,
            from,
            data: clone.original.display().to_string(),
            foreign: piece.data_directory.is_some(),
            method: clone.method,
            recovered,
            cloned,
            started: started.took,
            dictionary: started.story.dictionary(),
            system_tables: started.story.system_tables(),
            peak_memory_bytes: started.peak_memory_bytes,
            refused: None,
            tables_opened: 0,
            views_opened: 0,
            broken: Vec::new(),
            broken_before: Vec::new(),
            lines: Vec::new(),
            limits: Vec::new(),
        };
        let mut story = started.story;
        match started.verdict {
            Verdict::Ready { .. } => {
                let seen = self.look_around(phase, piece.deadline).await;
                rehearsal.peak_memory_bytes = peak(&bus).await.max(rehearsal.peak_memory_bytes);
                bus.stop().await?;
                self.read_rest(&mut story, server.log)?;
                match seen {
                    Ok(seen) => compare(&mut rehearsal, seen, before.as_ref()),
                    // Of a foreign directory nobody here has an account, and it still tells how the upgrade goes.
                    Err(why) => rehearsal
                        .limits
                        .push(format!("tables and views could not be opened: {why}")),
                }
            }
            other => rehearsal.refused = Some(other.to_string()),
        }
        rehearsal.lines = story.into_lines();
        rehearsal.at_unix_ms = jiff::Timestamp::now().as_millisecond();
        Ok(rehearsal)
    }

    /// The installed mysqld makes of the clone what a clean stop would have left.
    async fn recover(
        &self,
        piece: &Piece,
        clone: &Clone,
        owner: (u32, u32),
        phase: &Phase,
    ) -> HostResult<Tour> {
        phase.say("the installed mysqld recovers the clone");
        let before = Unpacked::at(&self.programs.join("before"));
        let options = before.stage(&piece.present)?;
        give(&self.programs.join("before/options"), owner)?;
        // Under another name, so that a profile which confines the installed program to its own directories does not apply.
        let program = self.programs.join("before/mysqld");
        std::fs::copy(INSTALLED, &program).map_err(disk::error("copy", Path::new(INSTALLED)))?;
        let server = Server {
            version: piece.installed,
            program,
            base: PathBuf::from("/usr"),
            libraries: None,
            options,
            log: "recovery.log",
            recovers: true,
        };
        let bus = Bus::connect().await?;
        let started = self
            .start(&bus, piece, clone, owner, &server, phase)
            .await?;
        let Verdict::Ready { .. } = started.verdict else {
            return Err(HostError::Unexpected(format!(
                "the installed mysqld could not recover the clone, so nothing can be said of the upgrade: {}. {}",
                started.verdict,
                started.story.errors().join("; ")
            )));
        };
        let seen = self.look_around(phase, piece.deadline).await?;
        bus.stop().await?;
        let log = self.place().join(server.log);
        let shutdown = last_shutdown(&log).map_err(disk::error("read", &log))?;
        if !Shutdown::is_clean(&shutdown) {
            return Err(HostError::Unexpected(
                "the installed mysqld did not stop cleanly on the clone, so nothing can be said of the upgrade".to_owned(),
            ));
        }
        Ok(seen)
    }

    fn prepare(&self, owner: (u32, u32)) -> HostResult<()> {
        let place = self.place();
        let temporary = place.join("tmp");
        disk::make_private_dir(&temporary)?;
        own(&temporary, owner)?;
        own(&place, owner)?;
        for dir in [&self.programs, &self.programs.join("before")] {
            std::fs::create_dir_all(dir).map_err(disk::error("make", dir))?;
            public(dir)?;
        }
        let stage = self.run.join("stage");
        std::fs::create_dir_all(&stage).map_err(disk::error("make", &stage))?;
        own(&self.run, owner)
    }

    async fn start(
        &self,
        bus: &Bus,
        piece: &Piece,
        clone: &Clone,
        owner: (u32, u32),
        server: &Server,
        phase: &Phase,
    ) -> HostResult<Started> {
        let memory_bytes = u64::from(self.bounds.memory_mb) << 20;
        let order = unit::Order {
            program: server.program.clone(),
            arguments: server.arguments(&self.run, memory_bytes),
            environment: server
                .libraries
                .iter()
                .map(|libraries| format!("LD_LIBRARY_PATH={libraries}"))
                .collect(),
            user: owner.0,
            group: owner.1,
            memory_bytes,
            cpu_percent: self.bounds.cpu_percent,
            at_most: piece.deadline.saturating_duration_since(Instant::now()) + GRACE,
            bound: (self.place(), self.run.join("stage")),
            writable: self.run.clone(),
            out_of_sight: clone
                .out_of_sight
                .iter()
                .chain([&self.live_socket])
                .cloned()
                .collect(),
        };
        let log = self.place().join(server.log);
        let began = Instant::now();
        let mut follower = Follower::from_end(&log).map_err(disk::error("read", &log))?;
        bus.start(&order).await?;
        let (mut startup, mut story) = (Startup::new(), Story::default());
        let mut peak_memory_bytes = None;
        loop {
            // Asked before the lines are read: what a process wrote before its end is then seen.
            let alive = bus.is_up().await?;
            loop {
                let lines = follower.lines().map_err(disk::error("read", &log))?;
                if lines.is_empty() {
                    break;
                }
                for line in &lines {
                    startup.feed(line);
                    story.feed(line);
                }
            }
            let verdict = startup.verdict(alive);
            peak_memory_bytes = peak(bus).await.max(peak_memory_bytes);
            if verdict.is_final() {
                return Ok(Started {
                    verdict,
                    took: seconds(began),
                    story,
                    peak_memory_bytes,
                });
            }
            phase.say(format!("on the clone: {verdict}"));
            sleep(LOOK).await;
        }
    }

    async fn look_around(&self, phase: &Phase, deadline: Instant) -> HostResult<Tour> {
        let (user, file) = &self.credentials;
        let limit = deadline.saturating_duration_since(Instant::now());
        let told = phase.clone();
        tour(
            &self.socket(),
            Credentials::new(user, file.as_deref()),
            limit,
            move |done, all| {
                let percent = u8::try_from((done * 100).checked_div(all).unwrap_or(100));
                // Every tenth is enough for people and logs.
                if let Ok(percent) = percent
                    && percent % 10 == 0
                {
                    told.at(
                        format!("on the clone: {percent} % of {all} tables and views opened"),
                        percent,
                    );
                }
            },
        )
        .await
    }

    /// What the server said until its end.
    fn read_rest(&self, story: &mut Story, log: &str) -> HostResult<()> {
        let path = self.place().join(log);
        let text = std::fs::read(&path).map_err(disk::error("read", &path))?;
        let mut whole = Story::default();
        for line in String::from_utf8_lossy(&text).lines() {
            whole.feed(line);
        }
        *story = whole;
        Ok(())
    }
}

fn compare(rehearsal: &mut Rehearsal, seen: Tour, before: Option<&Tour>) {
    rehearsal.tables_opened = seen.tables;
    rehearsal.views_opened = seen.views;
    if before.is_none() {
        rehearsal.limits.push(
            "what could not be read may have been so before: the data was not in use, so the installed version was not \
             started on it"
                .to_owned(),
        );
    }
    for (object, why) in seen.failed {
        let was = before.is_some_and(|b| b.failed.iter().any(|(known, _)| *known == object));
        let list = if was {
            &mut rehearsal.broken_before
        } else {
            &mut rehearsal.broken
        };
        list.push(format!("{object}: {why}"));
    }
    if rehearsal.broken.is_empty() {
        // Then it does not matter what was before.
        rehearsal.limits.clear();
    }
}

fn seconds(since: Instant) -> Seconds {
    Seconds(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// The most that the server has had in memory so far; `None` while there is none.
async fn peak(bus: &Bus) -> Option<u64> {
    let pid = bus.main_pid().await.ok()??;
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn own(path: &Path, (uid, gid): (u32, u32)) -> HostResult<()> {
    std::os::unix::fs::chown(path, Some(uid), Some(gid))
        .map_err(disk::error("set the owner of", path))
}

fn public(dir: &Path) -> HostResult<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))
        .map_err(disk::error("set the mode of", dir))
}

/// The server reads its option files as its own user, as it does at home.
fn give(dir: &Path, owner: (u32, u32)) -> HostResult<()> {
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.map_err(|e| HostError::Io {
            action: "list",
            what: dir.display().to_string(),
            source: e.into(),
        })?;
        own(entry.path(), owner)?;
    }
    if let Some(parent) = dir.parent() {
        public(parent)?;
    }
    Ok(())
}

#[async_trait]
impl Rehearsals for Stage {
    async fn rehearse(&self, piece: &Piece, phase: &Phase) -> HostResult<Rehearsal> {
        let _one = self.busy.lock().await;
        self.remove_all().await?;
        let left = piece.deadline.saturating_duration_since(Instant::now());
        let played = tokio::time::timeout_at(piece.deadline, self.play(piece, phase)).await;
        phase.say("removing the clone");
        let removed = self.remove_all().await;
        let rehearsal = played.unwrap_or_else(|_| {
            Err(HostError::Timeout {
                what: "the rehearsal".to_owned(),
                after: left,
            })
        })?;
        removed?;
        self.kept.keep(&rehearsal)?;
        Ok(rehearsal)
    }

    async fn clear(&self) -> HostResult<()> {
        let _one = self.busy.lock().await;
        self.remove_all().await
    }

    async fn kept(&self) -> HostResult<Vec<Rehearsal>> {
        self.kept.all()
    }
}
