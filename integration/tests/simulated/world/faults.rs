//! Where and how a simulated agent or host breaks.
//!
//! Every call that an operation makes to its host is a [`Point`], named so that a second run of the same story meets it again:
//! whose host, during which order, which call, for the how-many-th time. One run lists the points; later runs break one each.
//!
//! A dead agent's calls never return. So whatever was under way at that moment stays exactly where it was, as after `kill -9`.

use refit_agent::simhost::{FaultAction, SimWorld};
use refit_shared::ids::MemberName;
use refit_shared::operation::Order;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Polls repeat; the first few calls of a kind say all that can be told apart.
const LOOKS_TOLD_APART: u32 = 2;

/// How long a network cut lasts: longer than several calls of the controller, shorter than its patience.
const CUT_FOR: Duration = Duration::from_secs(7);

/// Calls that change nothing.
const LOOKS: [&str; 18] = [
    "service.state",
    "service.main_pid",
    "packages.facts",
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

#[derive(Debug, Default)]
struct State {
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
    state: Arc<Mutex<State>>,
    cut: watch::Sender<BTreeSet<MemberName>>,
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
            state: Arc::new(Mutex::new(State {
                planned,
                ..State::default()
            })),
            cut: watch::Sender::new(BTreeSet::new()),
        };
        let hook = faults.clone();
        world.faults(move |member, call| {
            if LOOKING.try_with(|()| ()).is_ok() {
                return FaultAction::Continue;
            }
            match hook.meet(member, call) {
                None => FaultAction::Continue,
                Some(Break::KillBefore) => FaultAction::CrashBefore,
                Some(Break::KillAfter) => FaultAction::CrashAfter,
                Some(Break::Fail) => FaultAction::FailBefore,
                Some(Break::LoseAnswer) => FaultAction::FailAfter,
                Some(Break::PowerOffBefore) => FaultAction::PowerCutBefore,
                Some(Break::PowerOffAfter) => FaultAction::PowerCutAfter,
                Some(Break::Cut) => {
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

    fn meet(&self, member: &MemberName, call: &str) -> Option<Break> {
        let mut state = self.state();
        let during = state.working.get(member)?.clone();
        let count = state
            .counts
            .entry((member.clone(), during.clone(), call.to_owned()))
            .or_default();
        *count += 1;
        let nth = *count;
        if !changes_something(call) && nth > LOOKS_TOLD_APART {
            return None;
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
        state.met.push(point);
        found.map(|(_, how)| how)
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
