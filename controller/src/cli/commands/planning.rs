//! `plan`.

use crate::cli::Exit;
use crate::cli::args::PlanArguments;
use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::{plan_file, render};
use refit_shared::plan::document;
use serde::Serialize;

/// No plan, in JSON.
#[derive(Serialize)]
struct Nothing<'a> {
    advised: [&'a str; 0],
    notes: &'a [String],
}

pub async fn plan(
    to: &Connection,
    output: &Output,
    arguments: &PlanArguments,
) -> Result<Exit, Failure> {
    if !arguments.dry_run {
        plan_file::must_be_free(&arguments.out, arguments.force)?;
    }
    let (bytes, notes) = to.plan(arguments).await?;
    if bytes.is_empty() {
        if output.json {
            output.print_json(&Nothing {
                advised: [],
                notes: &notes,
            });
        } else {
            let version = arguments.advised_for.as_ref();
            let version = version.or(arguments.target.as_ref());
            output.print(&render::plan::nothing_advised(
                &arguments.cluster,
                version.map_or("", String::as_str),
                arguments.check_tables,
                &notes,
            ));
        }
        return Ok(Exit::Done);
    }
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
