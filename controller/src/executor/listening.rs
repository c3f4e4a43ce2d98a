//! Listening to the beats of a cluster's members while a rollout runs, for the write meter.

use super::World;
use super::writes::WriteMeter;
use crate::rollouts::Writes;
use refit_shared::ids::ClusterName;
use refit_shared::observation::Beat;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Beats that may wait; the owner takes them between two journal writes.
const INBOX: usize = 256;

#[derive(Debug)]
pub(super) struct Listening {
    world: Arc<World>,
    meter: WriteMeter,
    to: mpsc::Sender<Beat>,
    beats: mpsc::Receiver<Beat>,
    /// One a member, while something runs.
    listeners: JoinSet<()>,
}

impl Listening {
    /// Begins deaf. `largest_gap_ms` is what was measured before; of a group only ONLINE members count.
    pub(super) fn new(world: Arc<World>, largest_gap_ms: u64, in_group: bool) -> Self {
        let (to, beats) = mpsc::channel(INBOX);
        Self {
            world,
            meter: WriteMeter::with_largest(largest_gap_ms, in_group),
            to,
            beats,
            listeners: JoinSet::new(),
        }
    }

    /// Listens to every member of the cluster, or to nobody.
    pub(super) fn attend(&mut self, cluster: &ClusterName, runs: bool) {
        let listens = !self.listeners.is_empty();
        if runs == listens {
            return;
        }
        if !runs {
            // What is replaced is dropped, and dropping ends it.
            self.listeners = JoinSet::new();
            self.meter.forget();
            return;
        }
        let Some(cluster) = self.world.fleet.cluster(cluster) else {
            return;
        };
        for member in &cluster.members {
            let (world, to, name) = (
                Arc::clone(&self.world),
                self.to.clone(),
                member.name.clone(),
            );
            self.listeners.spawn(async move {
                loop {
                    // Why an agent can't be asked is told by whoever needs it for a step.
                    let every = world.timing.beat_every;
                    let _ = world.agents.beats(&name, every, to.clone()).await;
                    sleep(world.timing.redial.0).await;
                }
            });
        }
    }

    /// The next beat. Cancel-safe.
    pub(super) async fn next(&mut self) -> Beat {
        let beat = self.beats.recv().await;
        beat.expect("the other end is held here too")
    }

    /// Takes a beat; the gap that it ends or lengthens in milliseconds, 0 when there is none, `None` when nobody can tell.
    pub(super) fn hear(&mut self, beat: Beat) -> Option<u64> {
        let gap = self.meter.hear(beat, Instant::now())?;
        Some(u64::try_from(gap.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn writes(&self) -> Writes {
        self.meter.read(Instant::now())
    }

    pub(super) async fn end(mut self) {
        self.listeners.shutdown().await;
    }
}
