//! Which MySQL releases there are: series, whether they are long-term, how they are numbered, their dates.
//!
//! Facts only; what may become of one release on another's data is in [`super::upgrade_path`]. Whether a series is long-term
//! is a property that is written down here and never derived from its number. An operator can add series that this program
//! does not know yet ([`ReleaseTable::with`]).
//!
//! Sources: MySQL manual 1.3 "MySQL Releases: Innovation and LTS" (8.4, 9.7 and 26.7) for tracks, numbering and lineages;
//! release notes and Oracle's lifetime support policy (as endoflife.date repeats it) for dates; server source
//! `sql/dd/dd_version.h` for dictionary versions.

use crate::version::{MysqlVersion, Series};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What a series receives after its first release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// Fixes only, before the long-term model began: 5.7 and 8.0. The server does not take these for long-term when a major
    /// version is crossed.
    Bugfix,
    /// Fixes only, for years; the gate to the next major version or lineage.
    LongTerm,
    /// New features, supported until the next release.
    Innovation,
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bugfix => "bugfix",
            Self::LongTerm => "LTS",
            Self::Innovation => "innovation",
        })
    }
}

/// How a series is numbered, which decides what may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbering {
    /// Up to 9.7.
    Sequential,
    /// `YY.M`, from 26.7 on. `lineage`: the long-term series that came before it, whose data it accepts.
    Calendar { lineage: Series },
}

/// A day, or a month where the day is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    pub year: u16,
    pub month: u8,
    pub day: Option<u8>,
}

/// A text that is neither `YYYY-MM-DD` nor `YYYY-MM`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date: expected YYYY-MM-DD, or YYYY-MM where the day is not known")]
pub struct InvalidDate(pub String);

impl Date {
    const fn of(year: u16, month: u8, day: u8) -> Self {
        Self {
            year,
            month,
            day: Some(day),
        }
    }
    const fn in_month(year: u16, month: u8) -> Self {
        Self {
            year,
            month,
            day: None,
        }
    }

    /// The day (UTC) of a time in milliseconds since 1970.
    pub fn of_unix_ms(ms: i64) -> Self {
        // Days of a 400-year cycle that begins on 1 March (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
        let days = ms.div_euclid(86_400_000) + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month: u8::try_from(month).expect("1 to 12 by construction"),
            day: Some(u8::try_from(day).expect("1 to 31 by construction")),
        }
    }

    /// Days since 1970, of the first and of the last day that it may be.
    fn days(self) -> (i64, i64) {
        match self.day {
            Some(day) => {
                let number = day_number(self.year, self.month, day);
                (number, number)
            }
            None => (
                day_number(self.year, self.month, 1),
                day_number(self.year, self.month, days_of(self.year, self.month)),
            ),
        }
    }

    /// Days from this date to a later one: at least and at most, where a day is not known. Negative: it lies behind.
    pub fn days_until(self, later: Self) -> (i64, i64) {
        let ((first, last), (from, to)) = (self.days(), later.days());
        (from - last, to - first)
    }

    /// Whether this day is certainly before another: of two dates in one month, one without a day, neither is.
    pub fn is_before(self, other: Self) -> bool {
        match (self.year, self.month).cmp(&(other.year, other.month)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => {
                matches!((self.day, other.day), (Some(a), Some(b)) if a < b)
            }
        }
    }
}

fn days_of(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970 (Howard Hinnant, as in [`Date::of_unix_ms`]).
fn day_number(year: u16, month: u8, day: u8) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

impl std::str::FromStr for Date {
    type Err = InvalidDate;
    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let wrong = || InvalidDate(text.to_owned());
        let digits = |part: &str, length: usize| -> Option<u16> {
            (part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse().ok())?
        };
        let mut parts = text.split('-');
        let year = parts.next().and_then(|p| digits(p, 4)).ok_or_else(wrong)?;
        let month = parts.next().and_then(|p| digits(p, 2)).ok_or_else(wrong)?;
        let day = match parts.next() {
            Some(part) => Some(digits(part, 2).ok_or_else(wrong)?),
            None => None,
        };
        let small = |number: u16| u8::try_from(number).map_err(|_| wrong());
        let (month, day) = (small(month)?, day.map(small).transpose()?);
        let fits = |day| (1..=days_of(year, month)).contains(&day);
        if parts.next().is_some() || !(1..=12).contains(&month) || !day.is_none_or(fits) {
            return Err(wrong());
        }
        Ok(Self { year, month, day })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.day {
            Some(day) => format!("{:04}-{:02}-{day:02}", self.year, self.month),
            None => format!("{:04}-{:02}", self.year, self.month),
        };
        f.pad(&text)
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// When a release came out, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Out {
    On(Date),
    /// The date is not known; a later one of its series is out.
    BeforeALaterOne,
    NotKnown,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesRecord {
    pub series: Series,
    pub track: Track,
    pub numbering: Numbering,
    /// The first release for production; what came before is nobody's data.
    pub first: MysqlVersion,
    /// The newest release that this table knows.
    pub latest: MysqlVersion,
    pub released: Option<Date>,
    /// When fixes end (extended support, for a long-term series). `None`: not announced.
    pub end_of_life: Option<Date>,
    /// Servers below this version may not be upgraded to this series, as the series' servers check it. `None`: no bound, as in
    /// every release that was read (8.0.46, 8.4.10, 9.7.4, 26.7.0).
    pub upgrade_threshold: Option<MysqlVersion>,
    /// Servers below this version may not be started on data of this series, as its servers write it into the data
    /// directory. `None`: no bound of its own; innovation releases always write their own version.
    pub downgrade_threshold: Option<MysqlVersion>,
}

impl SeriesRecord {
    pub fn is_calendar(&self) -> bool {
        matches!(self.numbering, Numbering::Calendar { .. })
    }
}

/// Why a series can't be added to the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSeries {
    #[error(
        "series {0} is built in and can't be described otherwise; only `latest` and dates may be given for it"
    )]
    BuiltIn(Series),
    #[error("series {series} has release {version}, which is of series {}", version.series())]
    Foreign {
        series: Series,
        version: MysqlVersion,
    },
    #[error("series {series}: latest {latest} is below first {first}")]
    LatestBelowFirst {
        series: Series,
        first: MysqlVersion,
        latest: MysqlVersion,
    },
    #[error("series {series} has lineage {lineage}, which is no long-term series of this table")]
    Lineage { series: Series, lineage: Series },
    #[error("series {0} is later than 9.7, so it is calendar-numbered and needs a lineage")]
    NoLineage(Series),
}

/// What is known of releases: built in, and what an operator has added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseTable {
    series: BTreeMap<Series, SeriesRecord>,
}

impl InvalidSeries {
    /// The series that is wrong.
    pub fn series(&self) -> Series {
        match self {
            Self::BuiltIn(series) | Self::NoLineage(series) => *series,
            Self::Foreign { series, .. }
            | Self::LatestBelowFirst { series, .. }
            | Self::Lineage { series, .. } => *series,
        }
    }
}

impl ReleaseTable {
    /// What this program was built with.
    pub fn built_in() -> Self {
        let series = built_in::ALL
            .iter()
            .map(|record| (record.series, record.clone()))
            .collect();
        Self { series }
    }

    /// The table with more series. A built-in one may only become newer: its `latest` and its dates. Every mistake is
    /// returned.
    pub fn with(
        mut self,
        more: impl IntoIterator<Item = SeriesRecord>,
    ) -> Result<Self, Vec<InvalidSeries>> {
        let more: Vec<SeriesRecord> = more.into_iter().collect();
        let mut mistakes = Vec::new();
        for record in &more {
            mistakes.extend(self.mistakes_in(record, &more));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        for record in more {
            self.series.insert(record.series, record);
        }
        Ok(self)
    }

    fn mistakes_in(&self, record: &SeriesRecord, more: &[SeriesRecord]) -> Vec<InvalidSeries> {
        let series = record.series;
        let mut mistakes = Vec::new();
        for version in [record.first, record.latest] {
            if version.series() != series {
                mistakes.push(InvalidSeries::Foreign { series, version });
            }
        }
        if record.latest < record.first {
            mistakes.push(InvalidSeries::LatestBelowFirst {
                series,
                first: record.first,
                latest: record.latest,
            });
        }
        match record.numbering {
            Numbering::Sequential if series > LAST_SEQUENTIAL => {
                mistakes.push(InvalidSeries::NoLineage(series));
            }
            Numbering::Sequential => {}
            Numbering::Calendar { lineage } => {
                let known = self.series.values().chain(more);
                let fine = known
                    .filter(|other| other.series == lineage && lineage < series)
                    .any(|other| other.track == Track::LongTerm);
                if !fine {
                    mistakes.push(InvalidSeries::Lineage { series, lineage });
                }
            }
        }
        if let Some(known) = built_in::ALL.iter().find(|known| known.series == series) {
            let same = known.track == record.track
                && known.numbering == record.numbering
                && known.first == record.first
                && known.latest <= record.latest
                && known.upgrade_threshold == record.upgrade_threshold
                && known.downgrade_threshold == record.downgrade_threshold;
            if !same {
                mistakes.push(InvalidSeries::BuiltIn(series));
            }
        }
        mistakes
    }

    pub fn series(&self, series: Series) -> Option<&SeriesRecord> {
        self.series.get(&series)
    }

    /// When a release came out.
    pub fn out(&self, version: MysqlVersion) -> Out {
        let Some(record) = self.series(version.series()) else {
            return Out::NotKnown;
        };
        let first = record.released.map(|date| (record.first, date));
        let all = first.into_iter().chain(built_in::RELEASED.iter().copied());
        let mut dated = all.filter(|(release, _)| release.series() == version.series());
        if let Some((_, date)) = dated.clone().find(|(release, _)| *release == version) {
            Out::On(date)
        } else if version < record.latest || dated.any(|(release, _)| release > version) {
            Out::BeforeALaterOne
        } else {
            Out::NotKnown
        }
    }

    /// Every series, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &SeriesRecord> {
        self.series.values()
    }
}

/// The last series that was numbered in sequence (MySQL manual 26.7, 1.3).
pub const LAST_SEQUENTIAL: Series = Series { major: 9, minor: 7 };

/// The data dictionary's version in a release: where it differs between two releases, the first start of the newer one
/// rewrites the dictionary and only a copy of the data leads back. `None`: not known.
///
/// Source: server source `sql/dd/dd_version.h` of 8.0.46, 8.4.10, 9.7.4 and 26.7.0. 5.7 has no data dictionary.
pub fn dictionary_version(version: MysqlVersion) -> Option<u32> {
    let MysqlVersion {
        major,
        minor,
        patch,
    } = version;
    match (major, minor) {
        (8, 0) => match patch {
            11..=13 => Some(80_000 + u32::from(patch)),
            14 | 15 => Some(80_014),
            16 => Some(80_016),
            17..=20 => Some(80_017),
            21 | 22 => Some(80_000 + u32::from(patch)),
            23.. => Some(80_023),
            ..=10 => None,
        },
        (8, 1) => Some(80_023),
        (8, 2) => Some(80_200),
        (8, 3 | 4) => Some(80_300),
        (9, 0 | 1) => Some(90_000),
        (9, 2..=7) | (26, 7) => Some(90_200),
        _ => None,
    }
}

mod built_in {
    use super::{Date, Numbering, SeriesRecord, Track};
    use crate::version::{MysqlVersion, Series};

    const fn sequential(
        first: (u16, u16, u16),
        latest_patch: u16,
        track: Track,
        released: Date,
        end_of_life: Option<Date>,
    ) -> SeriesRecord {
        let (major, minor, patch) = first;
        SeriesRecord {
            series: Series { major, minor },
            track,
            numbering: Numbering::Sequential,
            first: MysqlVersion::new(major, minor, patch),
            latest: MysqlVersion::new(major, minor, latest_patch),
            released: Some(released),
            end_of_life,
            upgrade_threshold: None,
            downgrade_threshold: None,
        }
    }

    const fn calendar(year: u16, month: u8, latest_patch: u16) -> SeriesRecord {
        let (major, minor) = (year - 2000, month as u16);
        SeriesRecord {
            series: Series { major, minor },
            track: Track::Innovation,
            // My_server_version in 26.7.0: the previous long-term release is 90700.
            numbering: Numbering::Calendar {
                lineage: Series { major: 9, minor: 7 },
            },
            first: MysqlVersion::new(major, minor, 0),
            latest: MysqlVersion::new(major, minor, latest_patch),
            released: Some(Date::in_month(year, month)),
            end_of_life: None,
            upgrade_threshold: None,
            downgrade_threshold: None,
        }
    }

    use Track::{Bugfix, Innovation, LongTerm};

    /// Releases after the first of their series whose date is known.
    ///
    /// Source: release notes, as MYSQL.md §1.5 and §10 (EOL) repeat them: 26.7.1 came in August, 9.7.4 and 8.4.13 beside 26.10.0 in October
    /// 2026; 8.0.46 and 5.7.44 are the last of their series, and came when it ended.
    pub(super) const RELEASED: &[(MysqlVersion, Date)] = &[
        (MysqlVersion::new(5, 7, 44), Date::in_month(2023, 10)),
        (MysqlVersion::new(8, 0, 46), Date::in_month(2026, 4)),
        (MysqlVersion::new(8, 4, 13), Date::in_month(2026, 10)),
        (MysqlVersion::new(9, 7, 4), Date::in_month(2026, 10)),
        (MysqlVersion::new(26, 7, 1), Date::in_month(2026, 8)),
    ];

    /// An innovation series ends with the release of the next one. The latest patch of a series that has ended is its last;
    /// of 8.4, 9.7 and 26.x it is what stood beside 26.10.0 in October 2026.
    pub(super) const ALL: &[SeriesRecord] = &[
        sequential(
            (5, 7, 9),
            44,
            Bugfix,
            Date::of(2015, 10, 21),
            Some(Date::of(2023, 10, 31)),
        ),
        sequential(
            (8, 0, 11),
            46,
            Bugfix,
            Date::of(2018, 4, 19),
            Some(Date::of(2026, 4, 30)),
        ),
        sequential(
            (8, 1, 0),
            0,
            Innovation,
            Date::of(2023, 7, 18),
            Some(Date::of(2023, 10, 25)),
        ),
        sequential(
            (8, 2, 0),
            0,
            Innovation,
            Date::of(2023, 10, 25),
            Some(Date::of(2024, 1, 16)),
        ),
        sequential(
            (8, 3, 0),
            0,
            Innovation,
            Date::of(2024, 1, 16),
            Some(Date::of(2024, 4, 30)),
        ),
        sequential(
            (8, 4, 0),
            13,
            LongTerm,
            Date::of(2024, 4, 30),
            Some(Date::of(2032, 4, 30)),
        ),
        sequential(
            (9, 0, 0),
            1,
            Innovation,
            Date::of(2024, 7, 1),
            Some(Date::of(2024, 10, 15)),
        ),
        sequential(
            (9, 1, 0),
            2,
            Innovation,
            Date::of(2024, 10, 15),
            Some(Date::of(2025, 1, 21)),
        ),
        sequential(
            (9, 2, 0),
            2,
            Innovation,
            Date::of(2025, 1, 21),
            Some(Date::of(2025, 4, 15)),
        ),
        sequential(
            (9, 3, 0),
            2,
            Innovation,
            Date::of(2025, 4, 15),
            Some(Date::of(2025, 7, 22)),
        ),
        sequential(
            (9, 4, 0),
            2,
            Innovation,
            Date::of(2025, 7, 22),
            Some(Date::of(2025, 10, 21)),
        ),
        sequential(
            (9, 5, 0),
            2,
            Innovation,
            Date::of(2025, 10, 21),
            Some(Date::of(2026, 1, 20)),
        ),
        sequential(
            (9, 6, 0),
            1,
            Innovation,
            Date::of(2026, 1, 20),
            Some(Date::of(2026, 4, 21)),
        ),
        sequential(
            (9, 7, 0),
            4,
            LongTerm,
            Date::of(2026, 4, 21),
            Some(Date::of(2034, 4, 21)),
        ),
        calendar(2026, 7, 1),
        calendar(2026, 10, 0),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> MysqlVersion {
        text.parse().unwrap()
    }

    fn later(series: Series, track: Track, lineage: Option<Series>) -> SeriesRecord {
        let first = MysqlVersion::new(series.major, series.minor, 0);
        SeriesRecord {
            series,
            track,
            numbering: lineage.map_or(Numbering::Sequential, |lineage| Numbering::Calendar {
                lineage,
            }),
            first,
            latest: first,
            released: None,
            end_of_life: None,
            upgrade_threshold: None,
            downgrade_threshold: None,
        }
    }

    #[test]
    fn the_built_in_table_would_be_accepted_from_an_operator() {
        let table = ReleaseTable::built_in();
        let all: Vec<SeriesRecord> = table.all().cloned().collect();
        assert_eq!(table.clone().with(all), Ok(table));
    }

    #[test]
    fn tracks_are_written_down() {
        // MySQL manual 1.3 (9.7, 26.7).
        let table = ReleaseTable::built_in();
        for (series, track) in [
            ((5, 7), Track::Bugfix),
            ((8, 0), Track::Bugfix),
            ((8, 3), Track::Innovation),
            ((8, 4), Track::LongTerm),
            ((9, 6), Track::Innovation),
            ((9, 7), Track::LongTerm),
            ((26, 7), Track::Innovation),
            ((26, 10), Track::Innovation),
        ] {
            let (major, minor) = series;
            let found = table.series(Series { major, minor }).unwrap();
            assert_eq!(found.track, track, "{major}.{minor}");
            assert_eq!(found.is_calendar(), major >= 26, "{major}.{minor}");
        }
    }

    #[test]
    fn an_operator_can_add_what_came_out_later_and_nothing_that_contradicts_itself() {
        let nine_seven = LAST_SEQUENTIAL;
        let lts = Series {
            major: 28,
            minor: 4,
        };
        let after = Series {
            major: 28,
            minor: 7,
        };
        let table = ReleaseTable::built_in();
        let more = [
            later(after, Track::Innovation, Some(lts)),
            later(lts, Track::LongTerm, Some(nine_seven)),
        ];
        let table = table.with(more).unwrap();
        assert_eq!(table.series(lts).unwrap().track, Track::LongTerm);

        let mut newer = table.series(nine_seven).unwrap().clone();
        newer.latest = v("9.7.9");
        let table = table.with([newer.clone()]).unwrap();
        assert_eq!(table.series(nine_seven).unwrap().latest, v("9.7.9"));

        newer.track = Track::Innovation;
        let mut foreign = later(lts, Track::LongTerm, Some(nine_seven));
        foreign.latest = v("28.3.1");
        let odd = [
            newer,
            foreign,
            later(after, Track::Innovation, None),
            later(
                Series {
                    major: 27,
                    minor: 1,
                },
                Track::Innovation,
                Some(Series {
                    major: 26,
                    minor: 7,
                }),
            ),
        ];
        // Every mistake at once, and the table is as it was.
        let mistakes = table.clone().with(odd).unwrap_err();
        assert_eq!(mistakes.len(), 5, "{mistakes:?}");
    }

    #[test]
    fn dates_are_days_or_months() {
        for text in ["2026-04-21", "2026-07", "2024-02-29"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-4-1",
            "2026-02-30",
            "2023-02-29",
            "2026-04-21-1",
            "+026-04",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        for (ms, day) in [
            (0, "1970-01-01"),
            (1_795_177_500_000, "2026-11-20"),
            (951_782_400_000, "2000-02-29"),
            (951_868_799_999, "2000-02-29"),
            (951_868_800_000, "2000-03-01"),
        ] {
            assert_eq!(Date::of_unix_ms(ms).to_string(), day);
        }
        let date = |text: &str| text.parse::<Date>().unwrap();
        assert!(date("2026-04-20").is_before(date("2026-04-21")));
        assert!(date("2026-03").is_before(date("2026-04-21")));
        assert!(!date("2026-04").is_before(date("2026-04-21")));
        assert!(!date("2026-04-21").is_before(date("2026-04")));
        for (from, to, days) in [
            ("2026-04-21", "2026-04-21", (0, 0)),
            ("2024-02-28", "2024-03-01", (2, 2)),
            ("2026-03-01", "2026-02-28", (-1, -1)),
            ("1999-12-31", "2000-12-31", (366, 366)),
            ("2026-10", "2026-11-28", (28, 58)),
            ("2026-11-28", "2026-12", (3, 33)),
        ] {
            assert_eq!(date(from).days_until(date(to)), days, "{from} {to}");
        }
    }

    #[test]
    fn releases_have_dates_or_followers() {
        // Release notes, as RELEASED cites them.
        let table = ReleaseTable::built_in();
        let on = |date: &str| Out::On(date.parse().unwrap());
        for (version, out) in [
            ("9.7.0", on("2026-04-21")),
            ("9.7.3", Out::BeforeALaterOne),
            ("9.7.4", on("2026-10")),
            ("9.7.5", Out::NotKnown),
            ("8.4.0", on("2024-04-30")),
            ("8.0.30", Out::BeforeALaterOne),
            ("9.6.1", Out::NotKnown),
            ("27.1.0", Out::NotKnown),
        ] {
            assert_eq!(table.out(v(version)), out, "{version}");
        }
    }

    #[test]
    fn dictionaries_as_the_source_lists_them() {
        // sql/dd/dd_version.h.
        for (version, dictionary) in [
            ("5.7.44", None),
            ("8.0.11", Some(80_011)),
            ("8.0.15", Some(80_014)),
            ("8.0.20", Some(80_017)),
            ("8.0.22", Some(80_022)),
            ("8.0.46", Some(80_023)),
            ("8.1.0", Some(80_023)),
            ("8.4.10", Some(80_300)),
            ("9.1.0", Some(90_000)),
            ("9.7.4", Some(90_200)),
            ("26.7.0", Some(90_200)),
            ("26.10.0", None),
        ] {
            assert_eq!(dictionary_version(v(version)), dictionary, "{version}");
        }
    }
}
