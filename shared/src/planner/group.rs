//! Stages and steps that the strategies take alike which work on one member of a running group after the other.
//!
//! ```text
//! look        primary    gate (undone last: all is as it was) · keep_primary
//! take_out    a member   gate · enter_maintenance · gate · leave_group
//! bring_back  a member   join_group · leave_maintenance · gate
//! appoint     primary    appoint_primary
//! ```
//!
//! Maintenance is entered behind a gate: a member in maintenance that is restarted does not join again, and must not wait so for anybody.
//! Another gate follows, since entering takes a moment, in which another member may be lost.

use super::Request;
use super::candidate::Candidate;
use super::draft::{Draft, as_before};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::MemberName;
use crate::observation::MemberState;
use crate::operation::Operation;
use crate::plan::drift::World;
use crate::plan::{Gate, Lane, Stage, Step};
use crate::topology::{Kind, Sighting};
use crate::version::PackageVersion;
use std::collections::BTreeSet;

/// A gate before a member is taken out: nobody may wait longer than this for transactions of others.
const LONG_TRANSACTION_S: u64 = 30;
/// Waiting transactions that a gate tolerates: under load a queue is hardly ever empty.
const QUEUE: u64 = 1000;
/// How long the drain of writes may hold up a leave, and of the queue a join.
const LEAVE_DRAIN_S: u32 = 10;
const JOIN_DRAIN_S: u32 = 3600;
/// A member that is in maintenance and can't be spared any more is put back after so long.
const STILL_WITHIN_S: u32 = 60;

/// Of [`Group::take_out`]'s steps, the one before which a person may be asked, while everybody serves.
pub const DESCENDS_AT: usize = 1;
/// The one that takes the member out; what comes before changes nothing that counts.
pub const LEAVES_AT: usize = 3;

/// Who may write in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    SinglePrimary,
    MultiPrimary,
}

impl Mode {
    pub fn of(seen: &Sighting) -> Self {
        match seen.kind() {
            Ok(Kind::MultiPrimaryGroup) => Self::MultiPrimary,
            Ok(Kind::SinglePrimaryGroup | Kind::ReplicationTopology | Kind::StandaloneServer)
            | Err(_) => Self::SinglePrimary,
        }
    }
}

/// A plan for a running group in the making.
pub struct Group<'a> {
    pub request: &'a Request,
    seen: &'a Sighting,
    world: &'a World,
    /// How many members there are is its length.
    pub all: BTreeSet<MemberName>,
    /// In a multi-primary group one of them.
    pub primary: &'a MemberName,
    pub mode: Mode,
    pub draft: Draft,
}

impl<'a> Group<'a> {
    pub fn begin(
        request: &'a Request,
        seen: &'a Sighting,
        world: &'a World,
        primary: &'a MemberName,
        package: PackageVersion,
        made_unix_ms: i64,
    ) -> Self {
        Self {
            request,
            seen,
            world,
            all: world.members.keys().cloned().collect(),
            primary,
            mode: Mode::of(seen),
            draft: Draft::new(request, seen, made_unix_ms, package, world.group.clone()),
        }
    }

    pub fn together(&self) -> Condition {
        Condition::OnlineTogether {
            members: self.all.clone(),
            witnesses: 2,
        }
    }

    /// The same, or this member has fallen out and can't come back on its version.
    pub fn together_or_without(&self, member: &MemberName) -> Condition {
        Condition::OnlineTogetherOrShutOut {
            members: self.all.clone(),
            witnesses: 2,
            member: member.clone(),
            version: self.request.target,
        }
    }

    /// Somebody takes writes; in a multi-primary group somebody besides the one that is to be taken out.
    fn writes(&self, besides: Option<&MemberName>) -> Condition {
        match self.mode {
            Mode::SinglePrimary => Condition::WritablePrimary,
            Mode::MultiPrimary => Condition::WritableMember {
                besides: besides.cloned(),
            },
        }
    }

    /// Whoever took writes when the plan was made does so again.
    fn writes_as_before(&self) -> Vec<Condition> {
        match self.mode {
            Mode::SinglePrimary => vec![
                Condition::PrimaryIs {
                    member: self.primary.clone(),
                },
                Condition::WritablePrimary,
            ],
            Mode::MultiPrimary => self
                .seen
                .servers()
                .filter(|(_, server)| server.takes_writes())
                .map(|(name, _)| Condition::Member {
                    member: name.clone(),
                    is: Expectation::TakesWrites { on: true },
                })
                .collect(),
        }
    }

    /// The first stage: all is well, and, when it is undone, all is as it was. `restored`: in words, what that is.
    pub fn look(&mut self, restored: &str) -> Stage {
        let primary = self.primary;
        let mut as_it_was = vec![self.together()];
        as_it_was.extend(self.writes_as_before());
        as_it_was.extend(as_before(self.world));
        let gate = Gate {
            conditions: vec![
                self.together(),
                self.writes(None),
                Condition::NoErrantTransactions,
            ],
            undo_conditions: as_it_was,
            hold_ms: 0,
        };
        let why = format!("the group is whole; when unwound: {restored} are as before");
        let mut steps = vec![self.draft.gate(primary, gate, &why)];
        if self.mode == Mode::SinglePrimary {
            let uuid = self.world.members[primary].uuid.clone();
            let keep = Operation::KeepPrimary { uuid };
            let seen = self.seen.members[primary]
                .known()
                .expect("checked: the primary was seen");
            let why = "when unwound, the primary role goes back";
            steps.push(self.draft.operate(primary, seen, keep, 60, why));
        }
        Stage {
            title: "look".to_owned(),
            lanes: vec![Lane {
                member: primary.clone(),
                steps,
            }],
        }
    }

    /// From serving to out of the group. `whole`: what must be seen of the group; `besides`: somebody else must take writes, too;
    /// `must_serve`: a member that has fallen out is not taken on.
    pub fn take_out(
        &mut self,
        c: &Candidate<'_>,
        whole: Condition,
        besides: Option<&MemberName>,
        must_serve: bool,
    ) -> Vec<Step> {
        let spare = Gate {
            conditions: vec![
                whole,
                self.writes(besides),
                Condition::NoErrantTransactions,
                Condition::QueuesAtMost {
                    transactions: QUEUE,
                },
                Condition::NoTransactionOlderThan {
                    seconds: LONG_TRANSACTION_S,
                },
                Condition::NoPreparedXa {
                    member: c.name.clone(),
                },
            ],
            undo_conditions: Vec::new(),
            hold_ms: 0,
        };
        let why = "the group can spare this member now";
        let before = self.draft.gate(c.name, spare.clone(), why);
        let mut descend = self.draft.descend(c);
        if must_serve {
            descend.before.push(ONLINE);
        }
        let why = "it still can";
        let still = self.draft.gate_within(c.name, spare, STILL_WITHIN_S, why);
        let order = Operation::LeaveGroup {
            drain_s: LEAVE_DRAIN_S,
        };
        let why = match (self.mode, c.world.primary) {
            (Mode::SinglePrimary, true) => "hands the primary role over by leaving read-only first",
            (Mode::SinglePrimary, false) => "the others go on serving",
            (Mode::MultiPrimary, _) => "read-only first; the others go on serving",
        };
        let mut leave = self.draft.on(c, order, 300, why);
        leave.before = vec![Expectation::MaintenanceIs { on: true }];
        leave.after = vec![Expectation::NotInGroup];
        vec![before, descend, still, leave]
    }

    /// From out of the group to serving. `whole` as in [`Group::take_out`]; `is`: what else must be so of the member.
    pub fn bring_back(
        &mut self,
        c: &Candidate<'_>,
        whole: Condition,
        is: Option<Condition>,
    ) -> Vec<Step> {
        let order = Operation::JoinGroup {
            drain_s: JOIN_DRAIN_S,
        };
        let why = "catches up from the others";
        let mut join = self.draft.on(c, order, JOIN_DRAIN_S + 600, why);
        join.after = vec![ONLINE];
        let ascend = self.draft.ascend(c);
        let others = u8::try_from(self.all.len() / 2 + 1).expect("a group has at most 9 members");
        let mut conditions = vec![whole];
        conditions.extend(is);
        conditions.extend([
            self.writes(None),
            Condition::NoErrantTransactions,
            Condition::QueuesAtMost {
                transactions: QUEUE,
            },
        ]);
        let after = Gate {
            conditions,
            undo_conditions: vec![Condition::OthersOnline {
                without: c.name.clone(),
                least: others,
            }],
            hold_ms: self.request.policy.soak_s.saturating_mul(1000),
        };
        let why = "the member serves, and the group is whole again";
        let after = self.draft.gate(c.name, after, why);
        vec![join, ascend, after]
    }

    /// The last stage, where the role goes back to the primary of before.
    pub fn appoint(&mut self, primary: &Candidate<'_>) -> Stage {
        let uuid = primary.world.uuid.clone();
        let why = "the primary role goes back to the member that had it";
        let order = Operation::AppointPrimary { uuid };
        let step = self.draft.on(primary, order, 600, why);
        Stage {
            title: "give the primary role back".to_owned(),
            lanes: vec![Lane {
                member: primary.name.clone(),
                steps: vec![step],
            }],
        }
    }
}

const ONLINE: Expectation = Expectation::InGroup {
    state: MemberState::Online,
};
