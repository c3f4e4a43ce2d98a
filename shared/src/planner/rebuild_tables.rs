//! Tables are rebuilt on each server of a replication topology by itself, replicas first, and no GTID is written. No version changes:
//! this is for after an upgrade, or for tables that need a repair.
//!
//! ```text
//! look      sources    gate (undone last: all is as it was)      replicas   keep_replica
//! inspect   all        inspect_tables                            side by side, everybody serves
//! replica   a member   gate · enter_maintenance · stop_replica · rebuild_tables · start_replica · leave_maintenance · gate
//! source    a member   gate · rebuild_tables · gate              it serves, and takes writes; or, where that is asked for:
//!                      keep_writable · gate · enter_maintenance · stop_server · rebuild_offline · gate · leave_maintenance
//!                      allow_writes · gate                       without binary log and network meanwhile
//! follow    replicas   keep_replica                              behind a source that was restarted
//! done      sources    gate
//! ```
//!
//! Source: MySQL manual, "Upgrading or Downgrading a Replication Topology" (table repair or rebuild); MYSQL.md §3.8. What replicates
//! is stopped first, so that a statement of the source never meets a table that is being rebuilt; the source goes last, with its
//! binary log off on the very session that rebuilds. In maintenance a replica that is restarted does not replicate by itself.

use super::candidate::Candidate;
use super::draft::Draft;
use super::replication::{APPLY_S, CloseIn, DRAIN_S, Topology, lane, member};
use super::report::{Risks, downtime, total, warnings};
use super::{Request, blocked, estimate};
use crate::checks::{CheckResult, Finding};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::{MemberName, StepId};
use crate::observation::{Fact, Seconds};
use crate::operation::Operation;
use crate::plan::drift::World;
use crate::plan::{
    Gate, Lane, PLAN_FORMAT, Plan, Report, RiskLevel, Stage, Step, Strategy, Target,
};
use crate::rules::rebuild::{hindrance, too_little_space};
use crate::survey::Survey;
use crate::table::{TableFacts, listed};
use crate::topology::Sighting;
use crate::topology::replication::Role;
use std::collections::BTreeSet;

const ON_A_SOURCE: &str = "writes go on: on a source each table is locked for a moment when its rebuild begins and when it ends, and a \
     rebuild that would lock it for longer is refused there";
const REBUILD_WITHIN_S: u32 = 24 * 3600;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let wrong = wrong(request, seen, &world);
    if !wrong.is_empty() {
        let finding =
            |(object, why): (String, String)| blocked(Strategy::RebuildTables, &object, why);
        return Err(wrong.into_iter().map(finding).collect());
    }
    let mut build = Topology::begin(Strategy::RebuildTables, request, seen, &world, made_unix_ms)?;
    let look = build.look();
    let members = build.everybody.clone();
    let why = "the tables are there and can be rebuilt, known before anything is stopped";
    let tree = &build.tree;
    let secluded = |name: &MemberName| request.restart_source && tree.role(name) == Role::Source;
    let mut stages = vec![
        look,
        inspect(&mut build.draft, request, &members, secluded, why),
    ];
    let order: Vec<_> = build.tree.leaves_first().into_iter().cloned().collect();
    let mut order_report = Vec::new();
    let mut pauses: Vec<(MemberName, StepId, StepId)> = Vec::new();
    for name in &order {
        let c = build.known(name);
        let reason = build.reason(&c);
        order_report.push(format!("{}. {name} ({reason})", order_report.len() + 1));
        let rebuild = Rebuild { request, seen };
        stages.push(match build.tree.role(name) {
            Role::Source if request.restart_source => {
                let restarted = restarted_source(&mut build, &c, &rebuild);
                pauses.push((name.clone(), restarted.closes, restarted.opens));
                restarted.stage
            }
            Role::Source => source(&mut build, &c, &rebuild),
            Role::Replica | Role::Intermediate => replica(&mut build, &c, &rebuild),
        });
        if request.restart_source && build.tree.role(name) == Role::Source {
            stages.extend(build.follow(name));
        }
    }
    let last = order.last().expect("a tree has members").clone();
    let whole = build.whole();
    let mut done = build.done(&last, whole);
    done.lanes[0].steps[0].why = "every replica follows its source".to_owned();
    stages.push(done);
    let mut hand_over = vec![format!(
        "rebuilt on every server by itself: {}",
        listed(&request.tables)
    )];
    hand_over.extend(reasons(request));
    let mut outage = 0;
    for (name, closes, opens) in &pauses {
        let pause = downtime(&stages, *closes, *opens);
        outage += pause.0;
        hand_over.push(format!(
            "{name} takes no writes from {closes} to {opens}, about {:.0} s, and nobody can connect to it meanwhile; its replicas serve reads",
            pause.as_secs_f64()
        ));
    }
    if pauses.is_empty() {
        hand_over.push(ON_A_SOURCE.to_owned());
    }
    hand_over.push(freeze().to_owned());
    let report = Report {
        order: order_report,
        hand_over,
        can_be_undone: vec![
            "every step: a rebuilt table holds the same rows, so it is left as it is; `refit unwind` lets replication go on"
                .to_owned(),
        ],
        risk: risks(&build).into_risk(),
        warnings: [warnings(results), notes(request)].concat(),
        estimate: total(&stages),
        downtime: (!pauses.is_empty()).then(|| Seconds::from_millis(outage)),
    };
    let package_version = build.draft.package.clone();
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::RebuildTables,
        target: Target {
            version: request.target,
            package_version,
        },
        policy: request.policy.clone(),
        made_unix_ms,
        made_from: world.clone(),
        frozen: BTreeSet::new(),
        stages,
        // Nothing is kept that would have to be deleted.
        finalize: Stage {
            title: "finalize".to_owned(),
            lanes: Vec::new(),
        },
        pivot: None,
        report,
    })
}

/// Everything that is wrong with what was asked for: (what, why).
pub(super) fn wrong(request: &Request, seen: &Sighting, world: &World) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    if request.tables.is_empty() {
        let why = "no table is given: --tables shop.orders,shop.items".to_owned();
        wrong.push(("--tables".to_owned(), why));
    }
    let mut known = BTreeSet::new();
    for table in &request.tables {
        if !known.insert(table) {
            wrong.push((table.to_string(), "is given twice".to_owned()));
        }
    }
    for (name, member) in &world.members {
        if member.version != request.target {
            let why = format!(
                "runs {}, not {}: tables are rebuilt where every server runs one version; finish the upgrade first",
                member.version, request.target
            );
            wrong.push((name.to_string(), why));
        }
        if !request.tables.is_empty() {
            wrong.extend(hindrances(request, seen, name));
        }
    }
    wrong
}

/// Why a member can't rebuild these tables, as its agent has told about them: (member or member and table, why).
fn hindrances(request: &Request, seen: &Sighting, name: &MemberName) -> Vec<(String, String)> {
    let survey = match told(seen, name) {
        Ok(survey) => survey,
        Err(why) => {
            return vec![(
                name.to_string(),
                format!("can't be asked about its tables: {why}"),
            )];
        }
    };
    // A member of a group is out of it meanwhile, and a restarted source reached by nobody: nobody writes to it.
    let serves = seen
        .server(name)
        .is_ok_and(|server| !matches!(server.group, Fact::Known(Some(_))) && server.takes_writes())
        && !request.restart_source;
    let mut wrong = Vec::new();
    let mut largest = 0;
    for table in &request.tables {
        let why = match survey.table(table) {
            Ok(facts) => {
                if let TableFacts::Base { bytes, .. } = facts {
                    largest = largest.max(*bytes);
                }
                hindrance(facts, serves)
            }
            Err(why) => Some(format!("is not known: {why}")),
        };
        wrong.extend(why.map(|why| (format!("{name}: {table}"), why)));
    }
    let free = seen.members[name]
        .require()
        .and_then(|seen| seen.storage.require())
        .map(|storage| storage.data_free_bytes);
    let why = match free {
        Ok(free) => too_little_space(largest, free),
        Err(why) => Some(format!("how much disk is free is not known: {why}")),
    };
    wrong.extend(why.map(|why| (name.to_string(), why)));
    wrong
}

fn told<'a>(seen: &'a Sighting, name: &MemberName) -> Result<&'a Survey, &'a str> {
    match seen.surveys.get(name) {
        Some(survey) => survey.require(),
        None => Err("its agent was not asked"),
    }
}

/// What is to be rebuilt, and how large it is on each member.
pub(super) struct Rebuild<'a> {
    pub request: &'a Request,
    pub seen: &'a Sighting,
}

impl Rebuild<'_> {
    pub fn on(&self, draft: &mut Draft, c: &Candidate<'_>) -> Step {
        let tables = self.request.tables.clone();
        let order = Operation::RebuildTables { tables };
        let mut step = self.step(draft, c, order);
        step.estimate = estimate::rebuilds(self.sizes(c.name));
        step
    }

    fn offline(&self, draft: &mut Draft, c: &Candidate<'_>) -> Step {
        let order = Operation::RebuildOffline {
            version: c.world.version,
            tables: self.request.tables.clone(),
        };
        let mut step = self.step(draft, c, order);
        step.estimate = estimate::rebuilds_offline(self.sizes(c.name));
        step.before = vec![Expectation::MaintenanceIs { on: true }];
        step
    }

    fn step(&self, draft: &mut Draft, c: &Candidate<'_>, order: Operation) -> Step {
        let why = format!("no GTID is written: {}", listed(&self.request.tables));
        draft.on(c, order, REBUILD_WITHIN_S, &why)
    }

    fn sizes<'a>(&'a self, name: &MemberName) -> impl Iterator<Item = u64> + 'a {
        let survey = told(self.seen, name).ok();
        let tables = self.request.tables.iter();
        tables.filter_map(move |table| match survey?.table(table) {
            Ok(TableFacts::Base { bytes, .. }) => Some(*bytes),
            _ => None,
        })
    }
}

fn risks(build: &Topology<'_>) -> Risks {
    let mut risks = Risks::none();
    for source in build.tree.sources() {
        if build.tree.replicas(source).len() < 2 {
            risks.raise(
                RiskLevel::Medium,
                format!(
                    "while its only replica is rebuilt, nobody has {source}'s writes but {source}"
                ),
            );
        }
    }
    risks
}

/// Every mistake in the list is known while everybody serves.
pub(super) fn inspect(
    draft: &mut Draft,
    request: &Request,
    members: &[Candidate<'_>],
    secluded: impl Fn(&MemberName) -> bool,
    why: &str,
) -> Stage {
    let mut lanes = Vec::new();
    for c in members {
        let order = Operation::InspectTables {
            tables: request.tables.clone(),
            secluded: secluded(c.name),
        };
        let mut inspect = draft.on(c, order, 120, why);
        let version = request.target;
        inspect.before = vec![Expectation::ServerRunning { version }];
        lanes.push(lane(c, vec![inspect]));
    }
    Stage {
        title: "inspect tables".to_owned(),
        lanes,
    }
}

/// Why each table is rebuilt, where the checks have chosen them.
pub(super) fn reasons(request: &Request) -> Vec<String> {
    let advised = request.advised.iter();
    let tables = advised.flat_map(|advised| &advised.advice.tables);
    tables
        .map(|(table, reasons)| {
            let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
            format!("{table}: {}", reasons.join("; "))
        })
        .collect()
}

/// What a person should know of how they were chosen.
pub(super) fn notes(request: &Request) -> Vec<String> {
    let advised = request.advised.iter();
    advised
        .flat_map(|advised| advised.advice.notes.clone())
        .collect()
}

pub(super) fn freeze() -> &'static str {
    "CREATE, ALTER and DROP of these tables must wait until it is done: on a server that is still to be rebuilt they would meet the rebuild"
}

fn stage(c: &Candidate<'_>, steps: Vec<Step>) -> Stage {
    Stage {
        title: format!("rebuild tables of {}", c.name),
        lanes: vec![Lane {
            member: c.name.clone(),
            steps,
        }],
    }
}

fn replica(build: &mut Topology<'_>, c: &Candidate<'_>, rebuild: &Rebuild<'_>) -> Stage {
    let mut conditions = build.whole();
    conditions.push(Condition::NoErrantTransactions);
    let before = Gate {
        conditions,
        undo_conditions: Vec::new(),
        hold_ms: 0,
    };
    let why = "all others serve, and nothing is behind";
    let before = build.draft.gate(c.name, before, why);
    let descend = build.draft.descend(c);
    let order = Operation::StopReplica { drain_s: APPLY_S };
    let why = "what was received is applied first";
    let mut stop = build.draft.on(c, order, APPLY_S + 120, why);
    stop.before = vec![Expectation::MaintenanceIs { on: true }];
    let rebuild = rebuild.on(&mut build.draft, c);
    let order = Operation::StartReplica {
        catch_up_s: APPLY_S,
    };
    let why = "catches up from its source";
    let start = build.draft.on(c, order, APPLY_S + 600, why);
    let ascend = build.draft.ascend(c);
    let mut conditions = build.links(|name| name == c.name);
    conditions.push(Condition::NoErrantTransactions);
    conditions.extend(build.sources_take_writes());
    let after = Gate {
        conditions,
        undo_conditions: build.sources_take_writes(),
        hold_ms: build.request.policy.soak_s.saturating_mul(1000),
    };
    let why = "it follows its source again";
    let after = build.draft.gate(c.name, after, why);
    stage(
        c,
        vec![before, descend, stop, rebuild, start, ascend, after],
    )
}

fn source(build: &mut Topology<'_>, c: &Candidate<'_>, rebuild: &Rebuild<'_>) -> Stage {
    let before = build.before_pause(c);
    let why = "every replica follows, and no long transaction would hold a table's lock";
    let before = build.draft.gate(c.name, before, why);
    let rebuild = rebuild.on(&mut build.draft, c);
    let mut conditions = build.whole();
    conditions.extend([
        member(
            c.name,
            Expectation::ServerRunning {
                version: build.request.target,
            },
        ),
        Condition::NoErrantTransactions,
    ]);
    let after = Gate {
        conditions,
        undo_conditions: Vec::new(),
        hold_ms: 0,
    };
    let why = "every replica still follows";
    let after = build.draft.gate(c.name, after, why);
    stage(c, vec![before, rebuild, after])
}

/// A source's stage, and from which step to which it takes no writes.
struct RestartedSource {
    stage: Stage,
    closes: StepId,
    opens: StepId,
}

/// As the manual has it: the source is restarted without binary log and without network. Nothing of it is irreversible: no version
/// changes, and the rows are the same.
fn restarted_source(
    build: &mut Topology<'_>,
    c: &Candidate<'_>,
    rebuild: &Rebuild<'_>,
) -> RestartedSource {
    let gate = build.before_pause(c);
    let why = "every replica follows, and nothing would be cut off now";
    let CloseIn { mut steps, .. } = build.close_in(c, gate, why);
    let order = Operation::StopServer {
        version: c.world.version,
        slow: false,
        drain_s: DRAIN_S,
    };
    let why = "a clean shutdown, proved by the error log: only then are all GTIDs in its table";
    let mut stop = build.draft.on(c, order, 4 * 3600, why);
    stop.before = vec![Expectation::MaintenanceIs { on: true }];
    stop.after = vec![Expectation::ServerStopped];
    let closes = stop.id;
    let running = Expectation::ServerRunning {
        version: c.world.version,
    };
    let mut offline = rebuild.offline(&mut build.draft, c);
    offline.after = vec![running.clone()];
    let verified = Gate {
        conditions: [
            running.clone(),
            Expectation::LogsAndListens,
            Expectation::TakesWrites { on: false },
            Expectation::MaintenanceIs { on: true },
            Expectation::Config {
                digest: c.world.config,
            },
        ]
        .map(|is| member(c.name, is))
        .to_vec(),
        undo_conditions: Vec::new(),
        hold_ms: 0,
    };
    let why = "it logs and listens as before, and nothing has been written on it yet";
    let verified = build.draft.gate(c.name, verified, why);
    let mut ascend = build.draft.ascend(c);
    ascend.before = vec![Expectation::LogsAndListens];
    let why = "the write pause ends";
    let mut allow = build.draft.on(c, Operation::AllowWrites, 120, why);
    allow.before = vec![Expectation::LogsAndListens];
    allow.after = vec![Expectation::TakesWrites { on: true }];
    let opens = allow.id;
    let after = Gate {
        conditions: [
            running,
            Expectation::TakesWrites { on: true },
            Expectation::MaintenanceIs { on: false },
        ]
        .map(|is| member(c.name, is))
        .to_vec(),
        undo_conditions: Vec::new(),
        hold_ms: 0,
    };
    let after = build.draft.gate(c.name, after, "the source serves");
    steps.extend([stop, offline, verified, ascend, allow, after]);
    RestartedSource {
        stage: stage(c, steps),
        closes,
        opens,
    }
}
