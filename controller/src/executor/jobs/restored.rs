//! Before an unwound rollout may be called Restored: is the world really as it was?

use super::Finding;
use crate::executor::World;
use refit_shared::plan::Plan;
use refit_shared::plan::drift::World as PlannedWorld;
use refit_shared::topology::Sighting;
use tokio::time::{Instant, sleep};

/// Looks until the world is as the plan found it, or the time is up.
pub(super) async fn verify(world: &World, plan: &Plan) -> Finding {
    let Some(cluster) = world.fleet.cluster(&plan.cluster) else {
        return Finding::NotRestored(format!(
            "cluster {} is no longer in the fleet file",
            plan.cluster
        ));
    };
    let timing = &world.timing;
    let limit = Instant::now() + timing.restored_within;
    loop {
        let seen = world.observer.sight(cluster, timing.look_deadline).await;
        let differences = differences(plan, &seen);
        if differences.is_empty() {
            return Finding::Restored;
        }
        if Instant::now() >= limit {
            return Finding::NotRestored(format!(
                "everything was undone, but the cluster is not as before: {}",
                differences.join("; ")
            ));
        }
        sleep(timing.gate_interval).await;
    }
}

fn differences(plan: &Plan, seen: &Sighting) -> Vec<String> {
    let mut before = plan.made_from.clone();
    let mut now = match PlannedWorld::of(seen) {
        Ok(now) => now,
        Err(missing) => return missing,
    };
    if !plan.policy.restore_primary {
        // The operator did not ask for the role to come back.
        for member in before.members.values_mut().chain(now.members.values_mut()) {
            member.primary = false;
        }
    }
    before.differences(&now)
}
