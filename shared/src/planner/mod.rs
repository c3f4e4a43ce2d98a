//! Planners: from what was seen and what is wanted to a plan and its report. One file a strategy; all are pure.

mod estimate;
pub mod in_group_rolling;

use crate::checks::{CheckResult, Finding, Level, of_level};
use crate::linter::Violation;
use crate::plan::{Plan, Policy};
use crate::topology::Sighting;
use crate::version::MysqlVersion;

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub target: MysqlVersion,
    pub policy: Policy,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Checks that block; everything that they found, at once.
    #[error("{} finding(s) block the upgrade", .0.len())]
    Blocked(Vec<Finding>),
    /// The planner made a plan that the linter condemns: a bug in Refit, never the operator's fault.
    #[error("the plan breaks a safety rule, which is a bug in Refit: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unsafe(Vec<Violation>),
}

/// Makes a plan for the cluster, choosing the strategy that fits what was seen, and has the linter judge it.
pub fn plan(
    request: &Request,
    seen: &Sighting,
    made_unix_ms: i64,
) -> Result<(Plan, Vec<CheckResult>), Refusal> {
    let subject = crate::checks::Subject {
        seen,
        target: request.target,
        policy: &request.policy,
    };
    let results = crate::checks::run(subject);
    let errors: Vec<Finding> = of_level(&results, Level::Error).cloned().collect();
    if !errors.is_empty() {
        return Err(Refusal::Blocked(errors));
    }
    let plan =
        in_group_rolling::plan(request, seen, &results, made_unix_ms).map_err(Refusal::Blocked)?;
    let violations = crate::linter::judge(&plan);
    if violations.is_empty() {
        Ok((plan, results))
    } else {
        Err(Refusal::Unsafe(violations))
    }
}
