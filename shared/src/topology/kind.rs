//! What kind of cluster the servers say that they are. The fleet file only says which servers belong together.

use super::Sighting;
use crate::ids::MemberName;
use crate::observation::{ChannelFacts, GroupFacts, MemberState, ServerFacts};
use std::collections::BTreeMap;
use std::fmt;

/// How the servers of a cluster replicate from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One Group Replication group with one primary.
    SinglePrimaryGroup,
    /// One Group Replication group whose members all may take writes.
    MultiPrimaryGroup,
    /// Sources and replicas over asynchronous channels, in any shape.
    ReplicationTopology,
    /// One server that replicates from nobody.
    StandaloneServer,
}

impl Kind {
    pub const ALL: [Kind; 4] = [
        Self::SinglePrimaryGroup,
        Self::MultiPrimaryGroup,
        Self::ReplicationTopology,
        Self::StandaloneServer,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SinglePrimaryGroup => "single-primary group",
            Self::MultiPrimaryGroup => "multi-primary group",
            Self::ReplicationTopology => "replication topology",
            Self::StandaloneServer => "standalone server",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub fn is_group(self) -> bool {
        match self {
            Self::SinglePrimaryGroup | Self::MultiPrimaryGroup => true,
            Self::ReplicationTopology | Self::StandaloneServer => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why no kind can be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKind {
    /// Too little was seen to tell.
    #[error("what kind of cluster this is could not be told: {}", .0.join("; "))]
    Unseen(Vec<String>),
    /// What the servers say can't all be true of one cluster.
    #[error("the servers contradict each other: {0}")]
    Contradiction(String),
}

/// What one server says of itself.
struct Says<'a> {
    name: &'a MemberName,
    group: Option<&'a GroupFacts>,
    channels: &'a [ChannelFacts],
}

impl Sighting {
    /// Judges the kind from the servers that were seen. A member that could not be seen changes nothing as long as another
    /// one tells of a group or a channel; checks refuse to go on without it anyway.
    pub fn kind(&self) -> Result<Kind, NoKind> {
        let mut says = Vec::new();
        let mut missing: Vec<String> = self
            .unobserved()
            .map(|(name, why)| format!("{name}: {why}"))
            .collect();
        for (name, seen) in self.observed() {
            match seen.server.require().and_then(|server| what(name, server)) {
                Ok(said) => says.push(said),
                Err(why) => missing.push(format!("{name}: {why}")),
            }
        }
        let (grouped, alone): (Vec<&Says<'_>>, Vec<&Says<'_>>) =
            says.iter().partition(|s| s.group.is_some());
        if says.is_empty() {
            return Err(NoKind::Unseen(missing));
        }
        if grouped.is_empty() {
            return self.without_group(&says, missing);
        }
        if !alone.is_empty() {
            return Err(NoKind::Contradiction(format!(
                "Group Replication is set up on {}, and not on {}",
                names(&grouped),
                names(&alone)
            )));
        }
        group(&grouped)
    }

    fn without_group(&self, says: &[Says<'_>], missing: Vec<String>) -> Result<Kind, NoKind> {
        if says.iter().any(|s| !s.channels.is_empty()) {
            return Ok(Kind::ReplicationTopology);
        }
        if !missing.is_empty() {
            return Err(NoKind::Unseen(missing));
        }
        if self.members.len() == 1 {
            return Ok(Kind::StandaloneServer);
        }
        Err(NoKind::Contradiction(format!(
            "{} are in no group, and none replicates from another",
            names(&says.iter().collect::<Vec<_>>())
        )))
    }
}

fn what<'a>(name: &'a MemberName, server: &'a ServerFacts) -> Result<Says<'a>, &'a str> {
    Ok(Says {
        name,
        group: server.group.require()?.as_ref(),
        channels: server.channels.require()?,
    })
}

/// Members of a group: of one name and one mode. Only who takes part knows the mode: elsewhere it is but a setting.
fn group(members: &[&Says<'_>]) -> Result<Kind, NoKind> {
    let facts = || members.iter().filter_map(|s| s.group.map(|g| (s.name, g)));
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, group) in facts() {
        by_name
            .entry(&group.group_name)
            .or_default()
            .push(name.as_str());
    }
    if by_name.len() > 1 {
        return Err(NoKind::Contradiction(in_words("group", &by_name)));
    }
    let takes_part = |g: &GroupFacts| match g.own_state {
        MemberState::Online | MemberState::Recovering => true,
        MemberState::Offline | MemberState::Error | MemberState::Unreachable => false,
    };
    let anybody = facts().any(|(_, g)| takes_part(g));
    let mut by_mode: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, group) in facts().filter(|(_, g)| !anybody || takes_part(g)) {
        by_mode
            .entry(mode(group).as_str())
            .or_default()
            .push(name.as_str());
    }
    if by_mode.len() > 1 {
        return Err(NoKind::Contradiction(in_words("a", &by_mode)));
    }
    let (_, first) = facts()
        .find(|(_, g)| !anybody || takes_part(g))
        .expect("the caller has members of a group");
    Ok(mode(first))
}

fn mode(group: &GroupFacts) -> Kind {
    if group.single_primary {
        Kind::SinglePrimaryGroup
    } else {
        Kind::MultiPrimaryGroup
    }
}

fn in_words(what: &str, of: &BTreeMap<&str, Vec<&str>>) -> String {
    let each: Vec<String> = of
        .iter()
        .map(|(value, names)| format!("{} say {what} {value}", names.join(", ")))
        .collect();
    each.join("; ")
}

fn names(of: &[&Says<'_>]) -> String {
    let names: Vec<&str> = of.iter().map(|s| s.name.as_str()).collect();
    names.join(", ")
}
