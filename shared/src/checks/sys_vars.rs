//! Option files and `mysqld-auto.cnf`: what of them the target does not know, refuses or calls otherwise.

use super::configured::{Fate, NEEDS};
use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::config::judge::Found;

pub const CHECK: Check = Check {
    id: "sysVars",
    level: Level::Error,
    reference: Reference {
        source: "MySQL Shell's sysVars; release notes of each version; mysqld --validate-config of 9.7.4 given every name",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/added-deprecated-removed.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: NEEDS,
    title: "Option files set nothing that the target refuses",
    description: "A server with an option or value that it does not know in an option file does not start (MY-000067, MY-000077); in mysqld-auto.cnf it ignores it silently.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let see = subject.see_proposal();
    subject.judge_files(&CHECK, |found, fate| {
        let verdict = |level, fix: &str| Some(Verdict::new(level, found.what(), fix));
        match (found, fate) {
            (Found::Broken(problem), _) if problem.fatal => verdict(
                Level::Error,
                "mend the file: mysqld of no version starts with it",
            ),
            (Found::Broken(_), _) => verdict(Level::Warning, "mend the file"),
            (Found::Removed { .. } | Found::Forbidden { .. }, Fate::Mended) => {
                verdict(Level::Warning, &format!("the rollout mends it; {see}"))
            }
            (Found::Removed { .. } | Found::Forbidden { .. }, Fate::ForAPerson) => verdict(
                Level::Error,
                "change the file on the member, then check again",
            ),
            (Found::Removed { .. } | Found::Forbidden { .. }, Fate::Harmless) => verdict(
                Level::Notice,
                "take it out: loose_ keeps it from being fatal",
            ),
            (Found::Renamed { .. }, Fate::ForAPerson) => verdict(
                Level::Notice,
                "change the file on the member some day: the old name still works",
            ),
            (Found::Renamed { .. }, _) => {
                verdict(Level::Notice, &format!("the rollout mends it; {see}"))
            }
            (Found::PersistedRemoved { name, .. }, _) => {
                let fix = format!("RESET PERSIST {name};");
                verdict(Level::Warning, &fix)
            }
            (
                Found::DefaultChanges { .. }
                | Found::AtRuntimeOnly { .. }
                | Found::PersistedBeats { .. },
                _,
            ) => None,
        }
    })
}
