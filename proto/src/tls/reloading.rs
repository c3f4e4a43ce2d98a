//! Picking up renewed certificates without a restart.
//!
//! One [`Reloading`] serves a whole program, as server and as client. [`Reloading::watch`] looks at
//! the files once a second; a good change is swapped in atomically and used by the next handshake; a
//! bad one is reported once and the old certificate stays in use.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;

use super::material::OwnValidity;
use super::{Clock, Material, MaterialError, MaterialPaths, Revoked, config};
use crate::identity::Identity;

/// How often [`Reloading::watch`] should look at the files.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// Below this much life left, the certificate is reported once as about to expire.
const EXPIRY_WARNING: Duration = Duration::from_secs(14 * 24 * 3600);

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// The files say what is already in use.
    Unchanged,
    /// The next handshake uses the new files.
    Swapped {
        old_serial: String,
        new_serial: String,
    },
}

/// Why a reload kept the old certificate.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error(transparent)]
    Material(#[from] MaterialError),
    #[error(
        "the new certificate is for {new}, but this program is {old}: restart it if that is meant"
    )]
    OtherIdentity { old: Identity, new: Identity },
    #[error("the new certificate is not valid now ({new:?}), the one in use is")]
    NotValid { new: OwnValidity },
    #[error("the TLS library refuses the new certificate")]
    Refused(#[source] rustls::Error),
}

/// A program's certificate, replaceable while it runs.
#[derive(Debug)]
pub struct Reloading {
    paths: MaterialPaths,
    clock: Clock,
    current: ArcSwap<Loaded>,
    /// The deny list in use, for connections that are open.
    denied: watch::Sender<Arc<Revoked>>,
    /// Held only for the few instructions of comparing and noting stamps; never across an await.
    watching: Mutex<Watching>,
}

#[derive(Debug)]
struct Loaded {
    material: Material,
    server: Arc<ServerConfig>,
}

/// What the watcher has seen and said, so that it says it once.
#[derive(Debug)]
struct Watching {
    /// Files as they were when last loaded, or given up on.
    settled: Stamp,
    /// Files that failed to load in the last look; reported if the next look finds the same ones.
    suspect: Option<Stamp>,
    reported: Option<Standing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Good,
    EndsSoon,
    NotYet,
    Expired,
}

impl Reloading {
    /// Loads the files for the first time.
    pub fn open(paths: MaterialPaths) -> Result<Arc<Reloading>, ReloadError> {
        Reloading::open_with_clock(paths, Clock::system())
    }

    /// The same with another clock, for tests and simulations.
    pub fn open_with_clock(
        paths: MaterialPaths,
        clock: Clock,
    ) -> Result<Arc<Reloading>, ReloadError> {
        // The stamp is taken first: a change during the load is then seen as a change.
        let settled = Stamp::of(&paths);
        let loaded = Loaded::new(Material::load(&paths)?, &clock)?;
        Ok(Arc::new(Reloading {
            paths,
            clock,
            denied: watch::Sender::new(Arc::clone(loaded.material.revoked())),
            current: ArcSwap::from_pointee(loaded),
            watching: Mutex::new(Watching {
                settled,
                suspect: None,
                reported: None,
            }),
        }))
    }

    /// Whose certificate this is; the same for the life of the program.
    pub fn identity(&self) -> Identity {
        self.current.load().material.identity().clone()
    }

    /// A snapshot of what is in use now.
    pub fn material(&self) -> Material {
        self.current.load().material.clone()
    }

    /// How our own certificate stands now.
    pub fn validity(&self) -> OwnValidity {
        self.current.load().material.validity(self.clock.utc())
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The deny list, now and whenever it changes.
    pub(super) fn denied(&self) -> watch::Receiver<Arc<Revoked>> {
        self.denied.subscribe()
    }

    /// The configuration for the next connection to accept.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().server)
    }

    /// The configuration for the next connection to dial, which must reach exactly `expected`.
    pub fn client_config(&self, expected: &Identity) -> Result<Arc<ClientConfig>, rustls::Error> {
        config::client(&self.current.load().material, &self.clock, expected).map(Arc::new)
    }

    /// Reads the files now and swaps them in if they are good; on an error the old ones stay.
    pub fn reload(&self) -> Result<Reload, ReloadError> {
        let new = Material::load(&self.paths)?;
        let old = self.current.load();
        if new.same_as(&old.material) {
            return Ok(Reload::Unchanged);
        }
        if new.identity() != old.material.identity() {
            return Err(ReloadError::OtherIdentity {
                old: old.material.identity().clone(),
                new: new.identity().clone(),
            });
        }
        let now = self.clock.utc();
        let validity = new.validity(now);
        let usable = |validity| matches!(validity, OwnValidity::Valid { .. });
        if usable(old.material.validity(now)) && !usable(validity) {
            return Err(ReloadError::NotValid { new: validity });
        }
        let swapped = Reload::Swapped {
            old_serial: old.material.facts().serial.clone(),
            new_serial: new.facts().serial.clone(),
        };
        let denied = Arc::clone(new.revoked());
        self.current.store(Arc::new(Loaded::new(new, &self.clock)?));
        self.denied.send_replace(denied);
        Ok(swapped)
    }

    /// Looks at the files every `every` (see [`RELOAD_INTERVAL`]) until `stop` resolves.
    pub async fn watch(self: Arc<Self>, every: Duration, stop: impl Future<Output = ()> + Send) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = ticks.tick() => {}
            }
            let this = Arc::clone(&self);
            // A file system that hangs must hang a blocking thread, not the runtime.
            let look = tokio::task::spawn_blocking(move || this.look());
            tokio::select! {
                () = &mut stop => return,
                done = look => if let Err(error) = done {
                    tracing::error!(%error, "looking at the certificate files failed");
                },
            }
        }
    }

    /// One look: reload if the files changed, and report each state of affairs once.
    pub fn look(&self) {
        let stamp = Stamp::of(&self.paths);
        if self.take_if_changed(&stamp) {
            match self.reload() {
                Ok(outcome) => {
                    self.settle(stamp);
                    if let Reload::Swapped {
                        old_serial,
                        new_serial,
                    } = outcome
                    {
                        let material = self.material();
                        tracing::info!(old_serial, new_serial, not_after = %material.facts().not_after,
                            revoked = material.revoked().len(), "certificate files reloaded");
                    }
                }
                Err(error) => {
                    if self.note_failure(stamp) {
                        let error = crate::tls::fault::chain_text(&error);
                        tracing::error!(
                            error,
                            "new certificate files are not usable; the old certificate stays in use"
                        );
                    }
                }
            }
        }
        self.report_standing();
    }

    fn take_if_changed(&self, stamp: &Stamp) -> bool {
        self.watching().settled != *stamp
    }

    fn settle(&self, stamp: Stamp) {
        let mut watching = self.watching();
        watching.settled = stamp;
        watching.suspect = None;
    }

    /// True when these very files failed twice in a row: somebody copying them one by one is given
    /// until the next look to finish.
    fn note_failure(&self, stamp: Stamp) -> bool {
        let mut watching = self.watching();
        let again = watching.suspect.as_ref() == Some(&stamp);
        if again {
            watching.settled = stamp;
            watching.suspect = None;
        } else {
            watching.suspect = Some(stamp);
        }
        again
    }

    fn report_standing(&self) {
        let validity = self.validity();
        let standing = match validity {
            OwnValidity::Expired { .. } => Standing::Expired,
            OwnValidity::NotYet { .. } => Standing::NotYet,
            OwnValidity::Valid { left } if left < EXPIRY_WARNING => Standing::EndsSoon,
            OwnValidity::Valid { .. } => Standing::Good,
        };
        if self.watching().reported.replace(standing) == Some(standing) {
            return;
        }
        let identity = self.identity();
        match validity {
            OwnValidity::Expired { not_after } => tracing::error!(%identity, %not_after,
                "our own certificate has expired: nobody will talk to us until `refit pki renew` is run and its files are installed"),
            OwnValidity::NotYet { not_before } => tracing::error!(%identity, %not_before,
                "our own certificate is not valid yet: check this host's clock"),
            OwnValidity::Valid { left } if standing == Standing::EndsSoon => {
                tracing::warn!(%identity, hours_left = left.as_secs() / 3600,
                "our own certificate ends soon: run `refit pki renew`");
            }
            OwnValidity::Valid { .. } => {}
        }
    }

    fn watching(&self) -> std::sync::MutexGuard<'_, Watching> {
        // Nothing in the critical sections can leave a half-made state behind.
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    fn new(material: Material, clock: &Clock) -> Result<Loaded, ReloadError> {
        let server = config::server(&material, clock).map_err(ReloadError::Refused)?;
        Ok(Loaded {
            material,
            server: Arc::new(server),
        })
    }
}

/// Tells whether a file was replaced or written to; content is compared only after that.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp([Option<FileStamp>; 4]);

#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Also moves when the mode or the owner is corrected.
    changed: (i64, i64),
}

impl Stamp {
    fn of(paths: &MaterialPaths) -> Stamp {
        // A file that cannot be looked at is one state among others: the load says what is wrong.
        let file = |path: &Path| {
            std::fs::metadata(path).ok().map(|meta| FileStamp {
                device: meta.dev(),
                inode: meta.ino(),
                size: meta.size(),
                modified: (meta.mtime(), meta.mtime_nsec()),
                changed: (meta.ctime(), meta.ctime_nsec()),
            })
        };
        Stamp([
            file(&paths.ca),
            file(&paths.cert),
            file(&paths.key),
            file(&paths.revoked()),
        ])
    }
}
