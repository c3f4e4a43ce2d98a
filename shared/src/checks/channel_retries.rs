//! Receivers keep trying for as long as their source is away.

use super::{
    ANY_STRATEGY, Check, Finding, Level, Overriding, Reference, Subject, TOPOLOGIES, When,
};
use crate::planner::estimate;

pub const CHECK: Check = Check {
    id: "channelRetries",
    level: Level::Warning,
    reference: Reference {
        source: "server source mysqld.cc: the default of SOURCE_RETRY_COUNT is 10 from 8.4 on, 86400 before",
        link: Some("https://dev.mysql.com/doc/refman/8.4/en/change-replication-source-to.html"),
    },
    applies: When::Always,
    overriding: Overriding::Allowed,
    needs: &[],
    title: "Replicas outlast the outage of their source",
    description: "A receiver gives up after SOURCE_RETRY_COUNT tries, SOURCE_CONNECT_RETRY seconds apart, and then stays stopped until somebody starts it. That must be longer than its source is away for its own upgrade, with room for a slow one.",
    kinds: TOPOLOGIES,
    strategies: ANY_STRATEGY,
    run,
};

/// An outage takes longer than reckoned when a disk is slow; and nobody is at the keyboard within this time.
const TIMES: u64 = 4;
const LEAST_S: u64 = 300;

fn run(subject: Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for link in subject.links(&CHECK, &mut found) {
        let detail = link.channel.detail;
        let tries_for = detail
            .retry_count
            .saturating_mul(u64::from(detail.connect_retry_s));
        let Some((_, source)) = subject
            .seen
            .observed()
            .find(|(name, _)| *name == link.source)
        else {
            continue;
        };
        let outage_s = estimate::outage(source, subject.target).0.div_ceil(1000);
        let wanted = (outage_s * TIMES).max(LEAST_S);
        if tries_for < wanted {
            let retry_s = u64::from(detail.connect_retry_s.max(1));
            found.push(CHECK.warning(
                link.channel.object(),
                format!(
                    "gives up after {tries_for} s without {}, whose upgrade takes it away for about {outage_s} s",
                    link.source
                ),
                link.channel.change(&format!(
                    "SOURCE_RETRY_COUNT={}",
                    wanted.max(3600).div_ceil(retry_s)
                )),
            ));
        }
    }
    found
}
