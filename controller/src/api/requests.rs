//! Taking requests apart: raw to validated, every mistake at once.

use super::limits::{MAX_DOCUMENT, MAX_REASON};
use refit_proto::identity::PeerIdentity;
use refit_proto::operator::{ErrorCode, Refusal, wire};
use refit_shared::checks::rebuilds::{Advice, Advised};
use refit_shared::checks::{self, CHECK_TABLES, Selection};
use refit_shared::ids::{ClusterName, MemberName, RolloutId, Turn};
use refit_shared::plan::document::{self, InvalidPlanFile};
use refit_shared::plan::{Plan, Policy, Strategy};
use refit_shared::planner::Request;
use refit_shared::rehearsal::Wanted;
use refit_shared::saga::Actor;
use refit_shared::table::TableName;
use refit_shared::version::MysqlVersion;
use std::time::Duration;

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

/// Takes an act apart. Without the turn that the caller saw, one that comes late could not be told from a new one.
pub fn act(
    peer: &PeerIdentity,
    asked: &wire::ActRequest,
) -> Result<(RolloutId, Turn, Actor), Refusal> {
    let id = rollout(&asked.rollout);
    let seen = asked.turn.map(Turn).ok_or_else(|| {
        invalid(format!(
            "the field `turn` is missing: state the turn that `refit show {} --json` tells",
            asked.rollout
        ))
        .next(format!("refit show {} --json", asked.rollout))
    });
    let by = actor(peer, &asked.reason);
    match (id, seen, by) {
        (Ok(id), Ok(seen), Ok(by)) => Ok((id, seen, by)),
        (id, seen, by) => {
            let wrong = [id.err(), seen.err(), by.err()];
            Err(together(wrong.into_iter().flatten().collect()))
        }
    }
}

/// What Check and Plan are asked with, as it came.
#[derive(Debug)]
pub struct Asked {
    pub cluster: String,
    pub target: String,
    pub policy: Option<wire::Policy>,
    pub strategy: String,
    pub promote: String,
    pub tables: Vec<String>,
    pub advised_for: String,
    pub check_tables: bool,
    pub restart_source: bool,
    pub validate_config: bool,
}

impl From<wire::CheckRequest> for Asked {
    fn from(wire: wire::CheckRequest) -> Self {
        Self {
            cluster: wire.cluster,
            target: wire.target,
            policy: wire.policy,
            strategy: wire.strategy,
            promote: String::new(),
            tables: Vec::new(),
            advised_for: String::new(),
            // A matter of the selection there.
            check_tables: false,
            restart_source: false,
            validate_config: wire.validate_config,
        }
    }
}

impl From<wire::PlanRequest> for Asked {
    fn from(wire: wire::PlanRequest) -> Self {
        Self {
            cluster: wire.cluster,
            target: wire.target,
            policy: wire.policy,
            strategy: wire.strategy,
            promote: wire.promote,
            tables: wire.tables,
            advised_for: wire.advised_for,
            check_tables: wire.check_tables,
            restart_source: wire.restart_source,
            validate_config: wire.validate_config,
        }
    }
}

impl Asked {
    /// Pins are to be released, and no version is named: the one that all run is meant.
    pub fn is_release_alone(&self) -> bool {
        let release = self.policy.as_ref().map(|policy| policy.release.is_empty());
        self.target.is_empty() && release == Some(false)
    }
}

/// At most so many pins at once: there are no more variables whose defaults change.
const MOST_RELEASED: usize = 100;

/// That these can be names of variables at all; which of them may be released the check `pinRelease` says.
fn releasable(policy: &Policy) -> Result<(), Refusal> {
    let is_name = |name: &String| {
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        (1..=64).contains(&name.len()) && name.chars().all(fine)
    };
    let names = policy.release.iter().enumerate();
    let mut wrong: Vec<Refusal> = names
        .filter(|(_, name)| !is_name(name))
        .map(|(at, name)| {
            let shown: String = name.chars().take(64).collect();
            invalid(format!(
                "--release, name {}: {shown:?} is no variable's name, which has letters, digits and _",
                at + 1
            ))
        })
        .collect();
    if policy.release.len() > MOST_RELEASED {
        wrong.push(invalid(format!(
            "--release: {} names, at most {MOST_RELEASED} at once",
            policy.release.len()
        )));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(together(wrong).next("refit config CLUSTER --pins"))
    }
}

/// Takes a request of Check or Plan apart.
pub fn request(asked: Asked) -> Result<(ClusterName, Request), Refusal> {
    let name = cluster(&asked.cluster);
    let target = target(&asked.target);
    let policy = asked
        .policy
        .clone()
        .ok_or_else(|| invalid("the policy is missing"))
        .and_then(|policy| Policy::try_from(policy).map_err(|error| invalid(error.to_string())))
        .and_then(|policy| releasable(&policy).map(|()| policy));
    let strategy = strategy(&asked.strategy);
    let promote = promote(&asked.promote, strategy.as_ref().ok().copied().flatten());
    let chosen = strategy.as_ref().ok().copied().flatten();
    let tables = tables(&asked, chosen, target.as_ref().ok().copied());
    match (name, target, policy, strategy, promote, tables) {
        (Ok(name), Ok(target), Ok(policy), Ok(strategy), Ok(promote), Ok((tables, advised))) => {
            let request = Request {
                target,
                policy,
                strategy,
                promote,
                tables,
                advised,
                restart_source: asked.restart_source,
                validate_config: asked.validate_config,
            };
            Ok((name, request))
        }
        (name, target, policy, strategy, promote, tables) => {
            let wrong: Vec<Refusal> = [
                name.err(),
                target.err(),
                policy.err(),
                strategy.err(),
                promote.err(),
                tables.err(),
            ]
            .into_iter()
            .flatten()
            .collect();
            Err(together(wrong))
        }
    }
}

/// Seconds that an agent may work at a rehearsal.
const LIMITS: std::ops::RangeInclusive<u32> = 60..=86_400;

/// Takes a request of Rehearse apart.
pub fn rehearsal(asked: wire::RehearseRequest) -> Result<(ClusterName, Wanted, Duration), Refusal> {
    let name = cluster(&asked.cluster);
    let member = MemberName::new(&asked.member)
        .map_err(|error| invalid(error.to_string()).next("refit fleet"));
    let target = target(&asked.target);
    let limit = if LIMITS.contains(&asked.limit_s) {
        Ok(Duration::from_secs(asked.limit_s.into()))
    } else {
        Err(invalid(format!(
            "the time limit must be {} to {} seconds",
            LIMITS.start(),
            LIMITS.end()
        )))
    };
    let directory = match &asked.data_directory {
        Some(path) if !path.starts_with('/') || path.chars().any(char::is_control) => {
            Err(invalid("the data directory must be an absolute path"))
        }
        other => Ok(other.clone()),
    };
    match (name, member, target, limit, directory) {
        (Ok(name), Ok(member), Ok(target), Ok(limit), Ok(data_directory)) => {
            let wanted = Wanted {
                member,
                target,
                on_source: asked.on_source,
                copy: asked.copy,
                data_directory,
            };
            Ok((name, wanted, limit))
        }
        (name, member, target, limit, directory) => {
            let wrong = [
                name.err(),
                member.err(),
                target.err(),
                limit.err(),
                directory.err(),
            ];
            Err(together(wrong.into_iter().flatten().collect()))
        }
    }
}

fn target(text: &str) -> Result<MysqlVersion, Refusal> {
    text.parse()
        .map_err(|error: refit_shared::version::InvalidVersion| {
            Refusal::new(ErrorCode::TargetInvalid, error.to_string()).safe("Nothing was changed.")
        })
}

/// A cluster and the version wanted, if any.
pub fn destination(
    cluster_name: &str,
    version: &str,
) -> Result<(ClusterName, Option<MysqlVersion>), Refusal> {
    let target = if version.is_empty() {
        Ok(None)
    } else {
        target(version).map(Some)
    };
    match (cluster(cluster_name), target) {
        (Ok(cluster), Ok(target)) => Ok((cluster, target)),
        (cluster, target) => {
            let wrong = [cluster.err(), target.err()];
            Err(together(wrong.into_iter().flatten().collect()))
        }
    }
}

/// In place of a list: what the checks advise.
const ADVISED: &str = "advised";

/// Every mistake in the list at once. The tables, or that they are those which are advised.
fn tables(
    asked: &Asked,
    strategy: Option<Strategy>,
    of_plan: Option<MysqlVersion>,
) -> Result<(Vec<TableName>, Option<Advised>), Refusal> {
    let mut wrong = Vec::new();
    let texts = &asked.tables;
    if !texts.is_empty() && strategy != Some(Strategy::RebuildTables) {
        wrong.push(invalid("--tables is for --strategy rebuild-tables only"));
    }
    if asked.restart_source && strategy != Some(Strategy::RebuildTables) {
        wrong.push(invalid(
            "--restart-source is for --strategy rebuild-tables only",
        ));
    }
    if asked.validate_config && strategy == Some(Strategy::RebuildTables) {
        wrong.push(invalid(
            "--validate-config is for upgrades: to rebuild tables no option file is changed and no mysqld replaced",
        ));
    }
    let advised = texts.iter().any(|text| text == ADVISED);
    if advised && texts.len() > 1 {
        wrong.push(invalid(
            "--tables: either \"advised\" alone, or names of tables",
        ));
    }
    if !advised && !asked.advised_for.is_empty() {
        wrong.push(invalid("--advised-for is for --tables advised only"));
    }
    if !advised && asked.check_tables {
        wrong.push(invalid(
            "--check-tables is for --tables advised only; `refit check --check-tables` tells what it finds",
        ));
    }
    let version = match asked.advised_for.as_str() {
        "" => of_plan,
        text => target(text).map_err(|error| wrong.push(error)).ok(),
    };
    let mut tables = Vec::new();
    for text in texts.iter().filter(|text| *text != ADVISED) {
        match text.parse::<TableName>() {
            Ok(table) => tables.push(table),
            Err(error) => wrong.push(invalid(error.to_string())),
        }
    }
    if !wrong.is_empty() {
        return Err(together(wrong));
    }
    let advised = version.filter(|_| advised).map(|version| Advised {
        version,
        check_tables: asked.check_tables,
        advice: Advice::default(),
    });
    Ok((tables, advised))
}

fn promote(text: &str, strategy: Option<Strategy>) -> Result<Option<MemberName>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    if strategy != Some(Strategy::Switchover) {
        return Err(invalid(
            "a replica is promoted by a switchover only: --promote needs --strategy switchover",
        ));
    }
    let name = MemberName::new(text);
    name.map(Some).map_err(|error| invalid(error.to_string()))
}

fn strategy(text: &str) -> Result<Option<Strategy>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    Strategy::parse(text).map(Some).ok_or_else(|| {
        let known: Vec<&str> = Strategy::ALL.into_iter().map(Strategy::flag).collect();
        invalid(format!(
            "{text:?} is no strategy; there are {}",
            known.join(", ")
        ))
    })
}

/// Overrides are the caller's, by the name in the certificate; all that is wrong with them is told at once.
pub fn overridden_by(peer: &PeerIdentity, want: &mut Request) -> Result<(), Refusal> {
    for one in &mut want.policy.overrides {
        one.by = peer.identity.name.to_string();
    }
    let wrong = checks::mistakes(&want.policy.overrides);
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(invalid(one.clone()).next("refit check --list")),
        several => Err(
            invalid(format!("{} mistakes in the overrides", several.len()))
                .reasons(several.iter().cloned())
                .next("refit check --list"),
        ),
    }
}

/// Which checks are wanted.
pub fn selection(asked: &wire::CheckRequest) -> Result<Selection, Refusal> {
    let include = asked.include.iter().map(String::as_str);
    let exclude = asked.exclude.iter().map(String::as_str);
    let wanted = Selection::new(include, exclude)
        .map_err(|error| invalid(error.to_string()).next("refit check --list"))?;
    let wanted = match asked.check_tables {
        true => wanted.with(CHECK_TABLES),
        false => wanted,
    };
    Ok(match asked.validate_config {
        true => wanted.with_the_target(),
        false => wanted,
    })
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
    use refit_shared::checks::OF_THE_TARGET;

    #[test]
    fn every_mistake_is_told_at_once() {
        let refusal = request(Asked {
            cluster: "No Such".to_owned(),
            target: "9.7".to_owned(),
            policy: None,
            strategy: "sideways".to_owned(),
            promote: String::new(),
            tables: Vec::new(),
            advised_for: String::new(),
            check_tables: false,
            restart_source: false,
            validate_config: false,
        })
        .unwrap_err();
        assert_eq!(refusal.code, ErrorCode::RequestInvalid);
        assert_eq!(refusal.reasons.len(), 4);
        assert!(refusal.reasons[3].contains("in-group-rolling"));
        assert!(refusal.reasons[1].contains("major.minor.patch"));
    }

    #[test]
    fn checks_that_do_not_exist_are_all_named() {
        let asked = |include: &[&str], exclude: &[&str], check_tables| wire::CheckRequest {
            include: include.iter().map(|id| (*id).to_owned()).collect(),
            exclude: exclude.iter().map(|id| (*id).to_owned()).collect(),
            check_tables,
            ..wire::CheckRequest::default()
        };
        assert!(selection(&asked(&["diskSpace"], &[], false)).is_ok());
        for check_tables in [false, true] {
            let wanted = selection(&asked(&[], &[], check_tables)).unwrap();
            assert_eq!(wanted.wants(CHECK_TABLES), check_tables);
        }
        for validate_config in [false, true] {
            let asked = wire::CheckRequest {
                validate_config,
                ..asked(&["diskSpace"], &[], false)
            };
            let wanted = selection(&asked).unwrap();
            for check in OF_THE_TARGET {
                assert_eq!(wanted.wants(check), validate_config, "{check}");
            }
        }
        let rebuild = wire::CheckRequest {
            validate_config: true,
            strategy: "rebuild-tables".to_owned(),
            ..asked(&[], &[], false)
        };
        let refusal = request(rebuild.into()).unwrap_err();
        assert!(
            refusal
                .reasons
                .iter()
                .any(|why| why.contains("--validate-config is for upgrades")),
            "{refusal:?}"
        );
        let refusal = selection(&asked(&["disk"], &["space"], false)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::RequestInvalid);
        assert!(refusal.what.contains("disk, space"), "{}", refusal.what);
    }

    #[test]
    fn a_target_alone_that_is_wrong_has_its_own_code() {
        let policy = wire::Policy {
            approve_pivot: wire::ApprovePivot::Person.into(),
            accept_no_spare: Some(false),
            restore_primary: Some(true),
            soak_s: Some(0),
            keep_config: false,
            overrides: Vec::new(),
            release: Vec::new(),
        };
        let refusal = request(Asked {
            cluster: "c1".to_owned(),
            target: "9.7".to_owned(),
            policy: Some(policy),
            strategy: String::new(),
            promote: String::new(),
            tables: Vec::new(),
            advised_for: String::new(),
            check_tables: false,
            restart_source: false,
            validate_config: false,
        })
        .unwrap_err();
        assert_eq!(refusal.code, ErrorCode::TargetInvalid);
    }

    #[test]
    fn advised_tables_are_asked_for_in_place_of_a_list() {
        let asked = |list: &[&str], advised_for: &str, check_tables| {
            let policy = Policy {
                approve_pivot: refit_shared::plan::ApprovePivot::Person,
                accept_no_spare: true,
                restore_primary: true,
                soak_s: 0,
                keep_config: false,
                release: Vec::new(),
                overrides: Vec::new(),
            };
            request(Asked {
                cluster: "c1".to_owned(),
                target: "8.4.4".to_owned(),
                policy: Some(policy.into()),
                strategy: "rebuild-tables".to_owned(),
                promote: String::new(),
                tables: list.iter().map(|text| (*text).to_owned()).collect(),
                advised_for: advised_for.to_owned(),
                check_tables,
                restart_source: true,
                validate_config: false,
            })
        };
        for (advised_for, version) in [("", "8.4.4"), ("9.7.4", "9.7.4")] {
            let (_, request) = asked(&["advised"], advised_for, true).unwrap();
            let advised = request.advised.unwrap();
            assert_eq!(advised.version.to_string(), version);
            assert!(advised.check_tables && request.tables.is_empty());
        }
        let (_, request) = asked(&["shop.items"], "", false).unwrap();
        assert!(request.advised.is_none() && request.tables.len() == 1);
        assert!(request.restart_source);
        let refusal = asked(&["advised", "shop.items"], "9.7", false).unwrap_err();
        assert_eq!(refusal.reasons.len(), 2, "{refusal:?}");
        let refusal = asked(&["shop.items"], "9.7.4", true).unwrap_err();
        assert_eq!(refusal.reasons.len(), 2, "{refusal:?}");
    }

    #[test]
    fn names_that_are_none_are_all_told_with_their_places() {
        let policy = |release: &[&str]| wire::Policy {
            approve_pivot: wire::ApprovePivot::Person.into(),
            accept_no_spare: Some(false),
            restore_primary: Some(true),
            soak_s: Some(0),
            release: release.iter().map(|name| (*name).to_owned()).collect(),
            ..wire::Policy::default()
        };
        let asked = |release: &[&str]| Asked {
            cluster: "c1".to_owned(),
            target: "9.7.4".to_owned(),
            policy: Some(policy(release)),
            strategy: String::new(),
            promote: String::new(),
            tables: Vec::new(),
            advised_for: String::new(),
            check_tables: false,
            restart_source: false,
            validate_config: false,
        };
        assert!(request(asked(&["gtid-mode", "back_log"])).is_ok());
        let refusal = request(asked(&["gtid_mode", "x; y", "", "back_log"])).unwrap_err();
        assert_eq!(refusal.reasons.len(), 2, "{refusal:?}");
        assert!(
            refusal.reasons[0].contains("name 2: \"x; y\""),
            "{refusal:?}"
        );
        assert!(refusal.reasons[1].contains("name 3"), "{refusal:?}");
        let alone = Asked {
            target: String::new(),
            ..asked(&["gtid_mode"])
        };
        assert!(alone.is_release_alone());
        assert!(!asked(&["gtid_mode"]).is_release_alone());
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
