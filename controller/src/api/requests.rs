//! Taking requests apart: raw to validated, every mistake at once.

use super::limits::{MAX_DOCUMENT, MAX_REASON};
use refit_proto::identity::PeerIdentity;
use refit_proto::operator::{ErrorCode, Refusal, wire};
use refit_shared::ids::{ClusterName, RolloutId};
use refit_shared::plan::document::{self, InvalidPlanFile};
use refit_shared::plan::{Plan, Policy};
use refit_shared::planner::Request;
use refit_shared::saga::Actor;
use refit_shared::version::MysqlVersion;

/// The caller's certificate is who acts; what they say only gives the reason.
pub fn actor(peer: &PeerIdentity, reason: &str) -> Result<Actor, Refusal> {
    if reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
        return Err(invalid(format!(
            "the reason must be one line of at most {MAX_REASON} characters"
        )));
    }
    Ok(Actor {
        name: peer.identity.name.to_string(),
        reason: reason.to_owned(),
    })
}

pub fn cluster(text: &str) -> Result<ClusterName, Refusal> {
    ClusterName::new(text).map_err(|error| invalid(error.to_string()).next("refit fleet"))
}

pub fn rollout(text: &str) -> Result<RolloutId, Refusal> {
    RolloutId::new(text).map_err(|error| invalid(error.to_string()).next("refit list"))
}

/// Cluster, target and policy of Check and Plan.
pub fn request(
    name: &str,
    target: &str,
    policy: Option<wire::Policy>,
) -> Result<(ClusterName, Request), Refusal> {
    let name = cluster(name);
    let target = target.parse::<MysqlVersion>().map_err(|error| {
        Refusal::new(ErrorCode::TargetInvalid, error.to_string()).safe("Nothing was changed.")
    });
    let policy = policy
        .ok_or_else(|| invalid("the policy is missing"))
        .and_then(|policy| Policy::try_from(policy).map_err(|error| invalid(error.to_string())));
    match (name, target, policy) {
        (Ok(name), Ok(target), Ok(policy)) => Ok((name, Request { target, policy })),
        (name, target, policy) => {
            let wrong: Vec<Refusal> = [name.err(), target.err(), policy.err()]
                .into_iter()
                .flatten()
                .collect();
            Err(together(wrong))
        }
    }
}

/// One refusal for several mistakes: the first one's code, everybody's words.
fn together(mut wrong: Vec<Refusal>) -> Refusal {
    if wrong.len() == 1 {
        return wrong.remove(0);
    }
    let code = wrong[0].code;
    Refusal::new(code, format!("{} mistakes in the request", wrong.len()))
        .reasons(wrong.into_iter().map(|refusal| refusal.what))
}

/// A plan file as it was written, with its digest verified.
pub fn plan(bytes: &[u8]) -> Result<Plan, Refusal> {
    let refuse = |code, what: String| {
        Refusal::new(code, what)
            .safe("Nothing was changed.")
            .next("refit plan CLUSTER --target VERSION")
    };
    if bytes.len() > MAX_DOCUMENT {
        return Err(refuse(
            ErrorCode::PlanMalformed,
            format!(
                "the plan has {} bytes, at most {MAX_DOCUMENT} are read",
                bytes.len()
            ),
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        refuse(
            ErrorCode::PlanMalformed,
            format!("not a plan file: {error}"),
        )
    })?;
    document::read(text).map_err(|error| {
        let code = match &error {
            InvalidPlanFile::Malformed(_) | InvalidPlanFile::Format { .. } => {
                ErrorCode::PlanMalformed
            }
            InvalidPlanFile::Edited { .. } => ErrorCode::PlanEdited,
        };
        refuse(code, error.to_string())
    })
}

pub fn invalid(what: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::RequestInvalid, what).safe("Nothing was changed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_at_once() {
        let refusal = request("No Such", "9.7", None).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::RequestInvalid);
        assert_eq!(refusal.reasons.len(), 3);
        assert!(refusal.reasons[1].contains("major.minor.patch"));
    }

    #[test]
    fn a_target_alone_that_is_wrong_has_its_own_code() {
        let policy = wire::Policy {
            approve_pivot: wire::ApprovePivot::Person.into(),
            accept_no_spare: Some(false),
            restore_primary: Some(true),
            soak_s: Some(0),
        };
        let refusal = request("c1", "9.7", Some(policy)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::TargetInvalid);
    }

    #[test]
    fn what_is_not_a_plan_is_refused() {
        for bytes in [&b""[..], b"{}", b"\xff\xfe", b"{\"refit_plan\": 1}"] {
            assert_eq!(plan(bytes).unwrap_err().code, ErrorCode::PlanMalformed);
        }
        let old = b"{\"refit_plan\": 9000}";
        assert!(plan(old).unwrap_err().what.contains("9000"));
        let large = vec![b' '; MAX_DOCUMENT + 1];
        assert_eq!(plan(&large).unwrap_err().code, ErrorCode::PlanMalformed);
    }
}
