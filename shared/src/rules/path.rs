//! A way from one release to another, over as many hops as it takes, for a person to read (`refit path`).
//!
//! Every hop is one that [`super::upgrade_path`] allows; this module only looks for the shortest chain of them. Between chains of one
//! length it prefers series that are supported for long, then newer ones.
//!
//! Source: what each hop allows is of [`super::upgrade_path`], [`super::clone`] and [`super::replication`], dates are of
//! [`super::releases`]; the notes are MySQL manual, "Upgrade Best Practices", and first starts seen on real servers (MYSQL.md §4).

use super::clone;
use super::releases::{Date, ReleaseTable, SeriesRecord, Track, dictionary_version};
use super::replication;
use super::upgrade_path::{Hop, PathRefused, Vendor, downgrade, in_place};
use crate::version::{MysqlVersion, Series, VersionWithUpdate};
use serde::Serialize;
use std::collections::BTreeSet;

/// From one release to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub from: VersionWithUpdate,
    pub to: VersionWithUpdate,
    /// Why it does not go in one step, in the target server's words where it has some.
    pub not_direct: Option<PathRefused>,
    /// In order. Empty: they are one release.
    pub hops: Vec<PathHop>,
}

/// One hop of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathHop {
    pub from: VersionWithUpdate,
    pub to: VersionWithUpdate,
    pub hop: Hop,
    pub methods: Vec<Method>,
    pub way_back: WayBack,
    /// What to know about this hop.
    pub notes: Vec<String>,
}

/// A way to make a hop, and why it is not open where it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Method {
    pub kind: MethodKind,
    pub refused: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// The new server starts on the old data directory. What Refit does.
    InPlace,
    /// Dump with the old server, load into a new one.
    DumpAndLoad,
    /// A new server as the replica of the old one, then switch over.
    Replication,
    /// A new server clones the old one's data, then follows it.
    Clone,
}

impl MethodKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::DumpAndLoad => "dump and load",
            Self::Replication => "replication",
            Self::Clone => "clone",
        }
    }
}

/// How a hop is undone once the new server has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WayBack {
    /// The old server starts on the data again.
    InPlace,
    /// Only a copy of the data that was made before; the reason is the server's.
    CopyOnly { why: String },
}

/// Why there is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no way in place from {from} to {to}: {refused}")]
pub struct NoPath {
    pub from: VersionWithUpdate,
    pub to: VersionWithUpdate,
    pub refused: PathRefused,
    /// What there is instead.
    pub instead: Vec<String>,
}

/// Looks for the way.
pub fn path(
    table: &ReleaseTable,
    vendor: Vendor,
    from: VersionWithUpdate,
    to: VersionWithUpdate,
    today: Date,
) -> Result<Path, NoPath> {
    let refused = match in_place(table, vendor, from, to) {
        Ok(Hop::Same) => {
            return Ok(Path {
                from,
                to,
                not_direct: None,
                hops: Vec::new(),
            });
        }
        Ok(hop) => {
            return Ok(Path {
                from,
                to,
                not_direct: None,
                hops: vec![path_hop(table, vendor, from, to, hop, today)],
            });
        }
        Err(refused) => refused,
    };
    let chain = (to.version > from.version)
        .then(|| chain(table, from.version, to.version))
        .flatten();
    let Some(chain) = chain else {
        return Err(NoPath {
            from,
            to,
            instead: instead(from.version, to.version),
            refused,
        });
    };
    let mut hops = Vec::new();
    let mut at = from;
    let stops = chain.into_iter().map(VersionWithUpdate::from).chain([to]);
    for next in stops {
        let hop =
            in_place(table, vendor, at, next).expect("a chain consists of hops that are allowed");
        hops.push(path_hop(table, vendor, at, next, hop, today));
        at = next;
    }
    Ok(Path {
        from,
        to,
        not_direct: Some(refused),
        hops,
    })
}

/// The releases between the two, by the fewest hops.
fn chain(table: &ReleaseTable, from: MysqlVersion, to: MysqlVersion) -> Option<Vec<MysqlVersion>> {
    let allowed = |a, b| super::upgrade_path::upgrade(table, a, b).is_ok();
    // What people would rather stop at comes first; the first way found of a length is kept.
    let mut stops: Vec<&SeriesRecord> = table
        .all()
        .filter(|record| record.latest > from && record.series < to.series())
        .collect();
    stops.sort_by_key(|record| {
        (
            record.track == Track::Innovation,
            std::cmp::Reverse(record.series),
        )
    });
    let mut edge: Vec<(MysqlVersion, Vec<MysqlVersion>)> = vec![(from, Vec::new())];
    let mut seen: BTreeSet<Series> = BTreeSet::from([from.series()]);
    while !edge.is_empty() {
        if let Some((_, way)) = edge.iter().find(|(at, _)| *at != from && allowed(*at, to)) {
            return Some(way.clone());
        }
        let mut next = Vec::new();
        for (at, way) in &edge {
            for stop in stops.iter().filter(|stop| stop.series > at.series()) {
                if allowed(*at, stop.latest) && seen.insert(stop.series) {
                    let mut way = way.clone();
                    way.push(stop.latest);
                    next.push((stop.latest, way));
                }
            }
        }
        edge = next;
    }
    None
}

fn path_hop(
    table: &ReleaseTable,
    vendor: Vendor,
    from: VersionWithUpdate,
    to: VersionWithUpdate,
    hop: Hop,
    today: Date,
) -> PathHop {
    let (a, b) = (from.version, to.version);
    let way_back = match hop {
        Hop::Same | Hop::Update | Hop::PatchDown => WayBack::InPlace,
        Hop::Patch | Hop::Series => match downgrade(table, vendor, b, a) {
            Ok(_) => WayBack::InPlace,
            Err(refused) => WayBack::CopyOnly {
                why: refused.to_string(),
            },
        },
    };
    PathHop {
        from,
        to,
        hop,
        methods: methods(table, a, b),
        way_back,
        notes: notes(table, a, b, hop, today),
    }
}

fn methods(table: &ReleaseTable, from: MysqlVersion, to: MysqlVersion) -> Vec<Method> {
    let method = |kind, refused| Method { kind, refused };
    let follows = replication::supported(table, from, to)
        .err()
        .map(|why| why.to_string());
    let clones = clone::allowed(table, to, from)
        .err()
        .map(|why| why.to_string());
    vec![
        method(MethodKind::InPlace, None),
        // MySQL manual 3.2: allowed on every path in place.
        method(MethodKind::DumpAndLoad, None),
        method(MethodKind::Replication, follows),
        method(MethodKind::Clone, clones),
    ]
}

fn notes(
    table: &ReleaseTable,
    from: MysqlVersion,
    to: MysqlVersion,
    hop: Hop,
    today: Date,
) -> Vec<String> {
    let mut notes = Vec::new();
    let (Some(source), Some(target)) = (table.series(from.series()), table.series(to.series()))
    else {
        return notes;
    };
    if hop == Hop::Series {
        match (dictionary_version(from), dictionary_version(to)) {
            (Some(a), Some(b)) if a == b => {
                notes.push(format!("the data dictionary keeps its version ({a})"));
            }
            (Some(a), Some(b)) => notes.push(format!(
                "the first start rewrites the data dictionary ({a} to {b})"
            )),
            (None, Some(b)) if source.series.major == 5 => notes.push(format!(
                "the first start builds a data dictionary ({b}) from the old table definitions"
            )),
            _ => notes.push(
                "the first start may rewrite the data dictionary (its version is not known here)"
                    .to_owned(),
            ),
        }
        if source.series.major == 5 && from < source.latest {
            notes.push(format!(
                "the manual wants the last release before the hop: {} first",
                source.latest
            ));
        }
    }
    // No server refuses it: but the newer source may have fixes that the older target lacks.
    if hop == Hop::Series
        && to == target.first
        && let (Some(made), Some(last)) = (target.released, last_release(source, from))
        && made.is_before(last)
    {
        notes.push(format!(
            "{to} came out before {from}: take a later release of {}",
            target.series
        ));
    }
    if let Some(end) = target.end_of_life {
        let innovation = if target.track == Track::Innovation {
            "innovation, "
        } else {
            ""
        };
        let (_, days) = today.days_until(end);
        let fixed = if days < 0 {
            format!("no fixes since {end}, the end of its life")
        } else {
            format!("fixed until {end}")
        };
        notes.push(format!("{}: {innovation}{fixed}", target.series));
    } else if target.track == Track::Innovation {
        notes.push(format!(
            "{} is an innovation series: fixed until the next one is out",
            target.series
        ));
    }
    notes
}

/// When a release came out, where the table tells: the first of its series, or the last of one that has ended.
fn last_release(record: &SeriesRecord, version: MysqlVersion) -> Option<Date> {
    if version == record.first {
        record.released
    } else if version == record.latest && record.track == Track::Bugfix {
        record.end_of_life
    } else {
        None
    }
}

/// What remains where no server starts on the data.
fn instead(from: MysqlVersion, to: MysqlVersion) -> Vec<String> {
    if to < from {
        vec![
            format!(
                "restore a copy of the data that was made under {to}; what was written since is lost unless it is replayed from a peer"
            ),
            format!("dump with {from} and load into {to}, where no feature of {from} was used"),
            format!(
                "replicate from {from} to {to} and switch over: unsupported, and it stops at the first statement that {to} does not know"
            ),
        ]
    } else {
        vec![format!("dump with {from} and load into {to}")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(from: &str, to: &str) -> Result<Path, NoPath> {
        let read = |text| VersionWithUpdate::parse_prefix(text).unwrap();
        path(
            &ReleaseTable::built_in(),
            Vendor::Upstream,
            read(from),
            read(to),
            "2026-11-20".parse().unwrap(),
        )
    }

    fn stops(from: &str, to: &str) -> String {
        let path = found(from, to).unwrap();
        let hops: Vec<String> = path.hops.iter().map(|hop| hop.to.to_string()).collect();
        hops.join(" ")
    }

    #[test]
    fn paths_take_the_fewest_hops_over_releases_that_live_long() {
        // MySQL manual 3.2 (9.7, 26.10): what must be passed on the way.
        for (from, to, expected) in [
            ("5.7.44", "9.7.4", "8.0.46 8.4.13 9.7.4"),
            ("5.7.44", "8.4.6", "8.0.46 8.4.6"),
            ("5.7.44", "8.0.46", "8.0.46"),
            ("8.0.28", "9.7.4", "8.4.13 9.7.4"),
            ("8.0.46", "9.3.0", "8.4.13 9.3.0"),
            ("8.1.0", "9.7.4", "8.4.13 9.7.4"),
            ("8.4.6", "9.7.4", "9.7.4"),
            ("9.5.0", "26.7.0", "9.7.4 26.7.0"),
            ("8.4.6", "26.10.0", "9.7.4 26.10.0"),
            ("5.7.44", "26.7.0", "8.0.46 8.4.13 9.7.4 26.7.0"),
            ("9.7.3", "9.7.4", "9.7.4"),
            ("9.7.4", "9.7.3", "9.7.3"),
            ("9.7.4.0", "9.7.4.1", "9.7.4.1"),
            ("9.7.4", "9.7.4", ""),
        ] {
            assert_eq!(stops(from, to), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn a_path_says_why_it_is_not_one_hop_and_how_each_is_made() {
        let path = found("5.7.44", "9.7.4").unwrap();
        assert_eq!(path.not_direct.unwrap().server_code, Some("MY-012216"));
        let [first, second, third] = path.hops.as_slice() else {
            panic!("{:?}", path.hops)
        };
        for hop in [first, second, third] {
            assert!(matches!(hop.way_back, WayBack::CopyOnly { .. }), "{hop:?}");
            let refused: Vec<MethodKind> = hop
                .methods
                .iter()
                .filter(|method| method.refused.is_some())
                .map(|method| method.kind)
                .collect();
            assert_eq!(refused, [MethodKind::Clone], "{hop:?}");
        }
        assert!(
            third.notes[0].contains("80300 to 90200"),
            "{:?}",
            third.notes
        );
        let patch = found("9.7.3", "9.7.4").unwrap();
        assert_eq!(patch.hops[0].way_back, WayBack::InPlace);
        assert_eq!(patch.not_direct, None);
    }

    #[test]
    fn where_there_is_no_path_it_says_what_there_is_instead() {
        let down = found("9.7.4", "8.4.10").unwrap_err();
        assert_eq!(down.refused.server_code, Some("MY-014061"));
        assert_eq!(down.instead.len(), 3);
        assert!(
            found("5.6.51", "9.7.4")
                .unwrap_err()
                .to_string()
                .contains("older than 5.7")
        );
        assert!(
            found("9.7.4", "31.1.0")
                .unwrap_err()
                .to_string()
                .contains("no series 31.1")
        );
        assert!(found("8.0.46", "8.0.4").is_err());
    }

    #[test]
    fn every_pair_of_known_releases_has_an_answer() {
        let table = ReleaseTable::built_in();
        let all: Vec<MysqlVersion> = table.all().flat_map(|s| [s.first, s.latest]).collect();
        for from in &all {
            for to in all.iter().filter(|to| *to >= from) {
                let (from, to) = ((*from).into(), (*to).into());
                let way = path(
                    &table,
                    Vendor::Upstream,
                    from,
                    to,
                    "2026-11-20".parse().unwrap(),
                )
                .unwrap();
                let mut at = from;
                for hop in &way.hops {
                    assert_eq!(hop.from, at);
                    assert!(in_place(&table, Vendor::Upstream, hop.from, hop.to).is_ok());
                    at = hop.to;
                }
                assert_eq!(at, to);
            }
        }
    }
}
