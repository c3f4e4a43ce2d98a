//! Exit codes: a contract for scripts, the same in `refit --help` and the README.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for a rollout that was followed: Upgraded.
    Done,
    /// Something failed that trying again may cure: no connection, no journal.
    Failed,
    /// `check` found warnings, and no errors.
    Warnings,
    /// `check` found errors.
    Errors,
    /// The rollout is parked, or waits for `refit approve`.
    Waiting,
    /// The rollout was unwound: everything is as it was before.
    Restored,
    /// Refused, and nothing was changed: bad input, a stale or edited plan, a wrong certificate.
    Refused,
    /// Detached with Ctrl-C; the rollout goes on.
    Detached,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed | Self::Warnings => 1,
            Self::Errors => 2,
            Self::Waiting => 3,
            Self::Restored => 4,
            Self::Refused => 5,
            Self::Detached => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
