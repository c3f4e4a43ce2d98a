//! For the look at tables that are to be rebuilt: it passes over what would lock writers out only on a server that nobody reaches while
//! it rebuilds them. On any other the rebuild would be refused half-way, behind servers that have been rebuilt already; or writers would
//! be locked out. Sources: MySQL manual, "Online DDL Operations" (FULLTEXT and SPATIAL indexes); MYSQL.md §3.8.

use super::{Violation, breaks, kind};
use crate::ids::MemberName;
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::Plan;
use std::collections::BTreeSet;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    let offline = plan
        .steps()
        .filter(|step| kind(step) == Some(Kind::RebuildOffline));
    let unreached: BTreeSet<&MemberName> = offline.map(|step| &step.member).collect();
    for step in plan.steps() {
        let Some(Operation::InspectTables { secluded, .. }) = step.operation() else {
            continue;
        };
        let wanted = unreached.contains(&step.member);
        if *secluded != wanted {
            let rule = "tables are inspected for the way in which their server will rebuild them";
            let what = if wanted {
                "as if writers reached it, and nobody does"
            } else {
                "as if nobody reached it, and writers do"
            };
            breaks(found, rule, Some(step.id), what);
        }
    }
}
