//! A gate: looks at the whole cluster until all conditions have held for long enough, or the time is up.

use super::{Finding, Teller};
use crate::executor::World;
use refit_shared::condition::Condition;
use refit_shared::expectation::Holds;
use refit_shared::ids::ClusterName;
use refit_shared::plan::{Plan, Step, freeze};
use refit_shared::receipt::{Failure, FailureCode, Outcome};
use refit_shared::topology::Sighting;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Who keeps to a plan's freeze of schemas and accounts.
#[derive(Debug)]
pub(super) struct Watch {
    pub plan: Arc<Plan>,
    /// The rollout's beginning, milliseconds since 1970.
    pub begun_unix_ms: i64,
    /// What was run before has been told by the gate that was passed then.
    pub told_unix_ms: i64,
}

impl Watch {
    fn since(&self, seen: &Sighting, unix_ms: i64) -> Vec<String> {
        freeze::broken(&self.plan, seen, unix_ms)
    }
}

/// Waits. The hold counts from the end of the first good look to the beginning of the last: never longer than was seen.
pub(super) async fn wait(
    world: &World,
    cluster: &ClusterName,
    step: &Step,
    conditions: &[Condition],
    hold_ms: u32,
    watch: &Watch,
    teller: &Teller,
) -> Finding {
    let Some(cluster) = world.fleet.cluster(cluster) else {
        let message = format!("cluster {cluster} is no longer in the fleet file");
        return failed(message);
    };
    let timing = &world.timing;
    let hold = Duration::from_millis(hold_ms.into());
    let begun = Instant::now();
    let limit = begun + Duration::from_secs(step.deadline_s.into());
    let mut held_since: Option<(Instant, Sighting)> = None;
    loop {
        let asked = Instant::now();
        let seen = world.observer.sight(cluster, timing.look_deadline).await;
        let told = Instant::now();
        let mut missing = missing(conditions, &seen);
        if missing.is_empty() {
            let (since, first) = held_since.get_or_insert_with(|| (told, seen.clone()));
            let held = asked.saturating_duration_since(*since);
            let stuck = stuck(conditions, first, &seen);
            if hold.is_zero() || held >= hold && stuck.is_empty() {
                let mut notes = passed(begun, hold);
                notes.extend(watch.since(&seen, watch.told_unix_ms));
                return Finding::Resolved(Outcome::Done { notes });
            }
            if held >= hold {
                let text = stuck.join("; ");
                if told >= limit {
                    return failed(format!("not within {} s: {text}", step.deadline_s));
                }
                teller.waiting(text).await;
            } else {
                let left = hold.saturating_sub(held).as_secs_f32();
                teller
                    .waiting(format!("all conditions hold; {left:.1} s to go"))
                    .await;
            }
        } else {
            held_since = None;
            // It may be why.
            missing.extend(watch.since(&seen, watch.begun_unix_ms));
            let text = missing.join("; ");
            if told >= limit {
                return failed(format!("not within {} s: {text}", step.deadline_s));
            }
            teller.waiting(text).await;
        }
        sleep_until(asked + timing.gate_interval).await;
    }
}

fn passed(begun: Instant, hold: Duration) -> Vec<String> {
    let took = begun.elapsed();
    if took > hold + Duration::from_secs(1) {
        vec![format!("waited {:.1} s", took.as_secs_f32())]
    } else {
        Vec::new()
    }
}

fn missing(conditions: &[Condition], seen: &Sighting) -> Vec<String> {
    let say = |condition: &Condition| say(condition, condition.judge(seen));
    conditions.iter().filter_map(say).collect()
}

/// Replication that has not moved since the first look at which all held.
fn stuck(conditions: &[Condition], first: &Sighting, seen: &Sighting) -> Vec<String> {
    let say = |condition: &Condition| say(condition, condition.goes_on(first, seen));
    conditions.iter().filter_map(say).collect()
}

fn say(condition: &Condition, holds: Holds) -> Option<String> {
    match holds {
        Holds::Yes => None,
        Holds::No(why) => Some(why),
        Holds::Unknown(why) => Some(format!("can't tell whether {condition}: {why}")),
    }
}

fn failed(message: String) -> Finding {
    Finding::Resolved(Outcome::Failed(Failure::clean(FailureCode::Gate, message)))
}
