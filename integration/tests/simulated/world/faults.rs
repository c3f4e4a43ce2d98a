//! Where and how a simulated agent or host breaks.
//!
//! Every call that an operation makes to its host is a [`Point`], named so that a second run of the same story meets it again:
//! whose host, during which order, which call, for the how-many-th time. One run lists the points; later runs break one each.
//!
//! A dead agent's calls never return. So whatever was under way at that moment stays exactly where it was, as after `kill -9`.

use refit_agent::simhost::{FaultAction, SimWorld};
use refit_shared::ids::{MemberName, StepId};
use refit_shared::operation::{Direction, Order};
use refit_shared::saga::{Entry, Event};
use refit_shared::version::PackageVersion;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Polls repeat; the first few calls of a kind say all that can be told apart.
const LOOKS_TOLD_APART: u32 = 2;

/// How long a network cut lasts: longer than several calls of the controller, shorter than its patience.
const CUT_FOR: Duration = Duration::from_secs(7);

/// Calls that change nothing.
const LOOKS: [&str; 19] = [
    "service.state",
    "service.main_pid",
    "packages.facts",
    "packages.frozen",
    "packages.verify_fetched",
    "mysql.facts",
    "mysql.group",
    "mysql.pulse",
    "mysql.uuid",
    "mysql.super_read_only",
    "mysql.writing_transactions",
    "files.config_digest",
    "files.has_config_backup",
    "files.in_maintenance",
    "files.held",
    "files.storage",
    "files.verify_snapshot",
    "files.is_dirty",
    "log.end",
];

/// A call of an operation to its host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub member: MemberName,
    /// Step and direction.
    pub during: String,
    pub call: String,
    /// Counts from 1.
    pub nth: u32,
}

impl Point {
    pub fn changes_something(&self) -> bool {
        changes_something(&self.call)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}, {}#{}",
            self.member, self.during, self.call, self.nth
        )
    }
}

fn changes_something(call: &str) -> bool {
    !LOOKS.contains(&call) && !call.starts_with("log.")
}

/// What goes wrong at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Break {
    /// The agent is killed before the call has its effect.
    KillBefore,
    /// The agent is killed when the call has had its effect, before it learns so.
    KillAfter,
    /// The call fails once, and nothing of it happens.
    Fail,
    /// The call is carried out, and its answer is lost.
    LoseAnswer,
    /// The host loses its power before the call has its effect.
    PowerOffBefore,
    /// The host loses its power when the call has had its effect.
    PowerOffAfter,
    /// The network between controller and agent is cut, and comes back later.
    Cut,
}

impl Break {
    pub const ALL: [Break; 7] = [
        Self::KillBefore,
        Self::KillAfter,
        Self::Fail,
        Self::LoseAnswer,
        Self::PowerOffBefore,
        Self::PowerOffAfter,
        Self::Cut,
    ];
}

/// What strikes once, where a matrix row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// kill -9 of the controller.
    Controller,
    /// kill -9 of the step's agent.
    Agent,
    /// kill -9 of mysqld on the step's host.
    Mysqld,
    HostPower,
    /// Between controller and agent, for a while.
    CutFromController,
    /// Between the step's member and the other members, longer than the group waits.
    CutFromMembers,
    /// Nothing that Refit writes on that host can be written, for a while.
    DiskFull,
    /// Nothing can be fetched, for a while.
    RepositoryGone,
    /// What is offered and cached is not what its name says, for a while.
    PackagesDamaged,
    /// Each access to the host's disk takes seconds, for a while.
    SlowDisk,
    /// An hour ahead, and back a minute later.
    ClockJump,
    /// The host of whoever is the primary, wherever the step is.
    PrimaryPower,
    /// Two of three members are cut off, for a while.
    MajorityLost,
    PersonMovesPrimary,
    /// A version that is in no plan, on the step's host.
    PersonInstalls,
    /// The agent is killed, and comes back without the last things it had noted.
    OlderLedger,
    /// kill -9 of mysqld while it changes its data dictionary.
    MysqldInUpgrade,
}

impl Trouble {
    pub const ALL: [Trouble; 11] = [
        Self::Controller,
        Self::Agent,
        Self::Mysqld,
        Self::HostPower,
        Self::CutFromController,
        Self::CutFromMembers,
        Self::DiskFull,
        Self::RepositoryGone,
        Self::PackagesDamaged,
        Self::SlowDisk,
        Self::ClockJump,
    ];

    /// What others do meanwhile, and the worst moments: each where it can be.
    pub const FENCES: [Trouble; 6] = [
        Self::PrimaryPower,
        Self::MajorityLost,
        Self::PersonMovesPrimary,
        Self::PersonInstalls,
        Self::OlderLedger,
        Self::MysqldInUpgrade,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::PrimaryPower => "primary's host without power",
            Self::MajorityLost => "majority lost",
            Self::PersonMovesPrimary => "a person moves the primary",
            Self::PersonInstalls => "a person installs packages",
            Self::OlderLedger => "agent with an older ledger",
            Self::MysqldInUpgrade => "mysqld killed in its upgrade",
            Self::Controller => "controller killed",
            Self::Agent => "agent killed",
            Self::Mysqld => "mysqld killed",
            Self::HostPower => "host without power",
            Self::CutFromController => "controller cut from agent",
            Self::CutFromMembers => "member cut from the others",
            Self::DiskFull => "disk full",
            Self::RepositoryGone => "repository gone",
            Self::PackagesDamaged => "packages damaged",
            Self::SlowDisk => "slow disk",
            Self::ClockJump => "clock jumps",
        }
    }
}

/// Where in a step something strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before its intent is durable.
    Before,
    /// Half way through what it does to its host; for a gate, once it waits.
    During,
    /// When it has ended, before that is durable.
    After,
}

impl When {
    pub const ALL: [When; 3] = [Self::Before, Self::During, Self::After];

    pub fn title(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

/// One trouble at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    pub trouble: Trouble,
    pub when: When,
    pub step: StepId,
    pub direction: Direction,
    /// The step's.
    pub member: MemberName,
    /// The call to the host that [`When::During`] means; a gate has none.
    pub at: Option<Point>,
}

/// Something that lasts on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lasting {
    DiskFull,
    RepositoryGone,
    SlowDisk,
}

/// How long it lasts, and how long a member stays cut from the others: longer than the group waits before it expels.
const LASTS: Duration = Duration::from_secs(20);
const SLOW: Duration = Duration::from_secs(3);
const AHEAD_MS: i64 = 3_600_000;
const AHEAD_FOR: Duration = Duration::from_secs(60);
/// From the start of a server to where it changes its dictionary.
const INTO_THE_UPGRADE: Duration = Duration::from_millis(600);
/// How many of its last orders an agent forgets.
const FORGOTTEN: usize = 2;

#[derive(Debug, Default)]
struct State {
    strike: Option<Strike>,
    struck: bool,
    lasting: BTreeMap<(MemberName, Lasting), Instant>,
    working: BTreeMap<MemberName, String>,
    orders: u64,
    counts: BTreeMap<(MemberName, String, String), u32>,
    met: Vec<Point>,
    planned: Vec<(Point, Break)>,
    broken: Vec<(Point, Break)>,
}

/// The faults of one run. Clones share them.
#[derive(Debug, Clone)]
pub struct Faults {
    sim: SimWorld,
    state: Arc<Mutex<State>>,
    cut: watch::Sender<BTreeSet<MemberName>>,
    controller: watch::Sender<bool>,
    states: Arc<OnceLock<PathBuf>>,
}

/// What a call to a host meets.
enum Met {
    Nothing,
    Break(Break),
    Strike(Trouble),
}

impl Strike {
    fn is_at(&self, event: &Event, durable: bool) -> bool {
        let (step, begins, direction) = match event {
            Event::StepIntended { step, .. } => (step, true, Direction::Perform),
            Event::StepResolved { step, .. } => (step, false, Direction::Perform),
            Event::UndoIntended { step, .. } => (step, true, Direction::Undo),
            Event::UndoResolved { step, .. } => (step, false, Direction::Undo),
            _ => return false,
        };
        let here = match self.when {
            When::Before => begins && !durable,
            When::During => begins && durable && self.at.is_none(),
            When::After => !begins && !durable,
        };
        here && *step == self.step && direction == self.direction
    }
}

tokio::task_local! {
    static LOOKING: ();
}

/// Calls made within are an observer's, not an operation's: they are no points.
pub async fn only_looking<T>(looks: impl Future<Output = T>) -> T {
    LOOKING.scope((), looks).await
}

impl Faults {
    /// Breaks what is planned in this world from now on.
    pub fn install(world: &SimWorld, planned: Vec<(Point, Break)>) -> Self {
        let faults = Self {
            sim: world.clone(),
            state: Arc::new(Mutex::new(State {
                planned,
                ..State::default()
            })),
            cut: watch::Sender::new(BTreeSet::new()),
            controller: watch::Sender::new(false),
            states: Arc::default(),
        };
        let hook = faults.clone();
        world.faults(move |member, call| {
            if LOOKING.try_with(|()| ()).is_ok() {
                return FaultAction::Continue;
            }
            let how = match hook.meet(member, call) {
                Met::Nothing => return hook.lasting(member, call),
                Met::Strike(trouble) => return hook.strike_at_call(member, trouble),
                Met::Break(how) => how,
            };
            match how {
                Break::KillBefore => FaultAction::CrashBefore,
                Break::KillAfter => FaultAction::CrashAfter,
                Break::Fail => FaultAction::FailBefore,
                Break::LoseAnswer => FaultAction::FailAfter,
                Break::PowerOffBefore => FaultAction::PowerCutBefore,
                Break::PowerOffAfter => FaultAction::PowerCutAfter,
                Break::Cut => {
                    hook.cut_for_a_while(member);
                    FaultAction::Continue
                }
            }
        });
        faults
    }

    /// Held for a few instructions, never across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the agent works on from now; calls before its first order belong to none.
    pub fn working(&self, order: &Order) {
        let during = format!(
            "{} {} {}",
            order.id.step,
            order.operation.kind(),
            order.direction
        );
        let mut state = self.state();
        state.working.insert(order.member.clone(), during);
        state.orders += 1;
    }

    /// How many orders have been given.
    pub fn orders(&self) -> u64 {
        self.state().orders
    }

    /// Every point that was met, in order.
    pub fn met(&self) -> Vec<Point> {
        self.state().met.clone()
    }

    /// What did break.
    pub fn broken(&self) -> Vec<(Point, Break)> {
        self.state().broken.clone()
    }

    fn meet(&self, member: &MemberName, call: &str) -> Met {
        let mut state = self.state();
        let Some(during) = state.working.get(member).cloned() else {
            return Met::Nothing;
        };
        let count = state
            .counts
            .entry((member.clone(), during.clone(), call.to_owned()))
            .or_default();
        *count += 1;
        let nth = *count;
        if !changes_something(call) && nth > LOOKS_TOLD_APART {
            return Met::Nothing;
        }
        let point = Point {
            member: member.clone(),
            during,
            call: call.to_owned(),
            nth,
        };
        let index = state.planned.iter().position(|(at, _)| *at == point);
        let found = index.map(|index| state.planned.remove(index));
        state.broken.extend(found.clone());
        let strikes = state
            .strike
            .as_ref()
            .filter(|strike| strike.when == When::During && strike.at.as_ref() == Some(&point))
            .map(|strike| strike.trouble);
        state.met.push(point);
        if let Some(trouble) = strikes
            && !state.struck
        {
            state.struck = true;
            return Met::Strike(trouble);
        }
        found.map_or(Met::Nothing, |(_, how)| Met::Break(how))
    }

    /// This will strike once.
    pub fn will_strike(&self, strike: Option<Strike>) {
        self.state().strike = strike;
    }

    /// Whether it has.
    pub fn struck(&self) -> bool {
        self.state().struck
    }

    /// An agent or a host that dies does so at the very call, once it has had its effect.
    fn strike_at_call(&self, member: &MemberName, trouble: Trouble) -> FaultAction {
        match trouble {
            Trouble::OlderLedger => {
                self.forget(member);
                FaultAction::CrashBefore
            }
            Trouble::Agent => FaultAction::CrashAfter,
            Trouble::HostPower => FaultAction::PowerCutAfter,
            Trouble::PrimaryPower if self.sim.primary().as_ref() == Some(member) => {
                FaultAction::PowerCutAfter
            }
            Trouble::Controller
            | Trouble::PrimaryPower
            | Trouble::MajorityLost
            | Trouble::PersonMovesPrimary
            | Trouble::PersonInstalls
            | Trouble::MysqldInUpgrade
            | Trouble::Mysqld
            | Trouble::CutFromController
            | Trouble::CutFromMembers
            | Trouble::DiskFull
            | Trouble::RepositoryGone
            | Trouble::PackagesDamaged
            | Trouble::SlowDisk
            | Trouble::ClockJump => {
                self.strike(member, trouble);
                FaultAction::Continue
            }
        }
    }

    /// The controller's journal is about to take an entry, or has made it durable. `true`: the controller dies here.
    pub fn journalling(&self, entries: &[Entry], durable: bool) -> bool {
        let strike = {
            let mut state = self.state();
            let Some(strike) = state.strike.clone().filter(|_| !state.struck) else {
                return false;
            };
            if !entries
                .iter()
                .any(|entry| strike.is_at(&entry.event, durable))
            {
                return false;
            }
            state.struck = true;
            strike
        };
        self.strike(&strike.member, strike.trouble);
        strike.trouble == Trouble::Controller
    }

    /// For a controller that is to be killed while an agent works: it looks here after each of its calls.
    pub fn killed_the_controller(&self) -> watch::Receiver<bool> {
        self.controller.subscribe()
    }

    fn strike(&self, member: &MemberName, trouble: Trouble) {
        match trouble {
            Trouble::Controller => {
                self.controller.send_replace(true);
            }
            Trouble::Agent => self.sim.kill_agent(member),
            Trouble::Mysqld => self.sim.kill_mysqld(member),
            Trouble::HostPower => self.sim.power_off(member),
            Trouble::CutFromController => self.cut_for_a_while(member),
            Trouble::CutFromMembers => {
                self.sim.isolate(member, true);
                self.later(member, LASTS, |sim, member| sim.isolate(member, false));
            }
            Trouble::DiskFull => self.lasts(member, Lasting::DiskFull),
            Trouble::RepositoryGone => self.lasts(member, Lasting::RepositoryGone),
            Trouble::SlowDisk => self.lasts(member, Lasting::SlowDisk),
            Trouble::PackagesDamaged => {
                self.sim.damage_packages(member, true);
                self.later(member, LASTS, |sim, member| {
                    sim.damage_packages(member, false);
                });
            }
            Trouble::PrimaryPower => {
                if let Some(primary) = self.sim.primary() {
                    self.sim.power_off(&primary);
                }
            }
            Trouble::MajorityLost => {
                for other in self.sim.members().iter().filter(|other| *other != member) {
                    self.sim.isolate(other, true);
                    self.later(other, LASTS, |sim, other| sim.isolate(other, false));
                }
            }
            Trouble::PersonMovesPrimary => {
                let primary = self.sim.primary();
                let others = self.sim.members();
                // The group refuses what can't be.
                let _ = others
                    .iter()
                    .filter(|other| *other != member && Some(*other) != primary.as_ref())
                    .any(|other| self.sim.appoint_by_hand(other));
            }
            Trouble::PersonInstalls => {
                let version = PackageVersion::new("9.7.1-7").expect("a literal that is a version");
                self.sim.install_by_hand(member, &version);
            }
            Trouble::OlderLedger => {
                self.forget(member);
                self.sim.kill_agent(member);
            }
            Trouble::MysqldInUpgrade => {
                self.later(member, INTO_THE_UPGRADE, |sim, member| {
                    sim.kill_mysqld(member);
                });
            }
            Trouble::ClockJump => {
                self.sim.jump_clocks(AHEAD_MS);
                self.later(member, AHEAD_FOR, |sim, _| sim.jump_clocks(-AHEAD_MS));
            }
        }
    }

    /// Where the agents' state is, each in a directory of its name.
    pub fn states_are_in(&self, directory: PathBuf) {
        // Once a run.
        let _ = self.states.set(directory);
    }

    /// The last orders that the agent has noted are no longer there.
    fn forget(&self, member: &MemberName) {
        let Some(states) = self.states.get() else {
            return;
        };
        let ledger = states.join(member.as_str()).join("ledger");
        let mut entries: Vec<_> = std::fs::read_dir(ledger)
            .expect("an agent has a ledger")
            .map(|entry| entry.expect("it can be listed").path())
            .filter(|path| path.extension().is_some_and(|end| end == "entry"))
            .map(|path| {
                let noted = path.metadata().and_then(|meta| meta.modified());
                (noted.expect("files have times"), path)
            })
            .collect();
        entries.sort();
        for (_, path) in entries.iter().rev().take(FORGOTTEN) {
            std::fs::remove_file(path).expect("it was there just now");
        }
    }

    fn later(
        &self,
        member: &MemberName,
        after: Duration,
        then: impl FnOnce(&SimWorld, &MemberName) + Send + 'static,
    ) {
        let (sim, member) = (self.sim.clone(), member.clone());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            then(&sim, &member);
        });
    }

    fn lasts(&self, member: &MemberName, what: Lasting) {
        let until = Instant::now() + LASTS;
        self.state().lasting.insert((member.clone(), what), until);
    }

    fn lasting(&self, member: &MemberName, call: &str) -> FaultAction {
        let now = Instant::now();
        let state = self.state();
        let is = |what| {
            let until = state.lasting.get(&(member.clone(), what));
            until.is_some_and(|until| now < *until)
        };
        let fetches = call == "packages.fetch";
        let on_disk = ["files.", "ledger.", "packages."]
            .iter()
            .any(|what| call.starts_with(what));
        if on_disk && changes_something(call) && is(Lasting::DiskFull)
            || fetches && is(Lasting::RepositoryGone)
        {
            FaultAction::FailBefore
        } else if on_disk && is(Lasting::SlowDisk) {
            FaultAction::Delay(SLOW)
        } else {
            FaultAction::Continue
        }
    }

    /// Cuts the member's agent off from every controller.
    pub fn cut_for_a_while(&self, member: &MemberName) {
        let (cut, member) = (self.cut.clone(), member.clone());
        cut.send_modify(|members| {
            members.insert(member.clone());
        });
        tokio::spawn(async move {
            tokio::time::sleep(CUT_FOR).await;
            cut.send_modify(|members| {
                members.remove(&member);
            });
        });
    }

    pub fn is_cut(&self, member: &MemberName) -> bool {
        self.cut.borrow().contains(member)
    }

    /// Resolves once the member is cut off.
    pub async fn until_cut(&self, member: &MemberName) {
        let mut cut = self.cut.subscribe();
        // The sender is held by `self`, so this ends only with a cut.
        let _ = cut.wait_for(|members| members.contains(member)).await;
    }
}
