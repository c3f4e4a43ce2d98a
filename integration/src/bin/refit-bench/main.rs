//! `make bench`: the same rolling upgrade, at the same load, in turn, by a naive script, a careful script and Refit.
//!
//! Prints ratios against the careful script (timings on shared machines are noisy; ratios of runs side by side less so) and
//! where the time goes. Refit also fetches, checks, backs up, snapshots and verifies; the scripts do not. The write gap of the
//! hand-over is measured apart (`hand_over`).

mod hand_over;
mod many_tables;
mod switchover;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use hand_over::HandOvers;
use refit_integration::stage::{Fleet, Lab, Stage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds; each runs all three. 0: only the hand-over.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Commits a second, or `max`.
    #[arg(long, default_value = "200")]
    rate: String,
    #[arg(long, default_value_t = 4)]
    threads: u32,
    /// Hand-overs of each kind.
    #[arg(long, default_value_t = 5)]
    hand_overs: u32,
    /// Only the switchover of a replication topology.
    #[arg(long)]
    only_switchover: bool,
    /// Commits a second during the switchover.
    #[arg(long, default_value = "1000")]
    switchover_rate: String,
    /// Switchovers of each kind.
    #[arg(long, default_value_t = 2)]
    switchovers: u32,
    /// Only the check of a cluster with many tables.
    #[arg(long)]
    only_check: bool,
    /// Tables of that cluster.
    #[arg(long, default_value_t = 10_000)]
    tables: u32,
    #[command(subcommand)]
    own: Option<Own>,
}

/// What the benchmark runs of itself inside the lab's network.
#[derive(Debug, Subcommand)]
enum Own {
    #[command(hide = true)]
    Leave(hand_over::Leave),
}

/// One upgrade's figures.
#[derive(Debug, Clone)]
struct Run {
    wall_s: f64,
    /// The longest time without an acknowledged write, milliseconds.
    largest_gap_ms: f64,
    acked: u64,
    lost: u64,
    /// Seconds by kind of step, all members together.
    steps: BTreeMap<String, f64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Own::Leave(leave)) = &arguments.own {
        return hand_over::leave(leave);
    }
    if arguments.only_check {
        return many_tables::check(&stage("previous-series")?, arguments.tables);
    }
    if arguments.only_switchover {
        return switchovers(&arguments);
    }
    let mut runs: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
    for round in 1..=arguments.rounds {
        for contender in ["naive", "careful", "refit"] {
            let run = upgrade(contender, &arguments)?;
            println!(
                "round {round}  {contender:8} wall {:6.1} s   largest write gap {:5.0} ms   {} acknowledged, {} lost",
                run.wall_s, run.largest_gap_ms, run.acked, run.lost
            );
            runs.entry(contender).or_default().push(run);
        }
    }
    let hand_overs = hand_overs(&arguments)?;
    report(&runs, &hand_overs);
    switchovers(&arguments)?;
    many_tables::check(&stage("previous-series")?, arguments.tables)?;
    if hand_overs.lost > 0 || of(&runs, "refit").iter().any(|run| run.lost > 0) {
        bail!("Refit lost acknowledged writes")
    } else {
        Ok(())
    }
}

/// Three hosts of a role's version with Refit on them.
fn stage(role: &str) -> Result<Stage> {
    let lab = Lab::named(std::env::var("LAB_NAME").as_deref().unwrap_or("bench"));
    let version = lab.version(role)?;
    let programs = std::env::current_exe()?
        .parent()
        .context("a program is in a directory")?
        .to_owned();
    Stage::set(lab, &Fleet::of_three(&version), &programs, |_| {})
}

fn hand_overs(arguments: &Arguments) -> Result<HandOvers> {
    let stage = stage("newest")?;
    let load = stage.load()?;
    load.start(arguments.threads, &arguments.rate)?;
    hand_over::measure(&stage, &load, arguments.hand_overs)
}

/// The write gap of a switchover: expected below a second.
fn switchovers(arguments: &Arguments) -> Result<()> {
    const EXPECTED_MS: f64 = 1000.0;
    let (mut bare, mut refit, mut lost) = (Vec::new(), Vec::new(), 0);
    for round in 1..=arguments.switchovers {
        let gap = switchover::bare(arguments.threads, &arguments.switchover_rate)?;
        println!("switchover {round}  bare statements  write gap {gap:5.0} ms");
        bare.push(gap);
        let run = switchover::refit(arguments.threads, &arguments.switchover_rate)?;
        println!(
            "switchover {round}  refit            write gap {:5.0} ms   {} acknowledged, {} lost",
            run.ms, run.acked, run.lost
        );
        refit.push(run.ms);
        lost += run.lost;
    }
    let (theirs, ours) = (median(bare), median(refit));
    println!(
        "  switchover write gap of Refit at {} commits/s, median: {ours:.0} ms, {:.2} of bare statements'   (expected below {EXPECTED_MS:.0} ms: {})",
        arguments.switchover_rate,
        ours / theirs,
        if ours < EXPECTED_MS {
            "as expected"
        } else {
            "FALLS SHORT"
        }
    );
    if lost > 0 {
        bail!("Refit lost {lost} acknowledged writes in a switchover");
    }
    Ok(())
}

fn upgrade(contender: &str, arguments: &Arguments) -> Result<Run> {
    let stage = stage("older")?;
    let newest = stage.lab.version("newest")?;
    let load = stage.load()?;
    load.start(arguments.threads, &arguments.rate)?;
    let world = stage.world()?;
    let primary = world.primary().context("the group has a primary")?;
    let mut members: Vec<&str> = stage
        .members
        .iter()
        .map(String::as_str)
        .filter(|member| *member != primary)
        .rev()
        .collect();
    members.push(primary);
    let began = Instant::now();
    let steps = match contender {
        "refit" => by_refit(&stage, newest.split('-').next().unwrap_or(&newest))?,
        script => by_script(&stage, script, &newest, &members)?,
    };
    let wall_s = began.elapsed().as_secs_f64();
    let gap = load.gaps()?.first().map_or(0.0, |gap| gap.ms);
    let verdict = load.stop_and_verify()?;
    for (name, member) in &stage.world()?.0 {
        if member.state != "ONLINE"
            || member
                .packages
                .split_whitespace()
                .any(|version| version != newest)
        {
            bail!("after {contender}, {name} is not upgraded: {member:?}");
        }
    }
    Ok(Run {
        wall_s,
        largest_gap_ms: gap,
        acked: verdict.acked,
        lost: verdict.lost,
        steps,
    })
}

fn by_script(
    stage: &Stage,
    script: &str,
    version: &str,
    members: &[&str],
) -> Result<BTreeMap<String, f64>> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("bench")
        .join(format!("{script}.sh"));
    let output = std::process::Command::new(path)
        .arg(version)
        .args(members)
        .env("LAB_NAME", stage.lab.name())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!(
            "{script}.sh failed: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    let mut steps = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let [_, name, ms] = line.split(' ').collect::<Vec<_>>()[..] {
            *steps.entry(name.to_owned()).or_default() += ms.parse::<f64>().unwrap_or(0.0) / 1000.0;
        }
    }
    Ok(steps)
}

fn by_refit(stage: &Stage, target: &str) -> Result<BTreeMap<String, f64>> {
    let refit = stage.refit();
    let plan = [
        "plan",
        "shop",
        "--target",
        target,
        "--accept-no-spare",
        "--soak",
        "0s",
        "--restore-primary",
        "no",
        "--out",
        "/root/bench.json",
        "--force",
    ];
    refit.run(&plan)?.ok("refit plan")?;
    refit
        .run(&["apply", "/root/bench.json", "--yes"])?
        .ok("refit apply")?;
    let list = refit.json(&["list"])?;
    let list = list
        .as_array()
        .or_else(|| list["rollouts"].as_array())
        .context("no list")?;
    let id = list
        .first()
        .and_then(|rollout| rollout["id"].as_str())
        .context("no rollout")?;
    let rollout = refit.json(&["show", id])?;
    let mut steps = BTreeMap::new();
    for step in rollout["steps"].as_array().into_iter().flatten() {
        let (Some(title), Some(ms)) = (step["title"].as_str(), step["took_ms"].as_f64()) else {
            continue;
        };
        *steps.entry(title.to_owned()).or_default() += ms / 1000.0;
    }
    Ok(steps)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn of<'r>(runs: &'r BTreeMap<&str, Vec<Run>>, who: &str) -> &'r [Run] {
    runs.get(who).map_or(&[], Vec::as_slice)
}

fn report(runs: &BTreeMap<&str, Vec<Run>>, hand_overs: &HandOvers) {
    let wall = |who: &str| median(of(runs, who).iter().map(|run| run.wall_s).collect());
    let (bare, ours) = (
        median(hand_overs.bare.clone()),
        median(hand_overs.refit.clone()),
    );
    let verdict = |ratio: f64, limit: f64| match ratio {
        ratio if ratio.is_nan() => "not measured",
        ratio if ratio <= limit => "as expected",
        _ => "FALLS SHORT",
    };
    println!("\nmedians of {} round(s)", of(runs, "refit").len());
    for (what, ratio, limit) in [
        (
            "wall time, Refit / naive script",
            wall("refit") / wall("naive"),
            0.65,
        ),
        (
            "wall time, Refit / careful script",
            wall("refit") / wall("careful"),
            1.1,
        ),
        (
            "hand-over write gap, Refit / the bare server's own",
            ours / bare,
            1.1,
        ),
    ] {
        println!(
            "  {what:68} {ratio:5.2}   (expected at most {limit}: {})",
            verdict(ratio, limit)
        );
    }
    let lost = hand_overs.lost + of(runs, "refit").iter().map(|run| run.lost).sum::<u64>();
    println!(
        "  {:68} {lost:5}   (expected 0)",
        "acknowledged writes that Refit lost"
    );
    let all = |gaps: &[f64]| {
        let each: Vec<String> = gaps.iter().map(|ms| format!("{ms:.0}")).collect();
        each.join(" ")
    };
    println!("\nhand-over write gaps in turn, ms (median)");
    println!("  bare    {} ({bare:.0})", all(&hand_overs.bare));
    println!("  refit   {} ({ours:.0})", all(&hand_overs.refit));
    for who in ["naive", "careful", "refit"] {
        println!("\nwhere the time of {who} goes (seconds, all members)");
        let mut steps: Vec<_> = of(runs, who)
            .last()
            .map(|run| run.steps.clone())
            .unwrap_or_default()
            .into_iter()
            .collect();
        steps.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (name, seconds) in steps {
            println!("  {name:20} {seconds:7.1}");
        }
    }
}
