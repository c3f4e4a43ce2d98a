//! Defaults that change and that nothing sets.

use super::configured::{Fate, NEEDS};
use super::listed::Verdict;
use super::{
    ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, VersionPair,
    When,
};
use crate::config::judge::Found;
use crate::rules::variables::defaults::{DEFAULTS, Default, Weight};

pub const CHECK: Check = Check {
    id: "sysVarsNewDefaults",
    level: Level::Warning,
    reference: Reference {
        source: "defaults of real servers 5.7.42, 8.0.46, 8.4.10 and 9.7.4 compared; MySQL Shell's sysVarsNewDefaults",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/added-deprecated-removed.html"),
    },
    applies: When::Rule("where a default changes", a_default_changes),
    overriding: Overriding::Allowed,
    needs: NEEDS,
    title: "Defaults that change are known",
    description: "What no option file sets takes the target's default. The proposal pins each default that changes to what it was, with a dated comment, so that it can be released later, one by one.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn a_default_changes(pair: VersionPair) -> bool {
    DEFAULTS
        .iter()
        .any(|entry| entry.differs(pair.from, pair.to))
}

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let see = subject.see_proposal();
    subject.judge_files(&CHECK, |found, fate| {
        let level = |entry: &Default| match entry.weight {
            Weight::Breaks => Level::Warning,
            Weight::Behaviour => Level::Notice,
        };
        match (found, fate) {
            (Found::DefaultChanges { .. }, Fate::Mended) => Some(Verdict::new(
                Level::Notice,
                format!("{}; the rollout pins it to what it was", found.what()),
                &see,
            )),
            (Found::DefaultChanges { entry, .. }, Fate::ForAPerson | Fate::Harmless) => {
                Some(Verdict::new(
                    level(entry),
                    found.what(),
                    format!(
                        "set {} in the option file of the member if its value matters",
                        entry.name
                    ),
                ))
            }
            (Found::AtRuntimeOnly { entry, value }, _) => Some(Verdict::new(
                Level::Warning,
                found.what(),
                format!(
                    "SET PERSIST {} = '{value}'; or set it in the option file",
                    entry.name
                ),
            )),
            (
                Found::Broken(_)
                | Found::Removed { .. }
                | Found::Forbidden { .. }
                | Found::Renamed { .. }
                | Found::PersistedRemoved { .. }
                | Found::PersistedBeats { .. },
                _,
            ) => None,
        }
    })
}
