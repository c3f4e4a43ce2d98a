//! The writing client on `ctl`: started, stopped, and asked what became of every write.

use super::lab::{Lab, wait_for};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::time::Duration;

/// A load on the servers.
#[derive(Debug)]
pub struct Load<'a> {
    lab: &'a Lab,
    /// Unit on `ctl`, and its directory in `/run`.
    unit: String,
    /// Where is written: addresses, whichever of them takes writes.
    hosts: String,
    /// Where all of that must arrive.
    members: String,
    /// Only this one's transactions must be everywhere; other sources send more.
    origin: Option<String>,
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
        let members = addresses(lab, members.iter().map(String::as_str))?;
        let load = Self {
            lab,
            unit: "refit-writer".to_owned(),
            hosts: members.clone(),
            members,
            origin: None,
        };
        load.put_password()?;
        Ok(load)
    }

    pub(super) fn prepare_on(lab: &'a Lab, source: &str, replicas: &[&str]) -> Result<Self> {
        let members = [source].into_iter().chain(replicas.iter().copied());
        let load = Self {
            lab,
            unit: format!("refit-writer-{source}"),
            hosts: lab.ip(source)?,
            members: addresses(lab, members)?,
            origin: Some(lab.ip(source)?),
        };
        load.put_password()?;
        Ok(load)
    }

    fn put_password(&self) -> Result<()> {
        let password = self.lab.call(["app-password"])?.ok("lab.sh app-password")?;
        self.lab
            .exec("ctl", &["mkdir", "-p", &self.directory()])?
            .ok("make the writer's directory")?;
        self.lab.put(
            "ctl",
            std::path::Path::new(password.trim()),
            &self.password(),
        )
    }

    fn directory(&self) -> String {
        format!("/run/{}", self.unit)
    }

    /// The status file on `ctl`, for `refit apply --writer-status`.
    pub fn status_file(&self) -> String {
        format!("{}/status.json", self.directory())
    }

    fn ledger(&self) -> String {
        format!("{}/ledger", self.directory())
    }

    fn password(&self) -> String {
        format!("{}/password", self.directory())
    }

    /// Begins to write and waits for the first acknowledged commit. `rate`: commits a second, or "max".
    pub fn start(&self, threads: u32, rate: &str) -> Result<()> {
        let (unit, threads, password, status, ledger) = (
            format!("--unit={}", self.unit),
            threads.to_string(),
            self.password(),
            self.status_file(),
            self.ledger(),
        );
        let argv = [
            "systemd-run",
            "--quiet",
            &unit,
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
            .exec("ctl", &["systemctl", "stop", &self.unit])?
            .ok("stop the writing client")?;
        let (password, ledger) = (self.password(), self.ledger());
        let mut argv = vec![
            "refit-writer",
            "verify",
            "--ledger",
            &ledger,
            "--hosts",
            &self.members,
            "--user",
            "refit_app",
            "--password-file",
            &password,
            "--deadline",
            "90",
        ];
        if let Some(origin) = &self.origin {
            argv.extend(["--origin", origin]);
        }
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

fn addresses<'m>(lab: &Lab, members: impl Iterator<Item = &'m str>) -> Result<String> {
    let addresses: Vec<String> = members
        .map(|member| lab.ip(member))
        .collect::<Result<_>>()?;
    Ok(addresses.join(","))
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
