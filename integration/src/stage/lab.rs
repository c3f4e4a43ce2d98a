//! `integration/lab/lab.sh` as a value: hosts to boot, enter, cut and crash.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One lab, by name. Dropping it leaves it standing, so that a failed scenario can be looked at; the next [`Lab::raise`] of
/// that name takes it down first.
#[derive(Debug, Clone)]
pub struct Lab {
    script: PathBuf,
    name: String,
}

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Standard output of a command that succeeded.
    pub fn ok(self, what: &str) -> Result<String> {
        if self.code == 0 {
            return Ok(self.stdout);
        }
        bail!(
            "{what}: exit code {}\n{}{}",
            self.code,
            self.stdout,
            self.stderr
        )
    }
}

impl Lab {
    pub fn named(name: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/lab.sh");
        Self {
            script,
            name: name.to_owned(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes down what was left of this name and boots fresh hosts.
    pub fn raise(&self, options: &[&str]) -> Result<()> {
        self.down()?;
        let mut arguments = vec!["up"];
        arguments.extend(options);
        self.call(arguments)?.ok("lab.sh up").map(drop)
    }

    pub fn down(&self) -> Result<()> {
        self.call(["down"])?.ok("lab.sh down").map(drop)
    }

    /// The package version of a role: newest, older, oldest, previous-series, broken.
    pub fn version(&self, role: &str) -> Result<String> {
        let text = self.call(["versions"])?.ok("lab.sh versions")?;
        let of_role = |line: &str| -> Option<String> {
            let mut words = line.split_whitespace();
            (words.next() == Some(role))
                .then(|| words.next().map(str::to_owned))
                .flatten()
        };
        text.lines()
            .find_map(of_role)
            .with_context(|| format!("no version is called {role:?} in:\n{text}"))
    }

    /// Any command of lab.sh.
    pub fn call<I, S>(&self, arguments: I) -> Result<Output>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let output = self
            .command(arguments)
            .stdin(Stdio::null())
            .output()
            .context("run lab.sh")?;
        Ok(Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// A command of lab.sh that is not run yet, for callers that want its streams.
    pub fn command<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(&self.script);
        command.args(arguments).env("LAB_NAME", &self.name);
        command
    }

    /// Runs a program in a host.
    pub fn exec(&self, host: &str, argv: &[&str]) -> Result<Output> {
        self.call(["exec", host].iter().chain(argv))
    }

    /// One statement on a host's server, over its socket; rows as tab-separated lines.
    pub fn sql(&self, host: &str, statement: &str) -> Result<String> {
        let argv = ["timeout", "30", "mysql", "-NBe", statement];
        Ok(self
            .exec(host, &argv)?
            .ok(&format!("{host}: {statement}"))?
            .trim()
            .to_owned())
    }

    pub fn put(&self, host: &str, from: &Path, to: &str) -> Result<()> {
        let from = from.to_str().context("a path that is text")?;
        self.call(["put", host, from, to])?
            .ok("lab.sh put")
            .map(drop)
    }

    pub fn ip(&self, host: &str) -> Result<String> {
        Ok(self.call(["ip", host])?.ok("lab.sh ip")?.trim().to_owned())
    }

    pub fn crash(&self, host: &str) -> Result<()> {
        self.call(["crash", host])?.ok("lab.sh crash").map(drop)
    }
    pub fn boot(&self, host: &str) -> Result<()> {
        self.call(["boot", host])?.ok("lab.sh boot").map(drop)
    }
    pub fn cut(&self, host: &str) -> Result<()> {
        self.call(["cut", host])?.ok("lab.sh cut").map(drop)
    }
    /// Only what goes between the two is lost.
    pub fn cut_between(&self, host: &str, other: &str) -> Result<()> {
        self.call(["cut", host, other])?.ok("lab.sh cut").map(drop)
    }
    pub fn heal_between(&self, host: &str, other: &str) -> Result<()> {
        let healed = self.call(["heal", host, other])?;
        healed.ok("lab.sh heal").map(drop)
    }
    pub fn heal(&self, host: &str) -> Result<()> {
        self.call(["heal", host])?.ok("lab.sh heal").map(drop)
    }

    /// Kills a unit's main process with SIGKILL, as `kill -9` by a person or the kernel would.
    pub fn kill_unit(&self, host: &str, unit: &str) -> Result<()> {
        self.signal_unit(host, unit, "SIGKILL")
    }

    /// Steps a host's wall clock: so many seconds ahead of this machine's (negative: behind). See [`super::Fleet::own_clock`].
    pub fn set_clock(&self, host: &str, seconds: i64) -> Result<()> {
        self.call(["clock", host, &seconds.to_string()])?
            .ok("lab.sh clock")
            .map(drop)
    }

    /// A host's volume reads and writes so many times a second, or again as fast as it can.
    pub fn slow(&self, host: &str, iops: Option<u32>) -> Result<()> {
        let limit = iops.map_or_else(|| "off".to_owned(), |iops| iops.to_string());
        self.call(["slow", host, &limit])?
            .ok("lab.sh slow")
            .map(drop)
    }

    /// Sends a signal to a unit's main process.
    pub fn signal_unit(&self, host: &str, unit: &str, signal: &str) -> Result<()> {
        let signal = format!("--signal={signal}");
        let argv = ["systemctl", "kill", "--kill-whom=main", &signal, unit];
        self.exec(host, &argv)?
            .ok(&format!("kill {signal} {unit} on {host}"))
            .map(drop)
    }
}

/// Waits until a condition gives a value; the error says what was last in the way.
pub fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> Result<T>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        match condition() {
            Ok(value) => return Ok(value),
            Err(why) if Instant::now() >= end => {
                return Err(why.context(format!("waited {deadline:?} for {what}")));
            }
            Err(_) => std::thread::park_timeout(Duration::from_millis(100)),
        }
    }
}
