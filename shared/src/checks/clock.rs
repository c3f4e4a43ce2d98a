//! The clock.

use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::Question;

pub const CHECK: Check = Check {
    id: "clockSynchronised",
    level: Level::Warning,
    reference: Reference {
        source: "systemd, timedatectl",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[Question::ClockNotSynchronised],
    title: "The clock is kept by a time service",
    description: "Logs of several hosts are read side by side, certificates have dates, and commit times tell how far a replica is behind.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::ClockNotSynchronised, |row, _| {
        Some(Verdict::new(
            Level::Warning,
            format!("the clock is not synchronised: {}", row.detail),
            "timedatectl set-ntp true, or start chrony",
        ))
    })
}
