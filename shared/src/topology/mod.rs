//! From many observations to one cluster: who is in it, who is primary, and whether the witnesses agree. What [`kind`] of
//! cluster it is, the servers say.

mod kind;

pub use kind::{Kind, NoKind};

pub mod replication;

use crate::config::ConfigFiles;
use crate::gtid::GtidSet;
use crate::ids::{ClusterName, MemberName, ServerUuid};
use crate::observation::{
    Fact, GroupFacts, GroupMember, MemberRole, MemberState, Observation, ServerFacts,
};
use crate::survey::Surveys;
use std::collections::BTreeMap;

/// What is known of one cluster at one time. An agent that could not be asked is a fact, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub cluster: ClusterName,
    pub members: BTreeMap<MemberName, Fact<Observation>>,
    /// What was asked beyond: only when somebody checks or plans, else empty.
    pub surveys: Surveys,
}

/// A group's view as witnesses that are ONLINE in it report it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub group_name: String,
    pub view_id: String,
    pub members: Vec<GroupMember>,
    pub witnesses: Vec<MemberName>,
}

impl View {
    pub fn primary(&self) -> Option<&GroupMember> {
        let mut primaries = self
            .members
            .iter()
            .filter(|m| m.role == MemberRole::Primary && m.state == MemberState::Online);
        match (primaries.next(), primaries.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        }
    }
    pub fn has_majority(&self) -> bool {
        crate::observation::has_majority(&self.members)
    }
}

impl Sighting {
    pub fn observed(&self) -> impl Iterator<Item = (&MemberName, &Observation)> {
        self.members
            .iter()
            .filter_map(|(name, fact)| fact.known().map(|seen| (name, seen)))
    }

    /// Members whose agents could not be asked, with the reason.
    pub fn unobserved(&self) -> impl Iterator<Item = (&MemberName, &str)> {
        self.members
            .iter()
            .filter_map(|(name, fact)| fact.require().err().map(|why| (name, why)))
    }

    pub fn servers(&self) -> impl Iterator<Item = (&MemberName, &ServerFacts)> {
        self.observed()
            .filter_map(|(name, seen)| seen.server.known().map(|server| (name, server)))
    }

    pub fn groups(&self) -> impl Iterator<Item = (&MemberName, &ServerFacts, &GroupFacts)> {
        self.servers()
            .filter_map(|(name, server)| Some((name, server, server.group.known()?.as_ref()?)))
    }

    /// ONLINE members, and servers that are in no group. Where it is not known whether a server is in one, it counts.
    pub fn serving(&self) -> impl Iterator<Item = (&MemberName, &ServerFacts)> {
        self.servers()
            .filter(|(_, server)| match server.group.known() {
                Some(Some(group)) => group.own_state == MemberState::Online,
                Some(None) | None => true,
            })
    }

    pub fn server(&self, member: &MemberName) -> Result<&ServerFacts, String> {
        let seen = self
            .members
            .get(member)
            .ok_or_else(|| format!("{member} is not a member of {}", self.cluster))?;
        seen.require()
            .and_then(|seen| seen.server.require())
            .map_err(str::to_owned)
    }

    /// What configures a member, with what else sets its variables.
    pub fn config(&self, member: &MemberName) -> Result<ConfigFiles, String> {
        let survey = match self.surveys.get(member) {
            Some(survey) => survey.require(),
            None => Err("its agent was not asked"),
        };
        let mut config = survey.and_then(|survey| survey.config())?;
        config.elsewhere = self.server(member)?.explicit_variables.clone();
        Ok(config)
    }

    /// The member that has this server UUID.
    pub fn member_of(&self, uuid: &ServerUuid) -> Option<&MemberName> {
        self.servers()
            .find(|(_, server)| server.uuid == *uuid)
            .map(|(name, _)| name)
    }

    /// Every distinct view that somebody who is ONLINE reports, those with most witnesses first. One element is agreement;
    /// two are a split or a change under way.
    pub fn views(&self) -> Vec<View> {
        let mut views: Vec<View> = Vec::new();
        for (name, _, group) in self
            .groups()
            .filter(|(_, _, group)| group.own_state == MemberState::Online)
        {
            let mut members = group.members.clone();
            members.sort();
            let same = |v: &&mut View| {
                v.view_id == group.view_id
                    && v.members == members
                    && v.group_name == group.group_name
            };
            match views.iter_mut().find(same) {
                Some(view) => view.witnesses.push(name.clone()),
                None => views.push(View {
                    group_name: group.group_name.clone(),
                    view_id: group.view_id.clone(),
                    members,
                    witnesses: vec![name.clone()],
                }),
            }
        }
        views.sort_by_key(|view| std::cmp::Reverse(view.witnesses.len()));
        views
    }

    /// Who is seen ONLINE in a group that has its majority and that this member is not in: beside it no other may be begun.
    pub fn group_without(&self, member: &MemberName) -> Option<Vec<MemberName>> {
        let mut views = self.views().into_iter();
        views
            .find(|view| view.has_majority() && !view.witnesses.contains(member))
            .map(|view| view.witnesses)
    }

    /// The one view all witnesses agree on.
    pub fn agreed_view(&self) -> Result<View, String> {
        let mut views = self.views();
        match views.len() {
            0 => {
                let reasons: Vec<String> = self
                    .unobserved()
                    .map(|(name, why)| format!("{name}: {why}"))
                    .collect();
                let detail = if reasons.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", reasons.join("; "))
                };
                Err(format!("no member reports itself ONLINE{detail}"))
            }
            1 => Ok(views.remove(0)),
            _ => {
                let says = |v: &View| {
                    let who: Vec<_> = v.witnesses.iter().map(MemberName::as_str).collect();
                    let states: Vec<_> = v
                        .members
                        .iter()
                        .map(|m| format!("{} {}", m.host, m.state.as_str()))
                        .collect();
                    format!(
                        "{} see view {} [{}]",
                        who.join(", "),
                        v.view_id,
                        states.join(", ")
                    )
                };
                Err(format!(
                    "members disagree: {}",
                    views.iter().map(says).collect::<Vec<_>>().join("; ")
                ))
            }
        }
    }

    /// Transactions that exist only on the given member and bear its own UUID or are known to nobody else. `None` when
    /// too little was seen to tell.
    ///
    /// A member that is ONLINE may be ahead of what was read from the others a moment before, so transactions of the
    /// group (its name is their UUID) are not counted: only foreign ones are errant (MYSQL.md §3.6). A replica's are judged
    /// by [`replication::errant`].
    pub fn errant(&self, member: &MemberName) -> Option<GtidSet> {
        let own = self.server(member).ok()?;
        let Some(group) = own.group.known()? else {
            return replication::errant(self, member);
        };
        let group_name = group.group_name.clone();
        let mut others = GtidSet::default();
        let mut anyone = false;
        for (_, server) in self.servers().filter(|(name, _)| *name != member) {
            others = others.union(&server.gtid_executed);
            anyone = true;
        }
        let ahead = own.gtid_executed.subtract(&others);
        anyone.then(|| ahead.without_origin(&group_name))
    }
}
