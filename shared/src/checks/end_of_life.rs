//! How long the servers' series and the target's still get fixes.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::rules::releases::{Date, ReleaseTable, SeriesRecord, Track};
use std::collections::BTreeSet;

pub const CHECK: Check = Check {
    id: "endOfLife",
    level: Level::Warning,
    reference: Reference {
        source: "Oracle's lifetime support policy, as endoflife.date repeats it; MySQL manual 1.3, \"MySQL Releases: Innovation and LTS\" \
                 (MYSQL.md §1.5, §10 EOL)",
        link: Some("https://dev.mysql.com/doc/refman/9.7/en/mysql-releases.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "The target still gets fixes, for a while",
    description: "After the end of its life a series gets no fixes any more, security fixes neither; an innovation series ends when the next one is out.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// An upgrade is planned, tried and approved over months; then the next one should not be due at once.
const NEAR_DAYS: i64 = 180;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let table = ReleaseTable::built_in();
    let target = subject.target.series();
    let mut found = Vec::new();
    found.extend(
        table
            .series(target)
            .and_then(|record| of_target(subject, record)),
    );
    let running: BTreeSet<_> = subject
        .seen
        .servers()
        .map(|(_, s)| s.version.series())
        .collect();
    for series in running.into_iter().filter(|series| *series != target) {
        let end = table.series(series).and_then(|record| record.end_of_life);
        let Some((end, when)) = end.and_then(|end| Some((end, reached(subject.today, end)?)))
        else {
            continue;
        };
        let told = match when {
            Reached::Past => format!(
                "{series}, which runs here, reached the end of its life on {end}: no fixes any more"
            ),
            Reached::Near(days) => {
                format!(
                    "{series}, which runs here, reaches the end of its life on {end}, within {days} days"
                )
            }
        };
        let fix = "one more reason for this upgrade";
        found.push(CHECK.finding(Level::Notice, series, told, fix));
    }
    found
}

fn of_target(subject: Subject<'_>, record: &SeriesRecord) -> Option<Finding> {
    let series = record.series;
    let fix = "choose a release of a long-term series that gets fixes for years: `refit path` tells of each for how long";
    let Some(end) = record.end_of_life else {
        return (record.track == Track::Innovation).then(|| {
            CHECK.finding(
                Level::Notice,
                series,
                format!("{series}, the target's, is an innovation series: it gets fixes until the next one is out, and must be left then"),
                fix,
            )
        });
    };
    let when = reached(subject.today, end)?;
    let (level, told) = match when {
        Reached::Past => (
            Level::Warning,
            format!(
                "{series}, the target's series, reached the end of its life on {end}: it gets no fixes any more"
            ),
        ),
        Reached::Near(days) => (
            Level::Warning,
            format!(
                "{series}, the target's series, reaches the end of its life on {end}, within {days} days"
            ),
        ),
    };
    Some(CHECK.finding(level, series, told, fix))
}

/// How far the end of a life is, where it is worth a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Past,
    /// At most so many days.
    Near(i64),
}

fn reached(today: Date, end: Date) -> Option<Reached> {
    match today.days_until(end) {
        (_, at_most) if at_most < 0 => Some(Reached::Past),
        (_, at_most) if at_most <= NEAR_DAYS => Some(Reached::Near(at_most)),
        _ => None,
    }
}
