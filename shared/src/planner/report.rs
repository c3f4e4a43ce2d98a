//! What a plan's report says alike for every strategy: the risk of the hop, and how long it all takes.

use super::candidate::Candidate;
use crate::checks::{CheckResult, Level, of_level};
use crate::config::pins;
use crate::ids::StepId;
use crate::observation::Seconds;
use crate::plan::{Lane, Policy, Risk, RiskLevel, Stage};
use crate::topology::Sighting;
use crate::version::MysqlVersion;
use std::collections::{BTreeMap, BTreeSet};

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
        if !candidates.iter().any(|c| c.changes_version(target)) {
            risks.raise(
                RiskLevel::Low,
                "no version changes: servers are restarted with changed option files".to_owned(),
            );
        } else if series.iter().all(|s| *s == to) {
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

/// The title of a stage in which all are taken down together.
pub fn side_by_side(candidates: &[Candidate<'_>], target: MysqlVersion) -> &'static str {
    if candidates.iter().any(|c| c.changes_version(target)) {
        "upgrade all side by side"
    } else {
        "restart all side by side"
    }
}

/// What is released, and where; the last lines of the order.
pub fn released(seen: &Sighting, policy: &Policy) -> Vec<String> {
    let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, server) in seen.servers() {
        let Ok(files) = seen.config(name) else {
            continue;
        };
        for pin in pins::named(&files, server.version, &policy.release) {
            let what = format!("{} = {}", pin.variable, pin.value);
            told.entry(what).or_default().push(name.as_str());
        }
    }
    told.into_iter()
        .map(|(what, names)| format!("the pin {what} is taken out on {}", names.join(", ")))
        .collect()
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
