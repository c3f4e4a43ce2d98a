//! Offline upgrade of a group: every member leaves, all are upgraded side by side, one begins the group anew, the others join
//! it. Nobody takes writes meanwhile, but the versions never meet.
//!
//! Source: MySQL manual "Group Replication Offline Upgrade" and "Restarting a Group".
//!
//! ```text
//! look        primary   gate (undone last: all is as it was) · keep_primary
//! fetch       all       fetch_packages · back_up_config                 side by side, everybody serves
//! secondary k           enter_maintenance · gate · leave_group          the primary serves
//! close       primary   enter_maintenance · gate (undone) · gate · dissolve_group · gate   downtime begins
//! upgrade     all       stop · snapshot · swap · start                  side by side
//! clear       all       leave_lost_group                                for when the group is begun again
//! open        primary   gate · bootstrap_group (PIVOT) · gate           downtime ends
//! join        others    join_group                                      side by side
//! done        all       leave_maintenance · gate
//! give back   primary   appoint_primary                                 where the policy asks
//! ```
//!
//! In a multi-primary group one member takes the primary's part here. Who leaves last, has every transaction; the gates around the
//! bootstrap prove it over all members' GTID sets, and that nobody is in a group.
//!
//! A group of one or two does not survive the loss of one. Whether the group that was begun still stands, the gate behind that asks,
//! on the way back the gate before `dissolve_group`; where it does not, it is begun again behind the same proof
//! ([`crate::saga`], `regroup`).

use super::candidate::{Candidate, candidates, common_target, everybody};
use super::draft::{Draft, as_before, irreversible_from};
use super::report::{Risks, downtime, side_by_side, total, warnings};
use super::{Request, blocked};
use crate::checks::{CheckResult, Finding};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::MemberName;
use crate::observation::MemberState;
use crate::operation::Operation;
use crate::plan::drift::World;
use crate::plan::{
    ApprovePivot, Gate, Lane, PLAN_FORMAT, Pivot, Plan, Report, RiskLevel, Stage, Step, Strategy,
    Target,
};
use crate::topology::{Kind, Sighting};
use std::collections::BTreeSet;

/// Before anybody leaves, in seconds.
const LONG_TRANSACTION_S: u64 = 30;
const QUEUE: u64 = 1000;
const DRAIN_S: u32 = 10;
/// For a network that comes back by itself.
const STANDS_S: u32 = 60;
const JOIN_DRAIN_S: u32 = 3600;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let blocked = |why: String| vec![blocked(Strategy::Offline, seen.cluster.as_str(), why)];
    let members = everybody(seen, &world);
    let Some(primary) = members.iter().find(|c| c.world.primary) else {
        return Err(blocked("no primary was seen".to_owned()));
    };
    let candidates = candidates(seen, &world, request);
    let package = common_target(request.target, &candidates).ok_or_else(|| {
        blocked(format!(
            "no one package version of {} is offered on every host",
            request.target
        ))
    })?;
    let mut build = Builder {
        request,
        world: &world,
        all: world.members.keys().cloned().collect(),
        primary: *primary,
        secondaries: members
            .iter()
            .filter(|c| c.name != primary.name)
            .copied()
            .collect(),
        multi_primary: seen.kind() == Ok(Kind::MultiPrimaryGroup),
        draft: Draft::new(
            request,
            seen,
            made_unix_ms,
            package.clone(),
            world.group.clone(),
        ),
    };
    let mut stages = vec![build.look(), build.draft.fetch(&candidates)];
    for c in build.secondaries.clone() {
        let stage = build.secondary_leaves(&c);
        stages.push(stage);
    }
    let close = build.close();
    let upgrade = build.upgrade(&candidates);
    let clear = build.clear(&members);
    let mut open = build.open(&candidates);
    let (closes, opens) = (close.lanes[0].steps[3].id, open.lanes[0].steps[1].id);
    irreversible_from(&mut open.lanes[0].steps, 1);
    stages.extend([close, upgrade, clear, open]);
    for mut stage in [build.others_join(), build.done(&members)] {
        for lane in &mut stage.lanes {
            irreversible_from(&mut lane.steps, 0);
        }
        stages.push(stage);
    }
    stages.extend(build.give_back());
    let pivot = Pivot {
        step: opens,
        asked_at: None,
        why: format!(
            "from here on the group takes writes on {}: putting the snapshots back would lose them",
            request.target
        ),
    };
    let finalize = build.draft.finalize(&candidates);

    let mut risks = Risks::of_hop(request.target, &candidates);
    risks.raise(
        RiskLevel::Medium,
        "nobody serves while the members are stopped".to_owned(),
    );
    let outage = downtime(&stages, closes, opens);
    let mut hand_over = vec![format!(
        "no member takes writes from {closes} to {opens}; {} ends the group last and begins it anew",
        primary.name
    )];
    if request.policy.approve_pivot == ApprovePivot::Person {
        hand_over.push(format!(
            "before {opens} it waits, with every server running and read-only, for `refit approve`: that time is downtime, too (--approve-pivot auto goes on by itself)"
        ));
    }
    let mut order: Vec<String> = Vec::new();
    for (position, c) in build.secondaries.iter().chain([primary]).enumerate() {
        let role = if c.name == primary.name {
            "leaves last, begins the group anew"
        } else {
            "leaves first, joins again"
        };
        order.push(c.in_order(position, request.target, role));
    }
    let report = Report {
        order,
        hand_over,
        can_be_undone: vec![
            format!(
                "every step before {opens}: `refit unwind` puts every member back and begins the group with {}",
                primary.name
            ),
            format!("nothing from {opens} on: {}", pivot.why),
        ],
        risk: risks.into_risk(),
        warnings: warnings(results),
        estimate: total(&stages),
        downtime: Some(outage),
    };
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::Offline,
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
        pivot: Some(pivot),
        report,
    })
}

struct Builder<'a> {
    request: &'a Request,
    world: &'a World,
    all: BTreeSet<MemberName>,
    primary: Candidate<'a>,
    secondaries: Vec<Candidate<'a>>,
    multi_primary: bool,
    draft: Draft,
}

fn lane(c: &Candidate<'_>, steps: Vec<Step>) -> Lane {
    Lane {
        member: c.name.clone(),
        steps,
    }
}

fn stage(title: impl Into<String>, lanes: Vec<Lane>) -> Stage {
    Stage {
        title: title.into(),
        lanes,
    }
}

impl Builder<'_> {
    fn together(&self) -> Condition {
        Condition::OnlineTogether {
            members: self.all.clone(),
            witnesses: 2,
        }
    }

    /// Somebody takes writes. Who, the group may have decided anew meanwhile.
    fn writes(&self) -> Condition {
        if self.multi_primary {
            Condition::WritableMember { besides: None }
        } else {
            Condition::WritablePrimary
        }
    }

    /// Nobody is in a group, and the one that begins it has everything.
    fn proof(&self) -> Vec<Condition> {
        vec![
            Condition::NobodyInGroup {
                members: self.all.clone(),
            },
            Condition::HasEverything {
                member: self.primary.name.clone(),
                of: self.all.clone(),
            },
        ]
    }

    fn look(&mut self) -> Stage {
        let primary = self.primary;
        let mut whole = vec![self.together(), self.writes()];
        let mut restored = whole.clone();
        if !self.multi_primary {
            restored.push(Condition::PrimaryIs {
                member: primary.name.clone(),
            });
        }
        restored.extend(as_before(self.world));
        whole.push(Condition::NoErrantTransactions);
        let gate = Gate {
            conditions: whole,
            undo_conditions: restored,
            hold_ms: 0,
        };
        let why = "the group is whole; when unwound: versions, packages, option files, membership and primary are as before";
        let mut steps = vec![self.draft.gate(primary.name, gate, why)];
        if !self.multi_primary {
            let uuid = primary.world.uuid.clone();
            let keep = Operation::KeepPrimary { uuid };
            let why = "when unwound, the primary role goes back";
            steps.push(self.draft.on(&primary, keep, 60, why));
        }
        stage("look", vec![lane(&primary, steps)])
    }

    fn descend(&mut self, c: &Candidate<'_>) -> Step {
        let mut step = self.draft.descend(c);
        step.before.push(Expectation::InGroup {
            state: MemberState::Online,
        });
        step
    }

    /// How many others are in the group when this secondary leaves.
    fn still_in_without(&self, c: &Candidate<'_>) -> u8 {
        let left = self.secondaries.iter().position(|s| s.name == c.name);
        let left = left.expect("it is one of the secondaries");
        u8::try_from(self.secondaries.len() - left).expect("a group has at most 9 members")
    }

    fn secondary_leaves(&mut self, c: &Candidate<'_>) -> Stage {
        let descend = self.descend(c);
        let gate = Gate {
            conditions: vec![
                // With one of them lost, the rest would have no majority.
                Condition::OthersOnline {
                    without: c.name.clone(),
                    least: self.still_in_without(c),
                },
                self.writes(),
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
        let why = "all who leave later are in, and nothing long is under way";
        let gate = self.draft.gate(c.name, gate, why);
        let order = Operation::LeaveGroup { drain_s: DRAIN_S };
        let mut leave = self.draft.on(c, order, 300, "secondaries leave first");
        leave.before = vec![Expectation::MaintenanceIs { on: true }];
        leave.after = vec![Expectation::NotInGroup];
        stage(
            format!("{} leaves the group", c.name),
            vec![lane(c, vec![descend, gate, leave])],
        )
    }

    fn close(&mut self) -> Stage {
        let primary = self.primary;
        let descend = self.descend(&primary);
        let begun = Gate {
            conditions: Vec::new(),
            undo_conditions: vec![Condition::GroupStands],
            hold_ms: 0,
        };
        let why = "when unwound, the group has been begun, and has its majority; else it is begun again, once `refit resume` says so";
        let begun = self.draft.gate_within(primary.name, begun, STANDS_S, why);
        let mut others = self.all.clone();
        others.remove(primary.name);
        let last = Gate {
            conditions: vec![
                Condition::NobodyInGroup { members: others },
                Condition::NoTransactionOlderThan {
                    seconds: LONG_TRANSACTION_S,
                },
                Condition::NoPreparedXa {
                    member: primary.name.clone(),
                },
            ],
            undo_conditions: Vec::new(),
            hold_ms: 0,
        };
        let why = "the others are out, and nothing would be cut off now";
        let last = self.draft.gate(primary.name, last, why);
        let order = Operation::DissolveGroup { drain_s: DRAIN_S };
        let why = "the last member leaves: the downtime begins";
        let mut dissolve = self.draft.on(&primary, order, 300, why);
        dissolve.before = vec![Expectation::MaintenanceIs { on: true }];
        dissolve.after = vec![Expectation::NotInGroup];
        let closed = Gate {
            conditions: self.proof(),
            undo_conditions: self.proof(),
            hold_ms: 0,
        };
        let why = "there is no group, and the last one out has everything; asked again before the group is begun on the way back";
        let closed = self.draft.gate(primary.name, closed, why);
        stage(
            "close the group",
            vec![lane(&primary, vec![descend, begun, last, dissolve, closed])],
        )
    }

    fn upgrade(&mut self, candidates: &[Candidate<'_>]) -> Stage {
        let mut lanes = Vec::new();
        for c in candidates {
            let steps = self.draft.replace(c, 0);
            lanes.push(lane(c, steps));
        }
        stage(side_by_side(candidates, self.request.target), lanes)
    }

    /// Nothing in it, unless the group is begun again.
    fn clear(&mut self, members: &[Candidate<'_>]) -> Stage {
        let mut lanes = Vec::new();
        for c in members {
            let order = Operation::LeaveLostGroup;
            let why = "out of any group that has lost its majority";
            let mut clear = self.draft.on(c, order, 300, why);
            clear.after = vec![Expectation::NotInGroup];
            lanes.push(lane(c, vec![clear]));
        }
        stage("nobody is in a group", lanes)
    }

    fn open(&mut self, candidates: &[Candidate<'_>]) -> Stage {
        let primary = self.primary;
        let mut conditions = self.proof();
        conditions.extend(candidates.iter().map(|c| Condition::Member {
            member: c.name.clone(),
            is: Expectation::ServerRunning {
                version: self.request.target,
            },
        }));
        let proof = Gate {
            conditions,
            undo_conditions: Vec::new(),
            hold_ms: 0,
        };
        let why = "all run the target, nobody is in a group, and the member that begins it has everything";
        let proof = self.draft.gate(primary.name, proof, why);
        let why = "the group begins anew: the downtime ends";
        let mut begin = self.draft.on(&primary, Operation::BootstrapGroup, 600, why);
        begin.after = vec![Expectation::InGroup {
            state: MemberState::Online,
        }];
        let stands = Gate {
            conditions: vec![Condition::GroupStands],
            undo_conditions: Vec::new(),
            hold_ms: 0,
        };
        let why = "the group has been begun, and has its majority; else it is begun again, once `refit resume` says so";
        let stands = self.draft.gate_within(primary.name, stands, STANDS_S, why);
        stage(
            "open the group",
            vec![lane(&primary, vec![proof, begin, stands])],
        )
    }

    fn others_join(&mut self) -> Stage {
        let mut lanes = Vec::new();
        for c in self.secondaries.clone() {
            let order = Operation::JoinGroup {
                drain_s: JOIN_DRAIN_S,
            };
            let why = "catches up from the others";
            let mut join = self.draft.on(&c, order, JOIN_DRAIN_S + 600, why);
            join.after = vec![Expectation::InGroup {
                state: MemberState::Online,
            }];
            lanes.push(lane(&c, vec![join]));
        }
        stage("the others join", lanes)
    }

    /// It begins the group and so has the role already, unless its host was lost since.
    fn give_back(&mut self) -> Option<Stage> {
        if self.multi_primary || !self.request.policy.restore_primary {
            return None;
        }
        let primary = self.primary;
        let uuid = primary.world.uuid.clone();
        let order = Operation::AppointPrimary { uuid };
        let why = "the primary role is where it was";
        let step = self.draft.on(&primary, order, 600, why);
        Some(stage(
            "give the primary role back",
            vec![lane(&primary, vec![step])],
        ))
    }

    fn done(&mut self, members: &[Candidate<'_>]) -> Stage {
        let mut lanes = Vec::new();
        for c in members {
            let ascend = self.draft.ascend(c);
            let after = Gate {
                conditions: vec![
                    self.together(),
                    Condition::MemberAt {
                        member: c.name.clone(),
                        version: self.request.target,
                    },
                    self.writes(),
                    Condition::NoErrantTransactions,
                ],
                undo_conditions: Vec::new(),
                hold_ms: self.request.policy.soak_s.saturating_mul(1000),
            };
            let why = "the member serves, and the group is whole again";
            let after = self.draft.gate(c.name, after, why);
            lanes.push(lane(c, vec![ascend, after]));
        }
        stage("leave maintenance", lanes)
    }
}
