//! Going on against a check: named, with a reason, kept in the plan and in the journal. A check that protects data, or without
//! which there can be no plan, can't be gone against.

use super::{CheckResult, Level, Overriding, check};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The longest reason, in characters.
const LONGEST: usize = 500;

/// One check that an operator goes on against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The check's id.
    pub check: String,
    pub reason: String,
    /// The name in the operator's certificate; the controller puts it there.
    pub by: String,
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} overridden", self.check)?;
        if !self.by.is_empty() {
            write!(f, " by {}", self.by)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Everything that is wrong with these; empty when they may stand.
pub fn mistakes(overrides: &[Override]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for one in overrides {
        let id = &one.check;
        match check(id).map(|check| check.overriding) {
            None => wrong.push(format!(
                "there is no check {id:?} to override; `refit check --list` names them"
            )),
            Some(Overriding::Refused(why)) => {
                wrong.push(format!("{id} can't be overridden: {why}"));
            }
            Some(Overriding::Allowed) => {}
        }
        if !seen.insert(id) {
            wrong.push(format!("{id} is overridden twice"));
        }
        let reason = one.reason.trim();
        if reason.is_empty() {
            wrong.push(format!("overriding {id} needs a reason"));
        }
        if reason.chars().count() > LONGEST || reason.chars().any(char::is_control) {
            wrong.push(format!(
                "the reason for overriding {id} must be one line of at most {LONGEST} characters"
            ));
        }
    }
    wrong
}

/// The results with the overridden checks' errors as warnings that say so; those of checks that can't be overridden stay.
pub fn overridden(mut results: Vec<CheckResult>, overrides: &[Override]) -> Vec<CheckResult> {
    for result in results.iter_mut().filter(|result| result.may_override) {
        let Some(how) = overrides.iter().find(|one| one.check == result.id) else {
            continue;
        };
        let errors = result.findings.iter_mut();
        for finding in errors.filter(|finding| finding.level == Level::Error) {
            finding.level = Level::Warning;
            finding.description = format!("{} ({how})", finding.description);
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{ALL, Finding};

    fn of(check: &str, reason: &str) -> Override {
        Override {
            check: check.to_owned(),
            reason: reason.to_owned(),
            by: "ann".to_owned(),
        }
    }

    #[test]
    fn every_mistake_is_told() {
        assert!(mistakes(&[of("routineSyntax", "tried on a copy")]).is_empty());
        let wrong = mistakes(&[
            of("nosuch", "x"),
            of("errantTransactions", "x"),
            of("routineSyntax", " "),
            of("routineSyntax", "two\nlines"),
        ]);
        assert_eq!(wrong.len(), 5, "{wrong:#?}");
    }

    #[test]
    fn what_protects_data_can_not_be_overridden() {
        for id in [
            "errantTransactions",
            "upgradePath",
            "packagesAvailable",
            "diskSpace",
            "groupReplicationMembers",
            "preparedXa",
            "refitAgents",
            "removedFunctions",
        ] {
            assert_eq!(mistakes(&[of(id, "x")]).len(), 1, "{id}");
        }
        assert!(
            ALL.iter()
                .any(|check| check.overriding == Overriding::Allowed)
        );
    }

    #[test]
    fn an_overridden_error_is_a_warning_that_says_so() {
        let finding = |level| Finding {
            check: "routineSyntax".to_owned(),
            level,
            object: "shop.p".to_owned(),
            description: "d".to_owned(),
            fix: "f".to_owned(),
        };
        let result = |id: &str| CheckResult {
            id: id.to_owned(),
            title: String::new(),
            description: String::new(),
            link: None,
            applies: true,
            may_override: true,
            findings: vec![finding(Level::Error), finding(Level::Notice)],
        };
        let results = vec![result("routineSyntax"), result("other")];
        let after = overridden(results, &[of("routineSyntax", "tried")]);
        assert_eq!(after[0].findings[0].level, Level::Warning);
        assert!(
            after[0].findings[0]
                .description
                .contains("overridden by ann: tried")
        );
        assert_eq!(after[0].findings[1].level, Level::Notice);
        assert_eq!(after[1].findings[0].level, Level::Error);
        let mut never = result("routineSyntax");
        never.may_override = false;
        let after = overridden(vec![never], &[of("routineSyntax", "tried")]);
        assert_eq!(after[0].findings[0].level, Level::Error);
    }
}
