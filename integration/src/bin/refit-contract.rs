//! `refit-contract`: does this host keep what the agent's ports promise? The same promises as the simulated hosts keep, on the real
//! systemd, apt, mysqld and files. One line a promise; exit status 0 when all are kept.
//!
//! It restarts and kills the server, changes its packages, option files and data, and puts all of it back: for hosts of a lab only.

use anyhow::{Context, ensure};
use async_trait::async_trait;
use clap::{Parser, ValueEnum};
use mysql_async::prelude::Queryable;
use refit_agent::config::{AgentConfig, DEFAULT_PATH};
use refit_agent::host::Host;
use refit_agent::host::contract::{DiskScene, FilesScene, HostHand, Kept, PairScene, Promise};
use refit_agent::host::contract::{Scene, There, of_a_disk, of_a_group_of_one, of_a_host};
use refit_agent::host::contract::{of_a_replica, of_a_second_member, of_files};
use refit_agent::ledger::FileDisk;
use refit_agent::operations::FileLog;
use refit_integration::writer::server::{Servers, gtid_executed};
use refit_shared::gtid::GtidSet;
use refit_shared::ids::ServerUuid;
use refit_shared::observation::{PackagePin, PathRole};
use refit_shared::operation::SourceAddress;
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
    /// What the server is.
    #[arg(long, value_enum, default_value = "alone")]
    place: Place,
    /// Address of the server that it follows, or that is the primary of its group.
    #[arg(long, required_if_eq_any([("place", "secondary"), ("place", "replica")]))]
    there: Option<String>,
    /// Who writes there, into the table.
    #[arg(long, default_value = "refit_app")]
    account: String,
    /// A file with that account's password.
    #[arg(long, default_value = "/root/refit_app.password")]
    password_file: PathBuf,
    /// Only promises whose text contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// None whose text contains this.
    #[arg(long)]
    except: Option<String>,
    /// A database host of a lab, and nothing that anybody needs.
    #[arg(long, required = true)]
    this_is_a_lab: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Place {
    /// By itself, and it takes writes.
    Alone,
    /// Configured for a group that nobody is in.
    OutsideItsGroup,
    /// In a group of two, whose primary is the other one.
    Secondary,
    /// It follows the other one.
    Replica,
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
    match arguments.place {
        Place::Alone => alone(&config, &scene, arguments).await,
        Place::OutsideItsGroup => Ok(judge(of_a_group_of_one(), &scene, arguments).await),
        Place::Secondary => {
            let pair = pair(scene, arguments).await?;
            Ok(judge(of_a_second_member(), &pair, arguments).await)
        }
        Place::Replica => {
            let pair = pair(scene, arguments).await?;
            Ok(judge(of_a_replica(), &pair, arguments).await)
        }
    }
}

async fn alone(
    config: &AgentConfig,
    scene: &Scene,
    arguments: &Arguments,
) -> anyhow::Result<usize> {
    let mut broken = judge(of_a_host(), scene, arguments).await;

    scene.stop().await?;
    let files = FilesScene {
        files: scene.host.files.clone(),
        hand: scene.hand.clone(),
    };
    broken += judge(of_files(), &files, arguments).await;
    scene.start().await?;

    for disk in [FileDisk::quick(), FileDisk::durable()] {
        for promise in of_a_disk() {
            let place = tempfile::tempdir_in(&config.state_dir)?;
            let dir = place.path().to_owned();
            let set = DiskScene {
                disk: disk.clone(),
                dir,
            };
            broken += judge(vec![promise], &set, arguments).await;
        }
    }
    Ok(broken)
}

/// Says of each promise whether it was kept; how many were not.
async fn judge<S>(promises: Vec<Promise<S>>, scene: &S, arguments: &Arguments) -> usize {
    let mut broken = 0;
    for promise in promises {
        let text = promise.to_string();
        let except = arguments.except.as_ref();
        let left_out = except.is_some_and(|except| text.contains(except));
        if left_out || !text.contains(&arguments.only) {
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

async fn pair(here: Scene, arguments: &Arguments) -> anyhow::Result<PairScene> {
    let host = arguments.there.clone().context("--there is needed")?;
    let there = Elsewhere::reach(&here, host, arguments).await?;
    Ok(PairScene {
        here,
        there: Arc::new(there),
    })
}

/// The other server, with an account there that may write into one table.
#[derive(Debug)]
struct Elsewhere {
    servers: Servers,
    table: TableName,
    address: SourceAddress,
}

/// ER_OPTION_PREVENTS_STATEMENT: a primary that was appointed a moment ago.
const READ_ONLY: u16 = 1290;
/// Longer than an election takes.
const PATIENCE: Duration = Duration::from_secs(15);

impl Elsewhere {
    /// As the local server follows it now, where it does.
    async fn reach(here: &Scene, host: String, arguments: &Arguments) -> anyhow::Result<Self> {
        let port = 3306;
        let (account, file) = (arguments.account.clone(), &arguments.password_file);
        let servers = Servers::new(vec![host.clone()], port, account, file)?;
        let mut connection = servers.connect(&host).await?;
        let uuid: Option<String> = connection
            .query_first("SELECT @@GLOBAL.server_uuid")
            .await?;
        let mut address = SourceAddress {
            channel: String::new(),
            host,
            port,
            uuid: ServerUuid::new(uuid.context("a server has a UUID")?)?,
            ssl: true,
            get_public_key: false,
            connect_retry_s: 60,
            retry_count: 10,
        };
        for channel in here.host.mysql.replication().await?.channels {
            let detail = channel.detail.require().map_err(str::to_owned);
            let detail = detail.map_err(anyhow::Error::msg)?;
            ensure!(
                channel.source_host == address.host,
                "it follows {}",
                channel.source_host
            );
            address.ssl = detail.ssl;
            address.get_public_key = detail.get_public_key;
            address.connect_retry_s = detail.connect_retry_s;
            address.retry_count = detail.retry_count;
        }
        Ok(Self {
            servers,
            table: arguments.table.clone(),
            address,
        })
    }
}

#[async_trait]
impl There for Elsewhere {
    fn address(&self) -> SourceAddress {
        self.address.clone()
    }

    async fn write(&self) -> anyhow::Result<GtidSet> {
        let host = &self.address.host;
        let mut connection = self.servers.connect(host).await?;
        let (schema, table) = (self.table.schema(), self.table.table());
        let row = format!("INSERT INTO `{schema}`.`{table}` () VALUES ()");
        let until = Instant::now() + PATIENCE;
        loop {
            match connection.query_drop(&row).await {
                Ok(()) => break,
                Err(mysql_async::Error::Server(e))
                    if e.code == READ_ONLY && Instant::now() < until =>
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Ok(gtid_executed(&mut connection, host).await?.parse()?)
    }
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
