//! `journal`: the controller's journal, on this machine.

use crate::cli::Exit;
use crate::cli::args::JournalCommand;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::journal::store;
use crate::ports::JournalError;

pub fn run(command: &JournalCommand, output: &Output) -> Result<Exit, Failure> {
    let JournalCommand::Verify { path } = command;
    let found = store::verify(path).map_err(|error| {
        let what = format!("{}: {error}", path.display());
        match &error {
            JournalError::Corrupt(_) => Failure::new(Exit::Failed, what)
                .safe("Nothing was changed. No controller acts on such a journal; agents finish what they have begun, and mysqld is not touched.")
                .next("put back a copy of the journal that was made while the controller was stopped, and verify that one"),
            JournalError::Read(_) | JournalError::Write(_) | JournalError::Poisoned(_) => {
                Failure::refused(what)
                    .next("if the controller has it open: systemctl stop refit-controller")
            }
        }
    })?;
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
