//! The fleet as an operator sees it: one row a member, unknowns as unknowns.

use super::{Malformed, wire};
use refit_shared::ids::{MemberName, RolloutId};
use refit_shared::observation::{
    ChannelFacts, Fact, MemberRole, MemberState, Observation, ReplicationService, ServerFacts,
};
use refit_shared::topology::replication::Tree;
use refit_shared::topology::{Kind, Sighting};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterView {
    pub name: String,
    /// What kind of cluster its servers say that it is.
    #[serde(serialize_with = "kind_in_words")]
    pub kind: Option<Kind>,
    /// The primary in the view that all witnesses agree on.
    pub primary: Option<String>,
    /// Why there is no agreed view, or no kind can be told.
    pub disagreement: Option<String>,
    pub members: Vec<MemberView>,
    /// The rollout that occupies the cluster.
    pub rollout: Option<String>,
    /// Sources and replicas as they replicate from each other, a line each: version, role and lag.
    pub tree: Vec<String>,
}

/// One member. `None` is "not known", never "no"; `notes` then says why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberView {
    pub name: String,
    /// The agent's, from the fleet file.
    pub address: String,
    pub agent: AgentView,
    pub mysqld_version: Option<String>,
    pub package_version: Option<String>,
    pub state: Option<MemberState>,
    pub role: Option<MemberRole>,
    pub writable: Option<bool>,
    pub queue: Option<u64>,
    pub notes: Vec<String>,
}

/// Whether the member's agent could be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentView {
    Answers {
        version: String,
    },
    /// With the reason.
    Unreachable(String),
}

impl ClusterView {
    /// `addresses` gives the agents' addresses and the order of the rows.
    pub fn of(
        seen: &Sighting,
        addresses: &[(MemberName, String)],
        rollout: Option<&RolloutId>,
    ) -> Self {
        let (kind, primary, disagreement, tree) = match seen.kind() {
            Ok(kind @ (Kind::SinglePrimaryGroup | Kind::MultiPrimaryGroup)) => {
                let view = seen.agreed_view();
                let primary = view.as_ref().ok().and_then(|view| {
                    let primary = view.primary()?;
                    let name = seen.member_of(&primary.uuid);
                    Some(name.map_or_else(|| primary.host.clone(), |name| name.to_string()))
                });
                (Some(kind), primary, view.err(), Vec::new())
            }
            Ok(kind @ Kind::ReplicationTopology) => {
                let (source, disagreement, tree) = replication(seen);
                (Some(kind), source, disagreement, tree)
            }
            Ok(kind @ Kind::StandaloneServer) => (Some(kind), None, None, Vec::new()),
            Err(why) => (None, None, Some(why.to_string()), Vec::new()),
        };
        let expects_group = kind.is_none_or(Kind::is_group);
        Self {
            name: seen.cluster.to_string(),
            kind,
            primary,
            disagreement,
            tree,
            members: addresses
                .iter()
                .filter_map(|(name, address)| {
                    let fact = seen.members.get(name)?;
                    Some(MemberView::of(name, address, fact, expects_group))
                })
                .collect(),
            rollout: rollout.map(ToString::to_string),
        }
    }
}

/// Who takes writes, what the servers contradict each other in, and the tree.
fn replication(seen: &Sighting) -> (Option<String>, Option<String>, Vec<String>) {
    let tree = match Tree::of(seen) {
        Ok(tree) => tree,
        Err(wrong) => {
            let all: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            return (None, Some(all.join("; ")), Vec::new());
        }
    };
    let sources: Vec<&str> = tree.sources().into_iter().map(MemberName::as_str).collect();
    let lines = tree.drawn().into_iter().filter_map(|(branch, member)| {
        let server = seen.server(member).ok()?;
        let role = tree.role(member);
        let mut line = format!("{branch}{member}  {}  {role}", server.version);
        for channel in server.channels.known().into_iter().flatten() {
            line.push_str("  ");
            line.push_str(&progress(channel, server));
        }
        Some(line)
    });
    (Some(sources.join(", ")), None, lines.collect())
}

/// How a channel is doing, in a few words.
fn progress(channel: &ChannelFacts, server: &ServerFacts) -> String {
    let name = if channel.name.is_empty() {
        String::new()
    } else {
        format!("{}: ", channel.name)
    };
    let detail = match channel.detail.require() {
        Ok(detail) => detail,
        Err(why) => return format!("{name}{why}"),
    };
    for (what, thread) in [("receiver", &detail.receiver), ("applier", &detail.applier)] {
        if thread.service != ReplicationService::On || thread.errno != 0 {
            return format!("{name}{what} {} {}", thread.service.as_str(), thread.error)
                .trim_end()
                .to_owned();
        }
    }
    let waiting = detail.received.subtract(&server.gtid_executed).count();
    let delay = match detail.delay_s {
        0 => String::new(),
        delay => format!(", {delay} s behind on purpose"),
    };
    let lag = match detail.lag_ms {
        Some(0) => "level with what it has received".to_owned(),
        Some(ms) => format!(
            "lag {}.{} s, {waiting} to apply",
            ms / 1000,
            ms % 1000 / 100
        ),
        None => format!("lag not known, {waiting} to apply"),
    };
    format!("{name}{lag}{delay}")
}

impl MemberView {
    fn of(name: &MemberName, address: &str, fact: &Fact<Observation>, expects_group: bool) -> Self {
        let agent = match fact {
            Fact::Unknown(why) => AgentView::Unreachable(why.clone()),
            Fact::Known(seen) => AgentView::Answers {
                version: seen.agent.version.clone(),
            },
        };
        let mut view = Self {
            name: name.to_string(),
            address: address.to_owned(),
            agent,
            mysqld_version: None,
            package_version: None,
            state: None,
            role: None,
            writable: None,
            queue: None,
            notes: Vec::new(),
        };
        if let Fact::Known(seen) = fact {
            view.fill(seen, expects_group);
        }
        view
    }

    fn fill(&mut self, seen: &Observation, expects_group: bool) {
        match seen.packages.require().map(|p| (p, p.installed_version())) {
            Ok((packages, version)) => {
                match version {
                    Ok(version) => self.package_version = Some(version.to_string()),
                    Err(why) => self.notes.push(why),
                }
                if !packages.broken.is_empty() {
                    let broken: Vec<&str> = packages.broken.iter().map(String::as_str).collect();
                    self.notes
                        .push(format!("half installed: {}", broken.join(", ")));
                }
            }
            Err(why) => self.notes.push(format!("packages: {why}")),
        }
        if let Some(work) = &seen.agent.working_on {
            self.notes.push(format!("working on {work}"));
        }
        if seen.agent.in_maintenance {
            self.notes.push("in maintenance".to_owned());
        }
        if seen.agent.holding_server_down {
            self.notes.push("held down".to_owned());
        }
        let server = match seen.server.require() {
            Ok(server) => server,
            Err(why) => return self.notes.push(format!("mysqld: {why}")),
        };
        self.mysqld_version = Some(server.version.to_string());
        self.writable = Some(!server.super_read_only);
        match server.group.require() {
            Err(why) => self.notes.push(format!("group: {why}")),
            Ok(None) => {
                self.role = Some(MemberRole::None);
                if expects_group {
                    self.notes.push("in no group".to_owned());
                }
            }
            Ok(Some(group)) => {
                self.state = Some(group.own_state);
                let own = group.members.iter().find(|m| m.uuid == server.uuid);
                self.role = Some(own.map_or(MemberRole::None, |own| own.role));
                self.queue = Some(group.applier_queue.max(group.certifier_queue));
            }
        }
        if server.offline_mode {
            self.notes.push("offline_mode".to_owned());
        }
    }
}

fn kind_in_words<S: serde::Serializer>(kind: &Option<Kind>, to: S) -> Result<S::Ok, S::Error> {
    kind.map(Kind::as_str).serialize(to)
}

impl From<ClusterView> for wire::Cluster {
    fn from(view: ClusterView) -> Self {
        Self {
            name: view.name,
            primary: view.primary.unwrap_or_default(),
            disagreement: view.disagreement.unwrap_or_default(),
            members: view.members.into_iter().map(Into::into).collect(),
            rollout: view.rollout.unwrap_or_default(),
            tree: view.tree,
            kind: view.kind.map_or_else(String::new, |kind| kind.to_string()),
        }
    }
}

impl TryFrom<wire::Cluster> for ClusterView {
    type Error = Malformed;
    fn try_from(wire: wire::Cluster) -> Result<Self, Malformed> {
        let some = |text: String| (!text.is_empty()).then_some(text);
        let members = wire.members.into_iter().map(MemberView::try_from);
        let kind = some(wire.kind)
            .map(|text| {
                let why = || Malformed::new("Cluster", "kind", "a kind that is unknown");
                Kind::parse(&text).ok_or_else(why)
            })
            .transpose()?;
        Ok(Self {
            name: wire.name,
            kind,
            primary: some(wire.primary),
            disagreement: some(wire.disagreement),
            members: members.collect::<Result<_, _>>()?,
            rollout: some(wire.rollout),
            tree: wire.tree,
        })
    }
}

impl From<MemberView> for wire::Member {
    fn from(view: MemberView) -> Self {
        let (agent_version, unreachable) = match view.agent {
            AgentView::Answers { version } => (Some(version), None),
            AgentView::Unreachable(why) => (None, Some(why)),
        };
        Self {
            name: view.name,
            address: view.address,
            agent_version,
            unreachable,
            mysqld_version: view.mysqld_version,
            package_version: view.package_version,
            state: state_to_wire(view.state).into(),
            role: role_to_wire(view.role).into(),
            writable: view.writable,
            queue: view.queue,
            notes: view.notes,
        }
    }
}

impl TryFrom<wire::Member> for MemberView {
    type Error = Malformed;
    fn try_from(wire: wire::Member) -> Result<Self, Malformed> {
        let (state, role) = (wire.state(), wire.role());
        // An enumerator that this version does not know reads as unspecified; that must not pass for "not known".
        if wire.state != i32::from(state) || wire.role != i32::from(role) {
            return Err(Malformed::new("Member", "state", "a value that is unknown"));
        }
        let agent = match (wire.agent_version, wire.unreachable) {
            (Some(version), None) => AgentView::Answers { version },
            (None, Some(why)) => AgentView::Unreachable(why),
            (None, None) | (Some(_), Some(_)) => {
                let why = "the agent must either answer or be unreachable";
                return Err(Malformed::new("Member", "agent_version", why));
            }
        };
        Ok(Self {
            name: wire.name,
            address: wire.address,
            agent,
            mysqld_version: wire.mysqld_version,
            package_version: wire.package_version,
            state: state_of_wire(state),
            role: role_of_wire(role),
            writable: wire.writable,
            queue: wire.queue,
            notes: wire.notes,
        })
    }
}

fn state_to_wire(state: Option<MemberState>) -> wire::MemberState {
    match state {
        None => wire::MemberState::Unspecified,
        Some(MemberState::Online) => wire::MemberState::Online,
        Some(MemberState::Recovering) => wire::MemberState::Recovering,
        Some(MemberState::Offline) => wire::MemberState::Offline,
        Some(MemberState::Error) => wire::MemberState::Error,
        Some(MemberState::Unreachable) => wire::MemberState::Unreachable,
    }
}

fn state_of_wire(state: wire::MemberState) -> Option<MemberState> {
    match state {
        wire::MemberState::Unspecified => None,
        wire::MemberState::Online => Some(MemberState::Online),
        wire::MemberState::Recovering => Some(MemberState::Recovering),
        wire::MemberState::Offline => Some(MemberState::Offline),
        wire::MemberState::Error => Some(MemberState::Error),
        wire::MemberState::Unreachable => Some(MemberState::Unreachable),
    }
}

fn role_to_wire(role: Option<MemberRole>) -> wire::MemberRole {
    match role {
        None => wire::MemberRole::Unspecified,
        Some(MemberRole::Primary) => wire::MemberRole::Primary,
        Some(MemberRole::Secondary) => wire::MemberRole::Secondary,
        Some(MemberRole::None) => wire::MemberRole::None,
    }
}

fn role_of_wire(role: wire::MemberRole) -> Option<MemberRole> {
    match role {
        wire::MemberRole::Unspecified => None,
        wire::MemberRole::Primary => Some(MemberRole::Primary),
        wire::MemberRole::Secondary => Some(MemberRole::Secondary),
        wire::MemberRole::None => Some(MemberRole::None),
    }
}
