//! Judging option files: what each member's say, what of it the target would not take, and what is proposed instead.

use super::listed::{Verdict, together};
use super::{Check, Finding, Subject, VersionPair};
use crate::config::ConfigFiles;
use crate::config::judge::{Found, Settings};
use crate::config::propose::{Proposal, planned};
use crate::ids::MemberName;
use crate::observation::ServerFacts;
use crate::rules::releases::Date;
use crate::survey::Question;
use std::collections::BTreeMap;

/// What a check of option files needs to know.
pub(super) const NEEDS: &[Question] = &[Question::OptionFiles, Question::SetAtRuntime];

/// One member's configuration.
#[derive(Debug)]
pub(super) struct Configured<'a> {
    pub member: &'a MemberName,
    pub proposal: Proposal,
}

/// What becomes of something found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The proposal puts it right.
    Mended,
    ForAPerson,
    /// The server warns and goes on.
    Harmless,
}

impl Configured<'_> {
    pub fn found(&self) -> impl Iterator<Item = (&Found, Fate)> {
        let mended = self.proposal.mended.iter().map(|f| (f, Fate::Mended));
        let person = self.proposal.for_a_person.iter();
        let harmless = self.proposal.harmless.iter();
        mended
            .chain(person.map(|f| (f, Fate::ForAPerson)))
            .chain(harmless.map(|f| (f, Fate::Harmless)))
    }
}

impl<'a> Subject<'a> {
    /// Members to which the check applies. What could not be read becomes a finding.
    pub(super) fn configured(
        &self,
        check: &Check,
        found: &mut Vec<Finding>,
    ) -> Vec<Configured<'a>> {
        let all = self.files(check, found).into_iter();
        all.map(|(member, server, files)| {
            // Comments have a date; nothing that is judged depends on it.
            let some_day = Date::of_unix_ms(0);
            let proposal = planned(&files, server.version, self.target, some_day, self.policy);
            Configured { member, proposal }
        })
        .collect()
    }

    /// The same members, with what their files say to a server of the target.
    pub(super) fn settings(
        &self,
        check: &Check,
        found: &mut Vec<Finding>,
    ) -> Vec<(&'a MemberName, &'a ServerFacts, Settings)> {
        let all = self.files(check, found).into_iter();
        all.map(|(member, server, files)| (member, server, Settings::of(&files, self.target)))
            .collect()
    }

    fn files(
        &self,
        check: &Check,
        found: &mut Vec<Finding>,
    ) -> Vec<(&'a MemberName, &'a ServerFacts, ConfigFiles)> {
        let mut all = Vec::new();
        for (member, server) in self.seen.servers() {
            let pair = VersionPair {
                from: server.version,
                to: self.target,
            };
            if !check.applies.applies(pair) {
                continue;
            }
            match self.seen.config(member) {
                Ok(files) => all.push((member, server, files)),
                Err(why) => found.push(check.untold(member, "the option files", &why)),
            }
        }
        all
    }

    /// Judges everything that was found in any member's files; `None` lets it pass.
    pub(super) fn judge_files(
        &self,
        check: &Check,
        judge: impl Fn(&Found, Fate) -> Option<Verdict>,
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        let all = self.configured(check, &mut found);
        let mut told: BTreeMap<(Verdict, String), Vec<&MemberName>> = BTreeMap::new();
        for one in &all {
            for (what, fate) in one.found() {
                if let Some(verdict) = judge(what, fate) {
                    let who = told.entry((verdict, object(what))).or_default();
                    if who.last() != Some(&one.member) {
                        who.push(one.member);
                    }
                }
            }
        }
        found.extend(together(check, told, all.len()));
        found
    }

    /// Where to read the proposal.
    pub(super) fn see_proposal(&self) -> String {
        format!(
            "`refit config {} --target {}` shows the rewritten files",
            self.seen.cluster, self.target
        )
    }
}

/// File and line, or the variable.
fn object(found: &Found) -> String {
    match found {
        Found::DefaultChanges { entry, .. } | Found::AtRuntimeOnly { entry, .. } => {
            entry.name.to_owned()
        }
        Found::PersistedRemoved { name, .. } | Found::PersistedBeats { name, .. } => {
            format!("mysqld-auto.cnf: {name}")
        }
        Found::Broken(_)
        | Found::Removed { .. }
        | Found::Forbidden { .. }
        | Found::Renamed { .. } => found.place().unwrap_or_default(),
    }
}
