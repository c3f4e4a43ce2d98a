//! A gate: looks at the whole cluster until all conditions have held for long enough, or the time is up.

use super::holding::{Holding, Judgement, Look, Watch};
use super::{Finding, Teller};
use crate::executor::World;
use refit_shared::condition::Condition;
use refit_shared::ids::ClusterName;
use refit_shared::plan::Step;
use refit_shared::receipt::{Failure, FailureCode, Outcome};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Waits.
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
    let mut holding = Holding::new(conditions, hold, watch);
    loop {
        let asked = Instant::now();
        let seen = world.observer.sight(cluster, timing.look_deadline).await;
        let told = Instant::now();
        match holding.judge(Look { asked, told, seen }) {
            Judgement::Passed(of_freeze) => {
                let mut notes = passed(begun, hold);
                notes.extend(of_freeze);
                return Finding::Resolved(Outcome::Done { notes });
            }
            Judgement::Holding(text) => teller.waiting(text).await,
            Judgement::Missing(text) if told >= limit => {
                return failed(format!("not within {} s: {text}", step.deadline_s));
            }
            Judgement::InVain(text) => return failed(text),
            Judgement::Missing(text) => teller.waiting(text).await,
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

fn failed(message: String) -> Finding {
    Finding::Resolved(Outcome::Failed(Failure::clean(FailureCode::Gate, message)))
}
