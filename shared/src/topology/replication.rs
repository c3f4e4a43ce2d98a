//! Source and replica topologies, as the servers themselves tell: who replicates from whom.
//!
//! A tree (chains, several sources, several levels) or a list of contradictions; never a guess. Where a server says something
//! that nobody else can confirm, that is a contradiction with both sides named.
//!
//! ```text
//! db1 ─┬─ db2 ── db4        db1: source (takes writes)   db2: intermediate
//!      └─ db3               db3, db4: replicas
//! ```

use super::Sighting;
use crate::gtid::GtidSet;
use crate::ids::{MemberName, ServerUuid};
use crate::observation::{ChannelDetail, ChannelFacts, Fact, ServerFacts};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One edge: this channel of a replica reads from that member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub channel: String,
    pub source: MemberName,
}

/// What a member is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Replicates from nobody; others replicate from it.
    Source,
    /// Replicates, and others replicate from it.
    Intermediate,
    /// Replicates, and nobody replicates from it.
    Replica,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Intermediate => "intermediate source",
            Self::Replica => "replica",
        })
    }
}

/// Who replicates from whom. Has no circle, and every member is part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Where each member reads from; a source has no links.
    links: BTreeMap<MemberName, Vec<Link>>,
}

/// Something that the servers say and that does not make a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contradiction {
    /// Without this member nobody knows the whole.
    NotSeen { member: MemberName, why: String },
    /// The member replicates from a server that no agent of the cluster speaks for.
    UnknownSource {
        member: MemberName,
        channel: String,
        source: String,
    },
    /// A channel that has never been connected, and whose host is not one member's alone.
    UncertainSource {
        member: MemberName,
        channel: String,
        source: String,
    },
    /// A server is connected as a replica, and no agent of the cluster speaks for it.
    UnknownReplica { member: MemberName, replica: String },
    /// Members have the same server UUID.
    SameUuid {
        uuid: ServerUuid,
        members: Vec<MemberName>,
    },
    /// Each of these replicates from the next, and the last one from the first.
    Circle { members: Vec<MemberName> },
    /// The member neither replicates nor is replicated from, and others of the cluster are.
    Apart { member: MemberName },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSeen { member, why } => write!(f, "{member} could not be seen: {why}"),
            Self::UnknownSource {
                member,
                channel,
                source,
            } => write!(
                f,
                "{member} replicates from {source} (channel {channel:?}), which is no member of this cluster"
            ),
            Self::UncertainSource {
                member,
                channel,
                source,
            } => write!(
                f,
                "channel {channel:?} of {member} has never been connected to {source}, so which member that is can't be told"
            ),
            Self::UnknownReplica { member, replica } => write!(
                f,
                "{replica} replicates from {member} and is no member of this cluster"
            ),
            Self::SameUuid { uuid, members } => {
                let names: Vec<_> = members.iter().map(MemberName::as_str).collect();
                write!(
                    f,
                    "{} have the same server UUID {uuid}",
                    names.join(" and ")
                )
            }
            Self::Circle { members } => {
                let names: Vec<_> = members.iter().map(MemberName::as_str).collect();
                write!(
                    f,
                    "circular replication: {} from {}",
                    names.join(" from "),
                    names.first().copied().unwrap_or_default()
                )
            }
            Self::Apart { member } => write!(
                f,
                "{member} neither replicates from a member of this cluster nor is replicated from"
            ),
        }
    }
}

impl ChannelFacts {
    /// `shop:3306`, for people.
    pub fn source(&self) -> String {
        match &self.detail {
            Fact::Known(detail) => format!("{}:{}", self.source_host, detail.source_port),
            Fact::Unknown(_) => self.source_host.clone(),
        }
    }
}

impl Tree {
    /// Reads the tree out of what the members say; all that does not fit is returned at once.
    pub fn of(seen: &Sighting) -> Result<Self, Vec<Contradiction>> {
        let mut wrong: Vec<Contradiction> = Vec::new();
        let mut links = BTreeMap::new();
        same_uuids(seen, &mut wrong);
        for member in seen.members.keys() {
            match seen.server(member) {
                Ok(server) => {
                    links.insert(member.clone(), links_of(seen, member, server, &mut wrong));
                    unknown_replicas(seen, member, server, &mut wrong);
                }
                Err(why) => wrong.push(Contradiction::NotSeen {
                    member: member.clone(),
                    why,
                }),
            }
        }
        let tree = Self { links };
        wrong.extend(tree.circles());
        if wrong.is_empty() && tree.links.len() > 1 {
            wrong.extend(tree.apart());
        }
        if wrong.is_empty() {
            Ok(tree)
        } else {
            wrong.sort();
            wrong.dedup();
            Err(wrong)
        }
    }

    pub fn members(&self) -> impl Iterator<Item = &MemberName> {
        self.links.keys()
    }

    /// Where the member reads from.
    pub fn links(&self, member: &MemberName) -> &[Link] {
        self.links.get(member).map_or(&[], Vec::as_slice)
    }

    /// Who reads from the member.
    pub fn replicas(&self, member: &MemberName) -> Vec<&MemberName> {
        self.links
            .iter()
            .filter(|(_, links)| links.iter().any(|link| link.source == *member))
            .map(|(name, _)| name)
            .collect()
    }

    /// All that the member replicates from, at any number of levels.
    pub fn above(&self, member: &MemberName) -> BTreeSet<MemberName> {
        let mut above = BTreeSet::new();
        let mut next = vec![member];
        while let Some(name) = next.pop() {
            let new = self.links(name).iter().map(|link| &link.source);
            next.extend(new.filter(|source| above.insert((*source).clone())));
        }
        above
    }

    pub fn role(&self, member: &MemberName) -> Role {
        match (
            self.links(member).is_empty(),
            self.replicas(member).is_empty(),
        ) {
            (true, _) => Role::Source,
            (false, false) => Role::Intermediate,
            (false, true) => Role::Replica,
        }
    }

    /// Members that replicate from nobody.
    pub fn sources(&self) -> Vec<&MemberName> {
        self.links
            .iter()
            .filter(|(_, links)| links.is_empty())
            .map(|(name, _)| name)
            .collect()
    }

    /// Levels below the member: 0 for one that nobody replicates from.
    pub fn height(&self, member: &MemberName) -> usize {
        self.replicas(member)
            .into_iter()
            .map(|replica| self.height(replica) + 1)
            .max()
            .unwrap_or(0)
    }

    /// Every member after all that replicate from it; the sources last.
    pub fn leaves_first(&self) -> Vec<&MemberName> {
        let mut order: Vec<&MemberName> = self.links.keys().collect();
        order.sort_by_key(|member| {
            (
                self.role(member) == Role::Source,
                self.height(member),
                *member,
            )
        });
        order
    }

    /// As lines, each replica below its source; a replica of several sources stands below each of them.
    pub fn drawn(&self) -> Vec<(String, &MemberName)> {
        let mut lines = Vec::new();
        for source in self.sources() {
            self.draw(source, "", "", &mut lines);
        }
        lines
    }

    fn draw<'t>(
        &'t self,
        member: &'t MemberName,
        branch: &str,
        indent: &str,
        lines: &mut Vec<(String, &'t MemberName)>,
    ) {
        lines.push((branch.to_owned(), member));
        let replicas = self.replicas(member);
        for (at, replica) in replicas.iter().enumerate() {
            let (corner, below) = if at + 1 == replicas.len() {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            self.draw(
                replica,
                &format!("{indent}{corner}"),
                &format!("{indent}{below}"),
                lines,
            );
        }
    }

    /// Each circle once, from the member that comes first by name.
    fn circles(&self) -> BTreeSet<Contradiction> {
        let mut found = BTreeSet::new();
        for start in self.links.keys() {
            let mut path = vec![start];
            self.walk(start, &mut path, &mut found);
        }
        found
    }

    fn walk<'t>(
        &'t self,
        start: &MemberName,
        path: &mut Vec<&'t MemberName>,
        found: &mut BTreeSet<Contradiction>,
    ) {
        let last = *path.last().expect("a walk begins somewhere");
        for link in self.links(last) {
            if link.source == *start {
                if path.iter().copied().min() == Some(start) {
                    let members = path.iter().map(|name| (*name).clone()).collect();
                    found.insert(Contradiction::Circle { members });
                }
            } else if let Some((name, _)) = self.links.get_key_value(&link.source)
                && !path.contains(&name)
            {
                path.push(name);
                self.walk(start, path, found);
                path.pop();
            }
        }
    }

    fn apart(&self) -> Vec<Contradiction> {
        let alone = |member: &&MemberName| {
            self.links(member).is_empty() && self.replicas(member).is_empty()
        };
        self.links
            .keys()
            .filter(alone)
            .map(|member| Contradiction::Apart {
                member: member.clone(),
            })
            .collect()
    }
}

fn same_uuids(seen: &Sighting, wrong: &mut Vec<Contradiction>) {
    let mut by_uuid: BTreeMap<&ServerUuid, Vec<MemberName>> = BTreeMap::new();
    for (name, server) in seen.servers() {
        by_uuid.entry(&server.uuid).or_default().push(name.clone());
    }
    for (uuid, members) in by_uuid.into_iter().filter(|(_, names)| names.len() > 1) {
        wrong.push(Contradiction::SameUuid {
            uuid: uuid.clone(),
            members,
        });
    }
}

fn links_of(
    seen: &Sighting,
    member: &MemberName,
    server: &ServerFacts,
    wrong: &mut Vec<Contradiction>,
) -> Vec<Link> {
    let mut links = Vec::new();
    let not_seen = |why: String| Contradiction::NotSeen {
        member: member.clone(),
        why,
    };
    let channels = match server.channels.require() {
        Ok(channels) => channels,
        Err(why) => {
            wrong.push(not_seen(format!("its channels: {why}")));
            return links;
        }
    };
    for channel in channels {
        let detail = match channel.detail.require() {
            Ok(detail) => detail,
            Err(why) => {
                wrong.push(not_seen(format!("channel {:?}: {why}", channel.name)));
                continue;
            }
        };
        match source_of(seen, channel, detail) {
            Some(source) => links.push(Link {
                channel: channel.name.clone(),
                source: source.clone(),
            }),
            None => {
                let (member, name, source) =
                    (member.clone(), channel.name.clone(), channel.source());
                wrong.push(match detail.source_uuid {
                    Some(_) => Contradiction::UnknownSource {
                        member,
                        channel: name,
                        source,
                    },
                    None => Contradiction::UncertainSource {
                        member,
                        channel: name,
                        source,
                    },
                });
            }
        }
    }
    links.sort();
    links
}

/// The server UUID decides. A channel that has never been connected has none: then host and port must be one member's alone.
fn source_of<'s>(
    seen: &'s Sighting,
    channel: &ChannelFacts,
    detail: &ChannelDetail,
) -> Option<&'s MemberName> {
    if let Some(uuid) = &detail.source_uuid {
        return seen.member_of(uuid);
    }
    let mut named = seen
        .servers()
        .filter(|(_, server)| {
            server.port == detail.source_port
                && server
                    .report_host
                    .eq_ignore_ascii_case(&channel.source_host)
        })
        .map(|(name, _)| name);
    match (named.next(), named.next()) {
        (Some(one), None) => Some(one),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

/// Who is connected and is nobody that we know. Clients that only read the binary log are no servers.
fn unknown_replicas(
    seen: &Sighting,
    member: &MemberName,
    server: &ServerFacts,
    wrong: &mut Vec<Contradiction>,
) {
    let connected = match server.replicas.require() {
        Ok(connected) => connected,
        Err(why) => {
            wrong.push(Contradiction::NotSeen {
                member: member.clone(),
                why: format!("who replicates from it: {why}"),
            });
            return;
        }
    };
    for replica in connected {
        if let Some(uuid) = &replica.uuid
            && seen.member_of(uuid).is_none()
        {
            let replica = if replica.host.is_empty() {
                format!("server {uuid}")
            } else {
                format!("{}:{} ({uuid})", replica.host, replica.port)
            };
            wrong.push(Contradiction::UnknownReplica {
                member: member.clone(),
                replica,
            });
        }
    }
}

/// Transactions of a replica that none of the servers above it has, and that no source can have sent since it was read.
///
/// Source: MYSQL.md §3.6. A replica may have been read after its source, so transactions that bear the UUID of a server which
/// takes writes are merely ahead. `None` when too little was seen to tell.
pub fn errant(seen: &Sighting, member: &MemberName) -> Option<GtidSet> {
    let tree = Tree::of(seen).ok()?;
    if tree.role(member) == Role::Source {
        return Some(GtidSet::default());
    }
    let mut above = BTreeSet::new();
    let mut open = vec![member];
    while let Some(at) = open.pop() {
        for link in tree.links(at) {
            if above.insert(&link.source) {
                open.push(&link.source);
            }
        }
    }
    let mut left = seen.server(member).ok()?.gtid_executed.clone();
    for name in above {
        let server = seen.server(name).ok()?;
        left = left.subtract(&server.gtid_executed);
        if tree.role(name) == Role::Source {
            left = left.without_origin(server.uuid.as_str());
        }
    }
    Some(left)
}
