//! Which in-place hop the target server accepts on a data directory of the source version, up and down.
//!
//! Source: MySQL manual 3.2 "Upgrade Paths" (5.7, 8.4, 9.7, 26.10) and chapter 4 "Downgrading MySQL"; server source
//! `sql/dd/impl/bootstrap/bootstrapper.cc` (`initialize_dd_properties`) of 8.0.46, 8.4.10 and 9.7.4; hops tried with real
//! servers 5.7, 8.0, 8.4 and 9.7. A path of several hops is in [`super::path`].

use super::releases::{Numbering, ReleaseTable, SeriesRecord, Track};
use crate::version::{MysqlVersion, Series, VersionWithUpdate};
use serde::Serialize;
use std::fmt;

/// How a hop would be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// Nothing to do.
    Same,
    /// Another rapid update (fourth number) of the same version: the data directory does not know of it.
    Update,
    /// A patch up within one series.
    Patch,
    /// Up to another series: the data dictionary and system tables may be upgraded, and there is no way back in place.
    Series,
    /// A patch down within a series where that is supported.
    PatchDown,
}

/// Why the target would not (or should not) start on the source's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathRefused {
    pub why: String,
    /// The server's own code where it has one. Without one, nothing stops the server: it is a rule of the manual.
    pub server_code: Option<&'static str>,
}

impl fmt::Display for PathRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server_code {
            Some(code) => write!(f, "{} (the server refuses with {code})", self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// Whose build it is, where the rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// Oracle's, and distributions that build it as it is.
    Upstream,
    /// Percona's documentation for 9.7 supports no downgrade between releases, not even of a patch.
    Percona,
}

fn refuse<T>(why: impl Into<String>, server_code: Option<&'static str>) -> Result<T, PathRefused> {
    Err(PathRefused {
        why: why.into(),
        server_code,
    })
}

const FIVE_SEVEN: Series = Series { major: 5, minor: 7 };
const EIGHT_ZERO: Series = Series { major: 8, minor: 0 };
/// From here on 8.0 servers write their stability and thresholds into the data directory.
const PROPERTIES_SINCE: u16 = 35;

/// Judges one in-place hop upwards; a lower target is refused as a downgrade, with the code of [`downgrade`] where that
/// would be refused too.
pub fn upgrade(
    table: &ReleaseTable,
    from: MysqlVersion,
    to: MysqlVersion,
) -> Result<Hop, PathRefused> {
    if to < from {
        let server_code = match downgrade(table, Vendor::Upstream, from, to) {
            Ok(_) => None,
            Err(refused) => refused.server_code,
        };
        return refuse(
            format!("{to} is lower than {from}: this is a downgrade"),
            server_code,
        );
    }
    let (source, target) = (known(table, from)?, known(table, to)?);
    if to == from {
        return Ok(Hop::Same);
    }
    if source.series == target.series {
        return Ok(Hop::Patch);
    }
    above_threshold(from, target)?;
    match (source.numbering, target.numbering) {
        (Numbering::Sequential, Numbering::Sequential) => sequential(source, from, to),
        (Numbering::Sequential, Numbering::Calendar { lineage }) => {
            if source.series == lineage && source.track == Track::LongTerm {
                Ok(Hop::Series)
            } else {
                refuse(
                    format!(
                        "{to} accepts only data of {lineage} LTS and of its own lineage: {from} must be upgraded to {lineage} first"
                    ),
                    None,
                )
            }
        }
        (Numbering::Calendar { lineage: ours }, Numbering::Calendar { lineage }) => {
            // Inferred from the manual's wording (26.10, 3.2) and `My_server_version` in 26.7's source, not tried.
            let entered = source.track == Track::LongTerm && source.series == lineage;
            if ours == lineage || entered {
                Ok(Hop::Series)
            } else {
                refuse(
                    format!(
                        "{to} accepts only data of {lineage} LTS and of its own lineage: {from} must be upgraded to {lineage} first"
                    ),
                    None,
                )
            }
        }
        (Numbering::Calendar { .. }, Numbering::Sequential) => {
            refuse(format!("no path from {from} to {to}"), None)
        }
    }
}

/// Up between two series that are numbered in sequence: what `check_upgrade` in `bootstrapper.cc` does, and for 5.7, which
/// has no data dictionary, the manual.
fn sequential(
    source: &SeriesRecord,
    from: MysqlVersion,
    to: MysqlVersion,
) -> Result<Hop, PathRefused> {
    if source.series == FIVE_SEVEN {
        return match to.series() {
            EIGHT_ZERO => Ok(Hop::Series),
            Series { major: 8, minor } if minor < 4 => refuse(
                format!(
                    "{from} can only be upgraded to 8.0 first (the manual supports no other target)"
                ),
                None,
            ),
            _ => refuse(
                format!("{from} can only be upgraded to 8.0 first"),
                // "Cannot open datafile … mysql.ibd", then MY-010334.
                Some("MY-012216"),
            ),
        };
    }
    if from.major == to.major {
        return Ok(Hop::Series);
    }
    // 8.0 from 35 on calls itself LTS, and the rule leaves it out by number.
    if source.track == Track::LongTerm && to.major == from.major + 1 {
        return Ok(Hop::Series);
    }
    let first = match from.major {
        8 => "8.4",
        _ => "the last LTS release before it",
    };
    refuse(
        format!("{from} must be upgraded to {first} before {to}"),
        Some("MY-014060"),
    )
}

fn above_threshold(from: MysqlVersion, target: &SeriesRecord) -> Result<(), PathRefused> {
    match target.upgrade_threshold {
        Some(threshold) if from < threshold => refuse(
            format!(
                "{} accepts data of {threshold} and later, not of {from}",
                target.series
            ),
            Some("MY-014059"),
        ),
        _ => Ok(()),
    }
}

/// Judges one in-place hop downwards; a higher target is no downgrade and refused.
pub fn downgrade(
    table: &ReleaseTable,
    vendor: Vendor,
    from: MysqlVersion,
    to: MysqlVersion,
) -> Result<Hop, PathRefused> {
    let (source, target) = (known(table, from)?, known(table, to)?);
    if to == from {
        return Ok(Hop::Same);
    }
    if to > from {
        return refuse(
            format!("{to} is higher than {from}: this is an upgrade"),
            None,
        );
    }
    if source.series != target.series {
        return if target.series == FIVE_SEVEN {
            refuse(
                format!("a {to} server crashes on data of {from} and may damage it"),
                None,
            )
        } else {
            refuse(
                format!(
                    "{from} can't be downgraded in place to {to}: only patch releases of one series can"
                ),
                Some("MY-014061"),
            )
        };
    }
    if let Some(threshold) = source.downgrade_threshold.filter(|lowest| to < *lowest) {
        return refuse(
            format!(
                "data of {} may be started by {threshold} and later",
                source.series
            ),
            Some("MY-014058"),
        );
    }
    if vendor == Vendor::Percona {
        return refuse(
            format!(
                "Percona supports no downgrade between releases: {from} to {to} would start, at your own risk"
            ),
            None,
        );
    }
    match source.track {
        Track::LongTerm => Ok(Hop::PatchDown),
        // An innovation release writes its own version as the threshold. Newer servers may say MY-015572.
        Track::Innovation => refuse(
            format!(
                "{} is an innovation series: its releases can't be downgraded",
                source.series
            ),
            Some("MY-014058"),
        ),
        // MySQL manual 5.7, 2.11.2 "Downgrade Paths".
        Track::Bugfix if source.series == FIVE_SEVEN => Ok(Hop::PatchDown),
        Track::Bugfix if to.patch < PROPERTIES_SINCE => refuse(
            format!("8.0 can't be downgraded in place below 8.0.{PROPERTIES_SINCE}"),
            Some("MY-013171"),
        ),
        // Tried (8.0.46 to 8.0.36): it starts. The manual and the release notes do not support it.
        Track::Bugfix => refuse(
            format!(
                "{from} to {to}: MySQL 8.0 supports no downgrade, though the server would start"
            ),
            None,
        ),
    }
}

/// One hop in place in whichever direction it is, rapid updates included.
///
/// Rapid updates (MRU, the fourth number) count as releases in the manual (3.2) but not in the data directory, which knows
/// three numbers: moving between two of one version is never refused.
pub fn in_place(
    table: &ReleaseTable,
    vendor: Vendor,
    from: VersionWithUpdate,
    to: VersionWithUpdate,
) -> Result<Hop, PathRefused> {
    if from.version == to.version {
        known(table, from.version)?;
        return Ok(match (from.update, to.update) {
            (Some(a), Some(b)) if a != b => Hop::Update,
            _ => Hop::Same,
        });
    }
    if to.version > from.version {
        upgrade(table, from.version, to.version)
    } else {
        downgrade(table, vendor, from.version, to.version)
    }
}

/// The series of a release; refused when it is unknown, or when the release was not for production.
fn known(table: &ReleaseTable, version: MysqlVersion) -> Result<&SeriesRecord, PathRefused> {
    let series = version.series();
    let Some(record) = table.series(series) else {
        let oldest = table.all().next().map(|record| record.series);
        return match oldest {
            Some(oldest) if series < oldest => refuse(
                format!("{version} is older than {oldest}, the oldest series with rules here"),
                None,
            ),
            _ => refuse(
                format!(
                    "no series {series} is known; if it is newer than this program, describe it in the release file"
                ),
                None,
            ),
        };
    };
    if version < record.first {
        return refuse(
            format!(
                "{version} came before {}, the first release of {series} for production; no path is supported for it",
                record.first
            ),
            None,
        );
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::releases::ReleaseTable;

    fn v(text: &str) -> MysqlVersion {
        text.parse().unwrap()
    }

    #[test]
    fn upgrades_are_judged_as_the_manual_and_real_servers_judge_them() {
        let table = ReleaseTable::built_in();
        for (from, to, expected, source) in [
            ("9.7.3", "9.7.4", Ok(Hop::Patch), "tried"),
            ("9.7.4", "9.7.4", Ok(Hop::Same), "tried"),
            ("8.4.6", "9.7.4", Ok(Hop::Series), "tried 8.4.10"),
            ("8.4.10", "9.0.1", Ok(Hop::Series), "manual 9.0 3.2"),
            ("9.0.1", "9.7.4", Ok(Hop::Series), "manual 9.7 3.2"),
            ("8.0.46", "8.4.10", Ok(Hop::Series), "tried"),
            ("8.0.46", "8.1.0", Ok(Hop::Series), "manual 8.1 2.10"),
            ("8.0.28", "8.0.46", Ok(Hop::Patch), "tried"),
            ("5.7.44", "8.0.46", Ok(Hop::Series), "tried 5.7.42"),
            ("5.7.44", "8.2.0", Err(None), "manual 3.2"),
            ("9.7.4", "26.7.0", Ok(Hop::Series), "manual 26.10 3.2"),
            ("26.7.0", "26.10.0", Ok(Hop::Series), "manual 26.10 3.2"),
            ("26.7.0", "26.7.1", Ok(Hop::Patch), "manual 26.7 1.3"),
            ("8.0.46", "9.7.4", Err(Some("MY-014060")), "tried"),
            ("8.3.0", "9.7.4", Err(Some("MY-014060")), "bootstrapper.cc"),
            ("5.7.44", "8.4.6", Err(Some("MY-012216")), "tried"),
            ("9.6.0", "26.7.0", Err(None), "manual 26.10 3.2"),
            ("8.4.10", "26.7.0", Err(None), "manual 26.10 3.2"),
            ("5.7.8", "8.0.46", Err(None), "manual 3.2: GA to GA"),
            ("8.0.46", "8.0.4", Err(None), "manual 3.2: GA to GA"),
            ("5.6.51", "5.7.44", Err(None), "no rule here"),
            ("9.7.4", "27.1.0", Err(None), "not in the table"),
            ("9.7.4", "9.7.3", Err(None), "it is a downgrade"),
            ("9.7.4", "8.4.6", Err(Some("MY-014061")), "tried"),
        ] {
            let found = upgrade(&table, v(from), v(to)).map_err(|refused| refused.server_code);
            assert_eq!(found, expected, "{from} -> {to} ({source})");
        }
    }

    #[test]
    fn downgrades_are_judged_as_the_manual_and_real_servers_judge_them() {
        let table = ReleaseTable::built_in();
        for (from, to, expected, source) in [
            ("9.7.4", "9.7.2", Ok(Hop::PatchDown), "tried"),
            ("8.4.10", "8.4.4", Ok(Hop::PatchDown), "tried"),
            ("5.7.44", "5.7.40", Ok(Hop::PatchDown), "manual 5.7 2.11.2"),
            (
                "8.0.46",
                "8.0.36",
                Err(None),
                "tried, unsupported by the manual",
            ),
            ("8.0.46", "8.0.28", Err(Some("MY-013171")), "tried"),
            ("8.4.10", "8.0.46", Err(Some("MY-014061")), "tried"),
            ("9.7.4", "8.4.10", Err(Some("MY-014061")), "tried"),
            ("9.6.0", "9.5.0", Err(Some("MY-014061")), "bootstrapper.cc"),
            ("9.5.2", "9.5.0", Err(Some("MY-014058")), "bootstrapper.cc"),
            (
                "26.7.1",
                "26.7.0",
                Err(Some("MY-014058")),
                "manual 26.7 4.1",
            ),
            ("8.0.46", "5.7.44", Err(None), "tried: it crashes"),
        ] {
            let found = downgrade(&table, Vendor::Upstream, v(from), v(to))
                .map_err(|refused| refused.server_code);
            assert_eq!(found, expected, "{from} -> {to} ({source})");
        }
        // Percona's checklist for 9.7.
        let percona = downgrade(&table, Vendor::Percona, v("9.7.4"), v("9.7.2"));
        assert!(percona.unwrap_err().why.contains("Percona"));
    }

    #[test]
    fn thresholds_are_obeyed() {
        // bootstrapper.cc: SERVER_UPGRADE_THRESHOLD of the target, SERVER_DOWNGRADE_THRESHOLD in the data directory.
        let mut record = ReleaseTable::built_in()
            .series(Series {
                major: 26,
                minor: 10,
            })
            .unwrap()
            .clone();
        record.series = Series {
            major: 28,
            minor: 4,
        };
        record.track = Track::LongTerm;
        record.first = v("28.4.0");
        record.latest = v("28.4.3");
        record.upgrade_threshold = Some(v("9.7.2"));
        record.downgrade_threshold = Some(v("28.4.1"));
        let table = ReleaseTable::built_in().with([record]).unwrap();
        let code = |found: Result<Hop, PathRefused>| found.map_err(|refused| refused.server_code);
        let up = |from| code(upgrade(&table, v(from), v("28.4.3")));
        assert_eq!(up("9.7.1"), Err(Some("MY-014059")));
        assert_eq!(up("9.7.2"), Ok(Hop::Series));
        assert_eq!(up("26.7.0"), Ok(Hop::Series), "the same lineage");
        let down = |to| code(downgrade(&table, Vendor::Upstream, v("28.4.3"), v(to)));
        assert_eq!(down("28.4.1"), Ok(Hop::PatchDown));
        assert_eq!(down("28.4.0"), Err(Some("MY-014058")));
    }

    #[test]
    fn a_lineage_is_entered_from_its_long_term_release_only() {
        // Inferred (see `upgrade`): 26.7 may go to 28.4 LTS of its lineage, not past it; 28.4 may.
        let calendar = |minor, track, lineage| {
            let first = MysqlVersion::new(28, minor, 0);
            SeriesRecord {
                series: first.series(),
                track,
                numbering: Numbering::Calendar { lineage },
                first,
                latest: first,
                released: None,
                end_of_life: None,
                upgrade_threshold: None,
                downgrade_threshold: None,
            }
        };
        let lts = Series {
            major: 28,
            minor: 4,
        };
        let table = ReleaseTable::built_in()
            .with([
                calendar(4, Track::LongTerm, Series { major: 9, minor: 7 }),
                calendar(7, Track::Innovation, lts),
            ])
            .unwrap();
        let may = |from, to| upgrade(&table, v(from), v(to)).is_ok();
        assert!(may("26.7.0", "28.4.0"));
        assert!(may("28.4.0", "28.7.0"));
        assert!(!may("26.7.0", "28.7.0"));
        assert!(!may("9.7.4", "28.7.0"));
    }

    #[test]
    fn rapid_updates_of_one_version_are_one_version_to_the_data() {
        // MySQL manual 26.10: `version_with_update` has a fourth number; the stored version has three.
        let table = ReleaseTable::built_in();
        let hop = |from: &str, to: &str| {
            let read = |text| VersionWithUpdate::parse_prefix(text).unwrap();
            in_place(&table, Vendor::Upstream, read(from), read(to)).unwrap()
        };
        assert_eq!(hop("9.7.4.0-2", "9.7.4.1-1"), Hop::Update);
        assert_eq!(hop("9.7.4.1", "9.7.4.0"), Hop::Update);
        assert_eq!(hop("9.7.4-2", "9.7.4.1"), Hop::Same);
        assert_eq!(hop("9.7.4.1", "9.7.5.0"), Hop::Patch);
        assert_eq!(hop("9.7.4.1", "9.7.3.0"), Hop::PatchDown);
    }
}
