//! The controller's daemon: opens the journal, goes on with every rollout, serves the API, ends in order.
//!
//! ```text
//! config ─> certificates ─> journal (verified) ─> epoch ─> rollouts go on ─> API ─> READY=1 ─> … ─> stop ─> owners end ─> exit
//! ```
//!
//! Exit codes: 0 it was told to stop; 1 something at the start failed; 2 the configuration, the fleet file or the certificate
//! is wrong; 3 the journal is corrupt; 4 the agents obey a newer controller; 5 the journal could not be written (a restart
//! reads it again); 70 a bug. systemd restarts it after 1, 5 and 70 only.

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use refit_controller::agents::GrpcAgents;
use refit_controller::api;
use refit_controller::config::{Config, STANDARD_PATH};
use refit_controller::executor::World;
use refit_controller::fleet::{self, Fleet};
use refit_controller::journal::{Room, SledJournal};
use refit_controller::observing::Observer;
use refit_controller::ports::{Agents, Journal, JournalError, SystemClock};
use refit_controller::rollouts::{Rollouts, Running};
use refit_controller::standing::{Stand, Standing};
use refit_proto::identity::Role;
use refit_proto::tls::{RELOAD_INTERVAL, Reloading};
use refit_shared::ids::Epoch;
use sd_notify::NotifyState;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Between two looks at a disk that is full.
const LOOK_FOR_SPACE_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// Upgrades fleets of MySQL servers: the daemon. Operators use `refit`.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = STANDARD_PATH)]
    config: PathBuf,
    /// Read the configuration, the fleet file and the certificate, report every mistake, and start nothing.
    #[arg(long)]
    check_config: bool,
    /// How log lines are written to standard error. What is logged is chosen by RUST_LOG (info).
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

const EXIT_CODES: &str = "Exit codes: 0 stopped as told; 1 the start failed; 2 configuration, fleet file or certificate wrong; \
3 journal corrupt; 4 the agents obey a newer controller; 5 the journal could not be written; 70 a bug.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// How the daemon ended, other than well.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Configuration(String),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{0}")]
    Superseded(String),
    #[error("{0}")]
    Bug(String),
    #[error("{0:#}")]
    Start(#[from] anyhow::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Start(_) => 1,
            Self::Configuration(_) => 2,
            Self::Journal(JournalError::Corrupt(_)) => 3,
            Self::Superseded(_) => 4,
            Self::Journal(_) => 5,
            Self::Bug(_) => 70,
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(wrong) = refit_faults::arm() {
        eprintln!("error: {wrong}");
        return ExitCode::from(2);
    }
    let ended = if args.check_config {
        Files::read(&args.config).map(|files| {
            let clusters = files.fleet.clusters().len();
            println!("{} is fine; {clusters} cluster(s)", args.config.display());
        })
    } else {
        log_to_stderr(args.log_format);
        run(&args.config)
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if args.check_config {
                eprintln!("{failure}");
            } else {
                tracing::error!(%failure, code = failure.code(), "the controller ends");
            }
            ExitCode::from(failure.code())
        }
    }
}

fn log_to_stderr(format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let to = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => to.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => to.json().init(),
    }
}

/// Everything that is read before anything is started.
struct Files {
    config: Config,
    fleet: Fleet,
    material: Arc<Reloading>,
}

impl Files {
    /// Reads all of them; a mistake in one does not hide those in the others.
    fn read(path: &Path) -> Result<Self, Failure> {
        // TLS needs it before anything else; a second call can't happen.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let wrong = |text: String| Failure::Configuration(text);
        let config = text(path)
            .and_then(|text| {
                Config::parse(&path.display().to_string(), &text).map_err(|e| e.to_string())
            })
            .map_err(wrong)?;
        let fleet = text(&config.fleet).and_then(|text| {
            fleet::parse(&config.fleet.display().to_string(), &text).map_err(|e| e.to_string())
        });
        let material = material(&config);
        match (fleet, material) {
            (Ok(fleet), Ok(material)) => Ok(Self {
                config,
                fleet,
                material,
            }),
            (fleet, material) => {
                let found: Vec<String> = [fleet.err(), material.err()]
                    .into_iter()
                    .flatten()
                    .collect();
                Err(wrong(found.join("\n")))
            }
        }
    }
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("can't read {}: {error}", path.display()))
}

fn material(config: &Config) -> Result<Arc<Reloading>, String> {
    let material = Reloading::open(config.tls.clone()).map_err(|error| error.to_string())?;
    let identity = material.identity();
    if identity.role == Role::Controller {
        Ok(material)
    } else {
        Err(format!(
            "{} is the certificate of {identity}, not of a controller: issue one with `refit pki issue controller`",
            config.tls.cert.display()
        ))
    }
}

fn run(path: &Path) -> Result<(), Failure> {
    let files = Files::read(path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(serve(files))
}

async fn serve(files: Files) -> Result<(), Failure> {
    let Files {
        config,
        fleet,
        material,
    } = files;
    // First of all, so that no signal is ever met by the default.
    let mut told = std::pin::pin!(signalled()?);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen on {}", config.listen))?;
    let (stand, rollouts, running) = tokio::select! {
        started = start(&config, fleet, &material) => started?,
        // It may have waited for space.
        () = &mut told => return Ok(()),
    };
    let stop = CancellationToken::new();
    let watching =
        tokio::spawn(Arc::clone(&material).watch(RELOAD_INTERVAL, stop.clone().cancelled_owned()));
    let api = tokio::spawn(api::serve(
        listener,
        material,
        Arc::new(rollouts.clone()),
        rollouts.standing(),
        stop.clone(),
    ));
    tell(&[NotifyState::Ready, NotifyState::Status("acting")]);
    tracing::info!(listen = %config.listen, standing = %stand.now(), "ready");

    until_told(&stand, told, &Room::Directory(config.state_dir.clone())).await;
    let standing = stand.now();
    let status = standing.to_string();
    tell(&[NotifyState::Stopping, NotifyState::Status(&status)]);
    tracing::info!(why = %standing, "stopping; what the agents have begun goes on there");
    running.ended().await;
    stop.cancel();
    drop(rollouts);
    let served = api.await.context("serve the API")?;
    watching.await.context("watch the certificates")?;
    match standing {
        Standing::Acting { .. } | Standing::ShuttingDown => {
            served.context("serve the API")?;
            Ok(())
        }
        Standing::JournalFailed(error) => Err(Failure::Journal(error)),
        Standing::Superseded { .. } => Err(Failure::Superseded(status)),
        Standing::Broken(why) => Err(Failure::Bug(why)),
    }
}

async fn open(dir: PathBuf) -> Result<(SledJournal, Epoch), Failure> {
    let journal = tokio::task::spawn_blocking(move || SledJournal::open(&dir))
        .await
        .context("open the journal")??;
    let epoch = journal.next_epoch().await?;
    Ok((journal, epoch))
}

/// Opens the journal and goes on with every rollout in it.
async fn start(
    config: &Config,
    fleet: Fleet,
    material: &Arc<Reloading>,
) -> Result<(Stand, Rollouts, Running), Failure> {
    let (journal, epoch) = loop {
        match open(config.journal()).await {
            Ok(opened) => break opened,
            // A journal that is corrupt, or in use, is not mended by waiting.
            Err(Failure::Journal(JournalError::Write(why))) => {
                let room = Room::Directory(config.state_dir.clone());
                if room.may_be_tried().is_ok() {
                    return Err(JournalError::Write(why).into());
                }
                until_there_is_space(&room).await;
            }
            Err(failure) => return Err(failure),
        }
    };
    let fleet = Arc::new(fleet);
    let agents = GrpcAgents::new(&fleet, material).context("name the agents' certificates")?;
    let agents: Arc<dyn Agents> = Arc::new(agents);
    let stand = Stand::acting(epoch);
    let world = World {
        observer: Observer::new(Arc::clone(&agents), Arc::clone(&fleet)),
        agents,
        journal: Arc::new(journal),
        clock: Arc::new(SystemClock),
        fleet,
        stand: stand.clone(),
        epoch,
        timing: config.timing,
    };
    let room = Room::Directory(config.state_dir.clone());
    let (rollouts, running) = Rollouts::start(Arc::new(world), room).await?;
    Ok((stand, rollouts, running))
}

/// Until a signal, or a reason of our own that a restart can mend. A controller that was superseded stays up and says so to
/// everybody who asks, until it is told to end; one whose journal's disk is full, until there is space again, and then it ends
/// to be started again.
async fn until_told(stand: &Stand, told: impl Future<Output = ()>, room: &Room) {
    let mut told = std::pin::pin!(told);
    tokio::select! {
        () = &mut told => stand.stop(Standing::ShuttingDown),
        () = stand.stopped() => {
            if let standing @ Standing::Superseded { .. } = stand.now() {
                tell(&[NotifyState::Status(&format!("not acting: {standing}"))]);
                told.await;
            } else if let Standing::JournalFailed(_) = stand.now() {
                tokio::select! {
                    () = &mut told => {}
                    () = until_there_is_space(room) => {}
                }
            }
        }
    }
}

/// At once where space is not what is missing.
async fn until_there_is_space(room: &Room) {
    let mut said = false;
    while let Err(why) = room.may_be_tried() {
        if !said {
            said = true;
            tracing::error!(
                why,
                "the disk of the journal is full: nothing acts until there is space"
            );
            tell(&[NotifyState::Status(&format!(
                "not acting until there is space: {why}"
            ))]);
        }
        tokio::time::sleep(LOOK_FOR_SPACE_EVERY).await;
    }
}

/// Resolves when somebody wants the program to end.
fn signalled() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for signals")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Tells systemd, where there is one.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
