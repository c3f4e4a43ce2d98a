//! `journal`: the controller's journal, on this machine.

mod rebuild;

use crate::cli::Exit;
use crate::cli::args::JournalCommand;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::journal::store;
use crate::ports::JournalError;
use std::io::Write as _;
use std::path::Path;

pub async fn run(command: &JournalCommand, output: &Output) -> Result<Exit, Failure> {
    match command {
        JournalCommand::Verify { path } => verify(path, output),
        JournalCommand::Export { path } => export(path),
        JournalCommand::Rebuild {
            config,
            plan,
            leave,
            dry_run,
        } => {
            let asked = rebuild::Asked {
                config,
                plans: plan,
                leave,
                dry_run: *dry_run,
            };
            rebuild::run(asked, output).await
        }
    }
}

fn unusable(path: &Path, error: &JournalError) -> Failure {
    let what = format!("{}: {error}", path.display());
    match error {
        JournalError::Corrupt(_) => Failure::new(Exit::Failed, what)
            .safe("Nothing was changed. No controller acts on such a journal; agents finish what they have begun, and mysqld is not touched.")
            .next("put back a copy of the journal that was made while the controller was stopped, and verify that one")
            .next("or make a new one from what the agents remember: refit journal rebuild --plan PLAN --dry-run"),
        JournalError::Read(_) | JournalError::Write(_) | JournalError::Poisoned(_) => {
            Failure::refused(what).next("if the controller has it open: systemctl stop refit-controller")
        }
    }
}

fn verify(path: &Path, output: &Output) -> Result<Exit, Failure> {
    let found = store::verify(path).map_err(|error| unusable(path, &error))?;
    let rollouts: Vec<_> = found
        .rollouts
        .iter()
        .map(|(id, entries)| serde_json::json!({ "rollout": id, "entries": entries }))
        .collect();
    let document = serde_json::json!({
        "journal": path,
        "intact": true,
        "epoch": found.epoch,
        "plans": found.plans,
        "rollouts": rollouts,
    });
    output.show(&document, |style| {
        let entries: u64 = found.rollouts.iter().map(|(_, entries)| entries).sum();
        format!(
            "{}: {} rollouts, {entries} entries, {} plans, epoch {}\n",
            style.good("The journal is intact"),
            found.rollouts.len(),
            found.plans,
            found.epoch
        )
    });
    Ok(Exit::Done)
}

/// For people who look into it with other tools, and for keeping.
fn export(path: &Path) -> Result<Exit, Failure> {
    let all = store::export(path).map_err(|error| unusable(path, &error))?;
    let head = serde_json::json!({ "journal": path, "epoch": all.epoch });
    let plans = all
        .plans
        .iter()
        .map(|plan| serde_json::json!({ "plan": plan, "digest": plan.digest() }).to_string());
    let entries = all.rollouts.iter().flatten().map(|entry| {
        serde_json::to_string(entry).expect("plain data with string keys always serialises")
    });
    let mut out = std::io::stdout().lock();
    let print = std::iter::once(head.to_string())
        .chain(plans)
        .chain(entries)
        .try_for_each(|line| writeln!(out, "{line}"));
    match print {
        // A reader that has closed the pipe has seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Failed,
            format!("the export could not be written: {error}"),
        )),
        Ok(()) | Err(_) => Ok(Exit::Done),
    }
}
