//! What can be made to go wrong at a point.

use refit_shared::ids::MemberName;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FaultAction {
    #[default]
    Continue,
    /// The call fails and has no effect.
    FailBefore,
    /// The call has its effect, and its answer is lost.
    FailAfter,
    /// kill -9 of the agent before the effect.
    CrashBefore,
    /// kill -9 of the agent after the effect.
    CrashAfter,
    /// The host's power is cut before the effect.
    PowerCutBefore,
    /// The host's power is cut after the effect.
    PowerCutAfter,
    /// The call takes so much longer.
    Delay(Duration),
}

/// Asked at every point, by host and name of the point, for example `packages.install` or `packages.install/unpacked`.
#[derive(Clone)]
pub struct FaultHook(Arc<Hook>);

type Hook = dyn Fn(&MemberName, &str) -> FaultAction + Send + Sync;

impl FaultHook {
    pub fn new(hook: impl Fn(&MemberName, &str) -> FaultAction + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(super) fn ask(&self, host: &MemberName, point: &str) -> FaultAction {
        (self.0)(host, point)
    }
}

impl Default for FaultHook {
    fn default() -> Self {
        Self::new(|_, _| FaultAction::Continue)
    }
}

impl fmt::Debug for FaultHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultHook")
    }
}
