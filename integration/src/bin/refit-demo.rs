//! `make demo`: a real three-member group is upgraded under load, in front of your eyes.
//!
//! Sets the stage, then types the commands that a DBA would type, on the controller's host. Three stories: `upgrade`,
//! `kill-controller`, `unwind`; and `series` for a change of series with its pivot.

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use refit_integration::stage::{Fleet, Lab, Load, Stage, wait_for};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(value_enum, default_value_t = Story::Upgrade)]
    story: Story,
    /// Commits a second of the writing client, or `max`.
    #[arg(long, default_value = "150")]
    rate: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Story {
    /// A patch within a series, start to end.
    Upgrade,
    /// A change of series: the pivot waits for `refit approve`.
    Series,
    /// The controller is killed with SIGKILL in the middle, and the rollout goes on.
    KillController,
    /// Two of three members are upgraded when somebody wants everything back.
    Unwind,
}

/// More lines than `refit apply` redraws.
const BLOCK: usize = 9;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let began = Instant::now();
    let lab = Lab::named("demo");
    let role = match arguments.story {
        Story::Upgrade | Story::KillController => "older",
        Story::Series | Story::Unwind => "previous-series",
    };
    let from = lab.version(role)?;
    let target = mysql(&lab.version("newest")?);
    heading(&format!("The stage: MySQL {} to {target}", mysql(&from)));
    let stage = Stage::set(lab, &Fleet::of_three(&from), &programs()?, |line| {
        println!("  {line}")
    })?;
    let load = stage.load()?;
    load.start(4, &arguments.rate)?;
    println!("  load: a client writes with 4 connections and keeps a ledger of every answer");
    let before = stage.world()?;

    heading("What a DBA types");
    show(&stage, &["fleet"])?;
    show(
        &stage,
        &["check", "shop", "--target", &target, "--accept-no-spare"],
    )?;
    show(
        &stage,
        &[
            "plan",
            "shop",
            "--target",
            &target,
            "--accept-no-spare",
            "--soak",
            "3s",
            "--out",
            "plan.json",
        ],
    )?;
    match arguments.story {
        Story::Upgrade => expect(apply(&stage, &load)?, 0)?,
        Story::Series => {
            expect(apply(&stage, &load)?, 3)?;
            expect(show(&stage, &["approve", &newest(&stage)?, "--yes"])?, 0)?;
            expect(watch(&stage, &load)?, 0)?;
        }
        Story::KillController => {
            let killed = std::thread::scope(|scope| {
                let killer = scope.spawn(|| kill_in_the_middle(&stage));
                let code = apply(&stage, &load);
                killer.join().expect("the killer does not panic").and(code)
            })?;
            // The connection of `refit apply` may have died with the controller: look again.
            expect(
                if killed == 0 {
                    killed
                } else {
                    watch(&stage, &load)?
                },
                0,
            )?;
        }
        Story::Unwind => {
            expect(apply(&stage, &load)?, 3)?;
            expect(
                show(
                    &stage,
                    &[
                        "unwind",
                        &newest(&stage)?,
                        "--yes",
                        "--wait",
                        "--reason",
                        "the application team found a bug",
                    ],
                )?,
                4,
            )?;
        }
    }
    show(&stage, &["fleet"])?;

    heading("The client's own word");
    let gaps = load.gaps()?;
    let verdict = load.stop_and_verify()?;
    let after = stage.world()?;
    for (name, member) in &after.0 {
        println!(
            "  {name}: {} -> {}, {} {}",
            before.0[name].version, member.version, member.state, member.role
        );
    }
    println!("  writes acknowledged   {}", verdict.acked);
    println!(
        "  of these lost         {}   (compared on every member, at one GTID set)",
        verdict.lost
    );
    println!(
        "  outcome unknown       {}   (the connection broke before an answer came)",
        verdict.unknown
    );
    println!(
        "  largest write gap     {:.0} ms",
        gaps.first().map_or(0.0, |gap| gap.ms)
    );
    println!(
        "  whole demo            {:.0} s",
        began.elapsed().as_secs_f64()
    );
    println!(
        "\nThe hosts stay up: `LAB_NAME=demo integration/lab/lab.sh shell ctl` to look around, `make demo-down` to remove them."
    );
    if verdict.lost > 0 || verdict.failed_present() > 0 {
        bail!(
            "{} acknowledged writes are missing, {} refused ones are present",
            verdict.lost,
            verdict.failed_present()
        );
    }
    Ok(())
}

fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own
        .parent()
        .context("a program is in a directory")?
        .to_owned())
}

fn mysql(package: &str) -> String {
    package.split('-').next().unwrap_or(package).to_owned()
}

fn heading(text: &str) {
    println!("\n=== {text}");
}

/// Prints the command as typed, runs it with this terminal, gives its exit code.
fn show(stage: &Stage, arguments: &[&str]) -> Result<i32> {
    println!("\n$ refit {}", arguments.join(" "));
    stage.refit().show(arguments)
}

fn expect(code: i32, wanted: i32) -> Result<()> {
    if code == wanted {
        Ok(())
    } else {
        bail!("refit ended with exit code {code}, the demo expected {wanted}")
    }
}

fn apply(stage: &Stage, load: &Load<'_>) -> Result<i32> {
    show(
        stage,
        &[
            "apply",
            "plan.json",
            "--yes",
            "--writer-status",
            &load.status_file(),
        ],
    )
}

fn watch(stage: &Stage, load: &Load<'_>) -> Result<i32> {
    show(
        stage,
        &[
            "watch",
            &newest(stage)?,
            "--writer-status",
            &load.status_file(),
        ],
    )
}

fn newest(stage: &Stage) -> Result<String> {
    let list = stage.refit().json(&["list"])?;
    let list = list
        .as_array()
        .or_else(|| list["rollouts"].as_array())
        .context("no list")?;
    let ids = list.iter().filter_map(|rollout| rollout["id"].as_str());
    ids.max().map(str::to_owned).context("no rollout yet")
}

fn kill_in_the_middle(stage: &Stage) -> Result<()> {
    wait_for("db2 to swap its packages", Duration::from_secs(300), || {
        let rollout = stage.refit().json(&["show", &newest(stage)?])?;
        let steps = rollout["steps"].as_array().context("no steps")?;
        let now = |step: &serde_json::Value| {
            step["member"] == "db2"
                && step["title"] == "swap_packages"
                && step["status"] == "running"
        };
        if steps.iter().any(now) {
            Ok(())
        } else {
            bail!("not yet")
        }
    })?;
    stage.lab.kill_unit("ctl", "refit-controller")?;
    // `refit apply` redraws the lines above the cursor: room below keeps this in sight.
    println!(
        "\n*** kill -9 of the controller, while db2 swaps its packages ***{}",
        "\n".repeat(BLOCK)
    );
    Ok(())
}
