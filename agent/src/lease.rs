//! A pause of writes is a lease: it is durable before it begins, and ends by itself, whoever is gone. The one exception is a
//! server that has handed its writes over: there the pause is lasting, until an operation ends it.
//!
//! ```text
//! begin ──> held ──(time is up, by the agent alone)──> writes are let in, nothing is held
//!             ├──make_lasting──> lasting ──end──> nothing is held
//!             └──end──> nothing is held
//! ```
//!
//! Source of the idea: the controller must be able to die at any moment (DESIGN, "Write pauses are leases"). After a restart of
//! the agent the host's clock says how much of a lease is left; while the agent lives, its own does.

use crate::host::{Host, HostError, HostResult};
use crate::ledger::Disk;
use crate::ledger::disk::{decode, encode};
use crate::worker::Clock;
use refit_shared::ids::RolloutId;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, sleep_until};

const FILE: &str = "write-pause";
/// How long to wait before letting writes in is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pause {
    rollout: RolloutId,
    until_unix_ms: i64,
    /// How long it was meant to last when it began: a clock that is set back while the agent is down makes it no longer.
    /// Leases of an agent that did not write this end at once.
    #[serde(default)]
    lease_ms: i64,
    lasting: bool,
}

#[derive(Debug)]
enum Held {
    Nothing,
    Pause {
        pause: Pause,
        until: Instant,
    },
    /// The file can't be read: nobody may rest anything on it.
    Damaged(String),
}

/// This host's lease. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Lease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
    changed: Notify,
}

impl Lease {
    /// As an earlier incarnation left it.
    pub fn open(state_dir: &Path, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Self {
        let path = state_dir.join(FILE);
        let held = match std::fs::read(&path) {
            Ok(bytes) => match decode::<Option<Pause>>(&bytes) {
                Ok(Some(pause)) => {
                    let left = pause.until_unix_ms.saturating_sub(clock.now_unix_ms());
                    let left = left.min(pause.lease_ms);
                    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                    Held::Pause {
                        pause,
                        until: Instant::now() + left,
                    }
                }
                Ok(None) => Held::Nothing,
                Err(why) => Held::Damaged(format!("{} is damaged: {why}", path.display())),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Held::Nothing,
            Err(error) => Held::Damaged(format!("{}: {error}", path.display())),
        };
        Self(Arc::new(Inner {
            path,
            disk,
            clock,
            held: Mutex::new(held),
            changed: Notify::new(),
        }))
    }

    /// From now on the pause ends by itself after `lease`.
    pub async fn begin(&self, rollout: &RolloutId, lease: Duration) -> HostResult<()> {
        let mut held = self.0.held.lock().await;
        let ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let pause = Pause {
            rollout: rollout.clone(),
            until_unix_ms: self.0.clock.now_unix_ms().saturating_add(ms),
            lease_ms: ms,
            lasting: false,
        };
        self.write(Some(&pause)).await?;
        *held = Held::Pause {
            pause,
            until: Instant::now() + lease,
        };
        self.0.changed.notify_one();
        Ok(())
    }

    /// Whether this rollout's pause is in force: held and not run out, or lasting.
    pub async fn is_held_by(&self, rollout: &RolloutId) -> HostResult<bool> {
        Ok(match &*self.0.held.lock().await {
            Held::Nothing => false,
            Held::Pause { pause, until } => {
                pause.rollout == *rollout && (pause.lasting || Instant::now() < *until)
            }
            Held::Damaged(why) => return Err(HostError::Unexpected(why.clone())),
        })
    }

    pub async fn is_lasting(&self, rollout: &RolloutId) -> HostResult<bool> {
        Ok(match &*self.0.held.lock().await {
            Held::Nothing => false,
            Held::Pause { pause, .. } => pause.rollout == *rollout && pause.lasting,
            Held::Damaged(why) => return Err(HostError::Unexpected(why.clone())),
        })
    }

    /// Whether writes are let in by the agent once the time is up, whosever pause it is.
    pub async fn is_running(&self) -> bool {
        let held = self.0.held.lock().await;
        matches!(&*held, Held::Pause { pause, .. } if !pause.lasting)
    }

    /// The agent will not let writes in by itself any more. `false`: it has done so, or was about to.
    pub async fn make_lasting(&self, rollout: &RolloutId) -> HostResult<bool> {
        let mut held = self.0.held.lock().await;
        match &mut *held {
            Held::Pause { pause, until } if pause.rollout == *rollout => {
                if pause.lasting {
                    return Ok(true);
                }
                if Instant::now() >= *until {
                    return Ok(false);
                }
                let lasting = Pause {
                    lasting: true,
                    ..pause.clone()
                };
                self.write(Some(&lasting)).await?;
                *pause = lasting;
                self.0.changed.notify_one();
                Ok(true)
            }
            Held::Nothing | Held::Pause { .. } => Ok(false),
            Held::Damaged(why) => Err(HostError::Unexpected(why.clone())),
        }
    }

    /// Nothing is paused any more, or nobody waits for its end.
    pub async fn end(&self) -> HostResult<()> {
        let mut held = self.0.held.lock().await;
        if !matches!(*held, Held::Nothing) {
            self.write(None).await?;
            *held = Held::Nothing;
            self.0.changed.notify_one();
        }
        Ok(())
    }

    /// Lets writes in when a lease has run out. Runs for as long as the agent does.
    pub async fn keep(self, host: Host) {
        loop {
            let changed = self.0.changed.notified();
            let mut held = self.0.held.lock().await;
            let due = match &*held {
                Held::Pause { pause, until } if !pause.lasting => Some(*until),
                Held::Nothing | Held::Pause { .. } | Held::Damaged(_) => None,
            };
            let Some(due) = due else {
                drop(held);
                changed.await;
                continue;
            };
            if Instant::now() < due {
                drop(held);
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = changed => {}
                }
                continue;
            }
            // Held all the while: nobody can make a pause lasting that is being lifted.
            let lifted = match host.mysql.set_super_read_only(false).await {
                Ok(()) => self.write(None).await,
                Err(error) => Err(error),
            };
            match lifted {
                Ok(()) => {
                    tracing::warn!("nobody ended a write pause in time: writes are let in again");
                    *held = Held::Nothing;
                }
                Err(error) => {
                    drop(held);
                    tracing::warn!(%error, "a write pause has run out and writes can't be let in yet");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    async fn write(&self, pause: Option<&Pause>) -> HostResult<()> {
        let written = self.0.disk.write(&self.0.path, encode(&pause)).await;
        written.map_err(|source| HostError::Io {
            action: "writing",
            what: self.0.path.display().to_string(),
            source,
        })
    }
}
