//! Which checks a person wants to run.

use super::{ALL, Check, OF_THE_TARGET, ONLY_WHEN_ASKED};
use std::collections::BTreeSet;

/// All of them, only some, or all but some.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    include: BTreeSet<String>,
    exclude: BTreeSet<String>,
    /// Beside the others: those that run only when they are asked for.
    also: BTreeSet<&'static str>,
}

/// Ids that no check has: every one of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no check {}; `refit check --list` names them", .0.join(", "))]
pub struct UnknownChecks(pub Vec<String>);

impl Selection {
    /// Every check but those that run only when they are asked for.
    pub fn all() -> Self {
        Self::default()
    }

    /// `include` empty: all. What is named in both is left out.
    pub fn new<'a>(
        include: impl IntoIterator<Item = &'a str>,
        exclude: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, UnknownChecks> {
        let own = |ids: &mut dyn Iterator<Item = &'a str>| -> BTreeSet<String> {
            ids.map(str::to_owned).collect()
        };
        let selection = Self {
            include: own(&mut include.into_iter()),
            exclude: own(&mut exclude.into_iter()),
            also: BTreeSet::new(),
        };
        let unknown: Vec<String> = selection
            .include
            .union(&selection.exclude)
            .filter(|id| check(id).is_none())
            .cloned()
            .collect();
        if unknown.is_empty() {
            Ok(selection)
        } else {
            Err(UnknownChecks(unknown))
        }
    }

    /// Nothing was chosen.
    pub(super) fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// All but these, which are the caller's own.
    pub(super) fn without(ids: impl Iterator<Item = &'static str>) -> Self {
        Self {
            include: BTreeSet::new(),
            exclude: ids.map(str::to_owned).collect(),
            also: BTreeSet::new(),
        }
    }

    /// Also a check that runs only when it is asked for.
    pub fn with(mut self, check: &'static str) -> Self {
        self.also.insert(check);
        self
    }

    /// Also what the target's own packages are asked for.
    pub fn with_the_target(self) -> Self {
        OF_THE_TARGET.into_iter().fold(self, Self::with)
    }

    /// One of them.
    pub fn asks_the_target(&self) -> bool {
        OF_THE_TARGET.iter().any(|id| self.wants(id))
    }

    pub fn wants(&self, id: &str) -> bool {
        let named = self.include.contains(id) || self.also.contains(id);
        let usual = self.include.is_empty() && !ONLY_WHEN_ASKED.contains(&id);
        (named || usual) && !self.exclude.contains(id)
    }
}

/// The check of that id.
pub fn check(id: &str) -> Option<&'static Check> {
    ALL.iter().find(|check| check.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn include_exclude_and_both() {
        let all = Selection::all();
        for check in ALL {
            let asked = ONLY_WHEN_ASKED.contains(&check.id);
            assert_eq!(all.wants(check.id), !asked, "{}", check.id);
            assert!(!asked || all.clone().with(check.id).wants(check.id));
        }
        let tables = super::super::CHECK_TABLES;
        assert!(Selection::new([tables], []).unwrap().wants(tables));
        let beside = Selection::new(["diskSpace"], []).unwrap().with(tables);
        assert!(beside.wants(tables) && beside.wants("diskSpace") && !beside.wants("memory"));
        let only = Selection::new(["diskSpace", "preparedXa"], []).unwrap();
        let wanted: Vec<_> = ALL
            .iter()
            .map(|c| c.id)
            .filter(|id| only.wants(id))
            .collect();
        assert_eq!(wanted, ["diskSpace", "preparedXa"]);
        let but = Selection::new([], ["diskSpace"]).unwrap();
        assert!(!but.wants("diskSpace") && but.wants("preparedXa"));
        let both = Selection::new(["diskSpace", "preparedXa"], ["diskSpace"]).unwrap();
        assert!(!both.wants("diskSpace") && both.wants("preparedXa"));
    }

    #[test]
    fn every_unknown_id_is_named() {
        let wrong = Selection::new(["diskSpaec", "preparedXa"], ["nosuch"]).unwrap_err();
        assert_eq!(wrong.0, ["diskSpaec", "nosuch"]);
        assert!(wrong.to_string().contains("refit check --list"));
    }
}
