//! Asking before something is done that can't be taken back, or not easily.

use super::failure::Failure;
use std::io::{BufRead, IsTerminal, Write};

/// Goes on when `--yes` was given or a person at a terminal says yes; anything else refuses, and nothing was done.
pub fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::refused(format!(
            "{question} Nobody can be asked here, since this is no terminal: add --yes"
        )));
    }
    eprint!("{question} Type yes to go on: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    match read {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        Ok(_) => Err(Failure::refused("not confirmed")),
        Err(error) => Err(Failure::refused(format!("cannot read the answer: {error}"))),
    }
}
