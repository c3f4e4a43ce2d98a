//! `make bench`: the same rolling upgrade, at the same load, in turn, by a naive script, a careful script and Refit.
//!
//! Prints ratios against the careful script (timings on shared machines are noisy; ratios of runs side by side less so) and
//! where the time goes. Refit also fetches, checks, backs up, snapshots and verifies; the scripts do not.

use anyhow::{Context, Result, bail};
use clap::Parser;
use refit_integration::stage::{Fleet, Lab, Stage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds; each runs all three.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Commits a second, or `max`.
    #[arg(long, default_value = "800")]
    rate: String,
    #[arg(long, default_value_t = 4)]
    threads: u32,
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
    report(&runs);
    Lab::named("bench").down()?;
    if runs["refit"].iter().any(|run| run.lost > 0) {
        bail!("Refit lost acknowledged writes")
    } else {
        Ok(())
    }
}

fn upgrade(contender: &str, arguments: &Arguments) -> Result<Run> {
    let lab = Lab::named("bench");
    let older = lab.version("older")?;
    let newest = lab.version("newest")?;
    let programs = std::env::current_exe()?
        .parent()
        .context("a program is in a directory")?
        .to_owned();
    let stage = Stage::set(lab, &Fleet::of_three(&older), &programs, |_| {})?;
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
    let gap = load.gaps_ms()?.first().copied().unwrap_or(0.0);
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

fn report(runs: &BTreeMap<&str, Vec<Run>>) {
    let wall = |who: &str| median(runs[who].iter().map(|run| run.wall_s).collect());
    let gap = |who: &str| median(runs[who].iter().map(|run| run.largest_gap_ms).collect());
    let verdict = |ratio: f64, limit: f64| {
        if ratio <= limit {
            "as expected"
        } else {
            "FALLS SHORT"
        }
    };
    println!("\nmedians of {} round(s)", runs["refit"].len());
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
            "hand-over write gap, Refit / the bare server's own (careful script)",
            gap("refit") / gap("careful"),
            1.1,
        ),
    ] {
        println!(
            "  {what:68} {ratio:5.2}   (expected at most {limit}: {})",
            verdict(ratio, limit)
        );
    }
    let lost: u64 = runs["refit"].iter().map(|run| run.lost).sum();
    println!(
        "  {:68} {lost:5}   (expected 0)",
        "acknowledged writes that Refit lost"
    );
    for who in ["naive", "careful", "refit"] {
        println!("\nwhere the time of {who} goes (seconds, all members)");
        let mut steps: Vec<_> = runs[who]
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
