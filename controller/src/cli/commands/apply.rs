//! `apply` and `watch`.

use super::rollout_id;
use crate::cli::Exit;
use crate::cli::asking::confirm;
use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use crate::cli::follow::{self, From};
use crate::cli::output::Output;
use crate::cli::{plan_file, render};
use std::path::Path;

#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    pub yes: bool,
    pub dry_run: bool,
    pub wait: bool,
    pub reason: &'a str,
    pub writer: Option<&'a Path>,
}

pub async fn apply(
    to: &Connection,
    output: &Output,
    file: &Path,
    how: How<'_>,
) -> Result<Exit, Failure> {
    let (bytes, plan) = plan_file::read(file)?;
    if how.dry_run {
        let (_, notes) = to.apply(bytes, how.reason, true).await?;
        if output.json {
            let digest = plan.digest();
            output.print_json(&serde_json::json!({ "plan": digest, "would": notes }));
        } else {
            output.print(&render::rollout::dry_run(&notes, output.style));
        }
        return Ok(Exit::Done);
    }
    if !how.yes {
        // A plan that would be refused is not asked about.
        to.apply(bytes.clone(), how.reason, true).await?;
        if !output.json {
            output.print(&render::plan::brief(&plan, output.style));
        }
    }
    let question = format!(
        "{} will be upgraded to {} now.",
        plan.cluster, plan.target.version
    );
    confirm(&question, how.yes)?;
    let (rollout, _) = to.apply(bytes, how.reason, false).await?;
    let Some(rollout) = rollout else {
        return Err(Failure::new(
            Exit::Failed,
            "the controller did not say which rollout it began",
        )
        .next("refit list"));
    };
    let id = &rollout.summary.id;
    if !how.wait {
        output.show(&rollout, |style| {
            render::rollout::acted("begun", &rollout, style)
        });
        return Ok(Exit::Done);
    }
    if !output.json {
        output.print(&render::progress::heading(&rollout, output.style));
    }
    let from = From {
        seq: 0,
        needs_a_line: false,
    };
    follow::follow(to, output, id, from, how.writer).await
}

pub async fn watch(
    to: &Connection,
    output: &Output,
    rollout: &str,
    writer: Option<&Path>,
) -> Result<Exit, Failure> {
    let id = rollout_id(to, rollout).await?;
    let now = to.show(&id).await?;
    if !output.json {
        output.print(&render::progress::heading(&now, output.style));
    }
    // A journal that is long already is history: `refit audit` has it.
    let from = From {
        seq: now.next_seq,
        needs_a_line: false,
    };
    follow::follow(to, output, &id, from, writer).await
}
