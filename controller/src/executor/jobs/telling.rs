//! How a job tells its owner what it is doing, for people who watch.

use crate::rollouts::InFlight;
use refit_shared::ids::StepId;
use refit_shared::operation::Direction;
use refit_shared::receipt::Progress;
use tokio::sync::mpsc;

/// What a step's job says of itself.
#[derive(Debug, Clone)]
pub(in crate::executor) struct Report {
    pub step: StepId,
    pub says: InFlight,
}

/// Tells about one step.
#[derive(Debug, Clone)]
pub(in crate::executor) struct Teller {
    step: StepId,
    direction: Direction,
    to: mpsc::Sender<Report>,
}

impl Teller {
    pub(super) fn new(step: StepId, direction: Direction, to: mpsc::Sender<Report>) -> Self {
        Self {
            step,
            direction,
            to,
        }
    }

    /// An agent's own words.
    pub(super) async fn working(&self, progress: Progress) {
        self.tell(progress.phase, progress.percent, false).await;
    }

    /// Nothing is being done: something is waited for.
    pub(super) async fn waiting(&self, what: impl Into<String>) {
        self.tell(what.into(), None, true).await;
    }

    async fn tell(&self, phase: String, percent: Option<u8>, waiting: bool) {
        let says = InFlight {
            direction: self.direction,
            phase,
            percent,
            waiting,
        };
        let report = Report {
            step: self.step,
            says,
        };
        // An owner that is gone has dropped this job too.
        let _ = self.to.send(report).await;
    }
}
