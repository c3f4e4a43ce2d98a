//! Which rollouts there are, who owns each, and which of them occupies its cluster. One task; it never waits for an agent.

use super::id::new_id;
use super::{ApiError, RolloutView, Rollouts, State, Summary};
use crate::executor::{Act, Command as OwnerCommand, Owner, Record, World, picture};
use crate::journal::Room;
use crate::ports::{Journal, JournalError};
use crate::standing::Standing;
use refit_shared::ids::{ClusterName, Digest, RolloutId, Seq, Turn};
use refit_shared::plan::Plan;
use refit_shared::saga::{Actor, End, Entry, Event, Rollout};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Commands that may wait for one owner: people at one rollout, not load.
const OWNER_QUEUE: usize = 16;

#[derive(Debug)]
pub(crate) enum Command {
    Create {
        plan: Box<Plan>,
        by: Actor,
        reply: oneshot::Sender<Result<RolloutId, ApiError>>,
    },
    Act {
        id: RolloutId,
        act: Act,
        seen: Turn,
        by: Actor,
        reply: oneshot::Sender<Result<(), ApiError>>,
    },
    View {
        id: RolloutId,
        reply: oneshot::Sender<Result<watch::Receiver<Arc<RolloutView>>, ApiError>>,
    },
    List {
        reply: oneshot::Sender<Vec<Summary>>,
    },
    Occupied {
        reply: oneshot::Sender<BTreeMap<ClusterName, RolloutId>>,
    },
}

/// A rollout: with an owner, or at its end and only in the journal until somebody wants something of it.
#[derive(Debug)]
enum Slot {
    Owned {
        commands: mpsc::Sender<OwnerCommand>,
        view: watch::Receiver<Arc<RolloutView>>,
    },
    Dormant(Summary),
}

impl Slot {
    fn summary(&self) -> Summary {
        match self {
            Self::Owned { view, .. } => view.borrow().summary.clone(),
            Self::Dormant(summary) => summary.clone(),
        }
    }
}

#[derive(Debug)]
struct Registry {
    world: Arc<World>,
    slots: BTreeMap<RolloutId, Slot>,
    owners: JoinSet<()>,
}

/// The running registry and all owners: ends when the controller's standing says that nothing may act any more.
#[derive(Debug)]
pub struct Running(JoinHandle<()>);

impl Running {
    /// Ends it at once, as a crash would: no owner comes to a further line.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Waits until every owner has ended. What agents have begun goes on there.
    pub async fn ended(self) {
        if let Err(error) = self.0.await
            && !error.is_cancelled()
        {
            tracing::error!(%error, "the registry of rollouts failed");
        }
    }
}

impl Rollouts {
    /// Reads every rollout of the journal and goes on with those that are not at their end.
    pub async fn start(world: Arc<World>, room: Room) -> Result<(Self, Running), JournalError> {
        let mut registry = Registry {
            world: Arc::clone(&world),
            slots: BTreeMap::new(),
            owners: JoinSet::new(),
        };
        for id in world.journal.rollouts().await? {
            let (rollout, record) = load(world.journal.as_ref(), &id).await?;
            registry.take_in(rollout, record);
        }
        let (commands, inbox) = mpsc::channel(super::REGISTRY_QUEUE);
        let running = Running(tokio::spawn(registry.run(inbox)));
        let rollouts = Self {
            world,
            room,
            registry: commands,
        };
        Ok((rollouts, running))
    }
}

/// Reads and folds one rollout. What does not fold is a corrupt journal.
async fn load(journal: &dyn Journal, id: &RolloutId) -> Result<(Rollout, Record), JournalError> {
    let entries = journal.read(id).await?;
    let corrupt = |why: String| JournalError::Corrupt(why);
    let Some(Event::RolloutCreated { plan, .. }) = entries.first().map(|entry| &entry.event) else {
        return Err(corrupt(format!(
            "rollout {id} does not begin with its creation"
        )));
    };
    let plan = journal.plan(plan).await?.ok_or_else(|| {
        corrupt(format!(
            "the plan {} of rollout {id} is missing",
            plan.short()
        ))
    })?;
    let rollout = Rollout::fold(plan, &entries).map_err(|error| corrupt(error.to_string()))?;
    Ok((rollout, Record::of(&entries)))
}

impl Registry {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                biased;
                () = self.world.stand.stopped() => break,
                Some(ended) = self.owners.join_next() => {
                    if let Err(error) = ended {
                        let why = format!("the owner of a rollout failed: {error}");
                        self.world.stand.stop(Standing::Broken(why));
                    }
                }
                command = inbox.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break,
                },
            }
        }
        // Dropping the commands' ends lets the owners go, if the standing has not already.
        self.slots.clear();
        while self.owners.join_next().await.is_some() {}
    }

    async fn obey(&mut self, command: Command) {
        // A reply that nobody waits for any more is no reason to undo anything.
        match command {
            Command::Create { plan, by, reply } => drop(reply.send(self.create(*plan, by).await)),
            Command::Act {
                id,
                act,
                seen,
                by,
                reply,
            } => self.act(&id, act, seen, by, reply).await,
            Command::View { id, reply } => drop(reply.send(self.view(&id).await)),
            Command::List { reply } => {
                drop(reply.send(self.slots.values().map(Slot::summary).collect()));
            }
            Command::Occupied { reply } => drop(reply.send(self.occupied())),
        }
    }

    /// Every rollout that has not ended occupies its cluster.
    fn occupied(&self) -> BTreeMap<ClusterName, RolloutId> {
        let open = self.slots.values().map(Slot::summary);
        open.filter(|summary| !matches!(summary.state, State::Ended { .. }))
            .map(|summary| (summary.cluster, summary.id))
            .collect()
    }

    fn free(&self, cluster: &ClusterName) -> Result<(), ApiError> {
        match self.occupied().remove(cluster) {
            Some(by) => Err(ApiError::ClusterBusy {
                cluster: cluster.clone(),
                by,
            }),
            None => Ok(()),
        }
    }

    /// A plan is applied once: a request that comes again late must not begin an upgrade anew that somebody has undone since.
    fn unused(&self, plan: &Digest) -> Result<(), ApiError> {
        let mut summaries = self.slots.values().map(Slot::summary);
        match summaries.rfind(|one| one.plan == *plan) {
            Some(by) => Err(ApiError::NotNow {
                why: format!(
                    "it is of this very plan and has ended ({}); a plan is applied once. Make a new one with `refit plan`",
                    by.state
                ),
                rollout: by.id,
            }),
            None => Ok(()),
        }
    }

    async fn create(&mut self, plan: Plan, by: Actor) -> Result<RolloutId, ApiError> {
        self.free(&plan.cluster)?;
        let at_unix_ms = self.world.clock.now_unix_ms();
        let digest = plan.digest();
        self.unused(&digest)?;
        let id = new_id(at_unix_ms, &digest, self.world.epoch);
        if self.slots.contains_key(&id) {
            return Err(ApiError::NotNow {
                rollout: id,
                why: "it was made in this very millisecond; try again".to_owned(),
            });
        }
        let created = Entry {
            rollout: id.clone(),
            seq: Seq(0),
            epoch: self.world.epoch,
            at_unix_ms,
            event: Event::RolloutCreated {
                cluster: plan.cluster.clone(),
                plan: digest,
                by,
            },
        };
        let rollout = Rollout::begin(plan, &created).expect("it was made from this plan just now");
        if let Err(error) = self.world.journal.append(vec![created]).await {
            self.world.stand.journal_failed(error.clone());
            return Err(ApiError::Journal(error));
        }
        self.take_in(rollout, Record::default());
        Ok(id)
    }

    /// Gives a rollout its owner, or keeps only its summary when it has ended.
    fn take_in(&mut self, rollout: Rollout, record: Record) {
        let id = rollout.id.clone();
        let state = crate::executor::state(&rollout, self.world.epoch);
        let slot = if matches!(state, State::Ended { .. }) {
            Slot::Dormant(self.draw(&rollout, &record).summary)
        } else {
            self.own(rollout, record)
        };
        self.slots.insert(id, slot);
    }

    fn own(&mut self, rollout: Rollout, record: Record) -> Slot {
        let (owner, view) = Owner::new(Arc::clone(&self.world), rollout, record);
        let (commands, inbox) = mpsc::channel(OWNER_QUEUE);
        self.owners.spawn(owner.run(inbox));
        Slot::Owned { commands, view }
    }

    fn draw(&self, rollout: &Rollout, record: &Record) -> RolloutView {
        let nothing = BTreeMap::new();
        picture(
            rollout,
            self.world.epoch,
            record,
            &nothing,
            Default::default(),
        )
    }

    async fn view(&self, id: &RolloutId) -> Result<watch::Receiver<Arc<RolloutView>>, ApiError> {
        match self.slots.get(id) {
            None => Err(ApiError::UnknownRollout(id.clone())),
            Some(Slot::Owned { view, .. }) => Ok(view.clone()),
            Some(Slot::Dormant(_)) => {
                let (rollout, record) = self.load(id).await?;
                // Its sender ends here: nothing more will come.
                Ok(watch::channel(Arc::new(self.draw(&rollout, &record))).1)
            }
        }
    }

    async fn load(&self, id: &RolloutId) -> Result<(Rollout, Record), ApiError> {
        load(self.world.journal.as_ref(), id)
            .await
            .map_err(|error| {
                self.world.stand.journal_failed(error.clone());
                ApiError::Journal(error)
            })
    }

    async fn act(
        &mut self,
        id: &RolloutId,
        act: Act,
        seen: Turn,
        by: Actor,
        reply: oneshot::Sender<Result<(), ApiError>>,
    ) {
        let commands = match self.ready_for(id, act).await {
            Ok(commands) => commands,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let (answer, answered) = oneshot::channel();
        let command = OwnerCommand {
            act,
            seen,
            by,
            reply: answer,
        };
        if commands.try_send(command).is_err() {
            let why = "too many commands wait for it; try again".to_owned();
            let rollout = id.clone();
            return drop(reply.send(Err(ApiError::NotNow { rollout, why })));
        }
        // Waited for here, so that whether the rollout occupies its cluster is known before the next command. An owner
        // answers within a journal write; one that has stopped drops the question.
        if let Ok(answer) = answered.await {
            drop(reply.send(answer));
        }
    }

    /// The owner of a rollout, woken if need be, when the act does not collide with another rollout.
    async fn ready_for(
        &mut self,
        id: &RolloutId,
        act: Act,
    ) -> Result<mpsc::Sender<OwnerCommand>, ApiError> {
        let unknown = || ApiError::UnknownRollout(id.clone());
        let summary = self.slots.get(id).ok_or_else(unknown)?.summary();
        if matches!(summary.state, State::Ended { .. }) {
            self.free(&summary.cluster)?;
            if act == Act::Unwind {
                self.is_latest(&summary)?;
            }
        }
        if let Some(Slot::Dormant(_)) = self.slots.get(id) {
            let (rollout, record) = self.load(id).await?;
            let slot = self.own(rollout, record);
            self.slots.insert(id.clone(), slot);
        }
        match self.slots.get(id) {
            Some(Slot::Owned { commands, .. }) => Ok(commands.clone()),
            Some(Slot::Dormant(_)) | None => Err(unknown()),
        }
    }

    /// What a later rollout has done to the cluster lies on top: going back below it would undo half of it.
    fn is_latest(&self, summary: &Summary) -> Result<(), ApiError> {
        let mut later = self
            .slots
            .values()
            .map(Slot::summary)
            .filter(|other| other.cluster == summary.cluster && other.id > summary.id)
            .filter(|other| {
                !matches!(
                    other.state,
                    State::Ended {
                        end: End::Restored,
                        ..
                    }
                )
            });
        match later.next() {
            Some(other) => Err(ApiError::NotNow {
                rollout: summary.id.clone(),
                why: format!(
                    "rollout {} has changed the cluster since: unwind that one first",
                    other.id
                ),
            }),
            None => Ok(()),
        }
    }
}
