//! Between which versions a check applies.

use crate::version::MysqlVersion;
use std::fmt;

/// One member's version and the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionPair {
    pub from: MysqlVersion,
    pub to: MysqlVersion,
}

impl VersionPair {
    /// What changed in `version` is still ahead of this member: from < version ≤ to.
    pub fn crosses(self, version: MysqlVersion) -> bool {
        self.from < version && version <= self.to
    }
}

/// When a check applies to a member. Data, so that `refit check --list` can say it.
#[derive(Debug, Clone, Copy)]
pub enum When {
    Always,
    /// The upgrade passes one of these releases.
    Crosses(&'static [MysqlVersion]),
    /// The target is this release or a later one.
    TargetFrom(MysqlVersion),
    /// Major or minor differ.
    SeriesChanges,
    /// A rule of its own, in words and as a predicate.
    Rule(&'static str, fn(VersionPair) -> bool),
}

impl When {
    pub fn applies(self, pair: VersionPair) -> bool {
        match self {
            Self::Always => true,
            Self::Crosses(versions) => versions.iter().any(|version| pair.crosses(*version)),
            Self::TargetFrom(version) => pair.to >= version,
            Self::SeriesChanges => pair.from.series() != pair.to.series(),
            Self::Rule(_, predicate) => predicate(pair),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Always => "always".to_owned(),
            Self::Crosses(versions) => {
                let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
                format!("passing {}", versions.join(" or "))
            }
            Self::TargetFrom(version) => format!("to {version} or later"),
            Self::SeriesChanges => "to another series".to_owned(),
            Self::Rule(words, _) => (*words).to_owned(),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(from: &str, to: &str) -> VersionPair {
        VersionPair {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        }
    }

    #[test]
    fn crossing_is_from_below_to_at_least() {
        const AT: MysqlVersion = MysqlVersion::new(8, 4, 0);
        for (from, to, crosses) in [
            ("8.0.46", "8.4.0", true),
            ("8.0.46", "9.7.4", true),
            ("8.3.0", "8.4.10", true),
            ("8.4.0", "9.7.4", false),
            ("8.0.30", "8.0.46", false),
            ("8.4.4", "8.0.46", false),
        ] {
            assert_eq!(pair(from, to).crosses(AT), crosses, "{from} to {to}");
            assert_eq!(When::Crosses(&[AT]).applies(pair(from, to)), crosses);
        }
    }

    #[test]
    fn a_change_of_series_and_a_target() {
        assert!(When::SeriesChanges.applies(pair("8.4.6", "9.7.4")));
        assert!(!When::SeriesChanges.applies(pair("9.7.3", "9.7.4")));
        let from = When::TargetFrom(MysqlVersion::new(8, 4, 0));
        assert!(from.applies(pair("8.4.1", "8.4.2")) && !from.applies(pair("8.0.1", "8.0.2")));
    }
}
