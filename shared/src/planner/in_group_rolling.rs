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
use super::draft::irreversible_from;
use super::group::{DESCENDS_AT, Group, LEAVES_AT, Mode};
use super::report::{Risks, total, warnings};
use super::{Request, blocked};
use crate::checks::{CheckResult, Finding};
use crate::condition::Condition;
use crate::ids::MemberName;
use crate::observation::ServerFacts;
use crate::plan::drift::World;
use crate::plan::{Lane, PLAN_FORMAT, Pivot, Plan, Report, RiskLevel, Stage, Strategy, Target};
use crate::rules::group::{Join, join, may_be_appointed};
use crate::topology::Sighting;
use crate::version::MysqlVersion;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

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
    let candidates = order(seen, &world, request, mode);
    let package = common_target(request.target, &candidates).ok_or_else(|| {
        blocked(format!(
            "no one package version of {} is offered on every host",
            request.target
        ))
    })?;
    let lowest = candidates.last().map_or(primary, |c| c.name).clone();
    let mut build = Group::begin(
        request,
        seen,
        &world,
        primary,
        package.clone(),
        made_unix_ms,
    );
    let restored = match build.mode {
        Mode::SinglePrimary => "versions, packages, option files, membership and primary",
        Mode::MultiPrimary => "versions, packages, option files, membership and who takes writes",
    };
    let mut stages = vec![build.look(restored), build.draft.fetch(&candidates)];
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
        let mut lane = member(&mut build, c, way_back, &lowest, next.map(|next| next.name));
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
            title: format!("{} {}", c.verb(request.target), c.name),
            lanes: vec![lane],
        });
    }
    let hand_over = match mode {
        Mode::SinglePrimary => give_back(&mut build, &candidates, &mut stages),
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
    request: &Request,
    mode: Mode,
) -> Vec<Candidate<'a>> {
    let mut members = candidates(seen, world, request);
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

/// Whether the old version could come back once a member has left its group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WayBack {
    Open,
    /// This member's leave is the pivot.
    EndsHere,
    Closed,
}

/// `lowest`: the member that is taken out last; `next`: one that could not come back if it fell out of the group once this one is
/// upgraded.
fn member(
    build: &mut Group<'_>,
    c: &Candidate<'_>,
    way_back: WayBack,
    lowest: &MemberName,
    next: Option<&MemberName>,
) -> Lane {
    // The last one of the lowest version hands over by leaving: until then no other takes writes.
    let besides = (lowest != c.name).then_some(c.name);
    // Where nothing leads back, a member that has fallen out is taken on all the same.
    let must_serve = way_back != WayBack::EndsHere;
    let whole = if must_serve {
        build.together()
    } else {
        build.together_or_without(c.name)
    };
    let mut steps = build.take_out(c, whole, besides, must_serve);
    steps.extend(build.draft.replace(c, 0));
    let whole = match next {
        Some(next) => build.together_or_without(next),
        None => build.together(),
    };
    let upgraded = Condition::MemberAt {
        member: c.name.clone(),
        version: build.request.target,
    };
    steps.extend(build.bring_back(c, whole, Some(upgraded)));
    Lane {
        member: c.name.clone(),
        steps,
    }
}

/// The last stage, where the policy asks for it and the rules allow it. Returns what to tell the operator.
fn give_back(
    build: &mut Group<'_>,
    candidates: &[Candidate<'_>],
    stages: &mut Vec<Stage>,
) -> Vec<String> {
    let primary = build.primary;
    let Some(last) = candidates.iter().find(|c| c.name == primary) else {
        return vec![format!(
            "{primary} runs the target already and stays the primary"
        )];
    };
    let changes = last.changes_version(build.request.target);
    let mut told = vec![if changes {
        format!(
            "{primary} (primary) leaves last: set_as_primary to a member of {} is refused while one of {} is in the group (error 3910), so it turns read-only and leaves, and the group elects a new primary",
            build.request.target, last.world.version
        )
    } else {
        format!(
            "{primary} (primary) leaves last: it turns read-only and leaves, and the group elects a new primary"
        )
    }];
    if !build.request.policy.restore_primary {
        told.push("the newly elected member stays the primary".to_owned());
        return told;
    }
    let after: Vec<MysqlVersion> = build.all.iter().map(|_| build.request.target).collect();
    match may_be_appointed(build.request.target, &after) {
        Ok(()) => {
            stages.push(build.appoint(last));
            told.push(format!(
                "at the end {primary} is appointed again: all members are then of one version"
            ));
        }
        Err(refused) => told.push(format!("the primary role can't be given back: {refused}")),
    }
    told
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
    if pivot.is_none() && candidates.iter().any(|c| c.changes_version(request.target)) {
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
        None if !candidates.iter().any(|c| c.changes_version(request.target)) => {
            vec!["every step, also after the end, until `refit finalize`".to_owned()]
        }
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
