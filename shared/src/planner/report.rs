//! What a plan's report says alike for every strategy: the risk of the hop, and how long it all takes.

use super::candidate::Candidate;
use crate::checks::{CheckResult, Level, of_level};
use crate::ids::StepId;
use crate::observation::Seconds;
use crate::plan::{Lane, Risk, RiskLevel, Stage};
use crate::version::MysqlVersion;
use std::collections::BTreeSet;

/// Collects reasons; the highest level counts.
#[derive(Debug)]
pub struct Risks(Risk);

impl Risks {
    /// Begins with what the hop itself brings.
    /// Where no version changes.
    pub fn none() -> Self {
        Self(Risk {
            level: RiskLevel::Low,
            reasons: Vec::new(),
        })
    }

    pub fn of_hop(target: MysqlVersion, candidates: &[Candidate<'_>]) -> Self {
        let mut risks = Self(Risk {
            level: RiskLevel::Low,
            reasons: Vec::new(),
        });
        let series: BTreeSet<_> = candidates
            .iter()
            .map(|c| c.world.version.series())
            .collect();
        let to = target.series();
        if series.iter().all(|s| *s == to) {
            risks.raise(
                RiskLevel::Low,
                format!("patch within {to}: the same data dictionary"),
            );
        } else {
            let from: Vec<_> = series.iter().map(ToString::to_string).collect();
            risks.raise(
                RiskLevel::Medium,
                format!(
                    "change of series {} → {to}: data dictionaries are upgraded and the way back ends at the pivot",
                    from.join(", ")
                ),
            );
        }
        risks
    }

    pub fn raise(&mut self, to: RiskLevel, why: String) {
        self.0.level = self.0.level.max(to);
        self.0.reasons.push(why);
    }

    pub fn into_risk(self) -> Risk {
        self.0
    }
}

/// What the checks only warn of.
pub fn warnings(results: &[CheckResult]) -> Vec<String> {
    of_level(results, Level::Warning)
        .map(|f| format!("{}: {}", f.object, f.description))
        .collect()
}

/// How long the cluster takes no writes: from the first of these steps to the end of the last one, stages after each other.
pub fn downtime(stages: &[Stage], from: StepId, to: StepId) -> Seconds {
    let mut outage = stages.to_vec();
    for lane in outage.iter_mut().flat_map(|stage| &mut stage.lanes) {
        lane.steps.retain(|step| (from..=to).contains(&step.id));
    }
    total(&outage)
}

/// Stages follow each other; within one the longest lane counts.
pub fn total(stages: &[Stage]) -> Seconds {
    let lane = |lane: &Lane| {
        lane.steps
            .iter()
            .map(|step| step.estimate.seconds.0)
            .sum::<u64>()
    };
    Seconds::from_millis(
        stages
            .iter()
            .map(|stage| stage.lanes.iter().map(lane).max().unwrap_or(0))
            .sum(),
    )
}
