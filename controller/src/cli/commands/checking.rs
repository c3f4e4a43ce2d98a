//! `check`.

use crate::cli::Exit;
use crate::cli::args::{CheckArguments, ConfigArgument};
use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::render;
use refit_shared::checks::{Level, of_level};
use refit_shared::plan::{ApprovePivot, Policy};

pub async fn check(
    to: &Connection,
    output: &Output,
    arguments: &CheckArguments,
) -> Result<Exit, Failure> {
    // Only what checks depend on matters here; the rest is as careful as `plan` is by default.
    let policy = Policy {
        approve_pivot: ApprovePivot::Person,
        accept_no_spare: arguments.accept_no_spare,
        restore_primary: true,
        soak_s: 30,
        keep_config: arguments.config == ConfigArgument::Keep,
        overrides: Vec::new(),
        release: Vec::new(),
    };
    let (Some(cluster), Some(target)) = (&arguments.cluster, &arguments.target) else {
        return Err(Failure::refused("CLUSTER and --target are needed").next("refit check --help"));
    };
    let judged = to.check(cluster, target, policy, arguments).await?;
    if let Some(file) = &arguments.html {
        std::fs::write(file, render::check_html::page(&judged)).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!(
                    "the page could not be written to {}: {error}",
                    file.display()
                ),
            )
            .safe("Nothing was changed on any host.")
        })?;
    }
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

/// Every check that this version of Refit knows.
pub fn list(output: &Output) -> Exit {
    if output.json {
        output.print_json(&render::check_list::json());
    } else {
        output.print(&render::check_list::text(output.style));
    }
    Exit::Done
}
