//! Tables are rebuilt on each member of a group by itself, out of the group, and no GTID is written. No version changes.
//!
//! ```text
//! look      primary   gate (undone last: all is as it was) · keep_primary
//! inspect   all       inspect_tables                                          side by side, everybody serves
//! member k            gate · enter_maintenance · gate · leave · rebuild_tables · join · leave_maintenance · gate
//! ...       primary   the same; leaving hands the primary role over
//! give back primary   appoint_primary                                         where the policy asks
//! ```
//!
//! Source: MYSQL.md §3.8. Within a running group a rebuild with the binary log off would diverge the member, and one with it on would
//! reach all members at once: so it is done by a member that is out, read-only and alone. In a multi-primary group there is no role to
//! keep or give back, and somebody else takes writes before a member leaves.

use super::candidate::{Candidate, everybody};
use super::draft::{Draft, as_before};
use super::in_group_rolling::STILL_WITHIN_S;
use super::rebuild_tables::{REBUILD_WITHIN_S, freeze, rebuilt_alone, wrong};
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
    Gate, Lane, PLAN_FORMAT, Plan, Report, RiskLevel, Stage, Step, Strategy, Target,
};
use crate::table::listed;
use crate::topology::{Kind, Sighting};
use std::collections::BTreeSet;

/// As for an upgrade within the group.
const LONG_TRANSACTION_S: u64 = 30;
const QUEUE: u64 = 1000;
const LEAVE_DRAIN_S: u32 = 10;
const JOIN_DRAIN_S: u32 = 3600;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let finding = |object: &str, why: String| blocked(Strategy::RebuildTables, object, why);
    let wrong = wrong(request, &world);
    if !wrong.is_empty() {
        return Err(wrong.into_iter().map(|(o, why)| finding(&o, why)).collect());
    }
    let cluster = seen.cluster.as_str();
    let Some((primary, _)) = world.primary() else {
        return Err(vec![finding(cluster, "no primary was seen".to_owned())]);
    };
    let installed = world.members.values().map(|m| m.package_version.clone());
    let package = installed.max().expect("a primary is a member");
    let mut build = Builder {
        request,
        seen,
        world: &world,
        all: world.members.keys().cloned().collect(),
        primary,
        multi: seen.kind() == Ok(Kind::MultiPrimaryGroup),
        draft: Draft::new(
            request,
            seen,
            made_unix_ms,
            package.clone(),
            world.group.clone(),
        ),
    };
    let mut members = everybody(seen, &world);
    members.sort_by_key(|c| (c.world.primary && !build.multi, c.name.clone()));
    let mut stages = vec![build.look(), build.inspect(&members)];
    let mut order = Vec::new();
    for c in &members {
        let role = match (build.multi, c.world.primary) {
            (true, _) => "takes writes",
            (false, true) => "primary, so last",
            (false, false) => "secondary",
        };
        order.push(format!("{}. {} ({role})", order.len() + 1, c.name));
        stages.push(build.member(c));
    }
    let hand_over = build.hand_over(&members, &mut stages);
    let mut risks = Risks::none();
    if members.len() == 3 {
        risks.raise(
            RiskLevel::Medium,
            "three members: no further loss is survived while one is out".to_owned(),
        );
    }
    let report = Report {
        order,
        hand_over,
        can_be_undone: vec![
            "every step: a rebuilt table holds the same rows, so it is left as it is; `refit unwind` lets the member join again"
                .to_owned(),
        ],
        risk: risks.into_risk(),
        warnings: warnings(results),
        estimate: total(&stages),
        downtime: None,
    };
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::RebuildTables,
        target: Target {
            version: request.target,
            package_version: package,
        },
        policy: request.policy.clone(),
        made_unix_ms,
        made_from: world,
        stages,
        // Nothing is kept that would have to be deleted.
        finalize: Stage {
            title: "finalize".to_owned(),
            lanes: Vec::new(),
        },
        frozen: BTreeSet::new(),
        pivot: None,
        report,
    })
}

struct Builder<'a> {
    request: &'a Request,
    seen: &'a Sighting,
    world: &'a World,
    all: BTreeSet<MemberName>,
    /// In a multi-primary group one of them.
    primary: &'a MemberName,
    multi: bool,
    draft: Draft,
}

impl Builder<'_> {
    fn together(&self) -> Condition {
        Condition::OnlineTogether {
            members: self.all.clone(),
            witnesses: 2,
        }
    }

    /// Somebody takes writes; in a multi-primary group somebody besides the one that is to be taken out.
    fn writes(&self, besides: Option<&MemberName>) -> Condition {
        if self.multi {
            Condition::WritableMember {
                besides: besides.cloned(),
            }
        } else {
            Condition::WritablePrimary
        }
    }

    fn writes_as_before(&self) -> Vec<Condition> {
        if !self.multi {
            let member = self.primary.clone();
            return vec![Condition::PrimaryIs { member }, Condition::WritablePrimary];
        }
        let writers = self.seen.servers();
        writers
            .filter(|(_, server)| ServerFacts::takes_writes(server))
            .map(|(name, _)| Condition::Member {
                member: name.clone(),
                is: Expectation::TakesWrites { on: true },
            })
            .collect()
    }

    fn look(&mut self) -> Stage {
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
        let why = "the group is whole; when unwound: membership and who takes writes are as before";
        let mut steps = vec![self.draft.gate(self.primary, gate, why)];
        if !self.multi {
            let uuid = self.world.members[self.primary].uuid.clone();
            let seen = self.seen.members[self.primary]
                .known()
                .expect("checked: the primary was seen");
            let why = "when unwound, the primary role goes back";
            let order = Operation::KeepPrimary { uuid };
            steps.push(self.draft.operate(self.primary, seen, order, 60, why));
        }
        Stage {
            title: "look".to_owned(),
            lanes: vec![Lane {
                member: self.primary.clone(),
                steps,
            }],
        }
    }

    /// Every mistake in the list is known while everybody serves.
    fn inspect(&mut self, members: &[Candidate<'_>]) -> Stage {
        let mut lanes = Vec::new();
        for c in members {
            let order = Operation::InspectTables {
                tables: self.request.tables.clone(),
            };
            let why = "the tables are there and can be rebuilt, known before anybody leaves";
            let mut inspect = self.draft.on(c, order, 120, why);
            let version = self.request.target;
            inspect.before = vec![Expectation::ServerRunning { version }];
            lanes.push(Lane {
                member: c.name.clone(),
                steps: vec![inspect],
            });
        }
        Stage {
            title: "inspect tables".to_owned(),
            lanes,
        }
    }

    fn member(&mut self, c: &Candidate<'_>) -> Stage {
        let before = Gate {
            conditions: vec![
                self.together(),
                self.writes(Some(c.name)),
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
        let still = before.clone();
        let before = self.draft.gate(c.name, before, why);
        // Behind a gate: a member in maintenance that is restarted does not join again, and must not wait so for anybody. And before
        // one: entering takes a moment, in which another member may be lost.
        let mut descend = self.draft.descend(c);
        let online = Expectation::InGroup {
            state: MemberState::Online,
        };
        descend.before.push(online.clone());
        let why = "it still can";
        let still = self.draft.gate_within(c.name, still, STILL_WITHIN_S, why);
        let order = Operation::LeaveGroup {
            drain_s: LEAVE_DRAIN_S,
        };
        let why = match (self.multi, c.world.primary) {
            (true, _) => "read-only first; the others go on serving",
            (false, true) => "hands the primary role over by leaving read-only first",
            (false, false) => "the others go on serving",
        };
        let mut leave = self.draft.on(c, order, 300, why);
        leave.before = vec![Expectation::MaintenanceIs { on: true }];
        leave.after = vec![Expectation::NotInGroup];
        let tables = self.request.tables.clone();
        let why = rebuilt_alone(&tables);
        let order = Operation::RebuildTables { tables };
        let mut rebuild = self.draft.on(c, order, REBUILD_WITHIN_S, &why);
        rebuild.before = vec![Expectation::NotInGroup];
        let order = Operation::JoinGroup {
            drain_s: JOIN_DRAIN_S,
        };
        let why = "catches up from the others";
        let mut join = self.draft.on(c, order, JOIN_DRAIN_S + 600, why);
        join.after = vec![online];
        let ascend = self.draft.ascend(c);
        let others = u8::try_from(self.all.len() / 2 + 1).expect("a group has at most 9 members");
        let after = Gate {
            conditions: vec![
                self.together(),
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
        };
        let why = "the member serves, and the group is whole again";
        let after = self.draft.gate(c.name, after, why);
        let steps: Vec<Step> = vec![before, descend, still, leave, rebuild, join, ascend, after];
        Stage {
            title: format!("rebuild tables of {}", c.name),
            lanes: vec![Lane {
                member: c.name.clone(),
                steps,
            }],
        }
    }

    /// What becomes of the writes; the last stage gives the role back, where the policy asks for it.
    fn hand_over(&mut self, members: &[Candidate<'_>], stages: &mut Vec<Stage>) -> Vec<String> {
        let tables = listed(&self.request.tables);
        let mut told = vec![format!(
            "rebuilt on every member by itself, out of the group: {tables}"
        )];
        if self.multi {
            told.push(format!(
                "write capacity: {} of {} members while one is out; route writes by @@super_read_only",
                members.len() - 1,
                members.len()
            ));
        } else {
            let primary = self.primary;
            told.push(format!(
                "{primary} (primary) leaves last: it turns read-only and leaves, and the group elects a new primary"
            ));
            let last = members.last().filter(|c| c.name == primary);
            if let Some(c) = last.filter(|_| self.request.policy.restore_primary) {
                let uuid = c.world.uuid.clone();
                let why = "the primary role goes back to the member that had it";
                let order = Operation::AppointPrimary { uuid };
                let step = self.draft.on(c, order, 600, why);
                stages.push(Stage {
                    title: "give the primary role back".to_owned(),
                    lanes: vec![Lane {
                        member: primary.clone(),
                        steps: vec![step],
                    }],
                });
                told.push(format!("at the end {primary} is appointed again"));
            } else {
                told.push("the newly elected member stays the primary".to_owned());
            }
        }
        told.push(freeze().to_owned());
        told
    }
}
