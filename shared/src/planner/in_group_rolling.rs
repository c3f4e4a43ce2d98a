//! In-group rolling upgrade of a single-primary group: one member after the other leaves, is upgraded and rejoins; the
//! primary last.
//!
//! Source: MySQL manual, "Group Replication Online Upgrade Methods" and "Group Replication Upgrade: Combining Different
//! Member Versions in a Group".
//!
//! ```text
//! look      primary   gate (undone last: all is as it was) · keep_primary
//! fetch     all       fetch_packages · back_up_config                          side by side, everybody serves
//! member k            enter_maintenance · gate · leave · stop · snapshot · swap · start · join · leave_maintenance · gate
//! ...       primary   the same; leaving hands the primary role over
//! give back primary   appoint_primary                                          where the policy asks
//! ```

use super::{Request, estimate};
use crate::checks::{CheckResult, Finding, Level, of_level};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::{MemberName, StepId};
use crate::observation::{MemberState, Observation, PackageFacts, PackagePin, Seconds};
use crate::operation::Operation;
use crate::plan::drift::{MemberWorld, World};
use crate::plan::{
    Action, Gate, Lane, PLAN_FORMAT, Pivot, Plan, Report, Reversibility, Risk, RiskLevel, Stage,
    Step, Strategy, Target,
};
use crate::rules::group::{Join, join, may_be_appointed};
use crate::topology::Sighting;
use crate::version::{MysqlVersion, PackageVersion};
use std::collections::BTreeSet;

/// A gate before a member is taken out: nobody may wait longer than this for transactions of others.
const LONG_TRANSACTION_S: u64 = 30;
/// Waiting transactions that a gate tolerates: under load a queue is hardly ever empty.
const QUEUE: u64 = 1000;
/// How long the drain of writes may hold up a leave, and of the queue a join.
const LEAVE_DRAIN_S: u32 = 10;
const JOIN_DRAIN_S: u32 = 3600;
const GATE_DEADLINE_S: u32 = 600;

/// One member as the planner sees it.
struct Candidate<'a> {
    name: &'a MemberName,
    world: &'a MemberWorld,
    seen: &'a Observation,
    queue: u64,
}

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let blocked = |object: &str, description: String| Finding {
        check: "inGroupRolling".to_owned(),
        level: Level::Error,
        object: object.to_owned(),
        description,
        fix: "mend this and plan again".to_owned(),
    };
    let world = World::of(seen).map_err(|missing| {
        missing
            .into_iter()
            .map(|why| blocked(seen.cluster.as_str(), why))
            .collect::<Vec<_>>()
    })?;
    let Some((primary, _)) = world.primary() else {
        return Err(vec![blocked(
            seen.cluster.as_str(),
            "no primary was seen".to_owned(),
        )]);
    };
    let candidates = order(seen, &world, request.target);
    let package_version = common_target(request.target, &candidates).ok_or_else(|| {
        vec![blocked(
            seen.cluster.as_str(),
            format!(
                "no one package version of {} is offered on every host",
                request.target
            ),
        )]
    })?;

    let all: BTreeSet<MemberName> = world.members.keys().cloned().collect();
    let mut build = Builder {
        request,
        world: &world,
        group: world.group.clone(),
        all,
        primary,
        next: 0,
    };
    let mut stages = vec![build.look(seen, primary)];
    stages.push(Stage {
        title: "fetch packages and back up configuration".to_owned(),
        lanes: candidates
            .iter()
            .map(|c| build.fetch(c, &package_version))
            .collect(),
    });
    let mut order_report = Vec::new();
    let mut pivot = None;
    let mut versions: Vec<MysqlVersion> = world.members.values().map(|m| m.version).collect();
    for (position, c) in candidates.iter().enumerate() {
        order_report.push(build.reason(c, position));
        let mut left = versions.clone();
        left.remove(
            left.iter()
                .position(|v| *v == c.world.version)
                .expect("every candidate's version is in the list"),
        );
        left.push(request.target);
        // Once the last member that the old version may join is gone, no old member can come back.
        let one_way = pivot.is_none() && matches!(join(c.world.version, &left), Join::Refused(_));
        let way_back = match (&pivot, one_way) {
            (Some(_), _) => WayBack::Closed,
            (None, true) => WayBack::EndsHere,
            (None, false) => WayBack::Open,
        };
        let lane = build.member(c, &package_version, way_back);
        if one_way {
            let leave = lane
                .steps
                .iter()
                .find(|s| matches!(s.operation(), Some(Operation::LeaveGroup { .. })));
            pivot = leave.map(|step| Pivot {
                step: step.id,
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
    let hand_over = build.give_back(seen, &candidates, &mut stages);
    let finalize = build.finalize(&candidates);
    let report = report(
        request,
        &world,
        &candidates,
        results,
        &stages,
        order_report,
        hand_over,
        pivot.as_ref(),
    );
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::InGroupRolling,
        target: Target {
            version: request.target,
            package_version,
        },
        policy: request.policy.clone(),
        made_unix_ms,
        made_from: world,
        stages,
        finalize,
        pivot,
        report,
    })
}

/// Secondaries first, fewest queued transactions first, the primary last. Members at the target already are left alone.
fn order<'a>(seen: &'a Sighting, world: &'a World, target: MysqlVersion) -> Vec<Candidate<'a>> {
    let mut candidates: Vec<Candidate<'_>> = seen
        .groups()
        .filter_map(|(name, _, group)| {
            let world = world
                .members
                .get(name)
                .filter(|member| member.version != target)?;
            let seen = seen.members.get(name)?.known()?;
            Some(Candidate {
                name,
                world,
                seen,
                queue: group.applier_queue + group.certifier_queue,
            })
        })
        .collect();
    candidates.sort_by_key(|c| (c.world.primary, c.queue, c.name.clone()));
    candidates
}

/// The newest package version of the target that every host offers whole. Agents list newest first.
fn common_target(target: MysqlVersion, candidates: &[Candidate<'_>]) -> Option<PackageVersion> {
    let offered = |c: &Candidate<'_>| -> Vec<PackageVersion> {
        let Some(packages) = c.seen.packages.known() else {
            return Vec::new();
        };
        let of_target = |pin: &&PackagePin| pin.version.mysql_version().ok() == Some(target);
        packages
            .available
            .iter()
            .filter(of_target)
            .map(|pin| pin.version.clone())
            .filter(|v| pins(packages, v).is_some())
            .collect()
    };
    let first = candidates.first()?;
    offered(first)
        .into_iter()
        .find(|version| candidates.iter().all(|c| offered(c).contains(version)))
}

/// Exactly the configured packages at one version, with their hashes.
fn pins(packages: &PackageFacts, version: &PackageVersion) -> Option<Vec<PackagePin>> {
    let pin = |name: &String| {
        packages
            .available
            .iter()
            .find(|pin| pin.name == *name && pin.version == *version)
            .cloned()
    };
    packages.installed.keys().map(pin).collect()
}

fn must_pins(c: &Candidate<'_>, version: &PackageVersion) -> Vec<PackagePin> {
    let packages = c
        .seen
        .packages
        .known()
        .expect("checked: packages are known");
    pins(packages, version).expect("checked: both versions are offered")
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
    world: &'a World,
    group: Option<String>,
    all: BTreeSet<MemberName>,
    primary: &'a MemberName,
    next: u16,
}

impl Builder<'_> {
    fn id(&mut self) -> StepId {
        let id = StepId(self.next);
        self.next += 1;
        id
    }

    fn gate(&mut self, member: &MemberName, gate: Gate, why: &str) -> Step {
        Step {
            id: self.id(),
            member: member.clone(),
            group: self.group.clone(),
            estimate: estimate::gate(gate.hold_ms),
            deadline_s: GATE_DEADLINE_S + gate.hold_ms / 1000,
            reversibility: Reversibility::NothingToUndo,
            action: Action::Gate(gate),
            before: Vec::new(),
            after: Vec::new(),
            why: why.to_owned(),
        }
    }

    fn operate(
        &mut self,
        member: &MemberName,
        seen: &Observation,
        order: Operation,
        deadline_s: u32,
        why: &str,
    ) -> Step {
        let reversibility = match &order {
            Operation::FetchPackages { .. } | Operation::AppointPrimary { .. } => {
                Reversibility::NothingToUndo
            }
            Operation::ReleaseArtifacts { .. } => Reversibility::Irreversible,
            _ => Reversibility::Undoable,
        };
        Step {
            id: self.id(),
            member: member.clone(),
            group: self.group.clone(),
            estimate: estimate::operation(&order, seen),
            action: Action::Operate { order },
            before: Vec::new(),
            after: Vec::new(),
            deadline_s,
            reversibility,
            why: why.to_owned(),
        }
    }

    fn together(&self) -> Condition {
        Condition::OnlineTogether {
            members: self.all.clone(),
            witnesses: 2,
        }
    }

    /// The first stage: all is well, and, when it is undone, all is as it was.
    fn look(&mut self, seen: &Sighting, primary: &MemberName) -> Stage {
        let observation = seen.members[primary]
            .known()
            .expect("checked: the primary was seen");
        let mut restored = vec![
            self.together(),
            Condition::PrimaryIs {
                member: primary.clone(),
            },
            Condition::WritablePrimary,
        ];
        for (name, was) in &self.world.members {
            let expected = [
                Expectation::ServerRunning {
                    version: was.version,
                },
                Expectation::PackagesAt {
                    version: was.package_version.clone(),
                },
                Expectation::Config { digest: was.config },
                Expectation::MaintenanceIs { on: false },
            ];
            restored.extend(expected.map(|is| Condition::Member {
                member: name.clone(),
                is,
            }));
        }
        let gate = Gate {
            conditions: vec![
                self.together(),
                Condition::WritablePrimary,
                Condition::NoErrantTransactions,
            ],
            undo_conditions: restored,
            hold_ms: 0,
        };
        let uuid = self.world.members[primary].uuid.clone();
        let steps = vec![
            self.gate(primary, gate, "the group is whole; when unwound: versions, packages, option files, membership and primary are as before"),
            self.operate(primary, observation, Operation::KeepPrimary { uuid }, 60, "when unwound, the primary role goes back"),
        ];
        Stage {
            title: "look".to_owned(),
            lanes: vec![Lane {
                member: primary.clone(),
                steps,
            }],
        }
    }

    fn fetch(&mut self, c: &Candidate<'_>, target: &PackageVersion) -> Lane {
        let fetch = Operation::FetchPackages {
            target: must_pins(c, target),
            rollback: must_pins(c, &c.world.package_version),
        };
        let mut steps = vec![
            self.operate(
                c.name,
                c.seen,
                fetch,
                1800,
                "both ways are on the host and verified before anything is stopped",
            ),
            self.operate(
                c.name,
                c.seen,
                Operation::BackUpConfig,
                120,
                "byte for byte, to go back to",
            ),
        ];
        steps[0].before = vec![
            Expectation::PackagesAt {
                version: c.world.package_version.clone(),
            },
            Expectation::Config {
                digest: c.world.config,
            },
        ];
        Lane {
            member: c.name.clone(),
            steps,
        }
    }

    fn member(&mut self, c: &Candidate<'_>, target: &PackageVersion, way_back: WayBack) -> Lane {
        let (from, to) = (c.world.version, self.request.target);
        let slow = from.series() != to.series();
        let snapshot = format!("before-{to}");
        let (old, new) = (must_pins(c, &c.world.package_version), must_pins(c, target));
        let others = u8::try_from(self.all.len() / 2 + 1).expect("a group has at most 9 members");
        let whole = match way_back {
            WayBack::Open | WayBack::Closed => self.together(),
            WayBack::EndsHere => Condition::OnlineTogetherOrShutOut {
                members: self.all.clone(),
                witnesses: 2,
                member: c.name.clone(),
                version: to,
            },
        };
        let before = Gate {
            conditions: vec![
                whole,
                Condition::WritablePrimary,
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
        let after = Gate {
            conditions: vec![
                self.together(),
                Condition::MemberAt {
                    member: c.name.clone(),
                    version: to,
                },
                Condition::WritablePrimary,
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
        let leave_why = if c.world.primary {
            "hands the primary role over by leaving read-only first"
        } else {
            "the others go on serving"
        };
        let mut steps = vec![
            self.operate(
                c.name,
                c.seen,
                Operation::EnterMaintenance,
                120,
                "a reboot now must not start or join anything by itself",
            ),
            self.gate(c.name, before, "the group can spare this member now"),
            self.operate(
                c.name,
                c.seen,
                Operation::LeaveGroup {
                    drain_s: LEAVE_DRAIN_S,
                },
                300,
                leave_why,
            ),
            self.operate(
                c.name,
                c.seen,
                Operation::StopServer {
                    version: from,
                    slow,
                },
                4 * 3600,
                "a clean shutdown, proved by the error log",
            ),
            self.operate(
                c.name,
                c.seen,
                Operation::SnapshotData {
                    name: snapshot.clone(),
                },
                8 * 3600,
                "the only way back once a new version has started",
            ),
            self.operate(
                c.name,
                c.seen,
                Operation::SwapPackages { from: old, to: new },
                1800,
                "exact versions, no maintainer script runs mysqld",
            ),
            self.operate(
                c.name,
                c.seen,
                Operation::StartServer {
                    version: to,
                    snapshot,
                },
                24 * 3600,
                "upgrades the data directory where needed",
            ),
            self.operate(
                c.name,
                c.seen,
                Operation::JoinGroup {
                    drain_s: JOIN_DRAIN_S,
                },
                JOIN_DRAIN_S + 600,
                "catches up from the others",
            ),
            self.operate(
                c.name,
                c.seen,
                Operation::LeaveMaintenance,
                120,
                "back to normal",
            ),
            self.gate(
                c.name,
                after,
                "the member serves, and the group is whole again",
            ),
        ];
        steps[0].before = vec![
            Expectation::PackagesAt {
                version: c.world.package_version.clone(),
            },
            Expectation::ServerRunning { version: from },
            Expectation::Config {
                digest: c.world.config,
            },
            Expectation::InGroup {
                state: MemberState::Online,
            },
        ];
        steps[2].before = vec![Expectation::MaintenanceIs { on: true }];
        steps[2].after = vec![Expectation::NotInGroup];
        steps[3].after = vec![Expectation::ServerStopped];
        steps[4].before = vec![Expectation::ServerStopped];
        steps[5].before = vec![
            Expectation::ServerStopped,
            Expectation::PackagesAt {
                version: c.world.package_version.clone(),
            },
        ];
        steps[5].after = vec![Expectation::PackagesAt {
            version: target.clone(),
        }];
        steps[6].before = vec![Expectation::ServerStopped];
        steps[6].after = vec![Expectation::ServerRunning { version: to }];
        steps[7].after = vec![Expectation::InGroup {
            state: MemberState::Online,
        }];
        steps[8].after = vec![Expectation::MaintenanceIs { on: false }];
        if way_back != WayBack::Open {
            for step in steps
                .iter_mut()
                .skip(2)
                .filter(|step| step.reversibility == Reversibility::Undoable)
            {
                step.reversibility = Reversibility::Irreversible;
            }
        }
        Lane {
            member: c.name.clone(),
            steps,
        }
    }

    /// The last stage, where the policy asks for it and the rules allow it. Returns what to tell the operator.
    fn give_back(
        &mut self,
        seen: &Sighting,
        candidates: &[Candidate<'_>],
        stages: &mut Vec<Stage>,
    ) -> Vec<String> {
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
                let observation = seen.members[primary]
                    .known()
                    .expect("checked: the primary was seen");
                let uuid = self.world.members[primary].uuid.clone();
                let step = self.operate(
                    primary,
                    observation,
                    Operation::AppointPrimary { uuid },
                    600,
                    "the primary role goes back to the member that had it",
                );
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

    fn finalize(&mut self, candidates: &[Candidate<'_>]) -> Stage {
        let snapshot = format!("before-{}", self.request.target);
        let lanes = candidates
            .iter()
            .map(|c| {
                let order = Operation::ReleaseArtifacts {
                    snapshot: snapshot.clone(),
                };
                let step = self.operate(
                    c.name,
                    c.seen,
                    order,
                    3600,
                    "snapshot, set-aside data and package cache are deleted",
                );
                Lane {
                    member: c.name.clone(),
                    steps: vec![step],
                }
            })
            .collect();
        Stage {
            title: "finalize".to_owned(),
            lanes,
        }
    }

    fn reason(&self, c: &Candidate<'_>, position: usize) -> String {
        let role = if c.world.primary {
            "primary, so last".to_owned()
        } else {
            format!("secondary, {} transaction(s) queued", c.queue)
        };
        format!(
            "{}. {}: {} → {} ({role})",
            position + 1,
            c.name,
            c.world.version,
            self.request.target
        )
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "a report draws on everything that the planner has found"
)]
fn report(
    request: &Request,
    world: &World,
    candidates: &[Candidate<'_>],
    results: &[CheckResult],
    stages: &[Stage],
    order: Vec<String>,
    hand_over: Vec<String>,
    pivot: Option<&Pivot>,
) -> Report {
    let mut reasons = Vec::new();
    let mut level = RiskLevel::Low;
    let mut raise = |to: RiskLevel, why: String| {
        level = level.max(to);
        reasons.push(why);
    };
    let series: BTreeSet<_> = candidates
        .iter()
        .map(|c| c.world.version.series())
        .collect();
    if series.iter().all(|s| *s == request.target.series()) {
        raise(
            RiskLevel::Low,
            format!(
                "patch within {}: the same data dictionary, members of both versions may join each other",
                request.target.series()
            ),
        );
    } else {
        let from: Vec<_> = series.iter().map(ToString::to_string).collect();
        raise(
            RiskLevel::Medium,
            format!(
                "change of series {} → {}: data dictionaries are upgraded and the way back ends at the pivot",
                from.join(", "),
                request.target.series()
            ),
        );
    }
    if world.members.len() == 3 {
        raise(
            RiskLevel::Medium,
            "three members: no further loss is survived while one is out".to_owned(),
        );
    }
    let members: Vec<_> = order.iter().map(String::as_str).collect();
    debug_assert_eq!(members.len(), candidates.len());
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
        risk: Risk { level, reasons },
        warnings: of_level(results, Level::Warning)
            .map(|f| format!("{}: {}", f.object, f.description))
            .collect(),
        estimate: total(stages),
    }
}

/// Stages follow each other; within one the longest lane counts.
fn total(stages: &[Stage]) -> Seconds {
    let lane = |lane: &Lane| {
        lane.steps
            .iter()
            .map(|step| step.estimate.seconds.0)
            .sum::<u64>()
    };
    Seconds::from_millis(
        stages
            .iter()
            .map(|stage| stage.lanes.iter().map(lane).max().unwrap_or(0))
            .sum(),
    )
}
