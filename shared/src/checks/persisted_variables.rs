//! What SET PERSIST has set against an option file.

use super::configured::NEEDS;
use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::config::judge::Found;

pub const CHECK: Check = Check {
    id: "persistedVariables",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL manual, \"Persisted System Variables\"; mysqld-auto.cnf was seen to beat option files and command line (9.7.4)",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/persisted-system-variables.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: NEEDS,
    title: "Option files mean what they say",
    description: "A variable in mysqld-auto.cnf beats option files and the command line: whoever reads or changes the option file is misled.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.judge_files(&CHECK, |found, _| match found {
        Found::PersistedBeats { name, .. } => Some(Verdict::new(
            Level::Warning,
            found.what(),
            format!("RESET PERSIST {name}; or take it out of the option file"),
        )),
        Found::Broken(_)
        | Found::Removed { .. }
        | Found::Forbidden { .. }
        | Found::Renamed { .. }
        | Found::DefaultChanges { .. }
        | Found::AtRuntimeOnly { .. }
        | Found::PersistedRemoved { .. } => None,
    })
}
