//! What strikes real hosts. Clocks that jump have a scenario of their own (`clock_jump`): they need hosts with clocks of their own.

use anyhow::{Context, Result, bail};
use refit_integration::stage::Stage;
use std::time::Duration;

const CTL: &str = "ctl";
const DATA: &str = "/srv/mysql";
const REPOSITORY: &str = "/srv/repo";
/// Longer than several calls of the controller.
const CUT_FOR: Duration = Duration::from_secs(10);
/// Longer than a group waits before it expels.
const LASTS: Duration = Duration::from_secs(25);
/// Reads, and writes, a second of a slow disk: a commit takes a quarter of a second.
const CRAWLS: u32 = 20;
/// What is left of a disk that is full.
const LEFT: u64 = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Controller,
    Agent,
    Mysqld,
    HostPower,
    CutFromController,
    CutFromMembers,
    DiskFull,
    SlowDisk,
    RepositoryGone,
    PackagesDamaged,
}

/// What came of a strike.
#[derive(Debug)]
pub enum Struck {
    /// And is over when so much time has passed and [`Trouble::end`] is called.
    For(Duration),
    Once,
    /// There was nothing to strike, and why.
    Nothing(String),
}

impl Trouble {
    pub const ALL: [Trouble; 10] = [
        Self::Controller,
        Self::Agent,
        Self::Mysqld,
        Self::HostPower,
        Self::CutFromController,
        Self::CutFromMembers,
        Self::DiskFull,
        Self::SlowDisk,
        Self::RepositoryGone,
        Self::PackagesDamaged,
    ];

    /// Drawn by the sample of `make test`, too. The others have not been played at enough steps to know how a person gets a
    /// group back from them every time; `make matrix` plays them.
    pub fn in_sample(self) -> bool {
        match self {
            Self::Controller | Self::Agent | Self::CutFromController => true,
            Self::Mysqld
            | Self::HostPower
            | Self::CutFromMembers
            | Self::DiskFull
            | Self::SlowDisk
            | Self::RepositoryGone
            | Self::PackagesDamaged => false,
        }
    }

    /// As the simulated matrix calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Controller => "controller killed",
            Self::Agent => "agent killed",
            Self::Mysqld => "mysqld killed",
            Self::HostPower => "host without power",
            Self::CutFromController => "controller cut from agent",
            Self::CutFromMembers => "member cut from the others",
            Self::DiskFull => "disk full",
            Self::SlowDisk => "slow disk",
            Self::RepositoryGone => "repository gone",
            Self::PackagesDamaged => "packages damaged",
        }
    }

    pub fn strike(self, stage: &Stage, member: &str) -> Result<Struck> {
        let lab = &stage.lab;
        match self {
            Self::Controller => lab.kill_unit(CTL, "refit-controller")?,
            Self::Agent => lab.kill_unit(member, "refit-agent")?,
            Self::Mysqld => {
                let state = ["systemctl", "is-active", "--quiet", "mysql"];
                if lab.exec(member, &state)?.code != 0 {
                    return Ok(Struck::Nothing("mysqld was down".to_owned()));
                }
                lab.kill_unit(member, "mysql")?;
            }
            Self::HostPower => {
                lab.crash(member)?;
                lab.boot(member)?;
            }
            Self::CutFromController => {
                lab.cut_between(member, CTL)?;
                return Ok(Struck::For(CUT_FOR));
            }
            Self::CutFromMembers => {
                for other in others(stage, member) {
                    lab.cut_between(member, other)?;
                }
                return Ok(Struck::For(LASTS));
            }
            Self::DiskFull => {
                fill(stage, member)?;
                return Ok(Struck::For(LASTS));
            }
            Self::SlowDisk => {
                lab.slow(member, Some(CRAWLS))?;
                return Ok(Struck::For(LASTS));
            }
            Self::RepositoryGone => {
                // An empty directory where the repository was.
                run(stage, member, &["mount", "-t", "tmpfs", "none", REPOSITORY])?;
                return Ok(Struck::For(LASTS));
            }
            Self::PackagesDamaged => {
                let found = packages(stage, member)?;
                if found.is_empty() {
                    return Ok(Struck::Nothing("no package was there yet".to_owned()));
                }
                for file in found {
                    run(stage, member, &["truncate", "--size=-4096", &file])?;
                }
            }
        }
        Ok(Struck::Once)
    }

    /// The end of what lasts.
    pub fn end(self, stage: &Stage, member: &str) -> Result<()> {
        match self {
            Self::CutFromController => {
                stage.lab.heal_between(member, CTL)?;
            }
            Self::CutFromMembers => {
                for other in others(stage, member) {
                    stage.lab.heal_between(member, other)?;
                }
            }
            Self::DiskFull => {
                let argv = [
                    "find",
                    DATA,
                    "-maxdepth",
                    "1",
                    "-name",
                    "filler-*",
                    "-delete",
                ];
                run(stage, member, &argv)?;
            }
            Self::SlowDisk => stage.lab.slow(member, None)?,
            Self::RepositoryGone => run(stage, member, &["umount", REPOSITORY]).map(drop)?,
            Self::Controller
            | Self::Agent
            | Self::Mysqld
            | Self::HostPower
            | Self::PackagesDamaged => {}
        }
        Ok(())
    }
}

fn others<'s>(stage: &'s Stage, member: &'s str) -> impl Iterator<Item = &'s str> {
    let members = stage.members.iter().map(String::as_str);
    members.filter(move |other| *other != member)
}

fn run(stage: &Stage, member: &str, argv: &[&str]) -> Result<String> {
    stage.lab.exec(member, argv)?.ok(&argv.join(" "))
}

fn packages(stage: &Stage, member: &str) -> Result<Vec<String>> {
    let argv = [
        "find",
        "/var/lib/refit-agent",
        "/var/cache/apt/archives",
        "-name",
        "*.deb",
        "-size",
        "+8k",
    ];
    Ok(run(stage, member, &argv)?
        .lines()
        .map(str::to_owned)
        .collect())
}

/// Takes what is free on the host's volume, in ever smaller pieces.
fn fill(stage: &Stage, member: &str) -> Result<()> {
    let free = || -> Result<u64> {
        let text = run(stage, member, &["df", "--output=avail", "-B1", DATA])?;
        let last = text.lines().last().context("df says how much is free")?;
        Ok(last.trim().parse()?)
    };
    let mut piece = free()?;
    for number in 0..200 {
        if free()? <= LEFT || piece <= LEFT / 4 {
            return Ok(());
        }
        let (length, file) = (piece.to_string(), format!("{DATA}/filler-{number}"));
        let made = stage
            .lab
            .exec(member, &["fallocate", "-l", &length, &file])?;
        if made.code != 0 {
            piece /= 2;
        }
    }
    bail!("the disk of {member} does not get full")
}
