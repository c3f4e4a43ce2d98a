//! For a source that is restarted to rebuild its tables: it is closed and stopped behind a gate, and nobody writes on it again before a
//! gate has seen that it logs and listens as before. What were written without a binary log no replica would ever have. Sources: MySQL
//! manual, "Upgrading or Downgrading a Replication Topology"; MYSQL.md §3.8.

use super::{Violation, breaks, kind, position};
use crate::condition::Condition;
use crate::expectation::Expectation;
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Action, Lane, Plan};

/// Orders that stop a server or let clients write to it.
const OF_A_RESTART: [Kind; 3] = [Kind::KeepWritable, Kind::StopServer, Kind::AllowWrites];

/// One lane of a plan to rebuild tables.
pub(super) fn judge(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    let Some(at) = position(lane, Kind::RebuildOffline) else {
        for step in &lane.steps {
            if let Some(other) = kind(step).filter(|k| OF_A_RESTART.contains(k)) {
                let rule = "a plan to rebuild tables does nothing else";
                breaks(found, rule, Some(step.id), other.as_str());
            }
        }
        return;
    };
    let id = Some(lane.steps[at].id);
    let own = plan.made_from.members.get(&lane.member);
    if plan.made_from.group.is_some() || own.is_some_and(|own| !own.channels.is_empty()) {
        let rule = "only a source is restarted to rebuild its tables";
        breaks(found, rule, id, lane.member.as_str());
    }
    let of_this_version = matches!(
        lane.steps[at].operation(),
        Some(Operation::RebuildOffline { version, .. }) if own.is_some_and(|own| own.version == *version)
    );
    if !of_this_version {
        let rule = "a server is restarted as the version that was seen";
        breaks(found, rule, id, "another one is started");
    }
    let wanted = [
        Kind::KeepWritable,
        Kind::EnterMaintenance,
        Kind::StopServer,
        Kind::RebuildOffline,
        Kind::LeaveMaintenance,
        Kind::AllowWrites,
    ];
    let places: Vec<Option<usize>> = wanted.iter().map(|k| position(lane, *k)).collect();
    if places.iter().any(Option::is_none) || !places.is_sorted() {
        let rule = "a restarted source's steps are complete and in order";
        breaks(found, rule, id, format!("{places:?} of {wanted:?}"));
        return;
    }
    let drains = |step: &crate::plan::Step| matches!(step.operation(), Some(Operation::StopServer { drain_s, .. }) if *drain_s > 0);
    if !lane.steps.iter().any(drains) {
        let rule = "writes are paused before the source stops";
        breaks(found, rule, id, "no time to drain");
    }
    let opens = |k| matches!(k, Some(Kind::LeaveMaintenance | Kind::AllowWrites));
    let first_open = lane.steps.iter().position(|step| opens(kind(step)));
    let verified = first_open
        .and_then(|open| lane.steps[..open].last())
        .is_some_and(|before| match &before.action {
            Action::Gate(gate) => [
                Expectation::LogsAndListens,
                Expectation::TakesWrites { on: false },
            ]
            .into_iter()
            .all(|is| {
                let member = lane.member.clone();
                gate.conditions.contains(&Condition::Member { member, is })
            }),
            Action::Operate { .. } => false,
        });
    if !verified || first_open < Some(at) {
        let rule =
            "a gate has seen that a restarted source logs and listens before writes are let in";
        breaks(found, rule, id, "none");
    }
}
