//! With one member out, may the group lose another?

use super::{Check, Finding, GROUPS, Level, OUT_ONE_BY_ONE, Overriding, Reference, Subject, When};
use crate::rules::group::tolerated_losses;

pub const CHECK: Check = Check {
    id: "spareMember",
    level: Level::Error,
    reference: Reference {
        source: "MySQL manual, \"Fault-tolerance\" of Group Replication",
        link: Some(
            "https://dev.mysql.com/doc/refman/8.4/en/group-replication-fault-tolerance.html",
        ),
    },
    applies: When::Always,
    overriding: Overriding::Refused("it has a choice of its own: --accept-no-spare"),
    needs: &[],
    title: "One more loss can be survived",
    description: "While a member is out, the rest must survive the loss of one more; a group of three or four with one out can't, or only just.",
    kinds: GROUPS,
    strategies: OUT_ONE_BY_ONE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let Ok(view) = subject.seen.agreed_view() else {
        return Vec::new();
    };
    let size = view.members.len();
    if size < 3 {
        return vec![CHECK.error(
            &subject.seen.cluster,
            format!("the group has {size} member(s); with one out, no other loss and no majority would be left"),
            "add members until there are three",
        )];
    }
    if tolerated_losses(size - 1) >= 1 {
        return Vec::new();
    }
    let description = format!(
        "of {size} members, {} stay while one is out: any further loss stops writes until it is back",
        size - 1
    );
    if subject.policy.accept_no_spare {
        vec![CHECK.finding(
            Level::Warning,
            &subject.seen.cluster,
            description,
            "accepted with --accept-no-spare",
        )]
    } else {
        vec![CHECK.error(
            &subject.seen.cluster,
            description,
            "add a member, or accept this with --accept-no-spare",
        )]
    }
}
