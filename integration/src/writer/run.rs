//! One run: writers, recorder, and their end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::finder::{Finder, Primary};
use super::gaps::Gap;
use super::ledger::{LedgerError, LedgerWriter, Record};
use super::outcome::{Outcome, RowKey};
use super::server::{Servers, create_table, insert};
use super::status::{Status, StatusError, Tally};

/// What to do.
#[derive(Debug)]
pub struct RunOptions {
    /// Where to write.
    pub servers: Servers,
    /// How many writers, with one connection each.
    pub writers: u16,
    /// Inserts a second over all writers; none: as fast as they go.
    pub rate: Option<f64>,
    /// The ledger to make.
    pub ledger: PathBuf,
    /// The status file to keep, if any.
    pub status: Option<PathBuf>,
    /// How often to replace it.
    pub status_interval: Duration,
    /// After this an insert without an answer counts as unknown, and its connection is given up.
    pub statement_limit: Duration,
    /// Gaps longer than this are reported.
    pub threshold: Duration,
}

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Counts, and the longest gap.
    #[serde(flatten)]
    pub status: Status,
    /// How long it lasted, in seconds.
    pub seconds: f64,
    /// The gaps over the threshold.
    pub gaps: Vec<Gap>,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The outcomes could not be kept, so nothing may be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The status could not be told.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// A task of ours panicked.
    #[error("a task of the writing client died")]
    Died(#[from] tokio::task::JoinError),
}

/// A clock that never jumps: the wall clock at the start, and the monotonic clock from there.
#[derive(Debug, Clone, Copy)]
struct Clock {
    started: Instant,
    wall_us: u64,
}

impl Clock {
    fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started: Instant::now(),
            wall_us: micros(wall.expect("this machine's clock is set before 1970")),
        }
    }

    fn now_us(&self) -> u64 {
        self.wall_us + micros(self.started.elapsed())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Outcomes on their way to the recorder: a few seconds of writing, should the disk stall.
const CHANNEL_DEPTH: usize = 16_384;

/// Writes until `stop` turns true, then lets the inserts in flight end.
///
/// # Errors
/// When the ledger or the status file cannot be written.
pub async fn run(options: RunOptions, stop: watch::Receiver<bool>) -> Result<Summary, RunError> {
    let clock = Clock::start();
    let run = clock.wall_us; // names the rows of this run
    let options = Arc::new(options);
    let ledger = LedgerWriter::create(&options.ledger, run)?;

    let mut probes = JoinSet::new();
    let finder = Finder::start(&Arc::new(options.servers.clone()), &mut probes);
    let (records, inbox) = mpsc::channel(CHANNEL_DEPTH);
    let recorder = {
        let (options, finder) = (options.clone(), finder.clone());
        // On a thread of its own: it waits for the disk, the writers must not.
        tokio::task::spawn_blocking(move || {
            tokio::runtime::Handle::current()
                .block_on(record(clock, run, ledger, inbox, &options, &finder))
        })
    };
    let mut writers = JoinSet::new();
    for number in 0..options.writers {
        let writer = Writer {
            number,
            run,
            clock,
            options: options.clone(),
            finder: finder.clone(),
            records: records.clone(),
            stop: stop.clone(),
        };
        writers.spawn(writer.write());
    }
    drop(records); // the recorder ends with the last writer
    let mut died = None;
    while let Some(ended) = writers.join_next().await {
        died = died.or(ended.err());
    }
    let summary = recorder.await??;
    probes.shutdown().await;
    match died {
        Some(panic) => Err(panic.into()),
        None => Ok(summary),
    }
}

/// Keeps the ledger and the status file until the last writer is gone.
async fn record(
    clock: Clock,
    run: u64,
    mut ledger: LedgerWriter,
    mut inbox: mpsc::Receiver<Record>,
    options: &RunOptions,
    finder: &Finder,
) -> Result<Summary, RunError> {
    let mut tally = Tally::new(run, micros(options.threshold));
    let mut ticks = interval(options.status_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut batch = Vec::new();
    let host = || finder.current().map(|primary| primary.host);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let status = tally.status(clock.now_us(), host(), true);
                if let Some(path) = &options.status {
                    status.write(path)?;
                }
            }
            received = inbox.recv_many(&mut batch, 1024) => {
                if received == 0 {
                    break;
                }
                for record in batch.drain(..) {
                    ledger.append(&record)?;
                    tally.count(record.outcome, record.at_us);
                }
                ledger.flush()?;
            }
        }
    }
    ledger.finish()?;
    let status = tally.status(clock.now_us(), host(), false);
    if let Some(path) = &options.status {
        status.write(path)?;
    }
    Ok(Summary {
        status,
        seconds: clock.started.elapsed().as_secs_f64(),
        gaps: tally.gaps().to_vec(),
    })
}

struct Writer {
    number: u16,
    run: u64,
    clock: Clock,
    options: Arc<RunOptions>,
    finder: Finder,
    records: mpsc::Sender<Record>,
    stop: watch::Receiver<bool>,
}

impl Writer {
    async fn write(mut self) {
        let mut stop = self.stop.clone();
        let mut pace = self.options.rate.map(|rate| {
            let mut ticks = interval(Duration::from_secs_f64(
                f64::from(self.options.writers) / rate,
            ));
            // Inserts missed in a gap are not made up for: the load after it is the load before it.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        let mut connected = None;
        for seq in 1.. {
            let ready = async {
                if let Some(ticks) = &mut pace {
                    ticks.tick().await;
                }
                match connected.take() {
                    Some(kept) => Some(kept),
                    None => self.connect().await,
                }
            };
            let (mut conn, primary) = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                ready = ready => match ready {
                    Some(ready) => ready,
                    None => return, // the probes are gone: the run is ending
                },
            };
            let key = RowKey {
                writer: self.number,
                seq,
            };
            let sent = Instant::now();
            let answer = tokio::time::timeout(
                self.options.statement_limit,
                insert(&mut conn, self.run, key),
            );
            let outcome = match answer.await {
                Ok(Ok(())) => Outcome::Acked,
                Ok(Err(error)) => {
                    tracing::debug!(host = primary.host, writer = key.writer, seq, %error, "insert");
                    Outcome::of_error(&error)
                }
                Err(_) => Outcome::Unknown,
            };
            let record = Record {
                key,
                outcome,
                at_us: self.clock.now_us(),
                took_us: micros(sent.elapsed()),
            };
            if self.records.send(record).await.is_err() {
                return; // the recorder failed, and says why
            }
            match outcome {
                Outcome::Acked => connected = Some((conn, primary)),
                Outcome::Failed | Outcome::Unknown => self.finder.lost(&primary),
            }
        }
    }

    /// A connection to the primary, and the table on it. Ends without one only when the finder does.
    async fn connect(&mut self) -> Option<(mysql_async::Conn, Primary)> {
        loop {
            let primary = self.finder.primary().await?;
            let attempt = async {
                let mut conn = self.options.servers.connect(&primary.host).await?;
                create_table(&mut conn, &primary.host).await?;
                Ok::<_, super::server::ServerError>(conn)
            };
            match attempt.await {
                Ok(conn) => return Some((conn, primary)),
                Err(error) => {
                    tracing::debug!(host = primary.host, writer = self.number, %error, "connect");
                    self.finder.lost(&primary);
                }
            }
        }
    }
}
