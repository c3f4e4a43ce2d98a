//! Replicas first; then the source hands the writes over to an upgraded replica, and is upgraded as a replica of that one.
//!
//! ```text
//! ...          the replicas, as in replicas_first
//! switch over  source     keep_writable · gate · enter_maintenance (a person is asked) · pause_writes (a lease)
//!                         gate: the new source has everything · demote_source (the pause is lasting)
//!                         gate: the same once more · promote_replica on the new source (PIVOT)
//! re-point     the others follow_source
//! upgrade      old source gate · stop · snapshot · swap · start · follow_source · leave_maintenance · gate
//! done         new source gate
//! ```
//!
//! One lane for both sides of the hand-over: where it can't be ended, the old source takes the writes again, by itself. It must
//! not replicate before it is upgraded: a replica is never older than its source (MYSQL.md §3.1). What proves that nothing is
//! lost is in MYSQL.md §3.6.

use super::candidate::Candidate;
use super::draft::irreversible_from;
use super::replication::{BEHIND, CloseIn, Topology, member, replicates};
use super::report::{downtime, total, warnings};
use super::{Request, blocked};
use crate::checks::{CheckResult, Finding};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::ids::MemberName;
use crate::observation::{ChannelDetail, ServerFacts};
use crate::operation::{Operation, SourceAddress};
use crate::plan::drift::World;
use crate::plan::{
    ApprovePivot, Gate, Lane, PLAN_FORMAT, Pivot, Plan, Report, Stage, Strategy, Target,
};
use crate::topology::Sighting;
use crate::topology::replication::{Link, Role, Tree};
use std::collections::BTreeSet;

/// How long a server may take to follow another, in seconds.
const FOLLOW_S: u32 = 600;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let mut build = Topology::begin(Strategy::Switchover, request, seen, &world, made_unix_ms)?;
    let one = |why: String| vec![blocked(Strategy::Switchover, seen.cluster.as_str(), why)];
    let sources: Vec<MemberName> = build.tree.sources().into_iter().cloned().collect();
    let [old] = sources.as_slice() else {
        let names: Vec<_> = sources.iter().map(MemberName::as_str).collect();
        return Err(one(format!(
            "there are {} sources ({}); a switchover is planned for one (--strategy replicas-first restarts each)",
            sources.len(),
            names.join(", ")
        )));
    };
    let agent = seen.members[old].known().map(|seen| &seen.agent);
    if agent.is_none_or(|agent| agent.replication_user.is_none()) {
        return Err(one(format!(
            "the agent of {old} can't make it follow another server: give it replication_credentials_file in its agent.toml"
        )));
    }
    let heir = heir(request, seen, &build.tree, old).map_err(one)?;
    let mut stages = vec![build.look()];
    stages.push(build.draft.fetch(&build.candidates.clone()));
    stages.extend(build.log_rows());
    let mut order = Vec::new();
    let leaves_first: Vec<_> = build.tree.leaves_first().into_iter().cloned().collect();
    for name in &leaves_first {
        let Some(c) = build.candidate(name) else {
            continue;
        };
        let reason = match name {
            _ if name == old => format!("source; hands over to {} first", heir.name),
            _ if *name == heir.name => format!("{}; becomes the source", build.reason(&c)),
            _ => build.reason(&c),
        };
        order.push(c.in_order(order.len(), request.target, &reason));
        if build.tree.role(name) != Role::Source {
            stages.push(build.replica(&c, false));
            stages.extend(build.follow(name));
        }
    }
    let Some(source) = build.candidate(old) else {
        return Err(one(format!(
            "the source {old} runs {} already",
            request.target
        )));
    };
    let switched = switch_over(&mut build, &source, &heir);
    let (closes, opens, pivot) = (switched.closes, switched.pivot.step, switched.pivot);
    stages.push(switched.stage);
    for mut stage in after(&mut build, &source, &heir) {
        for lane in &mut stage.lanes {
            irreversible_from(&mut lane.steps, 0);
        }
        stages.push(stage);
    }
    let candidates = build.candidates.clone();
    let finalize = build.draft.finalize(&candidates);
    let outage = downtime(&stages, closes, opens);
    let mut hand_over = vec![
        format!(
            "{old} takes no writes from {closes} on, {} takes them from {opens} on, about {:.1} s later: clients must find the writable server (@@super_read_only = 0)",
            heir.name,
            outage.as_secs_f64()
        ),
        format!(
            "{old} stays read-only, also after a restart (SET PERSIST), and follows {} once it is upgraded",
            heir.name
        ),
        format!(
            "events of {old} are SLAVESIDE_DISABLED on {}: enable them there (ALTER EVENT … ENABLE)",
            heir.name
        ),
    ];
    hand_over.extend(build.of_log_format());
    if request.policy.approve_pivot == ApprovePivot::Person {
        hand_over.push(format!(
            "before {} it waits, with everybody serving, for `refit approve` (--approve-pivot auto goes on by itself)",
            pivot.asked_at()
        ));
    }
    hand_over.extend(build.freeze());
    let report = Report {
        order,
        hand_over,
        can_be_undone: vec![
            format!(
                "every step before {}: `refit unwind` puts every member back, the last one first",
                pivot.step
            ),
            format!("nothing from {} on: {}", pivot.step, pivot.why),
        ],
        risk: build.risks().into_risk(),
        warnings: warnings(results),
        estimate: total(&stages),
        downtime: Some(outage),
    };
    let package_version = build.draft.package.clone();
    Ok(Plan {
        format: PLAN_FORMAT,
        cluster: seen.cluster.clone(),
        strategy: Strategy::Switchover,
        target: Target {
            version: request.target,
            package_version,
        },
        policy: request.policy.clone(),
        made_unix_ms,
        made_from: world.clone(),
        frozen: build.frozen(),
        stages,
        finalize,
        pivot: Some(pivot),
        report,
    })
}

/// The replica that becomes the source.
struct Heir {
    name: MemberName,
    /// How others reach it.
    address: SourceAddress,
}

/// The one that was asked for if it fits, else the first by name that does.
fn heir(request: &Request, seen: &Sighting, tree: &Tree, old: &MemberName) -> Result<Heir, String> {
    let below = tree.replicas(old);
    let mut unfit = Vec::new();
    if let Some(asked) = &request.promote {
        return match below.contains(&asked) {
            true => fits(seen, tree, asked),
            false => Err(format!(
                "{asked} does not replicate from {old} directly: it can't take over from it"
            )),
        };
    }
    for name in below {
        match fits(seen, tree, name) {
            Ok(heir) => return Ok(heir),
            Err(why) => unfit.push(why),
        }
    }
    Err(format!(
        "no replica of {old} can take over: {}",
        unfit.join("; ")
    ))
}

fn fits(seen: &Sighting, tree: &Tree, name: &MemberName) -> Result<Heir, String> {
    let server = seen.server(name)?;
    let [link] = tree.links(name) else {
        return Err(format!("{name} has several sources"));
    };
    let detail = detail(server, link).map_err(|why| format!("{name}: {why}"))?;
    if detail.delay_s > 0 {
        return Err(format!(
            "{name} is delayed on purpose by {} s",
            detail.delay_s
        ));
    }
    if !detail.filters.is_empty() {
        return Err(format!(
            "{name} has replication filters: it does not have everything"
        ));
    }
    for variable in ["log_bin", "log_replica_updates"] {
        let value = server.variables.get(variable);
        if value.is_some_and(|value| value != "ON" && value != "1") {
            return Err(format!(
                "{name} has {variable}=OFF: nobody could replicate from it"
            ));
        }
    }
    let plain = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
    };
    if !plain(&server.report_host) {
        return Err(format!(
            "{name} names itself {:?} to others (report_host), which is no host name",
            server.report_host
        ));
    }
    let address = SourceAddress {
        channel: link.channel.clone(),
        host: server.report_host.clone(),
        port: server.port,
        uuid: server.uuid.clone(),
        ssl: detail.ssl,
        get_public_key: detail.get_public_key,
        connect_retry_s: detail.connect_retry_s,
        retry_count: detail.retry_count,
    };
    Ok(Heir {
        name: name.clone(),
        address,
    })
}

fn detail<'s>(server: &'s ServerFacts, link: &Link) -> Result<&'s ChannelDetail, String> {
    let channels = server.channels.require()?;
    let channel = channels
        .iter()
        .find(|channel| channel.name == link.channel)
        .ok_or("its channel was not seen")?;
    Ok(channel.detail.require()?)
}

struct Switched {
    stage: Stage,
    closes: crate::ids::StepId,
    pivot: Pivot,
}

fn switch_over(build: &mut Topology<'_>, source: &Candidate<'_>, heir: &Heir) -> Switched {
    let mut gate = build.before_pause(source);
    gate.conditions.extend(
        build
            .everybody
            .iter()
            .filter(|c| c.name != source.name)
            .map(|c| {
                member(
                    c.name,
                    Expectation::ServerRunning {
                        version: build.request.target,
                    },
                )
            }),
    );
    let why = "every replica is upgraded and follows, and nothing would be cut off now";
    let CloseIn {
        mut steps,
        asked_at,
    } = build.close_in(source, gate, why);
    let closing = steps.len();
    let all: BTreeSet<MemberName> = build.tree.members().cloned().collect();
    let everything = Condition::HasEverything {
        member: heir.name.clone(),
        of: all,
    };
    let why = "the new source has every transaction";
    steps.extend(build.hand_off(source, vec![everything.clone()], why));
    let proof = Gate {
        conditions: vec![
            member(source.name, Expectation::TakesWrites { on: false }),
            everything,
        ],
        undo_conditions: Vec::new(),
        hold_ms: 0,
    };
    let why = "nothing has been written since";
    steps.push(build.draft.gate_within(source.name, proof, 30, why));
    let c = *build
        .everybody
        .iter()
        .find(|c| *c.name == heir.name)
        .expect("the heir was seen");
    let mut promote = build.draft.on(
        &c,
        Operation::PromoteReplica,
        120,
        "takes the writes from here on",
    );
    promote.after = vec![Expectation::TakesWrites { on: true }];
    let pivot = Pivot {
        step: promote.id,
        asked_at: Some(asked_at),
        why: format!(
            "from here on {} takes the writes, on {}: {} would not have them",
            heir.name, build.request.target, source.name
        ),
    };
    let closes = steps[closing].id;
    let at = steps.len();
    steps.push(promote);
    irreversible_from(&mut steps, at);
    Switched {
        stage: Stage {
            title: format!("switch over from {} to {}", source.name, heir.name),
            lanes: vec![Lane {
                member: source.name.clone(),
                steps,
            }],
        },
        closes,
        pivot,
    }
}

/// The others are re-pointed, the old source is upgraded and follows.
fn after(build: &mut Topology<'_>, source: &Candidate<'_>, heir: &Heir) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut whole = vec![member(&heir.name, Expectation::TakesWrites { on: true })];
    let mut lanes = Vec::new();
    let members = build.everybody.clone();
    for c in members
        .iter()
        .filter(|c| *c.name != heir.name && c.name != source.name)
    {
        for link in build.tree.links(c.name).to_vec() {
            let now = if link.source == *source.name {
                let address = SourceAddress {
                    channel: link.channel.clone(),
                    ..heir.address.clone()
                };
                let why = "by GTID, from where it is";
                let order = Operation::FollowSource { source: address };
                lanes.push(Lane {
                    member: c.name.clone(),
                    steps: vec![build.draft.on(c, order, FOLLOW_S, why)],
                });
                Link {
                    source: heir.name.clone(),
                    ..link
                }
            } else {
                link
            };
            whole.push(replicates(c.name, &now, BEHIND));
        }
    }
    if !lanes.is_empty() {
        stages.push(Stage {
            title: format!("the others follow {}", heir.name),
            lanes,
        });
    }
    let gate = Gate {
        conditions: [
            whole.clone(),
            vec![member(source.name, Expectation::TakesWrites { on: false })],
        ]
        .concat(),
        undo_conditions: Vec::new(),
        hold_ms: 0,
    };
    let why = "the new source serves, and the others follow it";
    let mut steps = vec![build.draft.gate(source.name, gate, why)];
    steps.extend(build.draft.replace(source, 0));
    let order = Operation::FollowSource {
        source: heir.address.clone(),
    };
    let why = "only now: a replica is never older than its source";
    steps.push(build.draft.on(source, order, FOLLOW_S, why));
    let ascend = build.draft.ascend(source);
    steps.push(ascend);
    let link = Link {
        channel: heir.address.channel.clone(),
        source: heir.name.clone(),
    };
    whole.push(replicates(source.name, &link, BEHIND));
    whole.push(member(source.name, Expectation::TakesWrites { on: false }));
    stages.push(Stage {
        title: format!("{} {}", source.verb(build.request.target), source.name),
        lanes: vec![Lane {
            member: source.name.clone(),
            steps,
        }],
    });
    stages.push(build.done(&heir.name, whole));
    stages
}
