//! For targets whose server does not upgrade its system tables by itself: directly after each first start, before anything replicates,
//! joins or takes writes, the target's `mysql_upgrade` is run. For all others: never. Source: MySQL manual 8.0, "What the MySQL Upgrade
//! Process Upgrades"; MYSQL.md §4.1.

use super::{Violation, breaks, kind};
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::Plan;
use crate::version::MysqlVersion;

/// The first server that does it by itself.
const BY_ITSELF: MysqlVersion = MysqlVersion::new(8, 0, 16);

/// What this target wants; the rules for option files ask the same, for `--validate-config` is of the same release.
pub(super) fn is_old(plan: &Plan) -> bool {
    plan.target.version < BY_ITSELF
}

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    for lane in plan.all_stages().flat_map(|stage| &stage.lanes) {
        for (at, step) in lane.steps.iter().enumerate() {
            let started = |step| kind(step) == Some(Kind::StartServer);
            match step.operation() {
                Some(Operation::UpgradeSystemTables { version }) => {
                    if !is_old(plan) {
                        let rule = "a server from 8.0.16 on upgrades its system tables by itself";
                        breaks(found, rule, Some(step.id), version.to_string());
                    } else if *version != plan.target.version
                        || !at.checked_sub(1).is_some_and(|b| started(&lane.steps[b]))
                    {
                        let rule = "mysql_upgrade is run by the target, directly after its start";
                        breaks(found, rule, Some(step.id), version.to_string());
                    }
                }
                Some(Operation::StartServer { .. }) if is_old(plan) => {
                    let next = lane.steps.get(at + 1).and_then(kind);
                    if next != Some(Kind::UpgradeSystemTables) {
                        let rule = "a server before 8.0.16 has its system tables upgraded by mysql_upgrade before it does anything else";
                        let next = next.map_or("a gate, or nothing", Kind::as_str);
                        breaks(found, rule, Some(step.id), format!("{next} comes next"));
                    }
                }
                _ => {}
            }
        }
    }
}
