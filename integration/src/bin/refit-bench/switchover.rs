//! The switchover of a replication topology under load: the write gap that clients see when Refit hands the source's writes over to an
//! upgraded replica, beside the same by bare statements on hosts where nothing is upgraded.

use anyhow::{Context, Result, bail};
use refit_integration::stage::{Fleet, Lab, Stage};
use std::time::Duration;

/// What a client sees of one hand-over.
#[derive(Debug)]
pub struct Gap {
    pub ms: f64,
    pub acked: u64,
    pub lost: u64,
}

fn stage(role: &str) -> Result<Stage> {
    let lab = Lab::named("bench");
    let version = lab.version(role)?;
    let programs = std::env::current_exe()?
        .parent()
        .context("a program is in a directory")?
        .to_owned();
    Stage::set(
        lab,
        &Fleet::source_with_two_replicas(&version),
        &programs,
        |_| {},
    )
}

/// Statements that a careful person types: pause, wait until the replica has everything, promote, re-point.
pub fn bare(threads: u32, rate: &str) -> Result<f64> {
    let stage = stage("newest")?;
    let load = stage.load()?;
    load.start(threads, rate)?;
    settle();
    let lab = &stage.lab;
    lab.sql("db1", "SET GLOBAL super_read_only = ON")?;
    let all = lab.sql("db1", "SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')")?;
    let has = lab.sql(
        "db2",
        &format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{all}', 10)"),
    )?;
    if has != "0" {
        bail!("db2 did not get everything in time");
    }
    lab.sql(
        "db2",
        "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL read_only = OFF",
    )?;
    let to = format!(
        "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='{}'; START REPLICA",
        lab.ip("db2")?
    );
    lab.sql("db3", &to)?;
    settle();
    let ms = largest(&load)?;
    // The old source follows nobody, so members can't be compared: only the gap counts here.
    Ok(ms)
}

/// A whole upgrade by `--strategy switchover`.
pub fn refit(threads: u32, rate: &str) -> Result<Gap> {
    let stage = stage("older")?;
    let newest = stage.lab.version("newest")?;
    let target = newest.split('-').next().unwrap_or(&newest);
    let load = stage.load()?;
    load.start(threads, rate)?;
    settle();
    let refit = stage.refit();
    let file = "/root/bench.json";
    let plan = [
        "plan",
        "shop",
        "--target",
        target,
        "--strategy",
        "switchover",
        "--approve-pivot",
        "auto",
        "--soak",
        "0s",
        "--out",
        file,
        "--force",
    ];
    refit.run(&plan)?.ok("refit plan")?;
    refit.run(&["apply", file, "--yes"])?.ok("refit apply")?;
    let ms = largest(&load)?;
    let verdict = load.stop_and_verify()?;
    Ok(Gap {
        ms,
        acked: verdict.acked,
        lost: verdict.lost,
    })
}

fn largest(load: &refit_integration::stage::Load<'_>) -> Result<f64> {
    Ok(load.gaps()?.first().map_or(0.0, |gap| gap.ms))
}

/// Until the load is steady.
fn settle() {
    std::thread::park_timeout(Duration::from_secs(5));
}
