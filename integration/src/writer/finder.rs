//! Finds the member that takes writes, and tells every writer.
//!
//! One probe task a host, with a connection of its own. They rest while the writers are content; when a writer loses the
//! primary they ask all hosts side by side, so that one dead host does not delay the answer of another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::server::{Servers, is_primary};

/// How long a probe rests between two questions while somebody searches.
const PAUSE: Duration = Duration::from_millis(10);

/// Where to write, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// Address of the member.
    pub host: String,
    /// How many primaries were found before this one; a writer that loses it says which one it lost.
    pub generation: u64,
}

/// The writers' end.
#[derive(Debug, Clone)]
pub struct Finder {
    found: watch::Receiver<Option<Primary>>,
    /// The generation that is searched for; the probes work while it is ahead of what was found.
    wanted: watch::Sender<u64>,
}

impl Finder {
    /// Starts the probes in `tasks`; they end when these are shut down.
    pub fn start(servers: &Arc<Servers>, tasks: &mut JoinSet<()>) -> Self {
        let (found_tx, found) = watch::channel(None);
        let (wanted, wanted_rx) = watch::channel(1);
        let found_tx = Arc::new(found_tx);
        for host in &servers.hosts {
            tasks.spawn(probe(
                servers.clone(),
                host.clone(),
                wanted_rx.clone(),
                found_tx.clone(),
            ));
        }
        Self { found, wanted }
    }

    /// What is known now.
    #[must_use]
    pub fn current(&self) -> Option<Primary> {
        self.found.borrow().clone()
    }

    /// Says that this primary does not take writes any more.
    pub fn lost(&self, primary: &Primary) {
        self.wanted.send_if_modified(|wanted| {
            let behind = *wanted <= primary.generation;
            *wanted = (*wanted).max(primary.generation + 1);
            behind
        });
    }

    /// Waits for a primary that nobody has lost yet. Has no deadline of its own: the caller stops waiting when the run ends.
    pub async fn primary(&mut self) -> Option<Primary> {
        let wanted = self.wanted.subscribe();
        let fresh = |found: &Option<Primary>| {
            found
                .as_ref()
                .is_some_and(|p| p.generation >= *wanted.borrow())
        };
        self.found.wait_for(fresh).await.ok()?.clone()
    }
}

async fn probe(
    servers: Arc<Servers>,
    host: String,
    mut wanted: watch::Receiver<u64>,
    found: Arc<watch::Sender<Option<Primary>>>,
) {
    let mut conn = None;
    loop {
        let known = found.borrow().as_ref().map_or(0, |p| p.generation);
        let Ok(generation) = wanted.wait_for(|w| *w > known).await.map(|w| *w) else {
            return; // no writer is left
        };
        let asked = match conn.take() {
            Some(open) => Ok(open),
            None => servers.connect(&host).await,
        };
        // Unreachable, or an answer that never came: not a primary now; asked again.
        if let Ok(mut open) = asked
            && let Ok(writable) = is_primary(&mut open, &host).await
        {
            conn = Some(open);
            if writable {
                found.send_if_modified(|found| {
                    let news = found.as_ref().is_none_or(|p| p.generation < generation);
                    if news {
                        *found = Some(Primary {
                            host: host.clone(),
                            generation,
                        });
                    }
                    news
                });
                continue;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
