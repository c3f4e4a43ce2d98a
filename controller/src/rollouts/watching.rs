//! Following a rollout. The journal is the truth; the view's channel is only the doorbell, so a slow watcher misses pictures,
//! never entries.

use super::{ApiError, RolloutView, Rollouts, Update};
use futures::Stream;
use refit_shared::ids::{RolloutId, Seq};
use std::sync::Arc;
use tokio::sync::watch;

/// The updates of one rollout, from a journal entry on.
#[derive(Debug)]
pub struct Updates {
    rollouts: Rollouts,
    rollout: RolloutId,
    /// The next entry to be told.
    next: Seq,
    view: watch::Receiver<Arc<RolloutView>>,
    first: bool,
    ended: bool,
}

impl Updates {
    pub(super) fn new(
        rollouts: Rollouts,
        rollout: RolloutId,
        next: Seq,
        view: watch::Receiver<Arc<RolloutView>>,
    ) -> Self {
        Self {
            rollouts,
            rollout,
            next,
            view,
            first: true,
            ended: false,
        }
    }

    /// The present state first, then every change. `None`: nothing more can ever change; an error ends the updates too.
    pub async fn next(&mut self) -> Option<Result<Update, ApiError>> {
        if self.ended {
            return None;
        }
        if !self.first && self.view.changed().await.is_err() {
            self.ended = true;
            // The owner is gone: either the controller has stopped, or the rollout has ended for good.
            return self.rollouts.may_act().err().map(Err);
        }
        self.first = false;
        let view = self.view.borrow_and_update().clone();
        let mut entries = Vec::new();
        if view.next_seq > self.next {
            match self.rollouts.audit(&self.rollout, self.next).await {
                Ok(read) => entries = read,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
            // The journal may be ahead of the picture already; what is newer comes with the picture that shows it.
            entries.retain(|entry| entry.seq < view.next_seq);
            self.next = view.next_seq;
        }
        Some(Ok(Update { entries, view }))
    }

    pub fn into_stream(self) -> impl Stream<Item = Result<Update, ApiError>> + Send {
        futures::stream::unfold(self, async |mut updates| {
            let update = updates.next().await?;
            Some((update, updates))
        })
    }
}
