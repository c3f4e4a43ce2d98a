//! The `refit` command, run on the controller's host as an operator would.

use super::lab::{Lab, Output};
use anyhow::{Context, Result, bail};
use std::process::{Child, Stdio};

/// The operator's command line on `ctl`.
#[derive(Debug, Clone, Copy)]
pub struct Refit<'a> {
    pub(super) lab: &'a Lab,
}

/// What a command said and with which exit code it ended.
pub type Reply = Output;

impl Refit<'_> {
    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Result<Reply> {
        let mut argv = vec!["timeout", "1200", "refit"];
        argv.extend(arguments);
        self.lab.exec("ctl", &argv)
    }

    /// Runs a command that must succeed and gives its `--json`.
    pub fn json(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let reply = self.run(&with_json)?;
        if reply.code != 0 {
            bail!(
                "refit {}: exit code {}\n{}{}",
                arguments.join(" "),
                reply.code,
                reply.stdout,
                reply.stderr
            );
        }
        serde_json::from_str(&reply.stdout)
            .with_context(|| format!("refit {}: not JSON: {}", arguments.join(" "), reply.stdout))
    }

    /// Begins a command and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Child> {
        let mut argv = vec!["exec", "ctl", "timeout", "1200", "refit"];
        argv.extend(arguments);
        let mut command = self.lab.command(argv);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().context("run refit on ctl")
    }

    /// Runs a command with this process's own terminal.
    pub fn show(&self, arguments: &[&str]) -> Result<i32> {
        let mut argv = vec!["exec", "ctl", "env", "TERM=xterm-256color", "refit"];
        argv.extend(arguments);
        let status = self
            .lab
            .command(argv)
            .status()
            .context("run refit on ctl")?;
        Ok(status.code().unwrap_or(-1))
    }
}
