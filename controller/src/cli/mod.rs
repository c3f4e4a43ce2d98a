//! The `refit` command: a client of the controller's API, and a few things that it does on this machine (`pki`, `journal`).
//!
//! Owns: the command line, what an operator reads, exit codes, and staying attached to a rollout through a controller's restart.
//! Does not own: any decision about a rollout. It shows what the controller says and passes on what the operator types.
//!
//! ```text
//!  args ─> commands ─> Connection (mTLS) ──> controller
//!             │  follow (watch, reconnect) ──> progress: a redrawn block, or a line a change
//!             └─> render: view -> String, pure ──> stdout
//! ```

mod args;
mod asking;
mod commands;
mod connection;
mod exit;
mod failure;
mod follow;
mod output;
mod plan_file;
pub mod render;
mod settings;
mod writer;

pub use args::Arguments;
pub use exit::Exit;

use clap::Parser;
use failure::Failure;
use output::Output;
use std::ffi::OsString;

/// Runs one command; what it prints is done when this returns.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are answers; anything else is bad input. A closed pipe concerns nobody here.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Refused
            } else {
                Exit::Done
            };
        }
    };
    let output = Output::new(parsed.json, parsed.color);
    let done = runtime().and_then(|runtime| {
        let done = runtime.block_on(commands::run(&parsed, &output));
        // A blocked read of a terminal must not keep the process.
        runtime.shutdown_background();
        done
    });
    done.unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot start: {error}")))
}
