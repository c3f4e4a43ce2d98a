//! `check` and `plan`.

use crate::cli::Exit;
use crate::cli::args::PlanArguments;
use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::{plan_file, render};
use refit_shared::checks::{Level, of_level};
use refit_shared::plan::{ApprovePivot, Policy, Strategy, document};

pub async fn check(
    to: &Connection,
    output: &Output,
    cluster: &str,
    target: &str,
    accept_no_spare: bool,
    strategy: Option<Strategy>,
) -> Result<Exit, Failure> {
    // Only what checks depend on matters here; the rest is as careful as `plan` is by default.
    let policy = Policy {
        approve_pivot: ApprovePivot::Person,
        accept_no_spare,
        restore_primary: true,
        soak_s: 30,
    };
    let judged = to.check(cluster, target, policy, strategy).await?;
    if output.json {
        output.print_json(&render::check::json(&judged));
    } else {
        output.print(&render::check::text(&judged, output.style));
    }
    let count = |level| of_level(&judged.checks, level).count();
    Ok(match (count(Level::Error), count(Level::Warning)) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Warnings,
        _ => Exit::Errors,
    })
}

pub async fn plan(
    to: &Connection,
    output: &Output,
    arguments: &PlanArguments,
) -> Result<Exit, Failure> {
    if !arguments.dry_run {
        plan_file::must_be_free(&arguments.out, arguments.force)?;
    }
    let bytes = to
        .plan(
            &arguments.cluster,
            &arguments.target,
            arguments.policy(),
            arguments.strategy,
        )
        .await?;
    let unreadable = |error: String| {
        Failure::new(
            Exit::Failed,
            format!("the controller's plan can't be read: {error}"),
        )
        .safe("Nothing was changed. `refit` and the controller are probably of different versions.")
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| unreadable(error.to_string()))?;
    let plan = document::read(text).map_err(|error| unreadable(error.to_string()))?;
    if !arguments.dry_run {
        plan_file::write(&arguments.out, &bytes, arguments.force)?;
    }
    if output.json {
        output.print(text);
        return Ok(Exit::Done);
    }
    output.print(&render::plan::text(&plan, output.style));
    let file = arguments.out.display();
    output.print(&if arguments.dry_run {
        "\nNo file was written (--dry-run).\n".to_owned()
    } else {
        format!("\nWritten to {file}. Nothing has been changed on any host.\nNext:  refit apply {file} --dry-run\n       refit apply {file}\n")
    });
    Ok(Exit::Done)
}
