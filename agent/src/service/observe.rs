//! Putting an observation together: every port is asked at once, each fact has a time of its own, and what can't be had
//! becomes a reason.
//!
//! Facts that cost seconds to read (the package index, the sizes of directories) are kept for a few seconds, and never
//! across an operation of our own.

use crate::host::{Host, HostError, HostResult};
use crate::worker::{Clock, View};
use refit_shared::ids::{ClusterName, MemberName};
use refit_shared::observation::{AgentFacts, Fact, HostFacts, Observation};
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// How long one fact may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How old a costly fact may be. Gates, which look several times a second, do not rest on these.
const FRESH: Duration = Duration::from_secs(5);

/// Looks at one host.
#[derive(Debug)]
pub struct Looker {
    cluster: ClusterName,
    member: MemberName,
    host: Host,
    worker: watch::Receiver<View>,
    clock: Arc<dyn Clock>,
    packages: Kept<refit_shared::observation::PackageFacts>,
    storage: Kept<refit_shared::observation::StorageFacts>,
}

impl Looker {
    pub fn new(
        cluster: ClusterName,
        member: MemberName,
        host: Host,
        worker: watch::Receiver<View>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            cluster,
            member,
            host,
            worker,
            clock,
            packages: Kept::default(),
            storage: Kept::default(),
        }
    }

    /// Looks once. An error means that the agent could not even read its own state.
    pub async fn look(&self) -> HostResult<Observation> {
        let host = &self.host;
        let view = self.worker.borrow().clone();
        let (in_maintenance, held, service, packages, config_digest, storage, server, rehearsals) = tokio::join!(
            within(host.files.in_maintenance()),
            within(host.files.held()),
            within(host.service.state()),
            self.packages.get(view.ended, within(host.packages.facts())),
            within(host.files.config_digest()),
            self.storage.get(view.ended, within(host.files.storage())),
            within(host.mysql.facts()),
            within(host.rehearsals.kept()),
        );
        Ok(Observation {
            member: self.member.clone(),
            cluster: self.cluster.clone(),
            at_unix_ms: self.clock.now_unix_ms(),
            agent: AgentFacts {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                highest_epoch: view.highest_epoch,
                working_on: view.working_on,
                in_maintenance: in_maintenance?,
                holding_server_down: held?,
                replication_user: host.mysql.replication_user(),
                measured_s: view.measured_s,
                rehearsals: rehearsals.unwrap_or_else(|why| {
                    // Figures of the past: without them estimates are rougher, and nothing else.
                    tracing::warn!(%why, "what earlier rehearsals found can't be read");
                    Vec::new()
                }),
            },
            host: machine(),
            service: fact(service),
            packages,
            config_digest: fact(config_digest),
            storage,
            server: fact(server),
        })
    }
}

async fn within<T>(work: impl Future<Output = HostResult<T>>) -> HostResult<T> {
    match timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_) => Err(HostError::Timeout {
            what: "looking".to_owned(),
            after: PATIENCE,
        }),
    }
}

fn fact<T>(result: HostResult<T>) -> Fact<T> {
    match result {
        Ok(value) => Fact::Known(value),
        Err(why) => Fact::Unknown(why.to_string()),
    }
}

/// A fact that is read anew when it is old, or when an operation has ended since.
#[derive(Debug)]
struct Kept<T>(Mutex<Option<(Instant, u64, T)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Kept<T> {
    async fn get(&self, ended: u64, read: impl Future<Output = HostResult<T>>) -> Fact<T> {
        if let Some((at, of, value)) = &*self.slot()
            && *of == ended
            && at.elapsed() < FRESH
        {
            return Fact::Known(value.clone());
        }
        // What was read before the operation ended must not be kept as if it were read after it.
        let value = read.await;
        if let Ok(value) = &value {
            *self.slot() = Some((Instant::now(), ended, value.clone()));
        }
        fact(value)
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<(Instant, u64, T)>> {
        // A panic while it was held can't leave a half-written value: it is replaced as a whole.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The machine itself, as the kernel and os-release tell.
fn machine() -> HostFacts {
    let read = |path: &str| match std::fs::read_to_string(Path::new(path)) {
        Ok(text) => Fact::Known(text.trim().to_owned()),
        Err(why) => Fact::Unknown(format!("reading {path}: {why}")),
    };
    let os = match read("/etc/os-release") {
        Fact::Known(text) => {
            let name = text
                .lines()
                .find_map(|line| line.strip_prefix("PRETTY_NAME="));
            name.map_or_else(
                || "unnamed".to_owned(),
                |name| name.trim_matches('"').to_owned(),
            )
        }
        Fact::Unknown(why) => why,
    };
    let uptime_s = match read("/proc/uptime") {
        Fact::Known(text) => match text.split('.').next().map(str::parse) {
            Some(Ok(seconds)) => Fact::Known(seconds),
            _ => Fact::Unknown(format!("/proc/uptime says {text:?}")),
        },
        Fact::Unknown(why) => Fact::Unknown(why),
    };
    HostFacts {
        hostname: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        os,
        boot_id: read("/proc/sys/kernel/random/boot_id"),
        uptime_s,
    }
}
