//! Progress of the operation in hand: the latest word only, for whoever watches.

use refit_shared::receipt::Progress;
use tokio::sync::watch;

/// A handle to report progress with. Cloning is cheap; nobody listening is fine.
#[derive(Debug, Clone)]
pub struct Phase(watch::Sender<Progress>);

impl Phase {
    pub fn new() -> (Self, watch::Receiver<Progress>) {
        let (sender, receiver) = watch::channel(Progress {
            phase: "queued".to_owned(),
            percent: None,
        });
        (Self(sender), receiver)
    }
    /// For callers that have nobody to tell.
    pub fn silent() -> Self {
        Self::new().0
    }
    pub fn say(&self, phase: impl Into<String>) {
        self.0.send_replace(Progress {
            phase: phase.into(),
            percent: None,
        });
    }
    pub fn at(&self, phase: impl Into<String>, percent: u8) {
        self.0.send_replace(Progress {
            phase: phase.into(),
            percent: Some(percent.min(100)),
        });
    }
}
