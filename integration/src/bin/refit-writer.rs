//! `refit-writer`: the writing client of the lab. See `refit_integration::writer`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use refit_integration::writer::gaps::{Gap, gaps};
use refit_integration::writer::ledger::Ledger;
use refit_integration::writer::outcome::Outcome;
use refit_integration::writer::run::{RunOptions, run};
use refit_integration::writer::server::Servers;
use refit_integration::writer::verify::verify;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Writes to a group, or to the source of replicas, like an application would, keeps a ledger of every outcome, and compares it with what
/// the members have.
///
/// Exit codes: 0 fine, 1 writes were lost (verify), 2 could not tell or could not run.
#[derive(Debug, Parser)]
#[command(name = "refit-writer", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write until SIGTERM, SIGINT or the given time; prints a summary as JSON
    Run(RunArgs),
    /// Compare a ledger with the table on every member; prints a verdict as JSON, and a line for people on stderr
    Verify {
        /// The ledger of the run
        #[arg(long)]
        ledger: PathBuf,
        #[command(flatten)]
        account: AccountArgs,
        /// One source of several: the members must have all of its transactions, and may have others
        #[arg(long)]
        origin: Option<String>,
        /// Seconds to wait until all members have the same transactions
        #[arg(long, default_value_t = 60)]
        deadline: u64,
    },
    /// Print the write gaps of a ledger as JSON
    Report {
        /// The ledger of the run
        #[arg(long)]
        ledger: PathBuf,
        /// Only gaps that reach beyond this time (2026-11-20T12:00:00Z, or seconds since the epoch)
        #[arg(long, value_parser = time)]
        from: Option<u64>,
        /// Only gaps that begin before this time
        #[arg(long, value_parser = time)]
        to: Option<u64>,
        /// Only gaps longer than this, in milliseconds
        #[arg(long, default_value_t = 100)]
        gap_threshold: u64,
    },
}

#[derive(Debug, Args)]
struct AccountArgs {
    /// Every member, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    hosts: Vec<String>,
    #[arg(long, default_value_t = 3306)]
    port: u16,
    #[arg(long, default_value = "refit_app")]
    user: String,
    /// File with the account's password
    #[arg(long)]
    password_file: PathBuf,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    account: AccountArgs,
    /// How many writers, with one connection each
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Ledger to make; it must not exist
    #[arg(long)]
    ledger: PathBuf,
    /// Inserts a second over all writers, or "max"
    #[arg(long, default_value = "max", value_parser = rate)]
    rate: Rate,
    /// Stop by itself after this many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// File to keep the current state in, as JSON
    #[arg(long)]
    status: Option<PathBuf>,
    /// Milliseconds between two states
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(10..))]
    status_interval: u64,
    /// Milliseconds to wait for an insert's answer before its outcome counts as unknown
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(10..))]
    statement_timeout: u64,
    /// Report gaps longer than this, in milliseconds
    #[arg(long, default_value_t = 100)]
    gap_threshold: u64,
}

#[derive(Debug, Clone, Copy)]
enum Rate {
    Max,
    PerSecond(f64),
}

fn rate(text: &str) -> Result<Rate, String> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(Rate::Max),
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Rate::PerSecond(rate)),
        _ => Err("expected a number greater than zero, or \"max\"".into()),
    }
}

/// A time in microseconds since the epoch.
fn time(text: &str) -> Result<u64, String> {
    let us = match text.parse::<f64>() {
        Ok(seconds) => (seconds * 1e6) as i64,
        Err(_) => text
            .parse::<jiff::Timestamp>()
            .map_err(|e| e.to_string())?
            .as_microsecond(),
    };
    u64::try_from(us).map_err(|_| "a time before 1970".into())
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")
        .and_then(|runtime| runtime.block_on(execute(cli.command)));
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("refit-writer: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => write(args).await,
        Command::Verify {
            ledger,
            account,
            origin,
            deadline,
        } => {
            let ledger = Ledger::read(&ledger)?;
            let (servers, limit) = (servers(account)?, Duration::from_secs(deadline));
            let verdict = verify(&servers, origin.as_deref(), &ledger, limit).await?;
            print(&verdict)?;
            eprintln!("{verdict}");
            Ok(if verdict.ok {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(1)
            })
        }
        Command::Report {
            ledger,
            from,
            to,
            gap_threshold,
        } => {
            print(&report(&ledger, from, to, gap_threshold)?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn write(args: RunArgs) -> anyhow::Result<ExitCode> {
    let (stop, stopped) = watch::channel(false);
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let seconds = args.seconds.map(Duration::from_secs);
    tokio::spawn(async move {
        let time_is_over = async {
            match seconds {
                Some(seconds) => tokio::time::sleep(seconds).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            () = time_is_over => {}
        }
        stop.send_replace(true)
    });
    let options = RunOptions {
        servers: servers(args.account)?,
        writers: args.threads,
        rate: match args.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => Some(rate),
        },
        ledger: args.ledger,
        status: args.status,
        status_interval: Duration::from_millis(args.status_interval),
        statement_limit: Duration::from_millis(args.statement_timeout),
        threshold: Duration::from_millis(args.gap_threshold),
    };
    print(&run(options, stopped).await?)?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Serialize)]
struct Report {
    acked: usize,
    failed: usize,
    unknown: usize,
    /// Whether the writer ended in order.
    ended: bool,
    first_commit_us: Option<u64>,
    last_commit_us: Option<u64>,
    max_gap_ms: f64,
    gaps: Vec<ReportedGap>,
}

#[derive(Debug, Serialize)]
struct ReportedGap {
    start: jiff::Timestamp,
    start_us: u64,
    length_ms: f64,
}

impl TryFrom<Gap> for ReportedGap {
    type Error = anyhow::Error;

    fn try_from(gap: Gap) -> anyhow::Result<Self> {
        Ok(Self {
            start: jiff::Timestamp::from_microsecond(i64::try_from(gap.start_us)?)?,
            start_us: gap.start_us,
            length_ms: gap.length_us as f64 / 1e3,
        })
    }
}

fn report(
    path: &Path,
    from: Option<u64>,
    to: Option<u64>,
    threshold_ms: u64,
) -> anyhow::Result<Report> {
    let ledger = Ledger::read(path)?;
    let commits = ledger.commits_us();
    let (from, to) = (from.unwrap_or(0), to.unwrap_or(u64::MAX));
    let all = gaps(commits.clone(), 0, from, to);
    let longest = all.iter().map(|gap| gap.length_us).max().unwrap_or(0);
    let over = all
        .into_iter()
        .filter(|gap| gap.length_us > threshold_ms * 1000);
    Ok(Report {
        acked: ledger.count(Outcome::Acked),
        failed: ledger.count(Outcome::Failed),
        unknown: ledger.count(Outcome::Unknown),
        ended: ledger.ended,
        first_commit_us: commits.iter().min().copied(),
        last_commit_us: commits.iter().max().copied(),
        max_gap_ms: longest as f64 / 1e3,
        gaps: over
            .map(ReportedGap::try_from)
            .collect::<anyhow::Result<_>>()?,
    })
}

fn servers(account: AccountArgs) -> anyhow::Result<Servers> {
    Ok(Servers::new(
        account.hosts,
        account.port,
        account.user,
        &account.password_file,
    )?)
}

fn print(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
