//! Which strategy fits which kind of cluster.

use crate::plan::Strategy;
use crate::topology::replication::{Contradiction, Tree};
use crate::topology::{Kind, NoKind, Sighting};
use crate::version::MysqlVersion;

/// The kind that was seen and the strategy for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    pub kind: Kind,
    pub strategy: Strategy,
}

/// Why none fits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(transparent)]
    NoKind(#[from] NoKind),
    #[error("{asked} is not for a {kind}")]
    Strategy {
        asked: Strategy,
        kind: Kind,
        fitting: Vec<Strategy>,
    },
    #[error("the servers contradict each other: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Contradictions(Vec<Contradiction>),
    #[error("this is a {kind}, and no strategy of this release fits it")]
    NoStrategy { kind: Kind },
}

/// The strategies for a kind; the first one is chosen where none is asked for.
pub fn fitting(kind: Kind) -> &'static [Strategy] {
    match kind {
        Kind::SinglePrimaryGroup | Kind::MultiPrimaryGroup => &[
            Strategy::InGroupRolling,
            Strategy::Offline,
            Strategy::RebuildTables,
        ],
        Kind::StandaloneServer => &[Strategy::SingleServer],
        Kind::ReplicationTopology => &[
            Strategy::ReplicasFirst,
            Strategy::Switchover,
            Strategy::SourceFirst,
            Strategy::Offline,
            Strategy::RebuildTables,
        ],
    }
}

/// The strategy that was asked for where it fits what was seen, else the usual one: for a replication topology the way that the
/// target lies, up or down.
pub fn choose(
    seen: &Sighting,
    asked: Option<Strategy>,
    target: MysqlVersion,
) -> Result<Chosen, Unfit> {
    let kind = seen.kind()?;
    let down = seen.servers().any(|(_, server)| server.version > target);
    let fitting = fitting(kind);
    let strategy = match (asked, fitting.first()) {
        (Some(asked), _) if fitting.contains(&asked) => asked,
        (Some(asked), _) => {
            return Err(Unfit::Strategy {
                asked,
                kind,
                fitting: fitting.to_vec(),
            });
        }
        (None, Some(Strategy::ReplicasFirst)) if down => Strategy::SourceFirst,
        (None, Some(usual)) => *usual,
        (None, None) => return Err(Unfit::NoStrategy { kind }),
    };
    if kind == Kind::ReplicationTopology {
        Tree::of(seen).map_err(Unfit::Contradictions)?;
    }
    Ok(Chosen { kind, strategy })
}
