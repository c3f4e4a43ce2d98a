//! The only module that starts processes: argument arrays, a clean environment, a deadline, bounded output. Never a shell.
//!
//! ```text
//! run()       pipes; ends with its caller or its deadline       questions: dpkg-query, apt-cache
//! run_on()    output to a file; outlives a killed agent          work that must not be cut: dpkg
//! ```

use crate::host::{HostError, HostResult};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// What is kept of each output stream. No answer that we ask for comes near it.
const OUTPUT_LIMIT: usize = 8 << 20;
/// How much output an error shows: its end, where the reason is.
const SHOWN: usize = 2000;

/// A program to run, with everything that it will get.
#[derive(Debug, Clone)]
pub struct Program {
    name: &'static str,
    /// Where it is, when it is not to be found on the PATH.
    path: Option<PathBuf>,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    dir: PathBuf,
    deadline: Duration,
}

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Finished {
    name: &'static str,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new(name: &'static str, deadline: Duration) -> Self {
        Self {
            name,
            path: None,
            args: Vec::new(),
            env: Vec::new(),
            dir: PathBuf::from("/"),
            deadline,
        }
    }
    #[must_use]
    /// A program that is in no directory of the PATH.
    pub fn at(path: &Path, name: &'static str, deadline: Duration) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..Self::new(name, deadline)
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }
    #[must_use]
    pub fn env(mut self, key: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key, value.as_ref().to_owned()));
        self
    }

    /// Where it runs; `/` unless said otherwise.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = dir.to_owned();
        self
    }

    fn command(&self) -> Command {
        let program = self.path.as_deref().unwrap_or(Path::new(self.name));
        let mut command = Command::new(program);
        command
            .args(&self.args)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    fn line(&self) -> String {
        let args = self
            .args
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned());
        std::iter::once(self.name.to_owned())
            .chain(args)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn not_started(&self, source: std::io::Error) -> HostError {
        HostError::Io {
            action: "start",
            what: self.name.to_owned(),
            source,
        }
    }

    fn late(&self) -> HostError {
        HostError::Timeout {
            what: self.line(),
            after: self.deadline,
        }
    }

    /// Runs it and returns how it ended. It is killed with its children when the deadline passes or the caller goes away.
    pub async fn run(&self) -> HostResult<Finished> {
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| self.not_started(e))?;
        let group = Group::of(child.id());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let all = async {
            let (stdout, stderr, status) =
                tokio::join!(capture(stdout), capture(stderr), child.wait());
            Ok::<_, std::io::Error>((stdout?, stderr?, status?))
        };
        let ended = tokio::time::timeout(self.deadline, all).await;
        match ended {
            Err(_) => Err(self.late()), // the group is killed as it goes out of scope
            Ok(Err(source)) => Err(HostError::Io {
                action: "read the output of",
                what: self.line(),
                source,
            }),
            Ok(Ok((stdout, stderr, status))) => {
                group.ended();
                Ok(Finished {
                    name: self.name,
                    status,
                    stdout,
                    stderr,
                })
            }
        }
    }

    /// Runs it; any exit status but 0 is an error with its output.
    pub async fn succeed(&self) -> HostResult<Finished> {
        self.run().await?.success()
    }

    /// Runs it with its output in `log`, so that neither the agent's end nor a broken pipe cuts it short, and shows each
    /// line as it comes. When the deadline passes it is *not* killed: the error says that it still runs.
    pub async fn run_on(
        &self,
        log: &Path,
        mut on_line: impl FnMut(&str) + Send,
    ) -> HostResult<Finished> {
        let io = |action, source| HostError::Io {
            action,
            what: log.display().to_string(),
            source,
        };
        let output = File::create(log).map_err(|e| io("create", e))?;
        let errors = output.try_clone().map_err(|e| io("open", e))?;
        let mut child = self
            .command()
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|e| self.not_started(e))?;
        let mut lines = Lines::open(log).map_err(|e| io("open", e))?;
        let ended = tokio::time::timeout(self.deadline, async {
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            loop {
                let status = tokio::select! {
                    status = child.wait() => Some(status),
                    _ = tick.tick() => None,
                };
                lines.read(&mut on_line).map_err(|e| io("read", e))?;
                if let Some(status) = status {
                    return status.map_err(|e| io("wait for the program that writes", e));
                }
            }
        })
        .await;
        match ended {
            Err(_) => Err(self.late()),
            Ok(status) => Ok(Finished {
                name: self.name,
                status: status?,
                stdout: lines.all,
                stderr: String::new(),
            }),
        }
    }
}

impl Finished {
    pub fn success(self) -> HostResult<Self> {
        if self.status.success() {
            Ok(self)
        } else {
            Err(self.failed())
        }
    }
    /// The error that an unwanted end is: the exit status and the end of what it said.
    pub fn failed(&self) -> HostError {
        let said = format!("{}\n{}", self.stdout.trim(), self.stderr.trim());
        let said = said.trim();
        let mut from = said.len().saturating_sub(SHOWN);
        while !said.is_char_boundary(from) {
            from += 1;
        }
        HostError::Program {
            program: self.name.to_owned(),
            status: self.status.to_string(),
            output: said[from..].to_owned(),
        }
    }
}

/// A child's process group: killed when dropped unless it has ended.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn of(id: Option<u32>) -> Self {
        let id = id.and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(rustix::process::Pid::from_raw))
    }
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // Already gone is fine; the child itself is reaped by tokio.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn capture(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let Some(mut stream) = stream else {
        return Ok(String::new());
    };
    let mut kept = Vec::new();
    let mut block = [0u8; 8192];
    loop {
        let n = stream.read(&mut block).await?;
        if n == 0 {
            return Ok(String::from_utf8_lossy(&kept).into_owned());
        }
        if kept.len() + n > OUTPUT_LIMIT {
            return Err(std::io::Error::other("more output than expected"));
        }
        kept.extend_from_slice(&block[..n]);
    }
}

/// Complete lines of a growing file.
struct Lines {
    file: File,
    at: u64,
    partial: Vec<u8>,
    all: String,
}

impl Lines {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            at: 0,
            partial: Vec::new(),
            all: String::new(),
        })
    }

    fn read(&mut self, on_line: &mut (impl FnMut(&str) + Send)) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut fresh = Vec::new();
        (&mut self.file)
            .take(OUTPUT_LIMIT as u64)
            .read_to_end(&mut fresh)?;
        self.at += fresh.len() as u64;
        self.partial.extend_from_slice(&fresh);
        if self.all.len() < OUTPUT_LIMIT {
            self.all.push_str(&String::from_utf8_lossy(&fresh));
        }
        while let Some(end) = self.partial.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            on_line(String::from_utf8_lossy(&line).trim_end());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn output_and_status_come_back_and_nothing_of_our_environment_goes_in() {
        let env = Program::new("env", SOON)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .succeed()
            .await
            .unwrap();
        let mut names: Vec<&str> = env
            .stdout
            .lines()
            .filter_map(|line| line.split_once('=').map(|(name, _)| name))
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["DEBIAN_FRONTEND", "HOME", "LC_ALL", "PATH"]);
        let error = Program::new("ls", SOON)
            .arg("/nowhere at all; echo x")
            .succeed()
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("/nowhere at all; echo x"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_deadline_kills_the_whole_group() {
        let error = Program::new("sleep", Duration::from_millis(20))
            .arg("600")
            .run()
            .await
            .unwrap_err();
        assert!(matches!(error, HostError::Timeout { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_named() {
        let error = Program::new("refit-no-such-program", SOON)
            .run()
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("refit-no-such-program"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn lines_are_shown_as_they_come_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut seen = Vec::new();
        let done = Program::new("printf", SOON)
            .arg("one\\ntwo\\nrest")
            .run_on(&dir.path().join("log"), |line| seen.push(line.to_owned()))
            .await
            .unwrap();
        assert!(done.status.success());
        assert_eq!(seen, ["one", "two"]);
        assert_eq!(done.stdout, "one\ntwo\nrest");
    }

    #[tokio::test]
    async fn what_must_not_be_cut_is_left_running_after_its_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let proof = dir.path().join("proof");
        // cp waits for the pipe's writer: it can't be done before we let it.
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let error = Program::new("dd", Duration::from_millis(50))
            .arg(format!("if={}", pipe.display()))
            .arg(format!("of={}", proof.display()))
            .run_on(&dir.path().join("log"), |_| ())
            .await
            .unwrap_err();
        assert!(matches!(error, HostError::Timeout { .. }), "{error}");
        std::fs::write(&pipe, b"still there").unwrap();
        tokio::time::timeout(SOON, async {
            while std::fs::read(&proof).unwrap_or_default() != b"still there" {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}
