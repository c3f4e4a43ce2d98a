//! How well tried the target is.

use super::{ANY_KIND, ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, When};

pub const CHECK: Check = Check {
    id: "targetMaturity",
    level: Level::Notice,
    reference: Reference {
        source: "experience with first releases of a series",
        link: None,
    },
    applies: When::SeriesChanges,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "The target has been out for a while",
    description: "The first releases of a series are the least tried ones; a second or third patch is the safer choice.",
    kinds: ANY_KIND,
    strategies: ANY_STRATEGY,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    if subject.target.patch >= 2 {
        return Vec::new();
    }
    vec![CHECK.finding(
        Level::Notice,
        &subject.seen.cluster,
        format!(
            "{} is among the first releases of its series",
            subject.target
        ),
        "choose a later patch where there is one, or try it on a copy first",
    )]
}
