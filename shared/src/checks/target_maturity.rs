//! How well tried the target is.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};
use crate::rules::releases::{Out, ReleaseTable};

pub const CHECK: Check = Check {
    id: "targetMaturity",
    level: Level::Warning,
    reference: Reference {
        source: "experience with first releases of a series and with young ones (MYSQL.md §10 SAFE); dates of the release notes",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "The target has been out for a while",
    description: "The first releases of a series are the least tried ones; a second or third patch is the safer choice. A release that has just come out may be withdrawn or replaced: let others find out, for 30 days.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

/// Releases that were withdrawn or replaced (8.0.29, 8.0.38, 8.4.1, 9.0.0) were so within a month.
const YOUNG_DAYS: i64 = 30;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let target = subject.target;
    let mut found = Vec::new();
    let another = |series| series != target.series();
    let changes = subject
        .pairs()
        .iter()
        .any(|pair| another(pair.from.series()));
    if changes && target.patch < 2 {
        found.push(CHECK.finding(
            Level::Notice,
            target,
            format!("{target} is among the first releases of its series"),
            "choose a later patch where there is one, or try it on a copy first (`refit rehearse`)",
        ));
    }
    let table = ReleaseTable::built_in();
    let out = match table.out(target) {
        Out::On(date) => date,
        Out::BeforeALaterOne => return found,
        // The last of a series that has ended is not young, either.
        Out::NotKnown
            if table
                .series(target.series())
                .is_some_and(|s| s.latest == target) =>
        {
            return found;
        }
        Out::NotKnown => {
            found.push(CHECK.finding(
                Level::Notice,
                target,
                format!("when {target} came out is not known here: it is newer than this Refit"),
                "see its release notes; let it be out for 30 days first",
            ));
            return found;
        }
    };
    let (at_least, at_most) = out.days_until(subject.today);
    let wait = "let it be out for 30 days first, or try it on a copy (`refit rehearse`)";
    let preposition = if out.day.is_some() { "on" } else { "in" };
    if at_most < 0 {
        let told = format!(
            "{target} came out {preposition} {out}, and the controller's clock says {}: nothing can be said of its age",
            subject.today
        );
        found.push(CHECK.finding(
            Level::Notice,
            target,
            told,
            "see that the controller's clock is right",
        ));
    } else if at_most < YOUNG_DAYS {
        let told =
            format!("{target} came out {preposition} {out}: less than {YOUNG_DAYS} days ago");
        found.push(CHECK.warning(target, told, wait));
    } else if at_least < YOUNG_DAYS {
        // Only the month is known.
        let told = format!(
            "{target} came out {preposition} {out}: that may be less than {YOUNG_DAYS} days ago"
        );
        found.push(CHECK.finding(Level::Notice, target, told, wait));
    }
    found
}
