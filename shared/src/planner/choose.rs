//! Which strategy fits which kind of cluster.

use crate::plan::Strategy;
use crate::topology::{Kind, NoKind, Sighting};

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
    #[error("this is a {kind}, and no strategy of this release fits it")]
    NoStrategy { kind: Kind },
}

/// The strategies for a kind; the first one is chosen where none is asked for.
pub fn fitting(kind: Kind) -> &'static [Strategy] {
    match kind {
        Kind::SinglePrimaryGroup | Kind::MultiPrimaryGroup => {
            &[Strategy::InGroupRolling, Strategy::Offline]
        }
        Kind::StandaloneServer => &[Strategy::SingleServer],
        Kind::ReplicationTopology => &[],
    }
}

/// The strategy that was asked for where it fits what was seen, else the usual one.
pub fn choose(seen: &Sighting, asked: Option<Strategy>) -> Result<Chosen, Unfit> {
    let kind = seen.kind()?;
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
        (None, Some(usual)) => *usual,
        (None, None) => return Err(Unfit::NoStrategy { kind }),
    };
    Ok(Chosen { kind, strategy })
}
