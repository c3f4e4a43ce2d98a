//! Spatial indexes that an upgrade can corrupt.

use super::VersionPair;
use super::listed::Verdict;
use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::survey::{Question, quote};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "spatialIndex",
    level: Level::Warning,
    reference: Reference {
        source: "MySQL Shell, spatialIndex",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/spatial-index-optimization.html"),
    },
    applies: When::Rule(
        "from 8.0.3–8.0.40, 8.1.0–8.4.3 or 9.0.0–9.1.x to 8.0.41+, 8.4.4+ or 9.2+",
        may_corrupt,
    ),
    overriding: Overriding::Allowed,
    needs: &[Question::SpatialIndexes],
    title: "Spatial indexes survive",
    description: "Between these versions InnoDB may find a spatial index corrupt: drop it before and make it again after the upgrade.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn may_corrupt(pair: VersionPair) -> bool {
    let v = MysqlVersion::new;
    let within = |from, to| from <= pair.from && pair.from <= to;
    let from = within(v(8, 0, 3), v(8, 0, 40))
        || within(v(8, 1, 0), v(8, 4, 3))
        || within(v(9, 0, 0), v(9, 1, u16::MAX));
    let to = match (pair.to.major, pair.to.minor) {
        (8, 0) => pair.to.patch >= 41,
        (8, 4) => pair.to.patch >= 4,
        (8, _) => false,
        _ => pair.to >= v(9, 2, 0),
    };
    from && to
}

fn run(subject: Subject<'_>) -> Vec<Finding> {
    subject.listed(&CHECK, Question::SpatialIndexes, |row, _| {
        let (table, index) = (row.quoted(), quote(&row.part));
        Some(Verdict::new(
            Level::Warning,
            "spatial index may be found corrupt after the upgrade",
            format!("before: ALTER TABLE {table} DROP INDEX {index}; after the last member: ALTER TABLE {table} ADD SPATIAL INDEX {index} ({})", quote(&row.detail)),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges() {
        for (from, to, expected) in [
            ("8.0.40", "8.0.41", true),
            ("8.0.41", "8.0.46", false),
            ("8.0.36", "8.0.40", false),
            ("8.4.3", "8.4.4", true),
            ("8.4.3", "8.4.2", false),
            ("8.4.4", "9.7.4", false),
            ("8.4.3", "9.7.4", true),
            ("8.4.3", "9.1.0", false),
            ("9.1.0", "9.2.0", true),
            ("9.7.3", "9.7.4", false),
        ] {
            let pair = VersionPair {
                from: from.parse().unwrap(),
                to: to.parse().unwrap(),
            };
            assert_eq!(may_corrupt(pair), expected, "{from} {to}");
        }
    }
}
