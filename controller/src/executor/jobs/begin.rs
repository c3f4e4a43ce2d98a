//! Before a step is begun: does what it expects of its member hold? A person's own changes on the host are seen here.

use super::{Finding, Judged, Teller};
use crate::executor::World;
use crate::ports::AgentError;
use refit_shared::ids::ClusterName;
use refit_shared::operation::{Direction, OperationKind as Kind};
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

pub(super) fn begins_a_group(step: &Step, direction: Direction) -> bool {
    let kind = step.operation().map(|order| order.kind());
    matches!(
        (kind, direction),
        (Some(Kind::BootstrapGroup), Direction::Perform)
            | (Some(Kind::DissolveGroup), Direction::Undo)
    )
}

/// That nobody is in a group was proved before. Where beginning it has failed since, a person may have begun it on another member:
/// two groups would part for good.
pub(super) async fn another_group(
    world: &World,
    cluster: &ClusterName,
    step: &Step,
) -> Option<Failure> {
    let cluster = world.fleet.cluster(cluster)?;
    let deadline = world.timing.look_deadline;
    let seen = world.observer.sight(cluster, deadline).await;
    let others = seen.group_without(&step.member)?;
    let names: Vec<&str> = others.iter().map(|name| name.as_str()).collect();
    Some(Failure::clean(
        FailureCode::Precondition,
        format!(
            "{} in a group already, without {member}: nothing was done, a second one would part from it for good. To have {member} begin it, \
             run STOP GROUP_REPLICATION there and `refit resume`; to keep it, `refit cancel` and let the others join",
            match names.as_slice() {
                [one] => format!("{one} is"),
                several => format!("{} are", several.join(" and ")),
            },
            member = step.member
        ),
    ))
}
