//! Whether replication goes on while a gate holds, and whether a replica has passed a point. `Running: Yes` is no proof of it: a
//! receiver whose network has gone silent says ON until `replica_net_timeout` is over (60 s; MYSQL.md §3.4).

use super::{Condition, observed};
use crate::expectation::Holds;
use crate::topology::Sighting;
use std::collections::BTreeSet;

impl Condition {
    /// What the source had executed at the earlier look has arrived by the later one: applied, or, on a replica that is delayed on
    /// purpose, received. `Yes` for conditions that are not about replication.
    pub fn goes_on(&self, earlier: &Sighting, later: &Sighting) -> Holds {
        match self.arrived(earlier, later) {
            Ok(()) => Holds::Yes,
            Err(holds) => holds,
        }
    }

    fn arrived(&self, earlier: &Sighting, later: &Sighting) -> Result<(), Holds> {
        let (member, sources, channel) = match self {
            Self::Replicates {
                member,
                channel,
                source,
                ..
            } => (member, BTreeSet::from([source]), Some(channel)),
            Self::HasPassed { member, sources } => (member, sources.iter().collect(), None),
            _ => return Ok(()),
        };
        let own = observed(later, member)?;
        let mut has = own.gtid_executed.clone();
        if let Some(channel) = channel {
            let untold = |why: &str| Holds::Unknown(format!("{member}: {why}"));
            let channels = own.channels.require().map_err(untold)?;
            let found = channels.iter().find(|found| found.name == *channel);
            if let Some(detail) = found.and_then(|found| found.detail.known())
                && detail.delay_s > 0
            {
                has = has.union(&detail.received);
            }
        }
        for source in sources {
            let mark = &observed(earlier, source)?.gtid_executed;
            match mark.subtract(&has).count() {
                0 => {}
                left => {
                    return Err(Holds::No(format!(
                        "of what {source} had executed when this began to hold, {left} transactions have not arrived at {member}"
                    )));
                }
            }
        }
        Ok(())
    }
}
