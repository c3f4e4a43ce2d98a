//! Check results and the plan's policy, over the wire and back.

use super::{Malformed, wire};
use refit_shared::checks::{CheckResult, Finding, Level, ManualCheck, Override};
use refit_shared::plan::{ApprovePivot, Policy};

/// What the checks say about a cluster and a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub cluster: String,
    pub target: String,
    /// The servers that were judged: `m1 (9.7.3), m2 (9.7.3)`.
    pub server_address: String,
    /// Their versions, each once, lowest first, with a comma between.
    pub server_version: String,
    pub checks: Vec<CheckResult>,
    /// What only a person can check.
    pub manual: Vec<ManualView>,
}

/// Something that only a person can check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualView {
    pub id: String,
    pub title: String,
    pub description: String,
    /// The manual's page, where there is one.
    pub link: Option<String>,
}

impl From<&ManualCheck> for ManualView {
    fn from(check: &ManualCheck) -> Self {
        Self {
            id: check.id.to_owned(),
            title: check.title.to_owned(),
            description: check.description.to_owned(),
            link: check.link.map(str::to_owned),
        }
    }
}

impl From<ManualView> for wire::ManualCheck {
    fn from(view: ManualView) -> Self {
        Self {
            id: view.id,
            title: view.title,
            description: view.description,
            documentation_link: text(view.link),
        }
    }
}

impl From<wire::ManualCheck> for ManualView {
    fn from(wire: wire::ManualCheck) -> Self {
        Self {
            id: wire.id,
            title: wire.title,
            description: wire.description,
            link: link(wire.documentation_link),
        }
    }
}

/// On the wire, no link is an empty one.
fn text(link: Option<String>) -> String {
    link.unwrap_or_default()
}

fn link(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl From<Judgement> for wire::CheckResponse {
    fn from(judgement: Judgement) -> Self {
        Self {
            cluster: judgement.cluster,
            target: judgement.target,
            server_address: judgement.server_address,
            server_version: judgement.server_version,
            checks: judgement.checks.into_iter().map(Into::into).collect(),
            manual: judgement.manual.into_iter().map(Into::into).collect(),
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
            server_version: wire.server_version,
            checks: checks.collect::<Result<_, _>>()?,
            manual: wire.manual.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<CheckResult> for wire::CheckResult {
    fn from(result: CheckResult) -> Self {
        Self {
            id: result.id,
            title: result.title,
            description: result.description,
            documentation_link: text(result.link),
            not_applicable: !result.applies,
            may_override: result.may_override,
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
        link: link(wire.documentation_link),
        applies: !wire.not_applicable,
        may_override: wire.may_override,
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
            keep_config: policy.keep_config,
            overrides: policy.overrides.into_iter().map(override_to_wire).collect(),
            release: policy.release,
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
            keep_config: wire.keep_config,
            // Who: the caller, as the controller knows it from the certificate.
            overrides: wire.overrides.into_iter().map(override_of_wire).collect(),
            release: wire.release,
        })
    }
}

fn override_to_wire(one: Override) -> wire::Override {
    wire::Override {
        check: one.check,
        reason: one.reason,
    }
}

fn override_of_wire(wire: wire::Override) -> Override {
    Override {
        check: wire.check,
        reason: wire.reason,
        by: String::new(),
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
            keep_config: true,
            overrides: vec![Override {
                check: "routineSyntax".to_owned(),
                reason: "tried on a copy".to_owned(),
                by: String::new(),
            }],
            release: vec!["explain_format".to_owned()],
        };
        let wire = wire::Policy::from(whole.clone());
        assert_eq!(Policy::try_from(wire.clone()), Ok(whole));
        let holes: [fn(&mut wire::Policy); 4] = [
            |p| p.approve_pivot = 0,
            |p| p.accept_no_spare = None,
            |p| p.restore_primary = None,
            |p| p.soak_s = None,
        ];
        for hole in holes {
            let mut open = wire.clone();
            hole(&mut open);
            assert!(Policy::try_from(open.clone()).is_err(), "{open:?}");
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
