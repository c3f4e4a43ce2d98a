//! Releases that are known to fail on what was seen.

use super::listed::Verdict;
use super::{
    ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, VersionPair,
    When,
};
use crate::survey::{Listing, Question};
use crate::version::MysqlVersion;

pub const CHECK: Check = Check {
    id: "knownBadReleases",
    level: Level::Error,
    reference: Reference {
        source: "MySQL bugs 105301, 115517, 118101, 119957, 107462, 108036",
        link: None,
    },
    applies: When::Rule(
        "to 8.0.27 (from 5.7), .29, .30, .37, .38, .41, .42, .45, 8.4.1, 8.4.8 or 9.0.0",
        |pair| BAD.contains(&pair.to) || corrupts(pair),
    ),
    overriding: Overriding::Allowed,
    needs: &[
        Question::Tablespaces,
        Question::ViewsAndRoutines,
        Question::NoPrimaryKeyFulltext,
    ],
    title: "The target is not known to fail here",
    description: "Some releases fail on many tables, many stored objects, or certain tables; a later patch of the same series does not.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

const fn v(major: u16, minor: u16, patch: u16) -> MysqlVersion {
    MysqlVersion::new(major, minor, patch)
}

/// Bug 115517: crashes at every start with very many tablespaces.
const TABLESPACES: [MysqlVersion; 3] = [v(8, 0, 38), v(8, 4, 1), v(9, 0, 0)];
const MANY_TABLESPACES: u64 = 8000;
/// Bug 118101: the checks of an upgrade run out of memory with very many stored objects.
const STORED: [MysqlVersion; 3] = [v(8, 0, 37), v(8, 0, 41), v(8, 0, 42)];
const MANY_STORED: u64 = 100_000;
/// Bug 119957: the applier crashes on a table with a FULLTEXT index and no primary key.
const FULLTEXT: [MysqlVersion; 2] = [v(8, 0, 45), v(8, 4, 8)];
/// Bugs 107462 and 108036: a failed upgrade leaves a redo log that the old version can't read; redo log assertion.
const REDO: [MysqlVersion; 2] = [v(8, 0, 29), v(8, 0, 30)];
/// Bug 105301: the first start on a data directory of 5.7 leaves some tables corrupted, told as MY-013382, requires repair. It was
/// reported of 8.0.27; which tables it strikes, the report alone knows.
fn corrupts(pair: VersionPair) -> bool {
    pair.from < v(8, 0, 0) && pair.to == v(8, 0, 27)
}
const BAD: [MysqlVersion; 10] = [
    v(8, 0, 29),
    v(8, 0, 30),
    v(8, 0, 37),
    v(8, 0, 38),
    v(8, 0, 41),
    v(8, 0, 42),
    v(8, 0, 45),
    v(8, 4, 1),
    v(8, 4, 8),
    v(9, 0, 0),
];

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let target = subject.target;
    let fix = "choose a later patch of the same series";
    let mut found = Vec::new();
    if REDO.contains(&target) {
        found.push(CHECK.error(
            &subject.seen.cluster,
            format!(
                "{target} can leave a redo log that no other version reads (bugs 107462, 108036)"
            ),
            fix,
        ));
    }
    for (name, server) in subject.seen.servers() {
        let pair = VersionPair {
            from: server.version,
            to: target,
        };
        if corrupts(pair) {
            found.push(CHECK.warning(
                name,
                format!(
                    "{target} can leave tables of {} corrupted, behind a start that succeeds (bug 105301)",
                    server.version
                ),
                "choose a later patch of the same series, or rehearse the upgrade: a table that it strikes is told as MY-013382, requires repair",
            ));
        }
    }
    let mut judge = |question, bad: &[MysqlVersion], wrong: fn(&Listing) -> Option<String>| {
        if !bad.contains(&target) {
            return;
        }
        let mut missing = Vec::new();
        for (name, _, listing) in subject.answers(&CHECK, question, &mut missing) {
            if let Some(why) = wrong(listing) {
                found.push(CHECK.error(name, format!("{target} fails on this server: {why}"), fix));
            }
        }
        found.extend(missing);
    };
    judge(Question::Tablespaces, &TABLESPACES, |listing| {
        (listing.total >= MANY_TABLESPACES).then(|| {
            format!(
                "with {} tablespaces it crashes at every start (bug 115517)",
                listing.total
            )
        })
    });
    judge(Question::ViewsAndRoutines, &STORED, |listing| {
        (listing.total > MANY_STORED).then(|| {
            format!(
                "with {} views and routines its checks run out of memory (bug 118101)",
                listing.total
            )
        })
    });
    if FULLTEXT.contains(&target) {
        found.extend(subject.listed(&CHECK, Question::NoPrimaryKeyFulltext, |_, _| {
            Some(Verdict::new(
                Level::Error,
                format!("{target}'s applier crashes on a table with a FULLTEXT index and no primary key (bug 119957)"),
                fix,
            ))
        }));
    }
    found
}
