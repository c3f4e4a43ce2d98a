//! Check results and the plan's policy, over the wire and back.

use super::{Malformed, wire};
use refit_shared::checks::{CheckResult, Finding, Level};
use refit_shared::plan::{ApprovePivot, Policy};

/// What the checks say about a cluster and a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub cluster: String,
    pub target: String,
    /// The servers that were judged: `m1 (9.7.3), m2 (9.7.3)`.
    pub server_address: String,
    pub checks: Vec<CheckResult>,
}

impl From<Judgement> for wire::CheckResponse {
    fn from(judgement: Judgement) -> Self {
        Self {
            cluster: judgement.cluster,
            target: judgement.target,
            server_address: judgement.server_address,
            checks: judgement.checks.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::CheckResponse> for Judgement {
    type Error = Malformed;
    fn try_from(wire: wire::CheckResponse) -> Result<Self, Malformed> {
        let checks = wire.checks.into_iter().map(check_of_wire);
        Ok(Self {
            cluster: wire.cluster,
            target: wire.target,
            server_address: wire.server_address,
            checks: checks.collect::<Result<_, _>>()?,
        })
    }
}

impl From<CheckResult> for wire::CheckResult {
    fn from(result: CheckResult) -> Self {
        Self {
            id: result.id,
            title: result.title,
            description: result.description,
            findings: result.findings.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::CheckResult> for CheckResult {
    type Error = Malformed;
    fn try_from(wire: wire::CheckResult) -> Result<Self, Malformed> {
        check_of_wire(wire)
    }
}

fn check_of_wire(wire: wire::CheckResult) -> Result<CheckResult, Malformed> {
    let findings = wire.findings.into_iter().map(finding_of_wire);
    Ok(CheckResult {
        id: wire.id,
        title: wire.title,
        description: wire.description,
        findings: findings.collect::<Result<_, _>>()?,
    })
}

impl From<Finding> for wire::Finding {
    fn from(finding: Finding) -> Self {
        let level = match finding.level {
            Level::Error => wire::Level::Error,
            Level::Warning => wire::Level::Warning,
            Level::Notice => wire::Level::Notice,
        };
        Self {
            check: finding.check,
            level: level.into(),
            object: finding.object,
            description: finding.description,
            fix: finding.fix,
        }
    }
}

fn finding_of_wire(wire: wire::Finding) -> Result<Finding, Malformed> {
    let level = match wire.level() {
        wire::Level::Error => Level::Error,
        wire::Level::Warning => Level::Warning,
        wire::Level::Notice => Level::Notice,
        wire::Level::Unspecified => {
            return Err(Malformed::new("Finding", "level", "missing or unknown"));
        }
    };
    Ok(Finding {
        check: wire.check,
        level,
        object: wire.object,
        description: wire.description,
        fix: wire.fix,
    })
}

impl From<Policy> for wire::Policy {
    fn from(policy: Policy) -> Self {
        let approve = match policy.approve_pivot {
            ApprovePivot::Person => wire::ApprovePivot::Person,
            ApprovePivot::Auto => wire::ApprovePivot::Auto,
        };
        Self {
            approve_pivot: approve.into(),
            accept_no_spare: Some(policy.accept_no_spare),
            restore_primary: Some(policy.restore_primary),
            soak_s: Some(policy.soak_s),
        }
    }
}

impl TryFrom<wire::Policy> for Policy {
    type Error = Malformed;
    fn try_from(wire: wire::Policy) -> Result<Self, Malformed> {
        let missing = |field| Malformed::new("Policy", field, "every choice must be made");
        let approve_pivot = match wire.approve_pivot() {
            wire::ApprovePivot::Person => ApprovePivot::Person,
            wire::ApprovePivot::Auto => ApprovePivot::Auto,
            wire::ApprovePivot::Unspecified => return Err(missing("approve_pivot")),
        };
        Ok(Policy {
            approve_pivot,
            accept_no_spare: wire
                .accept_no_spare
                .ok_or_else(|| missing("accept_no_spare"))?,
            restore_primary: wire
                .restore_primary
                .ok_or_else(|| missing("restore_primary"))?,
            soak_s: wire.soak_s.ok_or_else(|| missing("soak_s"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_with_a_choice_left_open_is_refused() {
        let whole = Policy {
            approve_pivot: ApprovePivot::Person,
            accept_no_spare: false,
            restore_primary: true,
            soak_s: 30,
        };
        let wire = wire::Policy::from(whole.clone());
        assert_eq!(Policy::try_from(wire), Ok(whole));
        let holes: [fn(&mut wire::Policy); 4] = [
            |p| p.approve_pivot = 0,
            |p| p.accept_no_spare = None,
            |p| p.restore_primary = None,
            |p| p.soak_s = None,
        ];
        for hole in holes {
            let mut open = wire;
            hole(&mut open);
            assert!(Policy::try_from(open).is_err(), "{open:?}");
        }
    }

    #[test]
    fn a_finding_of_an_unknown_level_is_not_taken_for_harmless() {
        let finding = wire::Finding {
            level: 9,
            ..wire::Finding::default()
        };
        assert!(finding_of_wire(finding).is_err());
    }
}
