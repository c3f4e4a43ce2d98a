//! Pause, resume, approve, unwind, cancel, finalize.

use super::rollout_id;
use crate::api::Act;
use crate::cli::Exit;
use crate::cli::args::ActArguments;
use crate::cli::asking::confirm;
use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use crate::cli::follow::{self, From};
use crate::cli::output::Output;
use crate::cli::render;
use std::path::Path;

/// Follow what the act has set going.
#[derive(Debug, Clone, Copy)]
pub struct Follow<'a> {
    pub writer: Option<&'a Path>,
}

pub async fn act(
    to: &Connection,
    output: &Output,
    act: Act,
    arguments: &ActArguments,
    follow: Option<Follow<'_>>,
) -> Result<Exit, Failure> {
    let id = rollout_id(to, &arguments.rollout).await?;
    // All that follows is about the rollout as it is now. Whatever happens to it while a person reads the question, the act is then
    // refused.
    let before = to.show(&id).await?;
    if arguments.dry_run {
        let (rollout, notes) = to.act(act, &before, &arguments.reason, true).await?;
        if output.json {
            output.print_json(&serde_json::json!({ "rollout": rollout, "would": notes }));
        } else {
            output.print(&render::rollout::dry_run(&notes, output.style));
        }
        return Ok(Exit::Done);
    }
    if let Some(question) = question(act, &id, &before.summary.cluster) {
        // What can't be done at all is not asked about.
        to.act(act, &before, &arguments.reason, true).await?;
        confirm(&question, arguments.yes)?;
    }
    let (rollout, _) = to.act(act, &before, &arguments.reason, false).await?;
    let Some(follow) = follow else {
        output.show(&rollout, |style| {
            render::rollout::acted(done(act), &rollout, style)
        });
        return Ok(Exit::Done);
    };
    let from = From {
        seq: before.next_seq,
        // The state before the act is a state of rest too: only what is journalled after it ends the following.
        needs_a_line: true,
    };
    follow::follow(to, output, &id, from, follow.writer).await
}

/// What to ask before it is done; `None`: it can be taken back at once.
fn question(act: Act, id: &str, cluster: &str) -> Option<String> {
    match act {
        Act::Pause | Act::Resume => None,
        Act::Approve => Some(format!(
            "After the pivot of rollout {id} there is no way back for {cluster}."
        )),
        Act::Unwind => Some(format!(
            "Everything that rollout {id} has done to {cluster} will be undone."
        )),
        Act::Cancel => Some(format!(
            "Rollout {id} will be given up, and {cluster} stays as it is now, perhaps with members out."
        )),
        Act::Finalize => Some(format!(
            "The snapshots of rollout {id} will be deleted: {cluster} can't go back after it."
        )),
    }
}

fn done(act: Act) -> &'static str {
    match act {
        Act::Pause => "pausing: steps that agents are working on are finished first",
        Act::Resume => "resumed",
        Act::Approve => "approved",
        Act::Unwind => "unwinding",
        Act::Cancel => "cancelled",
        Act::Finalize => "finalizing",
    }
}
