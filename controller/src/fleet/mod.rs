//! The fleet: which clusters there are, and where the agents of their members are. Everything else is discovered.

mod file;

pub use file::parse;

use refit_proto::tls::Address;
use refit_shared::ids::{ClusterName, MemberName};
use std::collections::BTreeMap;

/// All clusters. Immutable while the controller runs: a changed fleet file is read at the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    clusters: Vec<Cluster>,
    /// Member names are unique in the whole fleet, since a certificate bears nothing else.
    by_member: BTreeMap<MemberName, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub name: ClusterName,
    /// In the file's order; at least one.
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: MemberName,
    pub address: Address,
}

impl Fleet {
    /// Names must be unique; [`parse`] has seen to it.
    fn new(clusters: Vec<Cluster>) -> Self {
        let by_member = clusters
            .iter()
            .enumerate()
            .flat_map(|(index, cluster)| {
                cluster
                    .members
                    .iter()
                    .map(move |member| (member.name.clone(), index))
            })
            .collect();
        Self {
            clusters,
            by_member,
        }
    }

    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    pub fn cluster(&self, name: &ClusterName) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.name == *name)
    }

    /// The cluster that a member belongs to.
    pub fn cluster_of(&self, member: &MemberName) -> Option<&Cluster> {
        self.by_member
            .get(member)
            .map(|index| &self.clusters[*index])
    }
}
