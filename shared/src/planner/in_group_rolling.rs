//! In-group rolling upgrade: one member after the other leaves, is upgraded and rejoins; in a single-primary group the primary
//! last, in a multi-primary group those of the lowest version last, since only they take writes while versions differ.
//!
//! Source: MySQL manual, "Group Replication Online Upgrade Methods" and "Group Replication Upgrade: Combining Different
//! Member Versions in a Group".
//!
//! ```text
//! look      primary   gate (undone last: all is as it was) · keep_primary
//! fetch     all       fetch_packages · back_up_config                          side by side, everybody serves
//! member k            gate · enter_maintenance · gate · leave · stop · snapshot · swap · start · join · leave_maintenance · gate
//! ...       primary   the same; leaving hands the primary role over
//! give back primary   appoint_primary                                          where the policy asks
//! ```
//!
//! In a multi-primary group there is no role to keep or give back.

use super::candidate::{Candidate, candidates, common_target};
use super::draft::{Draft, as_before, irreversible_from};
use super::report::{Risks, total, warnings};
use super::{Request, blocked};
use crate::checks::{CheckResult, Finding};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::MemberName;
use crate::observation::{MemberState, ServerFacts};
use crate::operation::Operation;
use crate::plan::drift::World;
use crate::plan::{
    Gate, Lane, PLAN_FORMAT, Pivot, Plan, Report, RiskLevel, Stage, Strategy, Target,
};
use crate::rules::group::{Join, join, may_be_appointed};
use crate::topology::{Kind, Sighting};
use crate::version::MysqlVersion;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A gate before a member is taken out: nobody may wait longer than this for transactions of others.
const LONG_TRANSACTION_S: u64 = 30;
/// Waiting transactions that a gate tolerates: under load a queue is hardly ever empty.
const QUEUE: u64 = 1000;
/// How long the drain of writes may hold up a leave, and of the queue a join.
const LEAVE_DRAIN_S: u32 = 10;
const JOIN_DRAIN_S: u32 = 3600;
/// A member that is in maintenance and can't be spared any more is put back after so long.
pub(super) const STILL_WITHIN_S: u32 = 60;
/// Of a member's steps, the one that takes it out; what comes before changes nothing that counts.
const LEAVES_AT: usize = 3;
/// A person is asked before this one, while everybody serves.
const DESCENDS_AT: usize = 1;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let blocked = |why: String| {
        vec![blocked(
            Strategy::InGroupRolling,
            seen.cluster.as_str(),
            why,
        )]
    };
    let Some((primary, _)) = world.primary() else {
        return Err(blocked("no primary was seen".to_owned()));
    };
    let mode = Mode::of(seen);
    let candidates = order(seen, &world, request.target, mode);
    let package = common_target(request.target, &candidates).ok_or_else(|| {
        blocked(format!(
            "no one package version of {} is offered on every host",
            request.target
        ))
    })?;
    let mut build = Builder {
        request,
        seen,
        world: &world,
        all: world.members.keys().cloned().collect(),
        primary,
        mode,
        last_of_lowest: candidates
            .last()
            .map_or_else(|| primary.clone(), |c| c.name.clone()),
        draft: Draft::new(
            request,
            seen,
            made_unix_ms,
            package.clone(),
            world.group.clone(),
        ),
    };
    let mut stages = vec![build.look(), build.draft.fetch(&candidates)];
    let mut order_report = Vec::new();
    let mut pivot = None;
    let mut versions: Vec<MysqlVersion> = world.members.values().map(|m| m.version).collect();
    for (position, c) in candidates.iter().enumerate() {
        order_report.push(c.in_order(position, request.target, &reason(c, mode)));
        let left = replaced(&versions, c, request.target);
        let one_way = pivot.is_none() && ends(c.world.version, &left);
        let way_back = match (&pivot, one_way) {
            (Some(_), _) => WayBack::Closed,
            (None, true) => WayBack::EndsHere,
            (None, false) => WayBack::Open,
        };
        // Who comes after the last but one may be shut out as soon as that one is back.
        let next = candidates.get(position + 1).filter(|next| {
            way_back == WayBack::Open
                && ends(next.world.version, &replaced(&left, next, request.target))
        });
        let mut lane = build.member(c, way_back, next.map(|next| next.name));
        if way_back != WayBack::Open {
            irreversible_from(&mut lane.steps, LEAVES_AT);
        }
        if one_way {
            pivot = Some(Pivot {
                step: lane.steps[LEAVES_AT].id,
                asked_at: Some(lane.steps[DESCENDS_AT].id),
                why: format!(
                    "{} is the last member of {}: once it has left, writes are taken by {} and no member of {} can join again",
                    c.name,
                    c.world.version.series(),
                    request.target,
                    c.world.version
                ),
            });
        }
        versions = left;
        stages.push(Stage {
            title: format!("upgrade {}", c.name),
            lanes: vec![lane],
        });
    }
    let hand_over = match mode {
        Mode::SinglePrimary => build.give_back(&candidates, &mut stages),
        Mode::MultiPrimary => capacity(&world, &candidates, request.target),
    };
    let finalize = build.draft.finalize(&candidates);
    let report = report(
        request,
        &candidates,
        results,
        &stages,
        order_report,
        hand_over,
        pivot.as_ref(),
        world.members.len(),
    );
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::InGroupRolling,
        target: Target {
            version: request.target,
            package_version: package,
        },
        policy: request.policy.clone(),
        made_unix_ms,
        made_from: world,
        frozen: BTreeSet::new(),
        stages,
        finalize,
        pivot,
        report,
    })
}

/// The versions of the group's members once this one runs the target.
fn replaced(
    versions: &[MysqlVersion],
    c: &Candidate<'_>,
    target: MysqlVersion,
) -> Vec<MysqlVersion> {
    let mut left = versions.to_vec();
    let own = left.iter().position(|v| *v == c.world.version);
    left[own.expect("every candidate's version is in the list")] = target;
    left
}

/// Once the last member that the old version may join is gone, no old member can come back.
fn ends(old: MysqlVersion, left: &[MysqlVersion]) -> bool {
    matches!(join(old, left), Join::Refused(_))
}

/// Secondaries first, fewest queued transactions first, the primary last. In a multi-primary group the highest version first:
/// those members are read-only anyway.
fn order<'a>(
    seen: &'a Sighting,
    world: &'a World,
    target: MysqlVersion,
    mode: Mode,
) -> Vec<Candidate<'a>> {
    let mut members = candidates(seen, world, target);
    match mode {
        Mode::SinglePrimary => {
            members.sort_by_key(|c| (c.world.primary, queue(c), c.name.clone()));
        }
        Mode::MultiPrimary => {
            members.sort_by_key(|c| (Reverse(c.world.version), queue(c), c.name.clone()));
        }
    }
    members
}

/// Transactions that wait on a member.
fn queue(c: &Candidate<'_>) -> u64 {
    let group = c
        .seen
        .server
        .known()
        .and_then(|server| server.group.known()?.as_ref());
    group.map_or(0, |group| group.applier_queue + group.certifier_queue)
}

fn reason(c: &Candidate<'_>, mode: Mode) -> String {
    match mode {
        Mode::SinglePrimary if c.world.primary => "primary, so last".to_owned(),
        Mode::SinglePrimary => format!("secondary, {} transaction(s) queued", queue(c)),
        Mode::MultiPrimary => {
            let takes = c.seen.server.known().is_some_and(ServerFacts::takes_writes);
            let writes = if takes { "takes writes" } else { "read-only" };
            format!("{writes}, {} transaction(s) queued", queue(c))
        }
    }
}

/// How many members take writes, after each one: only those of the lowest version do, once versions differ.
fn capacity(world: &World, candidates: &[Candidate<'_>], target: MysqlVersion) -> Vec<String> {
    let size = world.members.len();
    let mut versions: BTreeMap<&MemberName, MysqlVersion> = world
        .members
        .iter()
        .map(|(name, member)| (name, member.version))
        .collect();
    let at_lowest = |versions: &BTreeMap<&MemberName, MysqlVersion>| {
        let lowest = versions.values().min().copied();
        let count = versions.values().filter(|v| Some(**v) == lowest).count();
        (count, lowest.map_or_else(String::new, |v| v.to_string()))
    };
    let (now, lowest) = at_lowest(&versions);
    let mut told = vec![format!(
        "write capacity now: {now} of {size} members ({lowest}); route writes by @@super_read_only, MEMBER_ROLE says PRIMARY even of read-only members"
    )];
    for c in candidates {
        versions.remove(c.name);
        let (without, _) = at_lowest(&versions);
        versions.insert(c.name, target);
        let (after, lowest) = at_lowest(&versions);
        told.push(format!(
            "write capacity: {without} of {size} while {} is out, {after} once it is back ({lowest})",
            c.name
        ));
    }
    told
}

/// Who may write in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    SinglePrimary,
    MultiPrimary,
}

impl Mode {
    fn of(seen: &Sighting) -> Self {
        match seen.kind() {
            Ok(Kind::MultiPrimaryGroup) => Self::MultiPrimary,
            Ok(Kind::SinglePrimaryGroup | Kind::ReplicationTopology | Kind::StandaloneServer)
            | Err(_) => Self::SinglePrimary,
        }
    }
}

/// Whether the old version could come back once a member has left its group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WayBack {
    Open,
    /// This member's leave is the pivot.
    EndsHere,
    Closed,
}

struct Builder<'a> {
    request: &'a Request,
    seen: &'a Sighting,
    world: &'a World,
    all: BTreeSet<MemberName>,
    /// In a multi-primary group one of them.
    primary: &'a MemberName,
    mode: Mode,
    /// The member that is taken out last.
    last_of_lowest: MemberName,
    draft: Draft,
}

impl Builder<'_> {
    fn together(&self) -> Condition {
        Condition::OnlineTogether {
            members: self.all.clone(),
            witnesses: 2,
        }
    }

    /// The same, or this member has fallen out and can't come back on its version.
    fn together_or_without(&self, member: &MemberName) -> Condition {
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

    /// The first stage: all is well, and, when it is undone, all is as it was.
    fn look(&mut self) -> Stage {
        let primary = self.primary;
        let mut restored = vec![self.together()];
        restored.extend(self.writes_as_before());
        restored.extend(as_before(self.world));
        let gate = Gate {
            conditions: vec![
                self.together(),
                self.writes(None),
                Condition::NoErrantTransactions,
            ],
            undo_conditions: restored,
            hold_ms: 0,
        };
        let why = match self.mode {
            Mode::SinglePrimary => {
                "the group is whole; when unwound: versions, packages, option files, membership and primary are as before"
            }
            Mode::MultiPrimary => {
                "the group is whole; when unwound: versions, packages, option files, membership and who takes writes are as before"
            }
        };
        let mut steps = vec![self.draft.gate(primary, gate, why)];
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

    /// `next`: a member that could not come back if it fell out of the group once this one is upgraded.
    fn member(&mut self, c: &Candidate<'_>, way_back: WayBack, next: Option<&MemberName>) -> Lane {
        let before = self.before(c, way_back);
        let before = self
            .draft
            .gate(c.name, before, "the group can spare this member now");
        // Behind a gate: a member in maintenance that is restarted does not join again, and must not wait so for anybody. And before
        // one: entering takes a moment, in which another member may be lost.
        let mut descend = self.draft.descend(c);
        // Where nothing leads back, a member that has fallen out is taken on all the same.
        if way_back != WayBack::EndsHere {
            descend.before.push(Expectation::InGroup {
                state: MemberState::Online,
            });
        }
        let still = self.before(c, way_back);
        let why = "it still can";
        let still = self.draft.gate_within(c.name, still, STILL_WITHIN_S, why);
        let leave = Operation::LeaveGroup {
            drain_s: LEAVE_DRAIN_S,
        };
        let why = match (self.mode, c.world.primary) {
            (Mode::SinglePrimary, true) => "hands the primary role over by leaving read-only first",
            (Mode::SinglePrimary, false) => "the others go on serving",
            (Mode::MultiPrimary, _) => "read-only first; the others go on serving",
        };
        let mut leave = self.draft.on(c, leave, 300, why);
        leave.before = vec![Expectation::MaintenanceIs { on: true }];
        leave.after = vec![Expectation::NotInGroup];
        let replace = self.draft.replace(c, 0);
        let join = Operation::JoinGroup {
            drain_s: JOIN_DRAIN_S,
        };
        let mut join = self
            .draft
            .on(c, join, JOIN_DRAIN_S + 600, "catches up from the others");
        join.after = vec![Expectation::InGroup {
            state: MemberState::Online,
        }];
        let ascend = self.draft.ascend(c);
        let after = self.after(c, next);
        let after = self.draft.gate(
            c.name,
            after,
            "the member serves, and the group is whole again",
        );
        let mut steps = vec![before, descend, still, leave];
        steps.extend(replace);
        steps.extend([join, ascend, after]);
        Lane {
            member: c.name.clone(),
            steps,
        }
    }

    fn before(&self, c: &Candidate<'_>, way_back: WayBack) -> Gate {
        // The last one of the lowest version hands over by leaving: until then no other takes writes.
        let lowest = self.last_of_lowest == *c.name;
        let besides = (!lowest).then_some(c.name);
        let whole = match way_back {
            WayBack::Open | WayBack::Closed => self.together(),
            WayBack::EndsHere => self.together_or_without(c.name),
        };
        Gate {
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
        }
    }

    fn after(&self, c: &Candidate<'_>, next: Option<&MemberName>) -> Gate {
        let others = u8::try_from(self.all.len() / 2 + 1).expect("a group has at most 9 members");
        let whole = match next {
            Some(next) => self.together_or_without(next),
            None => self.together(),
        };
        Gate {
            conditions: vec![
                whole,
                Condition::MemberAt {
                    member: c.name.clone(),
                    version: self.request.target,
                },
                self.writes(None),
                Condition::NoErrantTransactions,
                Condition::QueuesAtMost {
                    transactions: QUEUE,
                },
            ],
            undo_conditions: vec![Condition::OthersOnline {
                without: c.name.clone(),
                least: others,
            }],
            hold_ms: self.request.policy.soak_s.saturating_mul(1000),
        }
    }

    /// The last stage, where the policy asks for it and the rules allow it. Returns what to tell the operator.
    fn give_back(&mut self, candidates: &[Candidate<'_>], stages: &mut Vec<Stage>) -> Vec<String> {
        let primary = self.primary;
        let Some(last) = candidates.iter().find(|c| c.name == primary) else {
            return vec![format!(
                "{primary} runs the target already and stays the primary"
            )];
        };
        let mut told = vec![format!(
            "{primary} (primary) leaves last: set_as_primary to a member of {} is refused while one of {} is in the group (error 3910), so it turns read-only and leaves, and the group elects a new primary",
            self.request.target, last.world.version
        )];
        if !self.request.policy.restore_primary {
            told.push("the newly elected member stays the primary".to_owned());
            return told;
        }
        let after: Vec<MysqlVersion> = self.all.iter().map(|_| self.request.target).collect();
        match may_be_appointed(self.request.target, &after) {
            Ok(()) => {
                let uuid = last.world.uuid.clone();
                let why = "the primary role goes back to the member that had it";
                let order = Operation::AppointPrimary { uuid };
                let step = self.draft.on(last, order, 600, why);
                stages.push(Stage {
                    title: "give the primary role back".to_owned(),
                    lanes: vec![Lane {
                        member: primary.clone(),
                        steps: vec![step],
                    }],
                });
                told.push(format!(
                    "at the end {primary} is appointed again: all members are then of one version"
                ));
            }
            Err(refused) => told.push(format!("the primary role can't be given back: {refused}")),
        }
        told
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "a report draws on everything that the planner has found"
)]
fn report(
    request: &Request,
    candidates: &[Candidate<'_>],
    results: &[CheckResult],
    stages: &[Stage],
    order: Vec<String>,
    hand_over: Vec<String>,
    pivot: Option<&Pivot>,
    size: usize,
) -> Report {
    let mut risks = Risks::of_hop(request.target, candidates);
    if pivot.is_none() {
        risks.raise(
            RiskLevel::Low,
            "members of both versions may join each other".to_owned(),
        );
    }
    if size == 3 {
        risks.raise(
            RiskLevel::Medium,
            "three members: no further loss is survived while one is out".to_owned(),
        );
    }
    for one in &request.policy.overrides {
        let overridden = results.iter().find(|result| result.id == one.check);
        if overridden.is_some_and(|result| !result.findings.is_empty()) {
            risks.raise(RiskLevel::High, format!("against a check: {one}"));
        }
    }
    let can_be_undone = match pivot {
        None => vec![format!(
            "every step, also after the end, until `refit finalize`: a member of the old version may join one of {} again",
            request.target
        )],
        Some(pivot) => vec![
            format!(
                "every step before {}: `refit unwind` puts each touched member back",
                pivot.step
            ),
            format!("nothing from {} on: {}", pivot.step, pivot.why),
        ],
    };
    Report {
        order,
        hand_over,
        can_be_undone,
        risk: risks.into_risk(),
        warnings: warnings(results),
        estimate: total(stages),
        downtime: None,
    }
}
