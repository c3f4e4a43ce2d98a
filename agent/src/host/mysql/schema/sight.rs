//! May this account see what it asks about? The data dictionary hides what an account may not see, without a word; a check
//! would then find nothing and be wrong.

use super::super::connection::Session;
use crate::host::{HostError, HostResult};
use refit_shared::version::MysqlVersion;

/// Err names the privileges that are missing, and how to give them.
pub(super) async fn require(
    session: &mut Session<'_>,
    version: MysqlVersion,
    privileges: &[&str],
) -> HostResult<()> {
    if privileges.is_empty() {
        return Ok(());
    }
    let role: Option<String> = match version.major {
        // 5.7 has no roles.
        ..8 => None,
        8.. => session.one("SELECT CURRENT_ROLE()").await?,
    };
    let statement = match role.as_deref() {
        None | Some("NONE") => "SHOW GRANTS".to_owned(),
        // The server's own list of quoted role names.
        Some(roles) => format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"),
    };
    let grants: Vec<String> = session.all(&statement).await?;
    let missing = missing(&grants, privileges);
    if missing.is_empty() {
        return Ok(());
    }
    let user: Option<String> = session.one("SELECT CURRENT_USER()").await?;
    Err(HostError::Unexpected(format!(
        "the agent's account may not see it: GRANT {} ON *.* TO {}",
        missing.join(", "),
        user.unwrap_or_else(|| "it".to_owned())
    )))
}

/// Of `wanted`, what no grant on everything gives.
fn missing<'a>(grants: &[String], wanted: &[&'a str]) -> Vec<&'a str> {
    // A partial revoke hides a schema again.
    let revoked = |privilege: &str| {
        let revokes = grants
            .iter()
            .filter_map(|grant| grant.strip_prefix("REVOKE "));
        revokes
            .filter_map(|grant| grant.split_once(" ON "))
            .any(|(list, _)| names(list, privilege))
    };
    let granted = |privilege: &str| {
        let grants = grants
            .iter()
            .filter_map(|grant| grant.strip_prefix("GRANT "));
        let mut global = grants.filter_map(|grant| grant.split_once(" ON *.* TO "));
        global.any(|(list, _)| names(list, privilege))
    };
    let wanted = wanted.iter().copied();
    wanted
        .filter(|privilege| !granted(privilege) || revoked(privilege))
        .collect()
}

fn names(list: &str, privilege: &str) -> bool {
    list.split(", ")
        .any(|one| one == privilege || one == "ALL PRIVILEGES")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grants_on_everything_count() {
        let grants = |lines: &[&str]| {
            lines
                .iter()
                .map(|line| (*line).to_owned())
                .collect::<Vec<_>>()
        };
        let all = grants(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]);
        assert!(missing(&all, &["SELECT", "PROCESS"]).is_empty());
        let some = grants(&[
            "GRANT SELECT, PROCESS ON *.* TO `refit`@`localhost`",
            "GRANT EVENT ON `shop`.* TO `refit`@`localhost`",
        ]);
        assert_eq!(missing(&some, &["SELECT", "PROCESS", "EVENT"]), ["EVENT"]);
        let hidden = grants(&[
            "GRANT SELECT ON *.* TO `refit`@`localhost`",
            "REVOKE SELECT ON `secret`.* FROM `refit`@`localhost`",
        ]);
        assert_eq!(missing(&hidden, &["SELECT"]), ["SELECT"]);
        let none = grants(&["GRANT USAGE ON *.* TO `refit`@`localhost`"]);
        assert_eq!(missing(&none, &["SELECT"]), ["SELECT"]);
    }
}
