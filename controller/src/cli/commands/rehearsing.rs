//! `rehearse`.

use crate::cli::Exit;
use crate::cli::args::RehearseArguments;
use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::render;
use refit_proto::operator::wire::rehearse_response::Told;
use refit_shared::rehearsal::Rehearsal;

pub async fn rehearse(
    to: &Connection,
    output: &Output,
    arguments: &RehearseArguments,
) -> Result<Exit, Failure> {
    let mut told = to.rehearse(arguments).await?;
    let detached = tokio::signal::ctrl_c();
    let mut detached = std::pin::pin!(detached);
    let mut last = String::new();
    loop {
        let next = tokio::select! {
            next = told.message() => next.map_err(|status| to.failed(&status))?,
            _ = &mut detached => {
                output.remark("Detached. The agent goes on, removes the clone at the end, and keeps what it finds for `refit plan`.");
                return Ok(Exit::Detached);
            }
        };
        match next.and_then(|message| message.told) {
            Some(Told::Progress(phase)) if phase == last => {}
            Some(Told::Progress(phase)) => {
                // Beside the answer: what is parsed comes at the end.
                output.remark(&render::clean(&phase));
                last = phase;
            }
            Some(Told::Would(outline)) => {
                output.show(&outline.notes, |_| {
                    let lines = outline.notes.iter().map(|note| render::clean(note));
                    let lines: String = lines.map(|note| format!("would: {note}\n")).collect();
                    format!("{lines}Nothing was done (--dry-run).\n")
                });
                return Ok(Exit::Done);
            }
            Some(Told::Found(found)) => {
                let found = Rehearsal::try_from(found).map_err(unreadable)?;
                output.show(&found, |style| {
                    render::rehearsal::text(&found, &arguments.member, style)
                });
                return Ok(if found.passed() {
                    Exit::Done
                } else {
                    Exit::Errors
                });
            }
            None => {
                return Err(unreadable("the answer ended before its last word"));
            }
        }
    }
}

fn unreadable(why: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("the controller's answer can't be read: {why}"),
    )
    .safe("The member was only read; its agent removes the clone by itself.")
}
