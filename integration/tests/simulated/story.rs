//! One run from beginning to end: a plan is made and applied, things break, a person acts, and the world is judged.

use crate::world::controller::Controller;
use crate::world::faults::{Break, Point, Strike, Trouble};
use crate::world::judge::{self, LONGEST_GAP, LONGEST_PAUSE, LONGEST_SWITCH};
use crate::world::wire::{Pulse, Twice, Wire};
use crate::world::{Hop, World, cluster};
use refit_agent::simhost::SimWorld;
use refit_controller::api::Act;
use refit_controller::journal::MemoryJournal;
use refit_controller::journal::faulty::Fault;
use refit_controller::ports::Journal;
use refit_controller::rebuilding::{self, rebuild};
use refit_controller::rollouts::{ApiError, Rollouts, State, Update};
use refit_shared::ids::{Epoch, MemberName, RolloutId, Seq, StepId};
use refit_shared::linter;
use refit_shared::plan::Plan;
use refit_shared::saga::{Actor, End, Entry, Event, ParkReason, Scope};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Longer than any run that comes to an end.
const PATIENCE: Duration = Duration::from_secs(2400);
/// Before a killed controller is started again.
const RESTART: Duration = Duration::from_secs(1);
/// How long the machine of a controller is stopped.
const FROZEN: Duration = Duration::from_secs(4);
/// A controller that another has replaced asks an agent by then, at the latest when a gate's time is up.
const LEARNS_WITHIN: Duration = Duration::from_secs(1200);
/// A controller that has stopped acting has ended by then.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// Before a person answers a rollout that has parked: what is on its way back by itself is back by then.
const THINKS: Duration = Duration::from_secs(30);
/// A rollout that parks more often than this, and once for each thing that breaks, does not get anywhere.
const PARKS: usize = 2;

/// What shall happen. The default is a rollout in which nothing breaks and a person only approves.
#[derive(Debug, Clone)]
pub struct Story {
    pub hop: Hop,
    pub breaks: Vec<(Point, Break)>,
    /// Of the first incarnation of the controller, the second, and so on; the others have a journal that works.
    pub journals: Vec<Fault>,
    pub twice: Twice,
    pub person: Person,
    /// The new version refuses to start on this host, until a person goes on.
    pub refuses_to_start: Option<MemberName>,
    /// The controller's machine is stopped at this moment, another controller takes over from a copy of its journal, and
    /// then the first one runs again and knows nothing of it.
    pub rival_from: Option<Moment>,
    /// The controller is killed at this moment and its journal deleted; a person makes a new one from what the agents remember.
    pub loses_journal_at: Option<Moment>,
    /// A row of the matrix.
    pub strike: Option<Strike>,
    /// A server takes so long to shut down.
    pub shutdown_takes: Option<Duration>,
}

#[derive(Debug, Clone, Default)]
pub struct Person {
    pub unwinds_at: Option<Moment>,
    pub pauses_at: Option<Moment>,
    pub when_parked: WhenParked,
}

/// A place in a rollout's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    Intended(StepId),
    Resolved(StepId),
    End,
}

impl Moment {
    fn is_now(self, event: &Event) -> bool {
        match (self, event) {
            (Self::Intended(at), Event::StepIntended { step, .. }) => at == *step,
            (Self::Resolved(at), Event::StepResolved { step, .. }) => at == *step,
            (Self::End, Event::RolloutClosed { .. }) => true,
            _ => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenParked {
    #[default]
    Resumes,
    Unwinds,
}

/// How a run went.
#[derive(Debug, Clone)]
pub struct Told {
    pub end: Option<End>,
    pub parks: Vec<ParkReason>,
    /// Why unwinding was refused, where it was.
    pub refused: Option<ApiError>,
    pub entries: Vec<Entry>,
    pub plan: Option<Plan>,
    /// What the first controller asked of its journal.
    pub appends: u64,
    pub controllers: usize,
    pub met: Vec<Point>,
    pub broken: Vec<(Point, Break)>,
    /// Another controller took over while the first one still ran.
    pub replaced: bool,
    /// What the story says would strike has struck.
    pub struck: bool,
    pub longest_gap: Duration,
    /// Of writes, on a lease.
    pub longest_pause: Duration,
    pub acknowledged: u64,
    pub took: Duration,
    pub wrongs: Vec<String>,
}

impl Story {
    pub fn of(hop: Hop) -> Self {
        Self {
            hop,
            breaks: Vec::new(),
            journals: Vec::new(),
            twice: Twice::No,
            person: Person::default(),
            refuses_to_start: None,
            rival_from: None,
            loses_journal_at: None,
            strike: None,
            shutdown_takes: None,
        }
    }

    /// Runs it on a runtime of its own, whose time is not the machine's.
    pub fn run(&self) -> Told {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing of the machine");
        runtime.block_on(Telling::new(self).run())
    }
}

/// A run under way.
struct Telling<'a> {
    story: &'a Story,
    told: Told,
    unwinds_at: Option<Moment>,
    pauses_at: Option<Moment>,
    rival_from: Option<Moment>,
    rival: Option<Controller>,
    loses_journal_at: Option<Moment>,
    /// The person wants it back, and asks again when a controller died before it answered.
    wants_back: bool,
}

/// How a controller's life ended.
enum Life {
    /// The rollout is at its end, or the person has given up.
    Ended,
    Died,
    /// It has stopped acting by itself.
    Stopped,
    /// Its machine is stopped, and somebody starts another controller.
    Frozen,
    /// It is killed, and its journal is gone.
    LostJournal,
}

pub fn person() -> Actor {
    Actor {
        name: "dba".to_owned(),
        reason: String::new(),
    }
}

impl<'a> Telling<'a> {
    fn new(story: &'a Story) -> Self {
        Self {
            story,
            told: Told {
                end: None,
                parks: Vec::new(),
                refused: None,
                entries: Vec::new(),
                plan: None,
                appends: 0,
                controllers: 0,
                met: Vec::new(),
                broken: Vec::new(),
                replaced: false,
                struck: false,
                longest_gap: Duration::ZERO,
                longest_pause: Duration::ZERO,
                acknowledged: 0,
                took: Duration::ZERO,
                wrongs: Vec::new(),
            },
            unwinds_at: story.person.unwinds_at,
            pauses_at: story.person.pauses_at,
            rival_from: story.rival_from,
            rival: None,
            loses_journal_at: story.loses_journal_at,
            wants_back: false,
        }
    }

    async fn run(mut self) -> Told {
        let began = Instant::now();
        let world = World::begin(
            self.story.hop,
            self.story.breaks.clone(),
            self.story.shutdown_takes,
        )
        .await;
        world.faults.will_strike(self.story.strike.clone());
        if let Some(member) = &self.story.refuses_to_start {
            refuse(&world.sim, member, self.story.hop);
        }
        if timeout(PATIENCE, self.live(&world)).await.is_err() {
            world.wrong("it never came to rest");
        }
        if let Some(end) = &self.told.end {
            for wrong in judge::at_the_end(&world, end).await {
                world.wrong(format!("at its end, {end}: {wrong}"));
            }
        }
        self.told.took = began.elapsed();
        self.told.wrongs = world.wrongs();
        self.told.met = world.faults.met();
        self.told.broken = world.faults.broken();
        self.told.struck = world.faults.struck();
        // They know each other; this parts them.
        world.sim.no_faults();
        let writes = world.client.end();
        self.told.longest_gap = writes.longest_gap;
        self.told.acknowledged = writes.acknowledged;
        self.told.longest_pause = world.write_pauses.end();
        if self.told.longest_pause > LONGEST_PAUSE {
            let pause = self.told.longest_pause;
            self.told
                .wrongs
                .push(format!("writes were paused on a lease for {pause:?}"));
        }
        let longest = match self.story.hop.hands_over() {
            true => LONGEST_SWITCH,
            false => LONGEST_GAP,
        };
        if writes.longest_gap > longest && !self.story.hop.stops_writes() {
            let gap = writes.longest_gap;
            self.told
                .wrongs
                .push(format!("no write was taken for {gap:?}"));
        }
        self.told
    }

    /// Controllers, one after the other, until the rollout ends.
    async fn live(&mut self, world: &World) {
        let mut journal = world.journal.clone();
        loop {
            let fault = self.story.journals.get(self.told.controllers).copied();
            let fault = fault.unwrap_or(Fault::None);
            self.told.controllers += 1;
            let started = Controller::start(world, journal.clone(), fault, self.story.twice).await;
            let controller = match started {
                Ok(controller) => controller,
                Err(error) => return world.wrong(format!("the controller can't start: {error}")),
            };
            let life = tokio::select! {
                biased;
                () = controller.dies() => Life::Died,
                life = self.attend(world, &controller) => life,
            };
            if self.told.controllers == 1 {
                self.told.appends = controller.appends();
            }
            match life {
                Life::Ended => {
                    controller.end().await;
                    return self.part_with_the_rival(world).await;
                }
                Life::Died => controller.kill(),
                Life::Stopped => must_do_nothing_more(world, controller).await,
                Life::Frozen => {
                    journal = self.copied(&journal, controller.epoch).await;
                    controller.freeze_for(FROZEN);
                    self.told.replaced = true;
                    self.rival = Some(controller);
                }
                Life::LostJournal => {
                    controller.kill();
                    journal = self.rebuilt(world).await;
                }
            }
            sleep(RESTART).await;
        }
    }

    /// The journal as it is on another machine, `epoch` included.
    async fn copied(&self, journal: &MemoryJournal, epoch: Epoch) -> MemoryJournal {
        let copy = MemoryJournal::default();
        let works = "a journal in memory does not fail";
        while copy.next_epoch().await.expect(works) < epoch {}
        if let Some(plan) = &self.told.plan {
            copy.keep_plan(plan).await.expect(works);
        }
        for rollout in journal.rollouts().await.expect(works) {
            let entries = journal.read(&rollout).await.expect(works);
            copy.append(entries).await.expect(works);
        }
        copy
    }

    /// What a person makes of the plan file and the agents' ledgers. Where no agent remembers anything, nothing was begun.
    async fn rebuilt(&mut self, world: &World) -> MemoryJournal {
        let (_pulse, running) = watch::channel(Pulse::Running);
        let wire = Wire::new(
            world.hosts.clone(),
            world.faults.clone(),
            Twice::No,
            running,
            Arc::clone(&world.wrongs),
        );
        let now = world.sim.now_unix_ms();
        let of = async |plans: &[Plan]| {
            rebuild(&world.fleet, &wire, plans, &BTreeSet::new(), &person(), now).await
        };
        let plans: Vec<Plan> = self.told.plan.iter().cloned().collect();
        let rebuilt = match of(&plans).await {
            Ok(rebuilt) => Ok(rebuilt),
            Err(_) if world.faults.orders() == 0 => of(&[]).await,
            Err(error) => Err(error),
        };
        let journal = MemoryJournal::default();
        match rebuilt {
            Ok(rebuilt) => rebuilding::write(&rebuilt, &journal)
                .await
                .expect("a journal in memory does not fail"),
            Err(error) => world.wrong(format!("the journal can't be rebuilt: {error}")),
        }
        self.told.entries.clear();
        journal
    }

    /// It must learn that it is not obeyed any more, unless it waits for a person.
    async fn part_with_the_rival(&mut self, world: &World) {
        let Some(rival) = self.rival.take() else {
            return;
        };
        let learns = async {
            while rival.standing().may_act() && !idle(&rival).await {
                sleep(THINKS).await;
            }
        };
        tokio::select! {
            biased;
            // A fault of its journal was due first.
            () = rival.dies() => rival.kill(),
            learnt = timeout(LEARNS_WITHIN, learns) => {
                if learnt.is_err() {
                    world.wrong("an older controller still believes that it acts");
                }
                rival.end().await;
            }
        }
    }

    /// What a person does while one controller lives.
    async fn attend(&mut self, world: &World, controller: &Controller) -> Life {
        let id = match self.rollout(world, controller).await {
            Ok(id) => id,
            Err(error) => return self.lost(world, &error),
        };
        let from = self.told.entries.len() as u64;
        let mut updates = match controller.rollouts.watch(&id, Seq(from)).await {
            Ok(updates) => updates,
            Err(error) => return self.lost(world, &error),
        };
        loop {
            match updates.next().await {
                Some(Ok(update)) => match self.act(world, controller, &id, update).await {
                    Ok(Some(life)) => return life,
                    Ok(None) => {}
                    Err(error) => return self.lost(world, &error),
                },
                Some(Err(error)) => return self.lost(world, &error),
                None => return Life::Ended,
            }
        }
    }

    /// The rollout of this story; begun when there is none yet.
    async fn rollout(
        &mut self,
        world: &World,
        controller: &Controller,
    ) -> Result<RolloutId, ApiError> {
        let rollouts = &controller.rollouts;
        if let Some(known) = rollouts.list().await?.first() {
            return Ok(known.id.clone());
        }
        let (plan, _) = rollouts.plan(&cluster(), &world.request()).await?;
        let violations = linter::judge(&plan);
        if !violations.is_empty() {
            world.wrong(format!("the linter condemns the plan: {violations:?}"));
        }
        let digest = plan.digest();
        self.told.plan = Some(plan);
        rollouts.apply(&digest, person()).await
    }

    /// The controller does not act any more: it must be because its journal failed.
    fn lost(&mut self, world: &World, error: &ApiError) -> Life {
        match error {
            ApiError::Stopped(_) | ApiError::Journal(_) => Life::Stopped,
            other => {
                world.wrong(format!("the controller refused: {other}"));
                Life::Died
            }
        }
    }

    /// Reacts to what is new. `Some`: nothing more is to be done with this controller.
    async fn act(
        &mut self,
        world: &World,
        controller: &Controller,
        id: &RolloutId,
        update: Update,
    ) -> Result<Option<Life>, ApiError> {
        let rollouts = &controller.rollouts;
        let mut now = Vec::new();
        for entry in update.entries {
            now.push(entry.event.clone());
            self.told.entries.push(entry);
        }
        let comes = |moment: Option<Moment>| {
            moment.is_some_and(|moment| now.iter().any(|event| moment.is_now(event)))
        };
        if comes(self.unwinds_at) {
            self.unwinds_at = None;
            self.wants_back = true;
        }
        let pauses = comes(self.pauses_at);
        if comes(self.rival_from) {
            self.rival_from = None;
            return Ok(Some(Life::Frozen));
        }
        if comes(self.loses_journal_at) {
            self.loses_journal_at = None;
            return Ok(Some(Life::LostJournal));
        }
        if self.wants_back && !self.goes_back() {
            match looks_and_acts(rollouts, id, Act::Unwind).await {
                Ok(()) => return Ok(None),
                Err(error @ ApiError::NotNow { .. }) => {
                    self.wants_back = false;
                    self.told.refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if pauses {
            self.pauses_at = None;
            match looks_and_acts(rollouts, id, Act::Pause).await {
                Ok(()) => return Ok(None),
                // It has ended meanwhile.
                Err(ApiError::NotNow { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match &update.view.summary.state {
            State::Running | State::Unwinding | State::Finalizing => {}
            State::AwaitingApproval { .. } => {
                match looks_and_acts(rollouts, id, Act::Approve).await {
                    Ok(()) | Err(ApiError::NotNow { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            State::Parked { reason } => return self.parked(world, controller, id, reason).await,
            State::Ended { end, .. } => {
                self.told.end = Some(end.clone());
                return Ok(Some(Life::Ended));
            }
        }
        Ok(None)
    }

    /// An unwind of everything has been decided.
    fn goes_back(&self) -> bool {
        let decided = |entry: &Entry| {
            matches!(
                entry.event,
                Event::UnwindDecided {
                    scope: Scope::All,
                    ..
                }
            )
        };
        self.told.entries.iter().any(decided)
    }

    async fn parked(
        &mut self,
        world: &World,
        controller: &Controller,
        id: &RolloutId,
        reason: &ParkReason,
    ) -> Result<Option<Life>, ApiError> {
        self.told.parks.push(reason.clone());
        for wrong in judge::at_rest(world).await {
            world.wrong(format!("parked ({reason}): {wrong}"));
        }
        sleep(THINKS).await;
        let breaks = self.story.breaks.len() + usize::from(self.story.strike.is_some());
        if self.told.parks.len() > PARKS + breaks {
            world.wrong(format!("parks again and again: {reason}"));
            return Ok(Some(Life::Ended));
        }
        if let Some(member) = &self.story.refuses_to_start {
            world.sim.allow_start(member);
        }
        if let Some(strike) = &self.story.strike
            && strike.trouble == Trouble::PersonInstalls
        {
            // Whoever did it takes it back.
            world
                .sim
                .install_by_hand(&strike.member, &self.story.hop.from());
        }
        if let ParkReason::UndoFailed { .. } = reason {
            world.give_the_role_back().await;
        }
        if self.story.person.when_parked == WhenParked::Unwinds && !self.goes_back() {
            match looks_and_acts(&controller.rollouts, id, Act::Unwind).await {
                Ok(()) => return Ok(None),
                Err(error @ ApiError::NotNow { .. }) => self.told.refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        looks_and_acts(&controller.rollouts, id, Act::Resume)
            .await
            .map(|()| None)
    }
}

/// What a person wants of the rollout as it is now; where it moves on in between, they look once more.
pub async fn looks_and_acts(rollouts: &Rollouts, id: &RolloutId, act: Act) -> Result<(), ApiError> {
    loop {
        let seen = rollouts.show(id).await?.turn;
        match rollouts.act(id, act, seen, person()).await {
            Err(ApiError::Moved { .. }) => {}
            told => return told,
        }
    }
}

/// Nothing more happens unless a person acts.
async fn idle(controller: &Controller) -> bool {
    let Ok(rollouts) = controller.rollouts.list().await else {
        return true;
    };
    let waits = |state: &State| state.at_rest() || matches!(state, State::AwaitingApproval { .. });
    rollouts.iter().all(|rollout| waits(&rollout.state))
}

/// A controller that has stopped acting comes to its end, and gives no order any more.
async fn must_do_nothing_more(world: &World, controller: Controller) {
    let before = world.faults.orders();
    if timeout(ENDS_WITHIN, controller.end()).await.is_err() {
        world.wrong("a controller that does not act any more does not end");
    }
    if world.faults.orders() != before {
        world.wrong("a controller that must not act gave an order");
    }
}

fn refuse(sim: &SimWorld, member: &MemberName, hop: Hop) {
    let version = hop
        .to()
        .mysql_version()
        .expect("a literal that is a version");
    sim.refuse_start(member, version, 13_169);
}
