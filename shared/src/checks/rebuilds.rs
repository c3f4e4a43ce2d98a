//! Tables that a rebuild would mend, as the checks find them: what `refit plan --tables advised` rebuilds.
//!
//! A check has its remedy here when `ALTER TABLE … FORCE` of the very table that it names is all that it asks for. Left out on purpose:
//!
//! - `spatialIndex`: a rebuild before the upgrade makes the index anew on the version that writes it wrongly; it is dropped and made
//!   again afterwards.
//! - `innodbRowFormat`, `indexTooLarge`: FORCE keeps a row format that the table was given.
//! - `nonNativePartitioning`, `partitionsWithPrefixKeys`, `partitionedTablesInSharedTablespaces`: they want another definition.

use super::{
    Check, Finding, Selection, Subject, VersionPair, check_table_command, old_geometry,
    old_temporal, row_versions,
};
use crate::ids::MemberName;
use crate::survey::{Question, Row};
use crate::table::TableName;
use crate::version::MysqlVersion;
use std::collections::{BTreeMap, BTreeSet};

/// What a rebuild mends of a check's findings.
pub(super) struct Remedy {
    pub check: &'static Check,
    pub question: Question,
    /// Why this object's table is to be rebuilt; `None`: a rebuild is no remedy for it.
    pub why: fn(&Row) -> Option<String>,
}

const REMEDIES: &[Remedy] = &[
    old_temporal::REMEDY,
    old_geometry::REMEDY,
    row_versions::REMEDY,
    check_table_command::REMEDY,
];

/// What is advised to be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advice {
    /// The reasons, each with its check's id.
    pub tables: BTreeMap<TableName, BTreeSet<String>>,
    /// What a person should know beside: what was not asked, and why; tables that can't be named.
    pub notes: Vec<String>,
}

/// That the list of tables comes from the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advised {
    /// The version that the tables are to be fit for.
    pub version: MysqlVersion,
    /// CHECK TABLE … FOR UPGRADE is run, too.
    pub check_tables: bool,
    pub advice: Advice,
}

/// What must be asked of a member for it.
pub fn needed(wanted: &Selection, pair: VersionPair) -> BTreeSet<Question> {
    let remedies = REMEDIES.iter().filter(|one| wanted.wants(one.check.id));
    remedies
        .filter(|one| one.check.applies.applies(pair))
        .map(|one| one.question)
        .collect()
}

/// The tables that the checks would have rebuilt for the subject's target. An answer that is missing is a finding: a table of which
/// nothing is known is none that is well.
pub fn advise(subject: Subject<'_>, wanted: &Selection) -> Result<Advice, Vec<Finding>> {
    let mut missing = Vec::new();
    let mut advice = Advice::default();
    let servers = subject.seen.servers().count();
    for remedy in REMEDIES.iter().filter(|one| wanted.wants(one.check.id)) {
        let id = remedy.check.id;
        let mut told: BTreeMap<(String, String), Vec<&MemberName>> = BTreeMap::new();
        for (name, _, listing) in subject.answers(remedy.check, remedy.question, &mut missing) {
            for row in &listing.rows {
                if row.name.is_empty() {
                    advice.notes.push(format!("{id}: {name}: {}", row.detail));
                } else if let Some(why) = (remedy.why)(row) {
                    let table = format!("{}.{}", row.schema, row.name);
                    let who = told.entry((table, why)).or_default();
                    if who.last() != Some(&name) {
                        who.push(name);
                    }
                }
            }
            let unnamed = listing.total.saturating_sub(listing.rows.len() as u64);
            if unnamed > 0 {
                advice.notes.push(format!(
                    "{id}: {name}: {unnamed} more are not named: ask again once these are rebuilt"
                ));
            }
        }
        for ((table, why), who) in told {
            let mut reason = format!("{id}: {why}");
            if who.len() < servers {
                let names: Vec<&str> = who.iter().map(|name| name.as_str()).collect();
                reason.push_str(&format!(" ({})", names.join(", ")));
            }
            match table.parse::<TableName>() {
                Ok(table) => drop(advice.tables.entry(table).or_default().insert(reason)),
                Err(error) => advice
                    .notes
                    .push(format!("{reason}; but {error}: rebuild it by hand")),
            }
        }
    }
    if missing.is_empty() {
        Ok(advice)
    } else {
        Err(missing)
    }
}
