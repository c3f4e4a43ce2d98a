//! Whether this controller may act. Everything that acts looks here first, and stops when it changes.

use crate::ports::JournalError;
use refit_shared::ids::{Epoch, MemberName};
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

/// Whether the controller may act, for `grpc.health.v1`, for every executor and for `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Acting {
        epoch: Epoch,
    },
    /// An orderly end was asked for; what the agents have begun goes on there.
    ShuttingDown,
    /// The journal can't be written or trusted: nothing acts until it has been opened anew.
    JournalFailed(JournalError),
    /// An agent obeys a newer controller: this one must not even be restarted by itself.
    Superseded {
        member: MemberName,
        highest: Epoch,
    },
    /// An invariant of our own does not hold: a bug. Nothing that it could touch goes on.
    Broken(String),
}

impl Standing {
    pub fn may_act(&self) -> bool {
        matches!(self, Self::Acting { .. })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acting { epoch } => write!(f, "acting as epoch {epoch}"),
            Self::ShuttingDown => f.write_str("it is shutting down"),
            Self::JournalFailed(error) => error.fmt(f),
            Self::Superseded { member, highest } => write!(
                f,
                "{member} obeys a newer controller (epoch {highest}): two controllers run for one fleet; \
                 stop the wrong one"
            ),
            Self::Broken(why) => write!(f, "a bug in Refit: {why}"),
        }
    }
}

/// The one place where [`Standing`] is kept. Clones share it. It never comes back to acting: that takes a restart.
#[derive(Debug, Clone)]
pub struct Stand(Arc<watch::Sender<Standing>>);

impl Stand {
    pub fn acting(epoch: Epoch) -> Self {
        Self(Arc::new(watch::Sender::new(Standing::Acting { epoch })))
    }

    pub fn now(&self) -> Standing {
        self.0.borrow().clone()
    }

    pub fn subscribe(&self) -> watch::Receiver<Standing> {
        self.0.subscribe()
    }

    /// Stops everything that acts. The first reason stays; what ends the controller for good outranks a shutdown.
    pub fn stop(&self, why: Standing) {
        let changed = self.0.send_if_modified(|now| {
            let stops = now.may_act() || *now == Standing::ShuttingDown && why != *now;
            if stops {
                *now = why.clone();
            }
            stops
        });
        if changed && why != Standing::ShuttingDown {
            tracing::error!(%why, "this controller stops acting");
        }
    }

    pub fn journal_failed(&self, error: JournalError) {
        self.stop(Standing::JournalFailed(error));
    }

    /// Resolves once nothing may act any more.
    pub async fn stopped(&self) {
        let mut standing = self.subscribe();
        // The sender is held by `self`, so this ends only with a stop.
        let _ = standing.wait_for(|now| !now.may_act()).await;
    }
}
