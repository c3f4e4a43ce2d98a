//! For every plan: what is started and installed is what was reviewed, and the way back exists before it is needed.

use super::{Violation, breaks};
use crate::operation::Operation;
use crate::plan::{Lane, Plan};

/// Never a first start of a new mysqld without a snapshot of that name taken before it, on packages fetched before the stop.
pub(super) fn judge(plan: &Plan, lane: &Lane, found: &mut Vec<Violation>) {
    for (index, step) in lane.steps.iter().enumerate() {
        let Some(Operation::StartServer { snapshot, version }) = step.operation() else {
            continue;
        };
        let taken = lane.steps[..index].iter().any(
            |s| matches!(s.operation(), Some(Operation::SnapshotData { name }) if name == snapshot),
        );
        if !taken {
            breaks(
                found,
                "a snapshot is taken before a new version starts",
                Some(step.id),
                format!("{snapshot:?} is not"),
            );
        }
        if *version != plan.target.version {
            breaks(
                found,
                "only the target is started",
                Some(step.id),
                version.to_string(),
            );
        }
    }
    for step in &lane.steps {
        let Some(Operation::SwapPackages { from, to }) = step.operation() else {
            continue;
        };
        let fetched = plan.steps().take_while(|s| s.id != step.id).any(|s| {
            s.member == step.member && matches!(s.operation(), Some(Operation::FetchPackages { target, rollback }) if target == to && rollback == from)
        });
        if !fetched {
            breaks(
                found,
                "packages of both ways are fetched before they are needed",
                Some(step.id),
                "not fetched with these hashes",
            );
        }
        let was = plan
            .made_from
            .members
            .get(&step.member)
            .map(|m| &m.package_version);
        if Operation::pinned_version(to) != Some(&plan.target.package_version)
            || Operation::pinned_version(from) != was
        {
            breaks(
                found,
                "packages go from what was seen to the target",
                Some(step.id),
                "other versions are pinned",
            );
        }
    }
}
