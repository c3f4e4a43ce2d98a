//! For how long writes are paused on a lease: until the lease is ended, made lasting, or has run out and writes are let in again.

use super::agents::Agents;
use refit_shared::ids::MemberName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const LOOKS_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Seen {
    began: BTreeMap<MemberName, Instant>,
    longest: Duration,
}

impl Seen {
    fn look(&mut self, member: MemberName, paused: bool, now: Instant) {
        if let Some(began) = self.began.get(&member) {
            self.longest = self.longest.max(now - *began);
        }
        if paused {
            self.began.entry(member).or_insert(now);
        } else {
            self.began.remove(&member);
        }
    }
}

/// Somebody who looks at every agent's lease all the while.
#[derive(Debug)]
pub struct WritePauses {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl WritePauses {
    pub fn watch(hosts: Agents) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let tells = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                for member in hosts.members() {
                    // While an agent is down nobody ends its pause.
                    let Some(agent) = hosts.agent(&member) else {
                        continue;
                    };
                    let paused = agent.has_a_lease_running().await;
                    let mut seen = tells.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.look(member, paused, Instant::now());
                }
                sleep(LOOKS_EVERY).await;
            }
        });
        Self { seen, task }
    }

    /// The longest one.
    pub fn end(self) -> Duration {
        self.task.abort();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.longest
    }
}

#[test]
fn a_pause_lasts_from_its_beginning_to_when_it_is_over() {
    let mut seen = Seen::default();
    let name = super::member("db1");
    let began = Instant::now();
    for (after, paused) in [
        (0, false),
        (1, true),
        (4, true),
        (6, false),
        (9, true),
        (10, true),
    ] {
        seen.look(name.clone(), paused, began + Duration::from_secs(after));
    }
    assert_eq!(seen.longest, Duration::from_secs(5));
}
