//! For every plan: option files are judged by the target's own mysqld before anything is stopped, and changed only where there is a
//! way back, of a server that is down, and only by changes that can be made to exactly the bytes that were seen.

use super::{Violation, breaks, kind, system_tables};
use crate::config::edit::Rewrite;
use crate::config::mask::MASK;
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Plan, Step};
use std::collections::BTreeSet;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    for step in plan.steps() {
        // A mysqld before 8.0.16 does not know --validate-config.
        let can_judge = !system_tables::is_old(plan);
        if kind(step) == Some(Kind::ValidateConfig) && !can_judge {
            breaks(
                found,
                "option files are judged only by a mysqld that can",
                Some(step.id),
                plan.target.version.to_string(),
            );
        }
        if kind(step) == Some(Kind::StartServer) && can_judge && !is_validated(plan, step) {
            breaks(
                found,
                "the target's mysqld judges the option files before the server is stopped",
                Some(step.id),
                "it does not, or not with the changes that are made",
            );
        }
        let Some(Operation::RewriteConfig { files }) = step.operation() else {
            continue;
        };
        let own: Vec<&Step> = plan
            .steps()
            .filter(|other| other.member == step.member)
            .collect();
        let here = own.iter().position(|other| other.id == step.id);
        let (before, after) = own.split_at(here.unwrap_or_default());
        let is = |steps: &[&Step], wanted: Kind| steps.iter().any(|s| kind(s) == Some(wanted));
        if !is(before, Kind::BackUpConfig) {
            breaks(
                found,
                "option files are kept before they are changed",
                Some(step.id),
                "no copy of them is made",
            );
        }
        let in_place = is(before, Kind::StopServer)
            && is(before, Kind::SnapshotData)
            && !is(before, Kind::SwapPackages)
            && !is(before, Kind::StartServer)
            && is(after, Kind::StartServer);
        if !in_place {
            breaks(
                found,
                "option files are changed between the snapshot and the swap",
                Some(step.id),
                "the server may run, or its package may have changed them first",
            );
        }
        let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        if paths.len() != files.len() || files.is_empty() {
            breaks(
                found,
                "each option file is changed once",
                Some(step.id),
                format!("{} changes to {} files", files.len(), paths.len()),
            );
        }
        for file in files {
            if let Some(why) = wrong(file) {
                breaks(
                    found,
                    "changes to an option file can be made as they are written",
                    Some(step.id),
                    format!("{}: {why}", file.path),
                );
            }
        }
    }
}

/// Of the member of this start: judged with exactly the changes that are made to its files, before its stop.
fn is_validated(plan: &Plan, start: &Step) -> bool {
    let own = || plan.steps().filter(|step| step.member == start.member);
    let rewritten = own().find_map(|step| match step.operation() {
        Some(Operation::RewriteConfig { files }) => Some(files.as_slice()),
        _ => None,
    });
    own()
        .take_while(|step| kind(step) != Some(Kind::StopServer))
        .any(|step| match step.operation() {
            Some(Operation::ValidateConfig { version, files, .. }) => {
                *version == plan.target.version && files.as_slice() == rewritten.unwrap_or(&[])
            }
            _ => false,
        })
}

fn wrong(file: &Rewrite) -> Option<&'static str> {
    let lines: Vec<u32> = file.edits.iter().map(|edit| edit.line).collect();
    let new = || file.edits.iter().flat_map(|edit| &edit.new);
    if !file.path.starts_with('/') || file.path.contains("/../") {
        Some("the path is not absolute")
    } else if lines.is_empty() || lines[0] == 0 || !lines.is_sorted_by(|a, b| a < b) {
        Some("the lines are not in order")
    } else if new().any(|line| line.contains(['\n', '\r', '\0'])) {
        Some("a new line has a line end in it")
    } else if new().any(|line| line.contains(MASK)) {
        Some("it would write what stands for a secret")
    } else {
        None
    }
}
