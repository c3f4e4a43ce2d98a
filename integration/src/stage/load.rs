//! The writing client on `ctl`: started, stopped, and asked what became of every write.

use super::lab::{Lab, wait_for};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::time::Duration;

const DIRECTORY: &str = "/run/refit-writer";

/// A load on the group.
#[derive(Debug)]
pub struct Load<'a> {
    lab: &'a Lab,
    hosts: String,
}

/// What the writing client found when it compared its ledger with every member.
#[derive(Debug, Clone, Deserialize)]
pub struct Verdict {
    pub acked: u64,
    /// Acknowledged, and missing on some member.
    pub lost: u64,
    pub unknown: u64,
    pub members_agree: bool,
    members: Vec<MemberVerdict>,
}

#[derive(Debug, Clone, Deserialize)]
struct MemberVerdict {
    failed_present: u64,
}

impl Verdict {
    /// Refused, and present on some member all the same.
    pub fn failed_present(&self) -> u64 {
        self.members
            .iter()
            .map(|member| member.failed_present)
            .sum()
    }
}

impl<'a> Load<'a> {
    pub(super) fn prepare(lab: &'a Lab, members: &[String]) -> Result<Self> {
        let hosts = members
            .iter()
            .map(|member| lab.ip(member))
            .collect::<Result<Vec<_>>>()?
            .join(",");
        let password = lab.call(["app-password"])?.ok("lab.sh app-password")?;
        lab.exec("ctl", &["mkdir", "-p", DIRECTORY])?
            .ok("make the writer's directory")?;
        lab.put(
            "ctl",
            std::path::Path::new(password.trim()),
            &format!("{DIRECTORY}/password"),
        )?;
        Ok(Self { lab, hosts })
    }

    /// The status file on `ctl`, for `refit apply --writer-status`.
    pub fn status_file(&self) -> String {
        format!("{DIRECTORY}/status.json")
    }

    fn ledger(&self) -> String {
        format!("{DIRECTORY}/ledger")
    }

    /// Begins to write and waits for the first acknowledged commit. `rate`: commits a second, or "max".
    pub fn start(&self, threads: u32, rate: &str) -> Result<()> {
        let (threads, password, status, ledger) = (
            threads.to_string(),
            format!("{DIRECTORY}/password"),
            self.status_file(),
            self.ledger(),
        );
        let argv = [
            "systemd-run",
            "--quiet",
            "--unit=refit-writer",
            "--collect",
            "--property=KillSignal=SIGTERM",
            "/usr/local/bin/refit-writer",
            "run",
            "--hosts",
            &self.hosts,
            "--user",
            "refit_app",
            "--password-file",
            &password,
            "--threads",
            &threads,
            "--rate",
            rate,
            "--ledger",
            &ledger,
            "--status",
            &status,
        ];
        self.lab
            .exec("ctl", &argv)?
            .ok("start the writing client")?;
        wait_for(
            "the first acknowledged write",
            Duration::from_secs(20),
            || {
                let acked = self.status()?["acked"]
                    .as_u64()
                    .context("no count of acknowledged writes")?;
                if acked == 0 {
                    bail!("nothing acknowledged yet")
                } else {
                    Ok(())
                }
            },
        )
    }

    pub fn status(&self) -> Result<serde_json::Value> {
        let text = self
            .lab
            .exec("ctl", &["cat", &self.status_file()])?
            .ok("read the writer's status")?;
        serde_json::from_str(&text).context("the writer's status")
    }

    /// Stops writing and compares the ledger with every member.
    pub fn stop_and_verify(&self) -> Result<Verdict> {
        self.lab
            .exec("ctl", &["systemctl", "stop", "refit-writer"])?
            .ok("stop the writing client")?;
        let password = format!("{DIRECTORY}/password");
        let ledger = self.ledger();
        let argv = [
            "refit-writer",
            "verify",
            "--ledger",
            &ledger,
            "--hosts",
            &self.hosts,
            "--user",
            "refit_app",
            "--password-file",
            &password,
            "--deadline",
            "90",
        ];
        let output = self.lab.exec("ctl", &argv)?;
        serde_json::from_str(&output.stdout).with_context(|| {
            format!(
                "refit-writer verify ended with {}:\n{}{}",
                output.code, output.stdout, output.stderr
            )
        })
    }

    /// Gaps in which no write was acknowledged, longest first.
    pub fn gaps(&self) -> Result<Vec<Gap>> {
        let ledger = self.ledger();
        let text = self
            .lab
            .exec("ctl", &["refit-writer", "report", "--ledger", &ledger])?
            .ok("refit-writer report")?;
        let report: Report = serde_json::from_str(&text).context("the writer's report")?;
        let mut gaps: Vec<Gap> = report
            .gaps
            .into_iter()
            .map(|gap| Gap {
                start: Duration::from_micros(gap.start_us),
                ms: gap.length_ms,
            })
            .collect();
        gaps.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        Ok(gaps)
    }
}

/// No write was acknowledged for so long.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// Since 1970.
    pub start: Duration,
    pub ms: f64,
}

#[derive(Debug, Deserialize)]
struct Report {
    gaps: Vec<ReportedGap>,
}

#[derive(Debug, Deserialize)]
struct ReportedGap {
    start_us: u64,
    length_ms: f64,
}
