//! One incarnation of the real controller in the simulated world: started on the journal that the last one left, and killed.

use super::World;
use super::faults::Faults;
use super::wire::{Pulse, Twice, Wire};
use async_trait::async_trait;
use refit_agent::simhost::SimWorld;
use refit_controller::executor::{Timing, World as Executing};
use refit_controller::journal::faulty::Fault;
use refit_controller::journal::{FaultyJournal, MemoryJournal, Room};
use refit_controller::observing::Observer;
use refit_controller::ports::{Clock, Journal, JournalError};
use refit_controller::rollouts::{Rollouts, Running};
use refit_controller::standing::{Stand, Standing};
use refit_shared::ids::{Digest, Epoch, RolloutId};
use refit_shared::plan::Plan;
use refit_shared::saga::Entry;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// As in production, but for what only costs time.
const TIMING: Timing = Timing {
    look_deadline: Duration::from_secs(5),
    gate_interval: Duration::from_secs(1),
    settle_before: Duration::from_secs(2),
    settle_after: Duration::from_secs(10),
    patience: Duration::from_secs(120),
    redial: (Duration::from_millis(200), Duration::from_secs(2)),
    beat_every: Duration::from_secs(1),
    publish_every: Duration::from_secs(10),
    restored_within: Duration::from_secs(60),
};

/// The world's clock.
#[derive(Debug)]
struct SimClock(SimWorld);

impl Clock for SimClock {
    fn now_unix_ms(&self) -> i64 {
        self.0.now_unix_ms()
    }
}

/// A running controller.
#[derive(Debug)]
pub struct Controller {
    pub rollouts: Rollouts,
    pub epoch: Epoch,
    running: Running,
    stand: Stand,
    pulse: watch::Sender<Pulse>,
    crashed: watch::Receiver<bool>,
    /// A row of the matrix has killed it.
    struck: watch::Receiver<bool>,
    journal: Arc<FaultyJournal<MemoryJournal>>,
}

impl Controller {
    /// Opens the journal under the next epoch.
    pub async fn start(
        world: &World,
        journal: MemoryJournal,
        fault: Fault,
        twice: Twice,
    ) -> Result<Self, JournalError> {
        let pulse = watch::Sender::new(Pulse::Running);
        let mut struck = world.faults.killed_the_controller();
        struck.mark_unchanged();
        let journal = Arc::new(FaultyJournal::new(journal, fault));
        let epoch = journal.next_epoch().await?;
        let stand = Stand::acting(epoch);
        let wire = Arc::new(Wire::new(
            world.hosts.clone(),
            world.faults.clone(),
            twice,
            pulse.subscribe(),
            Arc::clone(&world.wrongs),
        ));
        let executing = Executing {
            agents: wire.clone(),
            journal: Arc::new(Stoppable {
                inner: Arc::clone(&journal),
                pulse: pulse.subscribe(),
                faults: world.faults.clone(),
            }),
            clock: Arc::new(SimClock(world.sim.clone())),
            fleet: Arc::clone(&world.fleet),
            observer: Observer::new(wire, Arc::clone(&world.fleet)),
            stand: stand.clone(),
            epoch,
            timing: TIMING,
        };
        let (rollouts, running) = Rollouts::start(Arc::new(executing), Room::Unlimited).await?;
        Ok(Self {
            rollouts,
            epoch,
            running,
            stand,
            pulse,
            crashed: journal.crash(),
            struck,
            journal,
        })
    }

    /// How many appends it has asked its journal for.
    pub fn appends(&self) -> u64 {
        self.journal.appends()
    }

    pub fn standing(&self) -> Standing {
        self.stand.now()
    }

    /// Resolves when a fault of the journal says that the controller dies here.
    pub async fn dies(&self) {
        let (mut crashed, mut struck) = (self.crashed.clone(), self.struck.clone());
        let dies = tokio::select! {
            biased;
            dies = crashed.wait_for(|crashed| *crashed) => dies.is_ok(),
            dies = struck.changed() => dies.is_ok(),
        };
        if !dies {
            std::future::pending::<()>().await;
        }
    }

    /// kill -9: whatever it was waiting for never comes.
    pub fn kill(self) {
        self.pulse.send_replace(Pulse::Dead);
        self.stand.stop(Standing::ShuttingDown);
    }

    /// Its machine is stopped for a while: nothing of it happens, and it does not know.
    pub fn freeze_for(&self, time: Duration) {
        self.pulse.send_replace(Pulse::Stopped);
        let pulse = self.pulse.clone();
        tokio::spawn(async move {
            sleep(time).await;
            pulse.send_replace(Pulse::Running);
        });
    }

    /// An orderly end, or one that its standing has brought about already: every task must come to its end.
    pub async fn end(self) {
        self.stand.stop(Standing::ShuttingDown);
        drop(self.rollouts);
        self.running.ended().await;
    }
}

/// The journal as a controller that may be stopped or dead reaches it.
struct Stoppable {
    inner: Arc<FaultyJournal<MemoryJournal>>,
    pulse: watch::Receiver<Pulse>,
    faults: Faults,
}

impl Stoppable {
    async fn scheduled(&self) {
        let mut pulse = self.pulse.clone();
        if pulse.wait_for(|now| *now == Pulse::Running).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Journal for Stoppable {
    async fn append(&self, entries: Vec<Entry>) -> Result<(), JournalError> {
        self.scheduled().await;
        if self.faults.journalling(&entries, false) {
            std::future::pending::<()>().await;
        }
        let appended = self.inner.append(entries.clone()).await;
        if self.faults.journalling(&entries, true) {
            std::future::pending::<()>().await;
        }
        self.scheduled().await;
        appended
    }

    async fn read(&self, rollout: &RolloutId) -> Result<Vec<Entry>, JournalError> {
        self.scheduled().await;
        self.inner.read(rollout).await
    }

    async fn rollouts(&self) -> Result<Vec<RolloutId>, JournalError> {
        self.scheduled().await;
        self.inner.rollouts().await
    }

    async fn keep_plan(&self, plan: &Plan) -> Result<(), JournalError> {
        self.scheduled().await;
        self.inner.keep_plan(plan).await
    }

    async fn plan(&self, digest: &Digest) -> Result<Option<Plan>, JournalError> {
        self.scheduled().await;
        self.inner.plan(digest).await
    }

    async fn next_epoch(&self) -> Result<Epoch, JournalError> {
        self.scheduled().await;
        self.inner.next_epoch().await
    }

    async fn pass_epoch(&self, epoch: Epoch) -> Result<(), JournalError> {
        self.scheduled().await;
        self.inner.pass_epoch(epoch).await
    }
}
