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
use super::group::{Group, Mode};
use super::rebuild_tables::{Rebuild, freeze, inspect, notes, reasons, wrong};
use super::report::{Risks, total, warnings};
use super::{Request, blocked};
use crate::checks::{CheckResult, Finding};
use crate::expectation::Expectation;
use crate::plan::drift::World;
use crate::plan::{Lane, PLAN_FORMAT, Plan, Report, RiskLevel, Stage, Strategy, Target};
use crate::table::listed;
use crate::topology::Sighting;
use std::collections::BTreeSet;

/// Makes the plan. The checks have passed (`results` holds what they said); what is still in the way is returned as findings.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    world: World,
    results: &[CheckResult],
    made_unix_ms: i64,
) -> Result<Plan, Vec<Finding>> {
    let finding = |object: &str, why: String| blocked(Strategy::RebuildTables, object, why);
    let mut wrong = wrong(request, seen, &world);
    if request.restart_source {
        let why = "a group has no source: each member is out of it while its tables are rebuilt";
        wrong.push(("--restart-source".to_owned(), why.to_owned()));
    }
    if !wrong.is_empty() {
        return Err(wrong.into_iter().map(|(o, why)| finding(&o, why)).collect());
    }
    let cluster = seen.cluster.as_str();
    let Some((primary, _)) = world.primary() else {
        return Err(vec![finding(cluster, "no primary was seen".to_owned())]);
    };
    let installed = world.members.values().map(|m| m.package_version.clone());
    let package = installed.max().expect("a primary is a member");
    let mut build = Group::begin(
        request,
        seen,
        &world,
        primary,
        package.clone(),
        made_unix_ms,
    );
    let multi = build.mode == Mode::MultiPrimary;
    let mut members = everybody(seen, &world);
    members.sort_by_key(|c| (c.world.primary && !multi, c.name.clone()));
    let why = "the tables are there and can be rebuilt, known before anybody leaves";
    let mut stages = vec![
        build.look("membership and who takes writes"),
        inspect(&mut build.draft, request, &members, |_| false, why),
    ];
    let mut order = Vec::new();
    for c in &members {
        let role = match (multi, c.world.primary) {
            (true, _) => "takes writes",
            (false, true) => "primary, so last",
            (false, false) => "secondary",
        };
        order.push(format!("{}. {} ({role})", order.len() + 1, c.name));
        stages.push(member(&mut build, c, &Rebuild { request, seen }));
    }
    let hand_over = hand_over(&mut build, &members, &mut stages);
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
        warnings: [warnings(results), notes(request)].concat(),
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

fn member(build: &mut Group<'_>, c: &Candidate<'_>, rebuild: &Rebuild<'_>) -> Stage {
    let whole = build.together();
    let mut steps = build.take_out(c, whole, Some(c.name), true);
    let mut rebuild = rebuild.on(&mut build.draft, c);
    rebuild.before = vec![Expectation::NotInGroup];
    steps.push(rebuild);
    let whole = build.together();
    steps.extend(build.bring_back(c, whole, None));
    Stage {
        title: format!("rebuild tables of {}", c.name),
        lanes: vec![Lane {
            member: c.name.clone(),
            steps,
        }],
    }
}

/// What becomes of the writes; the last stage gives the role back, where the policy asks for it.
fn hand_over(
    build: &mut Group<'_>,
    members: &[Candidate<'_>],
    stages: &mut Vec<Stage>,
) -> Vec<String> {
    let tables = listed(&build.request.tables);
    let mut told = vec![format!(
        "rebuilt on every member by itself, out of the group: {tables}"
    )];
    told.extend(reasons(build.request));
    if build.mode == Mode::MultiPrimary {
        told.push(format!(
            "write capacity: {} of {} members while one is out; route writes by @@super_read_only",
            members.len() - 1,
            members.len()
        ));
    } else {
        let primary = build.primary;
        told.push(format!(
            "{primary} (primary) leaves last: it turns read-only and leaves, and the group elects a new primary"
        ));
        let last = members.last().filter(|c| c.name == primary);
        if let Some(c) = last.filter(|_| build.request.policy.restore_primary) {
            stages.push(build.appoint(c));
            told.push(format!("at the end {primary} is appointed again"));
        } else {
            told.push("the newly elected member stays the primary".to_owned());
        }
    }
    told.push(freeze().to_owned());
    told
}
