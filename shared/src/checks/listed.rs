//! Judging what a survey lists: the same object found on several members is one finding, and what was only counted is told.

use super::{Check, Finding, Level, Subject, VersionPair};
use crate::ids::MemberName;
use crate::survey::{Listing, Question, Row};
use std::collections::BTreeMap;

/// What a check says of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Verdict {
    pub level: Level,
    pub description: String,
    pub fix: String,
}

impl Verdict {
    pub fn new(level: Level, description: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level,
            description: description.into(),
            fix: fix.into(),
        }
    }
}

/// One finding an object, and where it was found when that is not everywhere.
pub(super) fn together(
    check: &Check,
    told: BTreeMap<(Verdict, String), Vec<&MemberName>>,
    everywhere: usize,
) -> Vec<Finding> {
    let only = |who: &[&MemberName]| {
        if who.len() == everywhere {
            return String::new();
        }
        let names: Vec<&str> = who.iter().map(|name| name.as_str()).collect();
        format!(" (only on {})", names.join(", "))
    };
    told.into_iter()
        .map(|((verdict, object), who)| {
            let description = verdict.description + &only(&who);
            check.finding(verdict.level, object, description, verdict.fix)
        })
        .collect()
}

impl<'a> Subject<'a> {
    /// Members to which the check applies, with their answer to the question. A missing answer becomes a finding.
    pub(super) fn answers(
        &self,
        check: &Check,
        question: Question,
        found: &mut Vec<Finding>,
    ) -> Vec<(&'a MemberName, VersionPair, &'a Listing)> {
        let mut answers = Vec::new();
        for (name, server) in self.seen.servers() {
            let pair = VersionPair {
                from: server.version,
                to: self.target,
            };
            if !check.applies.applies(pair) {
                continue;
            }
            let survey = match self.seen.surveys.get(name) {
                Some(survey) => survey.require(),
                None => Err("its agent was not asked"),
            };
            match survey.and_then(|survey| survey.answer(question)) {
                Ok(listing) => answers.push((name, pair, listing)),
                Err(why) => {
                    let what = question.as_str().replace('_', " ");
                    found.push(check.untold(name, &what, why));
                }
            }
        }
        answers
    }

    /// Judges every object that the question lists on any member; `None` lets it pass.
    pub(super) fn listed(
        &self,
        check: &Check,
        question: Question,
        judge: impl Fn(&Row, VersionPair) -> Option<Verdict>,
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        let answers = self.answers(check, question, &mut found);
        let mut told: BTreeMap<(Verdict, String), Vec<&MemberName>> = BTreeMap::new();
        let mut beyond: BTreeMap<u64, Vec<&MemberName>> = BTreeMap::new();
        for (name, pair, listing) in &answers {
            let before = told.len();
            for row in &listing.rows {
                if let Some(verdict) = judge(row, *pair) {
                    let who = told.entry((verdict, row.object())).or_default();
                    if who.last() != Some(name) {
                        who.push(*name);
                    }
                }
            }
            let unnamed = listing.total.saturating_sub(listing.rows.len() as u64);
            // Where none of those named is of interest, the rest is not either: they are alike.
            if unnamed > 0 && (told.len() > before || told.values().any(|who| who.contains(name))) {
                beyond.entry(unnamed).or_default().push(*name);
            }
        }
        found.extend(together(check, told, answers.len()));
        for (unnamed, who) in beyond {
            let names: Vec<&str> = who.iter().map(|name| name.as_str()).collect();
            found.push(check.finding(
                check.level,
                names.join(", "),
                format!("{unnamed} more are of this kind and not named here"),
                "mend those that are named and check again",
            ));
        }
        found
    }
}
