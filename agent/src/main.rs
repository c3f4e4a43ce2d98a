//! `refit-agent`: one on every database host, one per mysqld.
//!
//! Exit codes: 0 after an orderly stop, 1 when it could not go on, 2 for a configuration that can't be used.

use anyhow::Context;
use clap::Parser;
use refit_agent::config::{AgentConfig, DEFAULT_PATH};
use refit_agent::health;
use refit_agent::host::Host;
use refit_agent::lease::Lease;
use refit_agent::ledger::{FileDisk, Ledger};
use refit_agent::operations::FileLog;
use refit_agent::service::observe::Looker;
use refit_agent::service::{AgentService, serve};
use refit_agent::worker::{Bench, Clock, SystemClock, Worker, Workplace};
use refit_proto::tls::{MaterialPaths, RELOAD_INTERVAL, Reloading};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the operation in hand may take to end when the agent is told to stop. After that it stays open in the ledger
/// and is gone on with at the next start.
const LET_END: Duration = Duration::from_secs(20);

/// The agent of Refit: carries out typed operations on one MySQL host for the controller, and nothing else.
#[derive(Debug, Parser)]
#[command(name = "refit-agent", version)]
struct Arguments {
    #[arg(long, default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Judge the configuration and the certificates, say every mistake, and exit
    #[arg(long)]
    check_config: bool,
    /// Log as JSON, a line an event
    #[arg(long)]
    log_json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.log_json);
    if let Err(wrong) = refit_faults::arm() {
        eprintln!("error: {wrong}");
        return ExitCode::from(2);
    }
    let config = match AgentConfig::load(&arguments.config) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(2);
        }
    };
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("error: a TLS provider was installed before main");
        return ExitCode::FAILURE;
    }
    let tls = MaterialPaths {
        ca: config.tls.ca.clone(),
        cert: config.tls.cert.clone(),
        key: config.tls.key.clone(),
    };
    let material = match Reloading::open(tls) {
        Ok(material) => material,
        Err(why) => {
            eprintln!("error: the agent's certificate can't be used: {why}");
            return ExitCode::from(2);
        }
    };
    let named = material.identity();
    if named.role != refit_proto::identity::Role::Agent
        || named.name.as_str() != config.member.as_str()
    {
        eprintln!(
            "error: the certificate is {named}'s, but this is the agent of {}: make one with `refit pki issue agent {}`",
            config.member, config.member
        );
        return ExitCode::from(2);
    }
    if arguments.check_config {
        println!(
            "{}: fine; agent of {} in cluster {}",
            arguments.config.display(),
            config.member,
            config.cluster
        );
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(why) => {
            eprintln!("error: no runtime: {why}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(config, material)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{why:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_log(json: bool) {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if json {
        log.json().init();
    } else {
        log.with_ansi(false)
            .with_target(false)
            .without_time()
            .init();
    }
}

async fn run(config: AgentConfig, material: Arc<Reloading>) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let host = Host::production(&config);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let disk = FileDisk::durable();
    let place = Workplace {
        cluster: config.cluster.clone(),
        member: config.member.clone(),
        host: host.clone(),
        log: Arc::new(FileLog::new(host.files.clone())),
        state_dir: config.state_dir.clone(),
        disk: disk.clone(),
        bench: Bench::default(),
        clock: clock.clone(),
        lease: Lease::open(&config.state_dir, disk.clone(), clock.clone()),
    };
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen on {}", config.listen))?;
    let probes = match config.health_listen {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .with_context(|| format!("listen on {address} for health checks"))?,
        ),
        None => None,
    };
    // What a rehearsal left that was cut short. It must not keep the agent from its work.
    if let Err(why) = host.rehearsals.clear().await {
        tracing::warn!(%why, "the leftovers of a rehearsal could not be removed; the next rehearsal tries again");
    }
    if let Err(why) = host.beside.clear().await {
        tracing::warn!(%why, "what was unpacked beside could not be removed; the next judgement on option files tries again");
    }
    // A damaged ledger makes a worker that refuses everything and says why; the probes tell it.
    let (worker, mut work) = Worker::start(place.clone(), Ledger::open(&config.state_dir, disk));
    let looker = Arc::new(Looker::new(
        config.cluster,
        config.member,
        host.clone(),
        worker.view(),
        clock,
    ));
    let service = AgentService::new(place, worker.clone(), looker, stop.clone());
    let watching = tokio::spawn(
        material
            .clone()
            .watch(RELOAD_INTERVAL, stop.clone().cancelled_owned()),
    );
    let serving = tokio::spawn(serve(
        listener,
        material,
        service,
        host.clone(),
        worker.clone(),
        stop.clone(),
    ));
    let limits = health::Limits::STANDARD;
    let probing = probes
        .map(|listener| tokio::spawn(health::serve(listener, host, worker, limits, stop.clone())));
    sd_notify::notify(&[sd_notify::NotifyState::Ready])
        .context("tell systemd that the agent is ready")?;
    tracing::info!("ready on {}", config.listen);

    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let broken = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        () = work.ended() => Some("the worker has ended by itself"),
    };
    tracing::info!("stopping");
    if !work.stop(LET_END).await {
        tracing::info!(
            "the operation in hand stays open in the ledger and is gone on with at the next start"
        );
    }
    stop.cancel();
    serving.await.context("the service's task")??;
    if let Some(probing) = probing {
        probing.await.context("the probes' task")?;
    }
    watching.await.context("the certificates' task")?;
    match broken {
        Some(why) => anyhow::bail!(why),
        None => Ok(()),
    }
}
