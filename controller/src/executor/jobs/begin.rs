//! Before a step is begun: does what it expects of its member hold? A person's own changes on the host are seen here.

use super::{Finding, Judged, Teller};
use crate::executor::World;
use crate::ports::AgentError;
use refit_shared::plan::Step;
use refit_shared::receipt::{Failure, FailureCode};
use tokio::time::{Instant, sleep};

/// Looks until what is expected holds, or definitively does not, or the patience ends.
pub(super) async fn may_begin(world: &World, step: &Step, teller: &Teller) -> Finding {
    let timing = &world.timing;
    let limit = Instant::now() + timing.patience;
    let mut wrong_since: Option<Instant> = None;
    loop {
        let why = match world
            .observer
            .look(&step.member, timing.look_deadline)
            .await
        {
            Ok(seen) => {
                let judged = Judged::of(&step.before, &seen);
                if judged.all_hold() {
                    return Finding::MayBegin;
                }
                if judged.no.is_empty() {
                    wrong_since = None;
                } else if wrong_since.get_or_insert_with(Instant::now).elapsed()
                    >= timing.settle_before
                {
                    return Finding::MustNotBegin(Failure::clean(
                        FailureCode::Expectation,
                        format!("before it began: {}; nothing was done", judged.text()),
                    ));
                }
                judged.text()
            }
            Err(AgentError::Unreachable { why, .. }) => {
                wrong_since = None;
                format!("agent unreachable: {why}")
            }
            Err(AgentError::Refused { failure, .. }) => return Finding::MustNotBegin(failure),
            Err(AgentError::Superseded { member, highest }) => {
                return Finding::Superseded { member, highest };
            }
        };
        if Instant::now() >= limit {
            return Finding::CouldNotLook(Failure::clean(
                FailureCode::Precondition,
                format!(
                    "for {} s it could not be seen whether the step may begin ({why}); nothing was sent to the agent",
                    timing.patience.as_secs()
                ),
            ));
        }
        teller.waiting(why).await;
        sleep(timing.gate_interval).await;
    }
}
