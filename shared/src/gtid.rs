//! GTID sets as values: parse, print, union, subtract, subset.
//!
//! Follows the text form of MySQL's `gtid_executed` (reference manual, "GTID Sets"), tagged GTIDs of 8.3 and later
//! included (`uuid:tag:1-3`). Intervals are closed and kept merged.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Where transactions come from: a server or group UUID, and a tag where there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Origin {
    uuid: String,
    tag: String,
}

/// The last transaction number that MySQL gives (`GNO_END` is 2^63 - 1, itself never used).
const LAST: u64 = i64::MAX as u64 - 1;

/// A set of transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GtidSet(BTreeMap<Origin, Vec<(u64, u64)>>);

/// A text that is not a GTID set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a GTID set")]
pub struct InvalidGtidSet(pub String);

impl GtidSet {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many transactions are in the set.
    pub fn count(&self) -> u64 {
        self.0
            .values()
            .flatten()
            .fold(0, |sum: u64, (from, to)| sum.saturating_add(to - from + 1))
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (origin, intervals) in &other.0 {
            let mine = all.0.entry(origin.clone()).or_default();
            mine.extend(intervals);
            *mine = merged(std::mem::take(mine));
        }
        all
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut rest = BTreeMap::new();
        for (origin, intervals) in &self.0 {
            let taken = other.0.get(origin).map_or(&[][..], Vec::as_slice);
            let left = minus(intervals, taken);
            if !left.is_empty() {
                rest.insert(origin.clone(), left);
            }
        }
        Self(rest)
    }

    /// The set without the (untagged) transactions of one UUID.
    #[must_use]
    pub fn without_origin(&self, uuid: &str) -> Self {
        let kept = self.0.iter().filter(|(origin, _)| {
            !(origin.uuid.eq_ignore_ascii_case(uuid) && origin.tag.is_empty())
        });
        Self(
            kept.map(|(origin, intervals)| (origin.clone(), intervals.clone()))
                .collect(),
        )
    }

    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.subtract(other).is_empty()
    }
}

fn merged(mut intervals: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    intervals.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(intervals.len());
    for (from, to) in intervals {
        match out.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

fn minus(intervals: &[(u64, u64)], taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut out = Vec::new();
    for &(from, to) in intervals {
        let mut start = from;
        for &(cut_from, cut_to) in taken.iter().filter(|(f, t)| *t >= from && *f <= to) {
            if cut_from > start {
                out.push((start, cut_from - 1));
            }
            start = start.max(cut_to.saturating_add(1));
        }
        if start <= to {
            out.push((start, to));
        }
    }
    out
}

impl std::str::FromStr for GtidSet {
    type Err = InvalidGtidSet;
    fn from_str(text: &str) -> Result<Self, InvalidGtidSet> {
        let wrong = || InvalidGtidSet(text.chars().take(200).collect());
        let mut set: BTreeMap<Origin, Vec<(u64, u64)>> = BTreeMap::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let mut fields = part.split(':').map(str::trim);
            let uuid = crate::ids::ServerUuid::new(fields.next().unwrap_or_default())
                .map_err(|_| wrong())?;
            let mut tag = String::new();
            let mut any = false;
            for field in fields {
                if field.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    tag = field.to_ascii_lowercase();
                    continue;
                }
                let (from, to) = field.split_once('-').unwrap_or((field, field));
                let from: u64 = from.parse().map_err(|_| wrong())?;
                let to: u64 = to.parse().map_err(|_| wrong())?;
                if from == 0 || to < from || to > LAST {
                    return Err(wrong());
                }
                any = true;
                let origin = Origin {
                    uuid: uuid.as_str().to_owned(),
                    tag: tag.clone(),
                };
                set.entry(origin).or_default().push((from, to));
            }
            if !any {
                return Err(wrong());
            }
        }
        Ok(Self(
            set.into_iter()
                .map(|(origin, intervals)| (origin, merged(intervals)))
                .collect(),
        ))
    }
}
impl TryFrom<String> for GtidSet {
    type Error = InvalidGtidSet;
    fn try_from(text: String) -> Result<Self, InvalidGtidSet> {
        text.parse()
    }
}
impl From<GtidSet> for String {
    fn from(set: GtidSet) -> String {
        set.to_string()
    }
}
impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (origin, intervals)) in self.0.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { "," } else { "" }, origin.uuid)?;
            if !origin.tag.is_empty() {
                write!(f, ":{}", origin.tag)?;
            }
            for &(from, to) in intervals {
                if from == to {
                    write!(f, ":{from}")?
                } else {
                    write!(f, ":{from}-{to}")?
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const A: &str = "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb";

    #[test]
    fn text_form_round_trips() {
        for text in [
            "",
            "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb:1-5:7",
            "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb:blue:1-3",
        ] {
            assert_eq!(text.parse::<GtidSet>().unwrap().to_string(), text);
        }
        let loose: GtidSet = format!("{}:3-4:1-2,\n{A}:9", A.to_uppercase())
            .parse()
            .unwrap();
        assert_eq!(loose.to_string(), format!("{A}:1-4:9"));
        for wrong in [
            "x",
            A,
            "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb:0",
            "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb:5-2",
            "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb:1-18446744073709551615",
        ] {
            assert!(wrong.parse::<GtidSet>().is_err(), "{wrong}");
        }
    }

    fn of(numbers: &BTreeSet<u64>) -> GtidSet {
        let text = numbers
            .iter()
            .map(|n| format!("{A}:{n}"))
            .collect::<Vec<_>>()
            .join(",");
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn agrees_with_plain_sets(a in proptest::collection::btree_set(1u64..40, 0..30), b in proptest::collection::btree_set(1u64..40, 0..30)) {
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.union(&y), of(&a.union(&b).copied().collect()));
            prop_assert_eq!(x.subtract(&y), of(&a.difference(&b).copied().collect()));
            prop_assert_eq!(x.is_subset_of(&y), a.is_subset(&b));
            prop_assert_eq!(x.count(), a.len() as u64);
        }
    }
}
