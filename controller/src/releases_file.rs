//! The release file: series that came out after this program was built, and newer patches of those that it knows.
//!
//! ```toml
//! [[series]]
//! name = "27.1"
//! track = "innovation"      # or "lts"
//! lineage = "9.7"           # the long-term series whose data it accepts
//! latest = "27.1.0"
//! released = "2027-01"
//! ```

use crate::settings_file::{InvalidFile, Mistakes, Table, parse as parse_toml};
use refit_shared::rules::releases::{Date, Numbering, ReleaseTable, SeriesRecord, Track};
use refit_shared::version::{MysqlVersion, Series};
use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use toml::Spanned;
use toml::de::DeValue;

/// Reads a release file and adds it to what is built in; `name` is for messages. Reports every mistake at once.
pub fn parse(name: &str, text: &str) -> Result<ReleaseTable, InvalidFile> {
    let mut m = Mistakes::default();
    let document = parse_toml(text, &mut m);
    let mut root = Table::root(&document, "the release file");
    let values = root.array("series", &mut m).map(|(_, values)| values);
    root.end(&mut m);
    let known = ReleaseTable::built_in();
    let mut places: BTreeMap<Series, Range<usize>> = BTreeMap::new();
    let mut records = Vec::new();
    for value in values.iter().flatten() {
        let Some((at, record)) = series(value, &known, &mut m) else {
            continue;
        };
        if places.insert(record.series, at.clone()).is_some() {
            m.note(at, format!("series {} is in the file twice", record.series));
        } else {
            records.push(record);
        }
    }
    let table = match known.with(records) {
        Ok(table) => Some(table),
        Err(mistakes) => {
            for mistake in mistakes {
                let at = places.get(&mistake.series()).cloned().unwrap_or(0..0);
                m.note(at, mistake.to_string());
            }
            None
        }
    };
    m.end(name, text, table)
}

fn track(text: &str) -> Result<Track, String> {
    match text {
        "lts" => Ok(Track::LongTerm),
        "innovation" => Ok(Track::Innovation),
        "bugfix" => Ok(Track::Bugfix),
        _ => Err(format!("{text:?} is no track: lts, innovation or bugfix")),
    }
}

fn series(
    value: &Spanned<DeValue<'_>>,
    known: &ReleaseTable,
    m: &mut Mistakes,
) -> Option<(Range<usize>, SeriesRecord)> {
    let mut table = Table::of(value, "a [[series]]", m)?;
    let name = table.text("name", Series::from_str, m);
    let given_track = table.optional_text("track", track, m);
    let lineage = table.optional_text("lineage", Series::from_str, m);
    let first = table.optional_text("first", MysqlVersion::from_str, m);
    let latest = table.optional_text("latest", MysqlVersion::from_str, m);
    let released = table.optional_text("released", Date::from_str, m);
    let end_of_life = table.optional_text("end_of_life", Date::from_str, m);
    let upgrade_threshold = table.optional_text("upgrade_threshold", MysqlVersion::from_str, m);
    let downgrade_threshold = table.optional_text("downgrade_threshold", MysqlVersion::from_str, m);
    let at = table.at();
    table.end(m);
    let name = name?;
    let place = name.span();
    let series = name.into_inner();
    let built_in = known.series(series);
    let plain = |given: Option<Spanned<MysqlVersion>>| given.map(Spanned::into_inner);
    let day = |given: Option<Spanned<Date>>| given.map(Spanned::into_inner);
    let given_track = given_track?.map(Spanned::into_inner);
    let lineage = lineage?.map(Spanned::into_inner);
    let Some(track) = given_track.or(built_in.map(|record| record.track)) else {
        m.note(at, "a [[series]] that is not built in needs `track`");
        return None;
    };
    let numbering = match (lineage, built_in) {
        (Some(lineage), _) => Numbering::Calendar { lineage },
        (None, Some(record)) => record.numbering,
        (None, None) => Numbering::Sequential,
    };
    let first = plain(first?)
        .or(built_in.map(|record| record.first))
        .unwrap_or(MysqlVersion::new(series.major, series.minor, 0));
    let latest = plain(latest?)
        .or(built_in.map(|record| record.latest))
        .unwrap_or(first);
    let record = SeriesRecord {
        series,
        track,
        numbering,
        first,
        latest,
        released: day(released?).or(built_in.and_then(|record| record.released)),
        end_of_life: day(end_of_life?).or(built_in.and_then(|record| record.end_of_life)),
        upgrade_threshold: plain(upgrade_threshold?)
            .or(built_in.and_then(|record| record.upgrade_threshold)),
        downgrade_threshold: plain(downgrade_threshold?)
            .or(built_in.and_then(|record| record.downgrade_threshold)),
    };
    Some((place, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_read_and_what_it_shows_too() {
        let text = include_str!("../../deploy/releases.toml");
        assert!(parse("releases.toml", text).is_ok());
        let shown: String = text
            .lines()
            .filter(|line| *line != "series = []")
            .map(|line| {
                let code = line.strip_prefix('#').filter(|line| {
                    line.starts_with('[') || line.split(' ').nth(1).is_some_and(|word| word == "=")
                });
                format!("{}\n", code.unwrap_or(line))
            })
            .collect();
        let table = parse("releases.toml", &shown).unwrap();
        let added = table.series("27.1".parse().unwrap()).unwrap();
        assert_eq!(added.track, Track::Innovation);
        assert_eq!(added.latest.to_string(), "27.1.1");
        let newer = table.series("9.7".parse().unwrap()).unwrap();
        assert_eq!(newer.latest.to_string(), "9.7.5");
        assert_eq!(newer.track, Track::LongTerm, "what is not given stays");
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let text = r#"[[series]]
name = "27.1"
track = "stable"
[[series]]
name = "27.4"
released = "spring"
colour = 1
[[series]]
name = "28.4"
track = "lts"
latest = "28.3.0"
[[series]]
name = "9.7"
track = "innovation"
"#;
        let error = parse("r.toml", text).unwrap_err();
        let found: Vec<String> = error
            .mistakes()
            .map(|(line, _, message)| format!("{line}: {message}"))
            .collect();
        for words in [
            "3: \"stable\" is no track",
            "6: \"spring\" is not a date",
            "7: a [[series]] has no key `colour`",
            "9: series 28.4 is later than 9.7",
            "9: series 28.4 has release 28.3.0",
            "13: series 9.7 is built in",
        ] {
            assert!(
                found.iter().any(|line| line.starts_with(words)),
                "{words:?} is missing in {found:#?}"
            );
        }
    }
}
