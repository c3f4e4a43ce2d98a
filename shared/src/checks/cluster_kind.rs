//! What kind of cluster the servers say that they are, and whether the strategy that is asked for fits it.

use super::{
    ALSO_WITHOUT_UPGRADE, ANY_KIND, Check, Finding, Level, Overriding, Reference, Subject, When,
};
use crate::planner::choose::Unfit;
use crate::topology::NoKind;

pub const CHECK: Check = Check {
    id: "clusterKind",
    level: Level::Error,
    reference: Reference {
        source: "what the servers say of themselves",
        link: None,
    },
    applies: When::Always,
    overriding: Overriding::Refused(
        "where servers contradict each other, what to take out when is a guess",
    ),
    needs: &[],
    title: "The kind of cluster is clear, and the strategy fits it",
    description: "Group, replication topology or standalone server is read from the servers themselves. Where they contradict each other nothing is guessed.",
    kinds: ANY_KIND,
    strategies: ALSO_WITHOUT_UPGRADE,
    run,
};

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let cluster = &subject.seen.cluster;
    let Err(unfit) = subject.chosen() else {
        return Vec::new();
    };
    let fix = match &unfit {
        Unfit::NoKind(NoKind::Unseen(_)) => {
            "see that the agents and servers answer, then check again".to_owned()
        }
        Unfit::NoKind(NoKind::Contradiction(_)) | Unfit::Contradictions(_) => {
            "correct the cluster's members in the fleet file, or the servers' replication"
                .to_owned()
        }
        Unfit::Strategy { fitting, .. } if !fitting.is_empty() => {
            let flags: Vec<&str> = fitting.iter().map(|s| s.flag()).collect();
            format!("--strategy {}", flags.join(" or "))
        }
        Unfit::Strategy { .. } | Unfit::NoStrategy { .. } => {
            "upgrade this cluster by hand, or with a later release of Refit".to_owned()
        }
    };
    vec![CHECK.error(cluster, unfit.to_string(), fix)]
}
