//! From the facade's views and errors to the API's. Pure.

use crate::ports::JournalError;
use crate::rollouts::{
    ApiError, CheckReport, ClusterReport, ConfigReport, RolloutView, State, StepState, StepView,
    Summary,
};
use refit_proto::operator::{self as api, ErrorCode, Refusal};
use refit_shared::checks::{self, Finding, VersionPair};
use refit_shared::operation::{Direction, OperationKind};
use refit_shared::saga::End;
use refit_shared::topology::Sighting;
use refit_shared::version::MysqlVersion;
use std::collections::BTreeSet;

pub fn cluster(report: ClusterReport) -> api::ClusterView {
    let addresses: Vec<_> = report
        .members
        .iter()
        .map(|member| (member.name.clone(), member.address.clone()))
        .collect();
    let seen = Sighting {
        cluster: report.name,
        members: report
            .members
            .into_iter()
            .map(|member| (member.name, member.seen))
            .collect(),
        surveys: Default::default(),
    };
    api::ClusterView::of(&seen, &addresses, report.rollout.as_ref())
}

pub fn judgement(report: CheckReport) -> api::Judgement {
    let server = |name| match report.seen.server(name) {
        Ok(server) => format!("{name} ({})", server.version_string),
        Err(_) => format!("{name} (not seen)"),
    };
    let servers: Vec<String> = report.seen.members.keys().map(server).collect();
    let versions: BTreeSet<MysqlVersion> = report
        .seen
        .servers()
        .map(|(_, server)| server.version)
        .collect();
    let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    let pairs: Vec<VersionPair> = report
        .seen
        .servers()
        .map(|(_, server)| VersionPair {
            from: server.version,
            to: report.target,
        })
        .collect();
    api::Judgement {
        cluster: report.cluster.to_string(),
        target: report.target.to_string(),
        server_address: servers.join(", "),
        server_version: versions.join(", "),
        manual: checks::manual(&pairs, &report.results)
            .map(Into::into)
            .collect(),
        checks: report.results,
    }
}

pub fn configuration(report: ConfigReport) -> api::Configuration {
    let members = report.members.into_iter();
    let member = members.map(|m| api::MemberConfig::of(&m.name, m.version, m.found));
    api::Configuration {
        cluster: report.cluster.to_string(),
        target: report
            .target
            .map_or_else(String::new, |target| target.to_string()),
        members: member.collect(),
    }
}

pub fn summary(summary: &Summary) -> api::SummaryView {
    let (state, why) = match &summary.state {
        State::Running => (api::State::Running, String::new()),
        State::AwaitingApproval { step } => (
            api::State::AwaitingApproval,
            format!("`refit approve` is awaited before the pivot, step {step}"),
        ),
        State::Unwinding => (api::State::Unwinding, String::new()),
        State::Parked { reason } => (api::State::Parked, reason.to_string()),
        State::Finalizing => (api::State::Finalizing, String::new()),
        State::Ended { end, .. } => match end {
            End::Upgraded => (api::State::Upgraded, String::new()),
            End::Restored => (api::State::Restored, String::new()),
            End::Abandoned { by } => (api::State::Abandoned, format!("by {by}")),
        },
    };
    api::SummaryView {
        id: summary.id.to_string(),
        cluster: summary.cluster.to_string(),
        target_version: summary.target.to_string(),
        created_by: summary.created_by.to_string(),
        created_unix_ms: summary.created_unix_ms,
        last_unix_ms: summary.last_unix_ms,
        state,
        why,
        finalized: matches!(
            summary.state,
            State::Ended {
                finalized: true,
                ..
            }
        ),
    }
}

/// `at_unix_ms`: the controller's clock now.
pub fn rollout(view: &RolloutView, at_unix_ms: i64) -> api::RolloutView {
    api::RolloutView {
        summary: summary(&view.summary),
        plan_digest: view.plan.to_string(),
        strategy: view.strategy.clone(),
        next_seq: view.next_seq.0,
        turn: view.turn.0,
        pivot: view.pivot.as_ref().map(|pivot| api::PivotView {
            step: pivot.step.0,
            why: pivot.why.clone(),
            approved_by: view.pivot_approved.as_ref().map(ToString::to_string),
            crossed: view.pivot_crossed,
        }),
        no_way_back: view.may_unwind.clone().err(),
        members: view
            .versions_before
            .iter()
            .map(|(name, version)| api::MemberBefore {
                name: name.to_string(),
                version_before: version.to_string(),
            })
            .collect(),
        steps: view.steps.iter().map(step).collect(),
        writes: api::WritesView {
            gap_ms: view.writes.gap_ms,
            quiet_ms: view.writes.quiet_ms,
            largest_gap_ms: view.writes.largest_gap_ms,
            writable_members: view.writes.writable_members,
        },
        waiting_for: view.waiting_for.clone(),
        next: view
            .next_commands
            .iter()
            .map(|next| api::NextView {
                command: next.command.clone(),
                effect: next.effect.clone(),
            })
            .collect(),
        estimate_ms: view.estimate.0,
        planned_downtime_ms: view.downtime.map(|downtime| downtime.0),
        at_unix_ms,
    }
}

fn step(view: &StepView) -> api::StepView {
    let (state, failure) = match &view.status {
        StepState::Pending => (api::StepState::Pending, None),
        StepState::Running => (api::StepState::Running, None),
        StepState::Done => (api::StepState::Done, None),
        StepState::Failed(failure) => (api::StepState::Failed, Some(failure.clone())),
        StepState::Undoing => (api::StepState::Undoing, None),
        StepState::Undone => (api::StepState::Undone, None),
        StepState::UndoFailed(failure) => (api::StepState::UndoFailed, Some(failure.clone())),
    };
    api::StepView {
        id: view.id.0,
        stage: view.stage.clone(),
        member: view.member.to_string(),
        title: view.title.to_owned(),
        why: view.why.clone(),
        reversibility: view.reversibility,
        estimate_ms: view.estimate.0,
        status: state,
        attempt: view.attempt.0,
        began_unix_ms: view.intended_unix_ms,
        took_ms: view.took_ms,
        failure,
        in_flight: view.in_flight.as_ref().map(|work| api::InFlightView {
            undoing: work.direction == Direction::Undo,
            phase: work.phase.clone(),
            percent: work.percent,
            waiting: work.waiting,
        }),
        notes: view.notes.clone(),
        largest_write_gap_ms: view.largest_write_gap_ms,
        // The linter lets nothing be released before the finalize stage, and that stage does nothing else.
        finalize: view.title == OperationKind::ReleaseArtifacts.as_str(),
    }
}

/// What an operator reads when the facade says no.
pub fn refusal(error: ApiError) -> Refusal {
    const NOTHING: &str = "Nothing was changed.";
    let what = error.to_string();
    let with = |code| Refusal::new(code, what.clone()).safe(NOTHING);
    match error {
        ApiError::UnknownCluster(_) => with(ErrorCode::ClusterUnknown).next("refit fleet"),
        ApiError::UnknownRollout(_) => with(ErrorCode::RolloutUnknown).next("refit list"),
        ApiError::UnknownPlan(_) => {
            with(ErrorCode::PlanUnknown).next("refit plan CLUSTER --target VERSION")
        }
        ApiError::Blocked { cluster, findings } => {
            let code = blocked_code(&findings);
            let of_pins = |finding: &&Finding| finding.check == "pinRelease";
            let pins = findings.iter().filter(of_pins).count();
            let what = if pins == findings.len() { "release" } else { "upgrade" };
            let mut refusal = Refusal::new(code, format!("{} finding(s) block the {what} of {cluster}", findings.len()))
                .reasons(findings.iter().map(told))
                .safe(NOTHING);
            // `refit check` knows of no release.
            if pins > 0 {
                refusal = refusal.next(format!("refit config {cluster} --pins"));
            }
            if pins < findings.len() {
                refusal = refusal.next(format!("refit check {cluster} --target VERSION"));
            }
            refusal
        }
        ApiError::UnsafePlan(violations) => {
            Refusal::new(ErrorCode::PlanRefused, "the plan breaks a safety rule, which is a bug in Refit")
                .reasons(violations.iter().map(ToString::to_string))
                .safe(NOTHING)
        }
        ApiError::Drifted {
            cluster,
            differences,
        } => Refusal::new(
            ErrorCode::PlanStale,
            format!("the plan is stale: {cluster} has changed since it was made"),
        )
        .reasons(differences)
        .safe(NOTHING)
        .next(format!("refit plan {cluster} --target VERSION")),
        ApiError::NotSeen { cluster, missing } => Refusal::new(
            ErrorCode::ClusterUnseen,
            format!("{cluster} could not be seen whole"),
        )
        .reasons(missing)
        .safe(NOTHING)
        .next(format!("refit fleet {cluster}")),
        ApiError::SeveralVersions { cluster, .. } => {
            with(ErrorCode::TargetInvalid).next(format!("refit fleet {cluster}"))
        }
        ApiError::ClusterBusy { by, .. } => with(ErrorCode::RolloutActive)
            .next(format!("refit show {by}"))
            .next(format!("refit watch {by}")),
        ApiError::NotNow { rollout, .. } => {
            with(ErrorCode::RolloutState).next(format!("refit show {rollout}"))
        }
        ApiError::Moved { rollout, .. } => moved(rollout.as_str(), what),
        ApiError::MayNotRehearse { against, .. } => with(ErrorCode::RehearsalRefused)
            .reasons(against)
            .next("refit fleet"),
        ApiError::RehearsalFailed { .. } => Refusal::new(ErrorCode::RehearsalFailed, what)
            .safe("The member was only read; its agent removes what is left of the clone, also after a restart."),
        ApiError::NoRoom(_) => with(ErrorCode::JournalFailed).next("refit health"),
        ApiError::Journal(JournalError::Corrupt(_)) => Refusal::new(ErrorCode::JournalCorrupt, what)
            .safe("Nothing acts on such a journal; agents finish what they have begun, and mysqld is not touched.")
            .next("refit journal verify PATH"),
        ApiError::Journal(
            JournalError::Write(_) | JournalError::Read(_) | JournalError::Poisoned(_),
        ) => Refusal::new(ErrorCode::JournalFailed, what)
            .safe("Nothing acts until the journal can be written; agents finish what they have begun.")
            .next("refit health"),
        ApiError::Stopped(_) => Refusal::new(ErrorCode::ControllerStopping, what)
            .safe("Rollouts go on when a controller acts again; agents finish what they have begun.")
            .next("refit health"),
    }
}

/// An act that was meant for another turn: one look tells whether it is still wanted.
pub fn moved(rollout: &str, what: String) -> Refusal {
    Refusal::new(ErrorCode::RolloutMoved, what)
        .safe("Nothing was changed by this one.")
        .next(format!("refit show {rollout}"))
}

/// With the check's id, which `--override` wants.
fn told(finding: &Finding) -> String {
    format!(
        "{}: {} ({}) [{}]",
        finding.object, finding.description, finding.fix, finding.check
    )
}

/// A target that nobody offers has its own code; anything else is blocked.
fn blocked_code(findings: &[Finding]) -> ErrorCode {
    let only = |id: &str| findings.iter().all(|finding| finding.check == id);
    if only("upgradePath") {
        ErrorCode::TargetInvalid
    } else if only("packagesAvailable") {
        ErrorCode::TargetUnavailable
    } else {
        ErrorCode::PlanBlocked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use refit_shared::checks::Level;
    use refit_shared::ids::ClusterName;

    #[test]
    fn a_release_that_is_refused_leads_to_the_pins() {
        let finding = |check: &str| Finding {
            check: check.to_owned(),
            level: Level::Error,
            object: "db1".to_owned(),
            description: "d".to_owned(),
            fix: "f".to_owned(),
        };
        let blocked = |checks: &[&str]| {
            refusal(ApiError::Blocked {
                cluster: ClusterName::new("shop").expect("a literal that is a name"),
                findings: checks.iter().map(|check| finding(check)).collect(),
            })
        };
        let release = blocked(&["pinRelease", "pinRelease"]);
        assert_eq!(release.next, ["refit config shop --pins"]);
        assert!(release.what.contains("block the release of shop"));
        let both = blocked(&["pinRelease", "diskSpace"]);
        assert_eq!(
            both.next,
            [
                "refit config shop --pins",
                "refit check shop --target VERSION"
            ]
        );
        let upgrade = blocked(&["diskSpace"]);
        assert_eq!(upgrade.next, ["refit check shop --target VERSION"]);
    }
}
