//! For every plan: option files are changed only where there is a way back, of a server that is down, and only by changes that
//! can be made to exactly the bytes that were seen.

use super::{Violation, breaks, kind};
use crate::config::edit::Rewrite;
use crate::config::mask::MASK;
use crate::operation::{Operation, OperationKind as Kind};
use crate::plan::{Plan, Step};
use std::collections::BTreeSet;

pub(super) fn judge(plan: &Plan, found: &mut Vec<Violation>) {
    for step in plan.steps() {
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
