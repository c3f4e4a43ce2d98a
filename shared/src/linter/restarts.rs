//! For members that change no version: they are taken down only to take out lines that somebody asked to be released, or for a
//! rebuild of tables that needs it, and nothing is installed.

use super::{Violation, breaks, kind};
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Plan, Step};

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    let stays = |step: &&Step| {
        let was = plan.made_from.members.get(&step.member);
        was.is_some_and(|m| m.version == plan.target.version)
    };
    for step in plan.steps().filter(stays) {
        if kind(step) == Some(Kind::SwapPackages) {
            let rule = "a member that runs the target already gets no packages";
            breaks(found, rule, Some(step.id), step.member.as_str());
        }
        let rebuilds = || {
            let of_it = |other: &&Step| other.member == step.member;
            let mut own = plan.steps().filter(of_it);
            own.any(|other| kind(other) == Some(Kind::RebuildOffline))
        };
        if kind(step) == Some(Kind::StopServer) && plan.policy.release.is_empty() && !rebuilds() {
            let rule = "a member that runs the target already is restarted only for a release, or to rebuild its tables";
            breaks(found, rule, Some(step.id), step.member.as_str());
        }
        if let Some(Operation::RewriteConfig { files }) = step.operation() {
            let writes =
                |edit: &crate::config::edit::LineEdit| !edit.replaces || !edit.new.is_empty();
            if files.iter().flat_map(|file| &file.edits).any(writes) {
                let rule = "a release only takes lines out";
                breaks(found, rule, Some(step.id), "a line is written");
            }
        }
    }
}
