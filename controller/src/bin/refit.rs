//! The `refit` command. All of it is in `refit_controller::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    refit_controller::cli::run(std::env::args_os()).into()
}
