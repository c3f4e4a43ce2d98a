//! Channels and links of a replication topology, for the checks that judge them one by one.

use super::{Check, Finding, Subject};
use crate::ids::MemberName;
use crate::observation::{ChannelDetail, ChannelFacts, ServerFacts};
use crate::topology::replication::Tree;

/// One channel of a replica.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel<'a> {
    pub replica: &'a MemberName,
    pub server: &'a ServerFacts,
    pub facts: &'a ChannelFacts,
    pub detail: &'a ChannelDetail,
}

impl Channel<'_> {
    /// `db2`, or `db3, channel db1` where it has a name.
    pub fn object(&self) -> String {
        if self.facts.name.is_empty() {
            self.replica.to_string()
        } else {
            format!("{}, channel {}", self.replica, self.facts.name)
        }
    }

    /// ` FOR CHANNEL 'db1'`, to be typed behind a statement.
    pub fn clause(&self) -> String {
        if self.facts.name.is_empty() {
            String::new()
        } else {
            format!(" FOR CHANNEL '{}'", self.facts.name.replace('\'', "''"))
        }
    }

    /// Statements that change a setting which needs the receiver stopped.
    pub fn change(&self, setting: &str) -> String {
        let clause = self.clause();
        format!(
            "STOP REPLICA IO_THREAD{clause}; CHANGE REPLICATION SOURCE TO {setting}{clause}; START REPLICA IO_THREAD{clause}"
        )
    }
}

/// A channel whose source is a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkOf<'a> {
    pub channel: Channel<'a>,
    pub source: &'a MemberName,
    pub source_server: &'a ServerFacts,
}

impl<'a> Subject<'a> {
    /// Every channel of every member that was seen. One that could not be read becomes a finding.
    pub(super) fn channels(&self, check: &Check, found: &mut Vec<Finding>) -> Vec<Channel<'a>> {
        let mut all = Vec::new();
        for (replica, server) in self.seen.servers() {
            let channels = match server.channels.require() {
                Ok(channels) => channels,
                Err(why) => {
                    found.push(check.untold(replica, "replication channels", why));
                    continue;
                }
            };
            for facts in channels {
                match facts.detail.require() {
                    Ok(detail) => all.push(Channel {
                        replica,
                        server,
                        facts,
                        detail,
                    }),
                    Err(why) => {
                        let what = format!("channel {:?}", facts.name);
                        found.push(check.untold(replica, &what, why));
                    }
                }
            }
        }
        all
    }

    /// Every channel with the member that it reads from. Contradictions are what `clusterKind` tells.
    pub(super) fn links(&self, check: &Check, found: &mut Vec<Finding>) -> Vec<LinkOf<'a>> {
        let seen = self.seen;
        let Ok(tree) = Tree::of(seen) else {
            return Vec::new();
        };
        let channels = self.channels(check, found);
        let linked = channels.into_iter().filter_map(|channel| {
            let links = tree.links(channel.replica);
            let link = links.iter().find(|l| l.channel == channel.facts.name)?;
            let (source, source_server) = seen.servers().find(|(name, _)| **name == link.source)?;
            Some(LinkOf {
                channel,
                source,
                source_server,
            })
        });
        linked.collect()
    }
}
