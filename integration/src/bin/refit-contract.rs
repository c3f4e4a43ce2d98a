//! `refit-contract`: does this host keep what the agent's ports promise? The same promises as the simulated hosts keep, on the real
//! systemd, apt, mysqld and files. One line a promise; exit status 0 when all are kept.
//!
//! It restarts and kills the server, changes its packages, option files and data, and puts all of it back: for hosts of a lab only.

use anyhow::{Context, ensure};
use clap::Parser;
use refit_agent::config::{AgentConfig, DEFAULT_PATH};
use refit_agent::host::Host;
use refit_agent::host::contract::{DiskScene, FilesScene, HostHand, Kept, Promise, Scene};
use refit_agent::host::contract::{of_a_disk, of_a_host, of_files};
use refit_agent::ledger::FileDisk;
use refit_agent::operations::FileLog;
use refit_shared::observation::{PackagePin, PathRole};
use refit_shared::table::TableName;
use refit_shared::version::PackageVersion;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The agent's configuration. The agent itself must not run.
    #[arg(long, default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Another version of the packages that a repository offers; it is installed for a moment and never started.
    #[arg(long, value_parser = |text: &str| PackageVersion::new(text))]
    other: PackageVersion,
    /// An InnoDB table.
    #[arg(long)]
    table: TableName,
    /// Only promises whose text contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// A database host of a lab, and nothing that anybody needs.
    #[arg(long, required = true)]
    this_is_a_lab: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(broken) => {
            println!("{broken} promises are broken");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("refit-contract: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<usize> {
    let config = AgentConfig::load(&arguments.config)?;
    let host = Host::production(&config);
    let scene = scene(&config, &host, arguments).await?;
    let mut broken = judge(of_a_host(), &scene, &arguments.only).await;

    scene.stop().await?;
    let files = FilesScene {
        files: scene.host.files.clone(),
        hand: scene.hand.clone(),
    };
    broken += judge(of_files(), &files, &arguments.only).await;
    scene.start().await?;

    for disk in [FileDisk::quick(), FileDisk::durable()] {
        for promise in of_a_disk() {
            let place = tempfile::tempdir_in(&config.state_dir)?;
            let dir = place.path().to_owned();
            let set = DiskScene {
                disk: disk.clone(),
                dir,
            };
            broken += judge(vec![promise], &set, &arguments.only).await;
        }
    }
    Ok(broken)
}

/// Says of each promise whether it was kept; how many were not.
async fn judge<S>(promises: Vec<Promise<S>>, scene: &S, only: &str) -> usize {
    let mut broken = 0;
    for promise in promises {
        let text = promise.to_string();
        if !text.contains(only) {
            continue;
        }
        let began = Instant::now();
        let kept: Kept = (promise.keep)(scene).await;
        let took = began.elapsed().as_secs_f32();
        match kept {
            Ok(()) => println!("kept    {text} ({took:.1} s)"),
            Err(why) => {
                broken += 1;
                println!("BROKEN  {text} ({took:.1} s)\n        {why:#}");
            }
        }
    }
    broken
}

async fn scene(config: &AgentConfig, host: &Host, arguments: &Arguments) -> anyhow::Result<Scene> {
    let facts = host.packages.facts().await?;
    let pins = |wanted: &dyn Fn(&str) -> Option<PackageVersion>| {
        let mut pins: Vec<PackagePin> = Vec::new();
        for name in &config.packages {
            let version = wanted(name).with_context(|| format!("{name} is not installed"))?;
            let pin = facts
                .available
                .iter()
                .find(|pin| pin.name == *name && pin.version == version);
            pins.push(
                pin.with_context(|| format!("{name} {version} is not available"))?
                    .clone(),
            );
        }
        anyhow::Ok(pins)
    };
    let present = pins(&|name| facts.installed.get(name).cloned())?;
    let other = pins(&|_| Some(arguments.other.clone()))?;
    ensure!(present != other, "{} is installed", arguments.other);
    let storage = host.files.storage().await?;
    let data = storage
        .paths
        .iter()
        .find(|path| path.role == PathRole::DataDir)
        .context("the server has no data directory")?;
    Ok(Scene {
        host: host.clone(),
        log: Arc::new(FileLog::new(host.files.clone())),
        hand: Arc::new(HostHand::at(config, Path::new(&data.path))),
        present,
        other,
        table: arguments.table.clone(),
        patience: Duration::from_secs(120),
    })
}
