//! `journal`: the controller's journal, on this machine.

use crate::cli::Exit;
use crate::cli::args::JournalCommand;
use crate::cli::failure::Failure;
use crate::cli::output::Output;

pub fn run(command: &JournalCommand, output: &Output) -> Result<Exit, Failure> {
    let JournalCommand::Verify { path } = command;
    let _ = output;
    Err(Failure::new(Exit::Failed, path.display().to_string()))
}
