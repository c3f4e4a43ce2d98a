//! A client that writes all the while, and knows what was acknowledged and for how long nothing was.

use refit_agent::simhost::SimWorld;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy)]
struct Seen {
    last: Instant,
    longest: Duration,
    acknowledged: u64,
}

/// A running client.
#[derive(Debug)]
pub struct Client {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What a client tells at its end.
#[derive(Debug, Clone, Copy)]
pub struct Writes {
    pub acknowledged: u64,
    /// No write was acknowledged for so long.
    pub longest_gap: Duration,
}

impl Client {
    pub fn start(world: SimWorld) -> Self {
        let seen = Arc::new(Mutex::new(Seen {
            last: Instant::now(),
            longest: Duration::ZERO,
            acknowledged: 0,
        }));
        let tells = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let written = world.write().is_ok();
                let now = Instant::now();
                {
                    let mut seen = tells.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.longest = seen.longest.max(now - seen.last);
                    if written {
                        seen.last = now;
                        seen.acknowledged += 1;
                    }
                }
                sleep(EVERY).await;
            }
        });
        Self { seen, task }
    }

    pub fn end(self) -> Writes {
        self.task.abort();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Writes {
            acknowledged: seen.acknowledged,
            longest_gap: seen.longest,
        }
    }
}
